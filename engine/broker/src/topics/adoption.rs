//! Brings the directories that are there and the topics that the metadata log knows into line: at the start, before any
//! partition is opened.
//!
//! | directories | the metadata log | what happens |
//! |---|---|---|
//! | of an id that was deleted | still has the deletion open | removed: the deletion is finished |
//! | of a topic | does not know the name | the topic is adopted: Kafka's, or copied here by an operator |
//! | of a partition beyond the count | knows fewer | the partition is adopted |
//! | missing | knows the partition | an empty one is made, and said so |
//! | of another id than the topic's | knows the name | the start is refused: nobody can tell which one is wanted |

use std::collections::BTreeMap;

use ringlog_io::Disk;
use ringlog_log::{LogDir, TopicPartition, partition_metadata};
use ringlog_metadata::{Change, MetadataLog};
use ringlog_protocol::Uuid;
use ringlog_settings::BrokerConfig;
use tracing::{info, warn};

use super::{KAFKA_METADATA_TOPIC, OFFSETS_TOPIC, TopicError, fresh_id, offsets_topic_configs};

pub(super) async fn reconcile(
    disk: &Disk,
    dir: &LogDir,
    metadata: &mut MetadataLog,
    broker: &BrokerConfig,
) -> Result<(), TopicError> {
    let mut found: BTreeMap<TopicPartition, Option<Uuid>> = BTreeMap::new();
    for partition in dir.partitions()?.into_iter().filter(|partition| &*partition.topic != KAFKA_METADATA_TOPIC) {
        let id = partition_metadata::read(&dir.partition_path(&partition))?.map(Uuid);
        found.insert(partition, id);
    }
    finish_deletions(disk, dir, metadata, &mut found).await?;
    let changes = adopt(metadata, &found, broker)?;
    if !changes.is_empty() {
        metadata.apply(disk, &changes).await?;
    }
    for topic in metadata.image().topics() {
        let missing =
            (0..topic.partitions).filter(|p| !found.contains_key(&TopicPartition::new(topic.name.clone(), *p)));
        let missing: Vec<i32> = missing.collect();
        if !missing.is_empty() {
            warn!(topic = %topic.name, ?missing, "partitions without a directory: empty ones are made");
        }
    }
    Ok(())
}

async fn finish_deletions(
    disk: &Disk,
    dir: &LogDir,
    metadata: &mut MetadataLog,
    found: &mut BTreeMap<TopicPartition, Option<Uuid>>,
) -> Result<(), TopicError> {
    let image = metadata.image();
    if image.removing().is_empty() {
        return Ok(());
    }
    let is_left = |id: &Option<Uuid>| id.is_some_and(|id| image.removing().contains_key(&id));
    let leftovers: Vec<TopicPartition> =
        found.iter().filter(|(_, id)| is_left(id)).map(|(partition, _)| partition.clone()).collect();
    info!(topics = image.removing().len(), directories = leftovers.len(), "deletions of topics are finished");
    dir.delete(disk, &leftovers)?;
    found.retain(|_, id| !is_left(id));
    let removed: Vec<Change> = image.removing().keys().map(|id| Change::TopicRemoved { id: *id }).collect();
    metadata.apply(disk, &removed).await?;
    Ok(())
}

