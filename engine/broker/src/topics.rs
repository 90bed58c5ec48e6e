//! The topics of this broker: what the metadata log says of them, and each partition's open log.

mod adoption;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use ringlog_io::Disk;
use ringlog_log::{Log, LogDir, LogError, TopicPartition, partition_metadata};
use ringlog_metadata::{Change, ConfigScope, Image, InvalidTopicName, MetaError, MetadataLog, check_topic_name};
use ringlog_protocol::{ErrorCode, Uuid};
use ringlog_settings::{BrokerConfig, LiveConfig, SettingsError, Sources, TopicConfig};
use tokio::sync::Mutex;
use tracing::{error, info};

use crate::log_config::log_config;
use crate::reserve::{Reserve, is_full};

/// The topics that the broker keeps for itself.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// The log of Kafka's own controllers, which an adopted directory has: never a topic.
pub(crate) const KAFKA_METADATA_TOPIC: &str = "__cluster_metadata";

/// Whether clients are told that the topic is the broker's own.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, OFFSETS_TOPIC | TRANSACTIONS_TOPIC)
}

/// Most partitions of one topic: each holds descriptors and memory from its creation on.
pub(crate) const MAX_PARTITIONS: i32 = 10_000;

/// Names of deleted topics that are remembered.
const MOST_DELETED: usize = 1_000;

/// A topic with its open partitions.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// What is set on it.
    pub(crate) configs: BTreeMap<String, String>,
    /// What counts for it.
    pub(crate) config: Arc<TopicConfig>,
    pub(crate) partitions: Vec<Arc<Log>>,
}

impl Topic {
    /// The log of a partition, by its number on the wire.
    pub(crate) fn log(&self, partition: i32) -> Option<&Arc<Log>> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}

/// Why a topic is not there, or can't be made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("topic {name:?} does not exist: create it")]
    Unknown { name: String },
    #[error("topic {name:?} exists: choose another name")]
    Exists { name: String },
    #[error("{name:?} is what Kafka's controllers call their own log: choose another name")]
    Reserved { name: String },
    #[error("{path} is there already: restart to have it adopted, or move it away", path = path.display())]
    Occupied { path: PathBuf },
    #[error("topic {name:?} differs from {other:?} only in dots and underscores: choose another name")]
    Collides { name: String, other: String },
    #[error(transparent)]
    Name(#[from] InvalidTopicName),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Metadata(#[from] MetaError),
    #[error("the kernel gives no random bytes for an id: {0}")]
    Random(#[from] std::io::Error),
    #[error("{partition} is of topic id {found}, the topic's is {expected}: move the directory away")]
    OtherId { partition: TopicPartition, found: Uuid, expected: Uuid },
}

impl TopicError {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            TopicError::Unknown { .. } => ErrorCode::UnknownTopicOrPartition,
            TopicError::Exists { .. } => ErrorCode::TopicAlreadyExists,
            TopicError::Name(_) | TopicError::Collides { .. } => ErrorCode::InvalidTopicException,
            TopicError::Settings(_) => ErrorCode::InvalidConfig,
            TopicError::Log(error) => crate::errors::code_of(error),
            TopicError::Metadata(_) => ErrorCode::KafkaStorageError,
            TopicError::Reserved { .. } => ErrorCode::InvalidRequest,
            TopicError::Occupied { .. } => ErrorCode::TopicAlreadyExists,
            TopicError::Random(_) | TopicError::OtherId { .. } => ErrorCode::UnknownServerError,
        }
    }
}

/// Every topic; readers take a snapshot, a change replaces it.
pub(crate) struct Topics {
    dir: LogDir,
    broker: BrokerConfig,
    known: RwLock<Arc<Known>>,
    /// One change at a time.
    metadata: Mutex<MetadataLog>,
    reserve: Reserve,
    /// The names of topics that were deleted, until somebody asks for one of them: the last [`MOST_DELETED`].
    deleted: std::sync::Mutex<VecDeque<Arc<str>>>,
}

#[derive(Clone)]
struct Known {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
    /// What is set for the broker, by where.
    sources: Arc<Sources>,
    /// What of it counts while the broker runs.
    live: Arc<LiveConfig>,
}

