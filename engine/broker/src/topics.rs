//! The topics of this broker: names and ids, and each partition's open log.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::{Arc, PoisonError, RwLock};

use ringlog_io::Disk;
use ringlog_log::{Log, LogConfig, LogDir, LogError, TopicPartition, partition_metadata};
use ringlog_metadata::{InvalidTopicName, check_topic_name};
use ringlog_protocol::{ErrorCode, Uuid};

/// The topics that the broker keeps for itself.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// Whether clients are told that the topic is the broker's own.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, OFFSETS_TOPIC | TRANSACTIONS_TOPIC)
}

/// Most partitions of one topic: each holds descriptors and memory from its creation on.
pub(crate) const MAX_PARTITIONS: i32 = 10_000;

/// A topic with its open partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Arc<Log>>,
}

impl Topic {
    /// The log of a partition, by its number on the wire.
    pub(crate) fn log(&self, partition: i32) -> Option<&Arc<Log>> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}

/// Why a topic is not there, or can't be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("topic {name:?} does not exist: create it")]
    Unknown { name: String },
    #[error("topic {name:?} exists: choose another name")]
    Exists { name: String },
    #[error(transparent)]
    Name(#[from] InvalidTopicName),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the kernel gives no random bytes for an id: {0}")]
    Random(#[from] std::io::Error),
}

impl TopicError {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            TopicError::Unknown { .. } => ErrorCode::UnknownTopicOrPartition,
            TopicError::Exists { .. } => ErrorCode::TopicAlreadyExists,
            TopicError::Name(_) => ErrorCode::InvalidTopicException,
            TopicError::Log(error) => crate::errors::code_of(error),
            TopicError::Random(_) => ErrorCode::UnknownServerError,
        }
    }
}

/// Every topic; readers take a snapshot, a change replaces it.
pub(crate) struct Topics {
    dir: LogDir,
    known: RwLock<Arc<Known>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct Known {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Topics {
    /// Opens every partition that has a directory in `dir`, repairing what a crash left.
    pub(crate) async fn open(disk: &Disk, dir: LogDir) -> Result<Topics, TopicError> {
        let mut partitions: BTreeMap<Arc<str>, i32> = BTreeMap::new();
        for found in dir.partitions()? {
            let count = partitions.entry(found.topic).or_default();
            *count = (*count).max(found.partition + 1);
        }
        let topics = Topics { dir, known: RwLock::default(), changing: tokio::sync::Mutex::default() };
        for (name, count) in partitions {
            let first = topics.dir.partition_path(&TopicPartition::new(name.clone(), 0));
            let id = partition_metadata::read(&first)?.map_or_else(fresh_id, |id| Ok(Uuid(id)))?;
            topics.open_topic(disk, name, id, count, Vec::new()).await?;
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

    /// Makes a topic. It is usable on return.
    pub(crate) async fn create(&self, disk: &Disk, name: &str, partitions: i32) -> Result<Arc<Topic>, TopicError> {
        let _changing = self.changing.lock().await;
        self.check_new(name)?;
        let topic = self.open_topic(disk, name.into(), fresh_id()?, partitions, Vec::new()).await?;
        tracing::info!(topic = name, partitions, id = %topic.id, "topic created");
        Ok(topic)
    }

    /// The topic of that name, made if it is missing.
    pub(crate) async fn get_or_create(
        &self,
        disk: &Disk,
        name: &str,
        partitions: i32,
    ) -> Result<Arc<Topic>, TopicError> {
        match self.create(disk, name, partitions).await {
            Err(TopicError::Exists { .. }) => {
                self.get(name).ok_or_else(|| TopicError::Unknown { name: name.to_owned() })
            }
            made => made,
        }
    }

    /// Whether a topic of that name could be made.
    pub(crate) fn check_new(&self, name: &str) -> Result<(), TopicError> {
        check_topic_name(name)?;
        match self.get(name) {
            Some(_) => Err(TopicError::Exists { name: name.to_owned() }),
            None => Ok(()),
        }
    }

    /// Removes a topic and its files; its name is free on return. Appends under way are refused, reads under way end.
    pub(crate) async fn delete(&self, disk: &Disk, topic: &Topic) -> Result<(), TopicError> {
        let _changing = self.changing.lock().await;
        let Some(topic) = self.by_id(topic.id) else {
            return Err(TopicError::Unknown { name: topic.name.to_string() });
        };
        self.change(|known| {
            known.by_name.remove(&topic.name);
            known.by_id.remove(&topic.id);
        });
        for log in &topic.partitions {
            log.discard().await;
        }
        let names: Vec<TopicPartition> = topic.partitions.iter().map(|log| log.name().clone()).collect();
        self.dir.delete(disk, &names)?;
        tracing::info!(topic = %topic.name, id = %topic.id, "topic deleted");
        Ok(())
    }

    /// Gives a topic more partitions, up to `total`. They are usable on return.
    pub(crate) async fn add_partitions(&self, disk: &Disk, topic: &Topic, total: i32) -> Result<(), TopicError> {
        let _changing = self.changing.lock().await;
        let Some(topic) = self.by_id(topic.id) else {
            return Err(TopicError::Unknown { name: topic.name.to_string() });
        };
        self.open_topic(disk, topic.name.clone(), topic.id, total, topic.partitions.clone()).await?;
        tracing::info!(topic = %topic.name, total, "partitions added");
        Ok(())
    }

    /// Writes down where every log begins, is compacted and synced to. Durable on return.
    pub(crate) fn write_checkpoints(&self, disk: &Disk) -> Result<(), LogError> {
        self.dir.write_checkpoints(disk, self.logs().iter())
    }

    /// The log of every partition.
    pub(crate) fn logs(&self) -> Vec<Arc<Log>> {
        self.all().iter().flat_map(|topic| topic.partitions.clone()).collect()
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

    /// Opens, or makes, the partitions that are not `open` yet, and makes the topic known.
    async fn open_topic(
        &self,
        disk: &Disk,
        name: Arc<str>,
        id: Uuid,
        count: i32,
        open: Vec<Arc<Log>>,
    ) -> Result<Arc<Topic>, TopicError> {
        let mut partitions = open;
        for partition in partitions.len() as i32..count {
            let partition = TopicPartition::new(name.clone(), partition);
            let path = self.dir.partition_path(&partition);
            let recovery = self.dir.recovery_for(&partition);
            let config = log_config(&name);
            let (log, _report) = Log::open(disk, &path, partition, config, &recovery).await?;
            if partition_metadata::read(&path)?.is_none() {
                partition_metadata::write(disk, &path, id.0).await?;
            }
            partitions.push(log);
        }
        let topic = Arc::new(Topic { name: name.clone(), id, partitions });
        self.change(|known| {
            known.by_name.insert(name, topic.clone());
            known.by_id.insert(id, topic.clone());
        });
        Ok(topic)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(Arc::make_mut(&mut self.known.write().unwrap_or_else(PoisonError::into_inner)));
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn log_config(topic: &str) -> LogConfig {
    if topic == OFFSETS_TOPIC {
        let segment_bytes = 100 << 20;
        return LogConfig { cleanup_delete: false, cleanup_compact: true, segment_bytes, ..LogConfig::default() };
    }
    LogConfig::default()
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