/// The changes that make directories known.
fn adopt(
    metadata: &MetadataLog,
    found: &BTreeMap<TopicPartition, Option<Uuid>>,
    broker: &BrokerConfig,
) -> Result<Vec<Change>, TopicError> {
    let image = metadata.image();
    let mut topics: BTreeMap<&str, Vec<(&TopicPartition, Option<Uuid>)>> = BTreeMap::new();
    for (partition, id) in found {
        topics.entry(&partition.topic).or_default().push((partition, *id));
    }
    let mut changes = Vec::new();
    for (name, partitions) in topics {
        let known = image.topic(name);
        let first_id = partitions.iter().find_map(|(_, id)| *id);
        let id = match (known, first_id) {
            (Some(topic), _) => topic.id,
            (None, Some(id)) => id,
            (None, None) => fresh_id()?,
        };
        if let Some((partition, Some(other))) =
            partitions.iter().find(|(_, found)| found.is_some_and(|found| found != id))
        {
            let (partition, found) = (TopicPartition::clone(partition), *other);
            return Err(TopicError::OtherId { partition, found, expected: id });
        }
        let total = partitions.iter().map(|(partition, _)| partition.partition + 1).max().unwrap_or(0);
        match known {
            Some(topic) if topic.partitions >= total => {}
            Some(_) => {
                info!(topic = name, total, "partitions adopted");
                changes.push(Change::PartitionsAdded { id, total });
            }
            None => {
                info!(topic = name, partitions = total, %id, "topic adopted");
                let configs = if name == OFFSETS_TOPIC { offsets_topic_configs(broker) } else { BTreeMap::new() };
                changes.push(Change::TopicCreated { name: name.to_owned(), id, partitions: total, configs });
            }
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringlog_metadata::Image;

    struct Room {
        dir: tempfile::TempDir,
        broker: BrokerConfig,
    }

    impl Room {
        fn new() -> Room {
            let dir = tempfile::tempdir().unwrap();
            let mut properties = ringlog_settings::Properties::default();
            properties.insert("log.dirs", &dir.path().display().to_string());
            Room { broker: BrokerConfig::from_properties(&properties).unwrap().0, dir }
        }

        fn wait<T>(work: impl Future<Output = T>) -> T {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, work)
        }

        fn directory(&self, name: &str, id: Option<u8>) {
            let path = self.dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            if let Some(id) = id {
                Room::wait(partition_metadata::write(&Disk::syscall(), &path, [id; 16])).unwrap();
            }
        }

        fn after(&self, changes: &[Change]) -> Result<Image, TopicError> {
            Room::wait(async {
                let disk = Disk::syscall();
                let dir = LogDir::open(&disk, self.dir.path())?;
                let (mut metadata, _) = MetadataLog::open(&disk, self.dir.path()).await?;
                if !changes.is_empty() {
                    metadata.apply(&disk, changes).await?;
                }
                reconcile(&disk, &dir, &mut metadata, &self.broker).await?;
                Ok(Image::clone(&metadata.image()))
            })
        }
    }

    fn created(name: &str, id: u8, partitions: i32) -> Change {
        Change::TopicCreated { name: name.into(), id: Uuid([id; 16]), partitions, configs: BTreeMap::new() }
    }

    #[test]
    fn a_strange_topic_is_adopted_with_its_id_and_all_of_its_partitions() {
        let room = Room::new();
        room.directory("t-0", Some(7));
        room.directory("t-2", Some(7));
        room.directory("old-0", None);
        room.directory("__cluster_metadata-0", None);
        room.directory("__consumer_offsets-49", Some(8));
        let image = room.after(&[]).unwrap();
        let topic = image.topic("t").unwrap();
        assert_eq!((topic.id, topic.partitions), (Uuid([7; 16]), 3));
        assert!(!image.topic("old").unwrap().id.is_zero(), "a topic from before ids is given one");
        assert_eq!(image.topic(OFFSETS_TOPIC).unwrap().configs["cleanup.policy"], "compact");
        assert!(image.topic(KAFKA_METADATA_TOPIC).is_none());
    }

    #[test]
    fn a_known_topic_grows_by_partitions_that_were_put_there() {
        let room = Room::new();
        room.directory("t-3", Some(1));
        assert_eq!(room.after(&[created("t", 1, 2)]).unwrap().topic("t").unwrap().partitions, 4);
    }

    #[test]
    fn a_deletion_that_was_cut_short_is_finished_and_spares_its_successor() {
        let room = Room::new();
        room.directory("t-0", Some(2));
        room.directory("t-1", Some(1));
        let deleted = Change::TopicDeleted { id: Uuid([1; 16]) };
        let image = room.after(&[created("t", 1, 2), deleted, created("t", 2, 1)]).unwrap();
        assert!(room.dir.path().join("t-0").exists());
        assert!(!room.dir.path().join("t-1").exists());
        assert!(image.removing().is_empty());
    }

    #[test]
    fn a_directory_of_another_id_keeps_the_broker_from_starting() {
        let room = Room::new();
        room.directory("t-0", Some(9));
        let error = room.after(&[created("t", 1, 1)]).unwrap_err().to_string();
        assert!(error.contains("t-0 is of topic id") && error.contains("move the directory away"), "{error}");
    }
}