impl Known {
    fn put(&mut self, topic: Arc<Topic>) {
        self.by_name.insert(topic.name.clone(), topic.clone());
        self.by_id.insert(topic.id, topic);
    }
}

impl Topics {
    /// Opens every partition, repairing what a crash left. `fixed` is what the broker's file sets; `reserve` the directory's.
    pub(crate) async fn open(
        disk: &Disk,
        dir: LogDir,
        broker: BrokerConfig,
        fixed: BTreeMap<String, String>,
        reserve: Reserve,
    ) -> Result<Topics, TopicError> {
        let (mut metadata, report) = MetadataLog::open(disk, dir.path()).await?;
        if report.truncated_bytes > 0 {
            tracing::warn!(bytes = report.truncated_bytes, "an unfinished change was cut off the metadata log");
        }
        adoption::reconcile(disk, &dir, &mut metadata, &broker).await?;
        let image = metadata.image();
        let sources = Arc::new(sources(fixed, &image));
        let live = Arc::new(LiveConfig::resolve(&sources)?);
        let known = Known { by_name: BTreeMap::new(), by_id: HashMap::new(), sources: sources.clone(), live };
        let topics = Topics {
            dir,
            broker,
            known: RwLock::new(Arc::new(known)),
            metadata: Mutex::new(metadata),
            reserve,
            deleted: Default::default(),
        };
        for topic in image.topics() {
            let config = Arc::new(TopicConfig::resolve(&topic.configs, &sources)?);
            let bare = Topic {
                name: topic.name.clone(),
                id: topic.id,
                configs: topic.configs.clone(),
                config,
                partitions: Vec::new(),
            };
            topics.make_known(topics.with_partitions(disk, bare, topic.partitions).await?);
        }
        Ok(topics)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.known().by_name.get(name).cloned()
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.known().by_id.get(&id).cloned()
    }

    /// A partition's log, by its name on the wire.
    pub(crate) fn log(&self, topic: &str, partition: i32) -> Result<Arc<Log>, ErrorCode> {
        let log = self.get(topic).and_then(|topic| topic.log(partition).cloned());
        log.ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// Every topic, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.known().by_name.values().cloned().collect()
    }

    /// The log of every partition.
    pub(crate) fn logs(&self) -> Vec<Arc<Log>> {
        self.known().by_name.values().flat_map(|topic| topic.partitions.clone()).collect()
    }

    /// The metadata log, for what it holds beside topics and settings. Whoever has it changes it alone.
    pub(crate) fn metadata(&self) -> &Mutex<MetadataLog> {
        &self.metadata
    }

    /// What is set aside for a full disk.
    pub(crate) fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// What may change while the broker runs.
    pub(crate) fn live(&self) -> Arc<LiveConfig> {
        self.known().live.clone()
    }

    /// What is set for the broker, by where.
    pub(crate) fn sources(&self) -> Arc<Sources> {
        self.known().sources.clone()
    }

