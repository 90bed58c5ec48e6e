//! The quorum that keeps a cluster's metadata (KIP-595, KIP-836).

use std::collections::BTreeMap;

use ringlog_protocol::describe_quorum::{DescribeQuorumRequest, PartitionData, ReplicaState, TopicData};

use super::Admin;
use crate::client::Lane;
use crate::offsets::known;
use crate::{Address, ClientError};

/// Kafka's log of metadata: one partition.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// The state of the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Who leads it, if one does.
    pub leader: Option<i32>,
    /// Counts its leaders.
    pub leader_epoch: i32,
    /// What stands below this offset of its log is decided.
    pub high_watermark: i64,
    /// Those that vote, sorted by id.
    pub voters: Vec<QuorumReplica>,
    /// Those that only follow, such as brokers, sorted by id.
    pub observers: Vec<QuorumReplica>,
    /// Where the controllers listen, by id and the listener's name; empty from a broker too old to say.
    pub nodes: BTreeMap<i32, BTreeMap<String, Address>>,
}

/// One that keeps a copy of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// Its id.
    pub id: i32,
    /// Where its copy ends.
    pub log_end_offset: i64,
    /// When it last fetched, by the leader's clock in ms since the epoch, if told.
    pub last_fetch_ms: Option<i64>,
    /// When it last had all that the leader had, if told.
    pub last_caught_up_ms: Option<i64>,
}

impl Admin {
    /// The state of the quorum that keeps the metadata.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn quorum(&self) -> Result<Quorum, ClientError> {
        let partitions = vec![PartitionData { partition_index: 0 }];
        let request =
            DescribeQuorumRequest { topics: vec![TopicData { topic_name: METADATA_TOPIC.into(), partitions }] };
        let subject = || "metadata quorum".to_owned();
        self.retry(|| async {
            let reply = self.client.any(Lane::SHARED).await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, subject, answer.error_message.as_deref())?;
            let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
            let found = found.ok_or_else(|| ClientError::unmentioned(subject()))?;
            ClientError::check(found.error_code, subject, found.error_message.as_deref())?;
            let nodes = answer.nodes.into_iter().map(|node| {
                let listener = |at: ringlog_protocol::describe_quorum::Listener<'_>| {
                    (at.name.into_owned(), Address { host: at.host.into_owned(), port: at.port })
                };
                (node.node_id, node.listeners.into_iter().map(listener).collect())
            });
            Ok(Quorum {
                leader: known(found.leader_id),
                leader_epoch: found.leader_epoch,
                high_watermark: found.high_watermark,
                voters: replicas(&found.current_voters),
                observers: replicas(&found.observers),
                nodes: nodes.collect(),
            })
        })
        .await
    }
}

fn replicas(rows: &[ReplicaState]) -> Vec<QuorumReplica> {
    let replica = |row: &ReplicaState| QuorumReplica {
        id: row.replica_id,
        log_end_offset: row.log_end_offset,
        last_fetch_ms: known(row.last_fetch_timestamp),
        last_caught_up_ms: known(row.last_caught_up_timestamp),
    };
    let mut replicas: Vec<_> = rows.iter().map(replica).collect();
    replicas.sort_by_key(|replica| replica.id);
    replicas
}
