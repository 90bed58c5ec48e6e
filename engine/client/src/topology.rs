//! What a cluster looks like: brokers, topics, leaders. An immutable snapshot; fresh metadata makes another.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ringlog_protocol::metadata::{MetadataResponse, MetadataResponseTopic};
use ringlog_protocol::{ErrorCode, Uuid};
use tokio::time::Instant;

use crate::offsets::known;
use crate::{Address, ClientError};

/// The cluster as one Metadata answer, and those before it, told.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// The cluster's id, if it has one.
    pub cluster_id: Option<String>,
    /// The broker to send changes to.
    pub controller: Option<i32>,
    /// By their ids.
    pub brokers: BTreeMap<i32, Broker>,
    topics: HashMap<String, Result<Arc<Topic>, ErrorCode>>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where it is reached: what it advertises.
    pub address: Address,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// A topic.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; zero from a broker that has none.
    pub id: Uuid,
    /// Whether the cluster keeps its own state in it.
    pub internal: bool,
    /// By index, without gaps.
    pub partitions: Vec<Partition>,
    learned: Instant,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// Counts its leaders; −1 if unknown.
    pub leader_epoch: i32,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub in_sync: Vec<i32>,
    /// Those that are down.
    pub offline: Vec<i32>,
}

impl Topology {
    /// The names of the topics that are known and exist, sorted.
    #[must_use]
    pub fn topic_names(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.topics.iter().filter(|(_, topic)| topic.is_ok()).map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names
    }

    /// A topic.
    ///
    /// # Errors
    /// What the broker said of it; [`ErrorCode::UnknownTopicOrPartition`] when it was not asked about.
    pub fn topic(&self, name: &str) -> Result<Arc<Topic>, ClientError> {
        let known = self.topics.get(name).cloned().unwrap_or(Err(ErrorCode::UnknownTopicOrPartition));
        known.map_err(|code| ClientError::Broker { code, subject: format!("topic {name}"), message: String::new() })
    }

    /// The topic if what is known of it is good enough to begin with.
    pub(crate) fn usable(&self, name: &str, max_age: Duration) -> Option<Arc<Topic>> {
        let topic = self.topics.get(name)?.as_ref().ok()?;
        (topic.has_leader() && topic.learned.elapsed() < max_age).then(|| Arc::clone(topic))
    }

    pub(crate) fn is_usable(&self, name: &str) -> bool {
        self.usable(name, Duration::MAX).is_some()
    }

    /// This with what an answer says; topics it does not name stay as they are, unless it was asked for all.
    pub(crate) fn merged(&self, answer: MetadataResponse<'_>, all: bool) -> Self {
        let brokers = answer.brokers.into_iter().map(|broker| {
            let port = u16::try_from(broker.port).unwrap_or_default();
            let address = Address { host: broker.host.into_owned(), port };
            (broker.node_id, Broker { address, rack: broker.rack.map(Into::into) })
        });
        let mut topics = if all { HashMap::new() } else { self.topics.clone() };
        for topic in answer.topics {
            let Some(name) = topic.name.clone() else { continue };
            let before = self.topics.get(&*name).and_then(|known| known.as_ref().ok());
            let learned = match ErrorCode::from_code(topic.error_code) {
                ErrorCode::None | ErrorCode::LeaderNotAvailable => {
                    Ok(Arc::new(Topic::from_wire(name.clone().into_owned(), topic, before.map(|topic| &**topic))))
                }
                code => Err(code),
            };
            topics.insert(name.into_owned(), learned);
        }
        Self {
            cluster_id: answer.cluster_id.map(Into::into).or_else(|| self.cluster_id.clone()),
            controller: known(answer.controller_id),
            brokers: brokers.collect(),
            topics,
        }
    }
}

impl Topic {
    /// The leader of a partition.
    ///
    /// # Errors
    /// [`ClientError::NoSuchPartition`]; [`ErrorCode::LeaderNotAvailable`].
    pub fn leader(&self, partition: i32) -> Result<i32, ClientError> {
        self.partition(partition)?.leader.ok_or_else(|| ClientError::Broker {
            code: ErrorCode::LeaderNotAvailable,
            subject: format!("partition {}-{partition}", self.name),
            message: String::new(),
        })
    }

    /// A partition by its index.
    ///
    /// # Errors
    /// [`ClientError::NoSuchPartition`].
    pub fn partition(&self, partition: i32) -> Result<&Partition, ClientError> {
        let found = usize::try_from(partition).ok().and_then(|index| self.partitions.get(index));
        found.ok_or_else(|| ClientError::NoSuchPartition {
            topic: self.name.clone(),
            partition,
            partitions: self.partitions.len(),
        })
    }

    fn has_leader(&self) -> bool {
        self.partitions.iter().any(|partition| partition.leader.is_some())
    }

    /// An answer from a broker that lags behind may name a leader of before; the later epoch is kept (KIP-320).
    fn from_wire(name: String, topic: MetadataResponseTopic<'_>, before: Option<&Self>) -> Self {
        let before = before.filter(|before| before.id == topic.topic_id);
        let mut rows = topic.partitions;
        rows.sort_unstable_by_key(|row| row.partition_index);
        let partitions = rows.into_iter().enumerate().map(|(index, row)| {
            let told = Partition {
                leader: known(row.leader_id),
                leader_epoch: row.leader_epoch,
                replicas: row.replica_nodes,
                in_sync: row.isr_nodes,
                offline: row.offline_replicas,
            };
            let known = before.and_then(|before| before.partitions.get(index));
            known
                .filter(|known| known.leader_epoch > told.leader_epoch && told.leader_epoch >= 0)
                .cloned()
                .unwrap_or(told)
        });
        Self {
            name,
            id: topic.topic_id,
            internal: topic.is_internal,
            partitions: partitions.collect(),
            learned: Instant::now(),
        }
    }
}