    /// Makes a topic. It is durable and usable on return.
    pub(crate) async fn create(
        &self,
        disk: &Disk,
        name: &str,
        partitions: i32,
        configs: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, TopicError> {
        let mut metadata = self.metadata.lock().await;
        let config = Arc::new(self.check_new(name, &configs)?);
        self.check_free(name, 0..partitions)?;
        let id = fresh_id()?;
        let mut changes = Vec::new();
        if let Some(left) = metadata.image().topic(name) {
            // One that could not be made, when that could not be written either.
            changes.extend([Change::TopicDeleted { id: left.id }, Change::TopicRemoved { id: left.id }]);
        }
        changes.push(Change::TopicCreated { name: name.to_owned(), id, partitions, configs: configs.clone() });
        self.write(disk, &mut metadata, &changes).await?;
        let bare = Topic { name: name.into(), id, configs, config, partitions: Vec::new() };
        match self.with_partitions(disk, bare, partitions).await {
            Ok(topic) => {
                info!(topic = name, partitions, %id, "topic created");
                Ok(self.make_known(topic))
            }
            Err(error) => {
                self.heed(disk, &error);
                self.undo_create(disk, &mut metadata, name, id, partitions).await;
                Err(error)
            }
        }
    }

    /// Whether no directory stands where these partitions are to be made: what somebody put there is not ours to mix with, and
    /// not ours to remove should the topic not come about.
    fn check_free(&self, name: &str, partitions: Range<i32>) -> Result<(), TopicError> {
        let mut paths = partitions.map(|partition| self.dir.partition_path(&TopicPartition::new(name, partition)));
        match paths.find(|path| path.exists()) {
            Some(path) => Err(TopicError::Occupied { path }),
            None => Ok(()),
        }
    }

    /// Half a topic is none. Its directories, which are this request's own, go first: they may be the room in which the rest can
    /// be written. A crash before that leaves a topic that the next start completes; without a crash, the next one of its name
    /// takes its place. Directories that can't be removed are at the next start.
    async fn undo_create(&self, disk: &Disk, metadata: &mut MetadataLog, name: &str, id: Uuid, partitions: i32) {
        let removed = self.remove_made(disk, name, 0..partitions);
        let mut changes = vec![Change::TopicDeleted { id }];
        changes.extend(removed.is_ok().then_some(Change::TopicRemoved { id }));
        let written = self.write(disk, metadata, &changes).await.map_err(TopicError::from);
        for error in [removed.map_err(TopicError::from), written].into_iter().filter_map(Result::err) {
            error!(topic = name, %error, "a topic that could not be made could not be removed either");
        }
    }

    /// Removes what there is of partitions that could not be made.
    fn remove_made(&self, disk: &Disk, name: &str, partitions: Range<i32>) -> Result<(), LogError> {
        let made = partitions.map(|partition| TopicPartition::new(name, partition));
        let made: Vec<TopicPartition> = made.filter(|name| self.dir.partition_path(name).exists()).collect();
        self.remove(disk, &made)
    }

    /// The topic of that name, made if it is missing.
    pub(crate) async fn get_or_create(
        &self,
        disk: &Disk,
        name: &str,
        partitions: i32,
        configs: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, TopicError> {
        match self.create(disk, name, partitions, configs).await {
            Err(TopicError::Exists { .. }) => {
                self.get(name).ok_or_else(|| TopicError::Unknown { name: name.to_owned() })
            }
            made => made,
        }
    }

    /// Makes `__consumer_offsets` if it is missing.
    pub(crate) async fn ensure_offsets_topic(&self, disk: &Disk) -> Result<(), TopicError> {
        if self.get(OFFSETS_TOPIC).is_none() {
            let (partitions, configs) = (self.broker.offsets_topic_num_partitions, offsets_topic_configs(&self.broker));
            self.get_or_create(disk, OFFSETS_TOPIC, partitions, configs).await?;
        }
        Ok(())
    }

    /// Whether a topic of that name, with these settings, could be made; what would count for it.
    pub(crate) fn check_new(&self, name: &str, configs: &BTreeMap<String, String>) -> Result<TopicConfig, TopicError> {
        check_topic_name(name)?;
        if name == KAFKA_METADATA_TOPIC {
            return Err(TopicError::Reserved { name: name.to_owned() });
        }
        if self.get(name).is_some() {
            return Err(TopicError::Exists { name: name.to_owned() });
        }
        // Metrics of both would have one name, in Kafka's tools and elsewhere.
        let folded = name.replace('.', "_");
        if let Some(other) = self.all().iter().find(|topic| topic.name.replace('.', "_") == folded) {
            return Err(TopicError::Collides { name: name.to_owned(), other: other.name.to_string() });
        }
        Ok(TopicConfig::resolve(configs, &self.sources())?)
    }

    /// Removes a topic and its files; its name is free on return. Appends under way are refused, reads under way end.
    pub(crate) async fn delete(&self, disk: &Disk, topic: &Topic) -> Result<(), TopicError> {
        let mut metadata = self.metadata.lock().await;
        let topic = self.current(topic)?;
        self.write(disk, &mut metadata, &[Change::TopicDeleted { id: topic.id }]).await?;
        self.change(|known| {
            known.by_name.remove(&topic.name);
            known.by_id.remove(&topic.id);
        });
        self.remember_deleted(topic.name.clone());
        for log in &topic.partitions {
            log.discard().await;
        }
        let names: Vec<TopicPartition> = topic.partitions.iter().map(|log| log.name().clone()).collect();
        self.remove(disk, &names)?;
        self.write(disk, &mut metadata, &[Change::TopicRemoved { id: topic.id }]).await?;
        info!(topic = %topic.name, id = %topic.id, "topic deleted");
        Ok(())
    }

    fn remember_deleted(&self, name: Arc<str>) {
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.push_back(name);
        if deleted.len() > MOST_DELETED {
            deleted.pop_front();
        }
    }

    /// Whether a topic of this name was deleted, and nobody has asked for it since.
    pub(crate) fn take_deleted(&self, name: &str) -> bool {
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        let held = deleted.len();
        deleted.retain(|gone| **gone != *name);
        deleted.len() < held
    }

    /// Gives a topic more partitions, up to `total`: all of them, or none on an error. They are durable and usable on return. A
    /// crash on the way leaves those that were made.
    pub(crate) async fn add_partitions(&self, disk: &Disk, topic: &Topic, total: i32) -> Result<(), TopicError> {
        let mut metadata = self.metadata.lock().await;
        let topic = self.current(topic)?;
        let added = topic.partitions.len() as i32..total;
        self.check_free(&topic.name, added.clone())?;
        let outcome = match self.with_partitions(disk, Topic::clone(&topic), total).await {
            Ok(grown) => {
                let change = Change::PartitionsAdded { id: topic.id, total };
                self.write(disk, &mut metadata, &[change]).await.map(|()| grown).map_err(TopicError::from)
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(grown) => {
                self.make_known(grown);
                info!(topic = %topic.name, total, "partitions added");
                Ok(())
            }
            Err(error) => {
                self.heed(disk, &error);
                if let Err(error) = self.remove_made(disk, &topic.name, added) {
                    error!(topic = %topic.name, %error, "partitions that could not be added could not be removed either");
                }
                Err(error)
            }
        }
    }

    /// Changes what is set on a topic. `change` is given what is set and says what shall be; nothing happens when it fails.
    /// Counts, and is durable, on return.
    pub(crate) async fn alter_topic(
        &self,
        disk: &Disk,
        topic: &Topic,
        change: impl FnOnce(&mut BTreeMap<String, String>, &Sources) -> Result<(), SettingsError>,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let mut metadata = self.metadata.lock().await;
        let topic = self.current(topic)?;
        let sources = self.sources();
        let mut configs = topic.configs.clone();
        change(&mut configs, &sources)?;
        let config = Arc::new(TopicConfig::resolve(&configs, &sources)?);
        if validate_only {
            return Ok(());
        }
        let scope = ConfigScope::Topic(topic.id);
        self.write(disk, &mut metadata, &[Change::Configs { scope, configs: configs.clone() }]).await?;
        let changed = Topic { configs, config, ..Topic::clone(&topic) };
        configure(&changed, &self.live());
        self.change(|known| known.put(Arc::new(changed)));
        info!(topic = %topic.name, "settings of the topic changed");
        Ok(())
    }

    /// Changes what is set for this broker (or for every broker) while it runs. As of [`Self::alter_topic`].
    pub(crate) async fn alter_broker(
        &self,
        disk: &Disk,
        every_broker: bool,
        change: impl FnOnce(&mut BTreeMap<String, String>, &Sources) -> Result<(), SettingsError>,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let mut metadata = self.metadata.lock().await;
        let mut sources = Sources::clone(&self.sources());
        let mut configs = if every_broker { sources.dynamic_default.clone() } else { sources.dynamic.clone() };
        change(&mut configs, &sources)?;
        match every_broker {
            true => sources.dynamic_default.clone_from(&configs),
            false => sources.dynamic.clone_from(&configs),
        }
        // Every topic falls back to them: for each the outcome has to make sense.
        let mut topics = Vec::new();
        TopicConfig::resolve(&BTreeMap::new(), &sources)?;
        let live = Arc::new(LiveConfig::resolve(&sources)?);
        for topic in self.all() {
            let config = Arc::new(TopicConfig::resolve(&topic.configs, &sources)?);
            topics.push(Topic { config, ..Topic::clone(&topic) });
        }
        if validate_only {
            return Ok(());
        }
        let scope = if every_broker { ConfigScope::Brokers } else { ConfigScope::Broker };
        self.write(disk, &mut metadata, &[Change::Configs { scope, configs }]).await?;
        topics.iter().for_each(|topic| configure(topic, &live));
        self.change(|known| {
            (known.sources, known.live) = (Arc::new(sources), live);
            topics.into_iter().for_each(|topic| known.put(Arc::new(topic)));
        });
        info!(every_broker, "settings of the broker changed");
        Ok(())
    }

    /// Writes down where every log begins, is compacted and synced to. Durable on return.
    pub(crate) fn write_checkpoints(&self, disk: &Disk) -> Result<(), LogError> {
        self.dir.write_checkpoints(disk, self.logs().iter())
    }

    /// Closes every log and marks the directory clean: the next start has nothing to repair.
    pub(crate) async fn close(&self, disk: &Disk) -> Result<(), LogError> {
        let logs = self.logs();
        for log in &logs {
            log.close(disk).await?;
        }
        self.dir.write_checkpoints(disk, logs.iter())?;
        self.dir.mark_clean(disk)
    }

    /// The topic with the partitions that it does not have yet, up to `count`, opened or made.
    async fn with_partitions(&self, disk: &Disk, mut topic: Topic, count: i32) -> Result<Topic, TopicError> {
        for number in topic.partitions.len() as i32..count {
            let partition = TopicPartition::new(topic.name.clone(), number);
            let path = self.dir.partition_path(&partition);
            let recovery = self.dir.recovery_for(&partition);
            let config = log_config(&topic.config, &self.live(), &partition);
            let (log, _report) = Log::open(disk, &path, partition.clone(), config, &recovery).await?;
            match partition_metadata::read(&path)?.map(Uuid) {
                None => partition_metadata::write(disk, &path, topic.id.0).await?,
                Some(found) if found != topic.id => {
                    return Err(TopicError::OtherId { partition, found, expected: topic.id });
                }
                Some(_) => {}
            }
            topic.partitions.push(log);
        }
        Ok(topic)
    }

    /// Gives up the reserve if that is why partitions could not be made: it is wanted for the undoing, and by whoever makes room.
    fn heed(&self, disk: &Disk, error: &TopicError) {
        if matches!(error, TopicError::Log(LogError::DiskFull { .. })) {
            self.reserve.give_up(disk);
        }
    }

    fn make_known(&self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        self.change(|known| known.put(topic.clone()));
        topic
    }

    /// Makes changes durable. Deleting a topic, and keeping less of one, is what makes room on a full disk: the reserve is there
    /// for them.
    async fn write(&self, disk: &Disk, metadata: &mut MetadataLog, changes: &[Change]) -> Result<(), MetaError> {
        let outcome = match metadata.apply(disk, changes).await {
            Err(MetaError::Io { source, .. }) if is_full(&source) => {
                self.reserve.give_up(disk);
                metadata.apply(disk, changes).await
            }
            outcome => outcome,
        };
        outcome.map(drop)
    }

    /// Removes the directories of partitions; their checkpoints, too, may need the reserve to be written.
    fn remove(&self, disk: &Disk, names: &[TopicPartition]) -> Result<(), LogError> {
        match self.dir.delete(disk, names) {
            Err(LogError::DiskFull { .. }) => {
                self.reserve.give_up(disk);
                self.dir.delete(disk, names)
            }
            outcome => outcome,
        }
    }

    /// The topic as it is now: it may have changed, or be gone, since `topic` was looked up.
    fn current(&self, topic: &Topic) -> Result<Arc<Topic>, TopicError> {
        self.by_id(topic.id).ok_or_else(|| TopicError::Unknown { name: topic.name.to_string() })
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(Arc::make_mut(&mut self.known.write().unwrap_or_else(PoisonError::into_inner)));
    }
}

/// Hands a topic's settings to its logs.
fn configure(topic: &Topic, live: &LiveConfig) {
    for log in &topic.partitions {
        log.update_config(log_config(&topic.config, live, log.name()));
    }
}

fn sources(fixed: BTreeMap<String, String>, image: &Image) -> Sources {
    Sources { dynamic: image.broker_configs().clone(), dynamic_default: image.default_broker_configs().clone(), fixed }
}

/// What Kafka sets on `__consumer_offsets`: the newest record of each key is kept.
fn offsets_topic_configs(broker: &BrokerConfig) -> BTreeMap<String, String> {
    const SMALLEST_SEGMENT_BYTES: i64 = 1 << 20;
    let segment_bytes = broker.offsets_topic_segment_bytes.max(SMALLEST_SEGMENT_BYTES).to_string();
    let configs =
        [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", segment_bytes.as_str())];
    configs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A random id that reads well on a command line: one that does not begin with a dash.
pub(crate) fn fresh_id() -> Result<Uuid, std::io::Error> {
    let mut source = std::fs::File::open("/dev/urandom")?;
    loop {
        let mut id = Uuid::default();
        source.read_exact(&mut id.0)?;
        if !id.to_string().starts_with('-') {
            return Ok(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ringlog_io::{Fault, Faults, OperationKind, Unsynced};
    use ringlog_settings::Properties;

    use super::*;

    /// What a full disk refuses.
    const GROWING: [OperationKind; 4] =
        [OperationKind::Write, OperationKind::Allocate, OperationKind::CreateDir, OperationKind::Open];

    fn wait<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work)
    }

    async fn open(disk: &Disk, path: &Path) -> Result<Topics, TopicError> {
        let mut properties = Properties::default();
        properties.insert("log.dirs", &path.display().to_string());
        let (config, ..) = BrokerConfig::from_properties(&properties).unwrap();
        let reserve = Reserve::given_up(disk, path);
        Topics::open(disk, LogDir::open(disk, path)?, config, BTreeMap::new(), reserve).await
    }

    /// `None` where the disk was full. Nothing else may be the matter.
    fn unless_full<T>(outcome: Result<T, TopicError>) -> Option<T> {
        match outcome {
            Ok(done) => Some(done),
            Err(TopicError::Log(LogError::DiskFull { .. })) => None,
            Err(TopicError::Metadata(MetaError::Io { source, .. })) if is_full(&source) => None,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_met_a_full_disk_can_be_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::new(dir.path()).unwrap();
        wait(async {
            let disk = Disk::faulty(faults.clone());
            let topics = open(&disk, dir.path()).await.unwrap();
            GROWING.iter().for_each(|kind| faults.rate(*kind, Fault::Enospc, 0.1));
            for _ in 0..20 {
                let topic = loop {
                    if let Some(topic) = unless_full(topics.create(&disk, "t", 3, BTreeMap::new()).await) {
                        break topic;
                    }
                };
                while unless_full(topics.add_partitions(&disk, &topic, 6).await).is_none() {}
                assert_eq!(topics.get("t").unwrap().partitions.len(), 6);
                while topics.get("t").is_some() {
                    unless_full(topics.delete(&disk, &topic).await);
                }
            }
        });
        let topics = wait(open(&Disk::syscall(), dir.path())).unwrap();
        assert!(topics.all().is_empty());
    }

    #[test]
    fn a_crash_while_half_a_topic_is_undone_leaves_all_of_it_or_nothing() {
        for (seed, operation) in (0..2).flat_map(|seed| (0..40).map(move |operation| (seed, operation))) {
            let (dir, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let faults = Faults::with_seed(dir.path(), seed).unwrap();
            wait(async {
                let disk = Disk::faulty(faults.clone());
                let topics = open(&disk, dir.path()).await.unwrap();
                faults.rate(OperationKind::CreateDir, Fault::Enospc, 0.3);
                faults.at(faults.operations() + operation, Fault::PowerCut);
                drop(topics.create(&disk, "t", 3, BTreeMap::new()).await);
            });
            faults.power_cut(after.path(), Unsynced::Lost).unwrap();
            wait(async {
                let disk = Disk::syscall();
                let topics = open(&disk, after.path()).await.unwrap();
                match topics.get("t") {
                    Some(topic) => assert_eq!(topic.partitions.len(), 3, "seed {seed}, cut at {operation}"),
                    None => drop(topics.create(&disk, "t", 3, BTreeMap::new()).await.unwrap()),
                }
            });
        }
    }
}
