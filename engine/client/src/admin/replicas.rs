//! Leaders and replicas: elections (KIP-460), and partitions that move between brokers (KIP-455).

use std::collections::BTreeMap;

use ringlog_protocol::ErrorCode;
use ringlog_protocol::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use ringlog_protocol::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use ringlog_protocol::list_partition_reassignments::ListPartitionReassignmentsRequest;

use super::Admin;
use super::topics::final_if_unknown;
use crate::offsets::by_topic;
use crate::{ClientError, TopicPartition};

/// Who may become the leader of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// Its first replica, when it is in sync.
    Preferred = 0,
    /// Any replica, when none is in sync: what the others had acknowledged may be lost.
    Unclean = 1,
}

/// A partition that is being moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// The brokers that have it, those that only get it included.
    pub replicas: Vec<i32>,
    /// Those that get it.
    pub adding: Vec<i32>,
    /// Those that give it up.
    pub removing: Vec<i32>,
}

impl Admin {
    /// Elects leaders for these partitions, or for all, and tells of those that needed another: they have it from then on, or why
    /// not, such as [`ErrorCode::PreferredLeaderNotAvailable`], which is not tried again.
    ///
    /// # Errors
    /// What the controller says to it all.
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let named = |partitions: &[TopicPartition]| {
            let topics = by_topic(partitions.iter().map(|partition| (partition, ()))).into_iter();
            let topics = topics.map(|(topic, rows)| TopicPartitions {
                topic: topic.to_owned().into(),
                partitions: rows.into_iter().map(|(partition, ())| partition).collect(),
            });
            topics.collect()
        };
        let request = ElectLeadersRequest {
            election_type: election as i8,
            topic_partitions: partitions.map(named),
            timeout_ms: self.timeout_ms(),
        };
        self.retry(|| async {
            let reply = self.client.controller().await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "elections".to_owned(), None)?;
            let mut outcomes = BTreeMap::new();
            for topic in &answer.replica_election_results {
                for row in &topic.partition_result {
                    let partition = TopicPartition::new(topic.topic.clone(), row.partition_id);
                    let subject = || format!("partition {partition}");
                    let outcome = ClientError::check(row.error_code, subject, row.error_message.as_deref());
                    match outcome.as_ref().err().and_then(ClientError::code) {
                        Some(ErrorCode::ElectionNotNeeded) => {}
                        // Version 0 has no other place for what is said to it all.
                        Some(ErrorCode::NotController) => outcome?,
                        _ => drop(outcomes.insert(partition, outcome)),
                    }
                }
            }
            Ok(outcomes)
        })
        .await
    }

    /// Begins to move partitions to these brokers, of which the first is the preferred leader; `None` cancels a move. It goes on after
    /// the return: see [`reassignments`](Self::reassignments).
    ///
    /// # Errors
    /// Of the first partition that is refused, such as [`ErrorCode::InvalidReplicaAssignment`] and
    /// [`ErrorCode::NoReassignmentInProgress`]; the others may have begun.
    pub async fn reassign(&self, moves: &BTreeMap<TopicPartition, Option<Vec<i32>>>) -> Result<(), ClientError> {
        let row = |(partition_index, replicas): (i32, &Option<Vec<i32>>)| ReassignablePartition {
            partition_index,
            replicas: replicas.clone(),
        };
        let topics = by_topic(moves).into_iter().map(|(name, rows)| ReassignableTopic {
            name: name.into(),
            partitions: rows.into_iter().map(row).collect(),
        });
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: self.timeout_ms(),
            topics: topics.collect(),
            ..Default::default()
        };
        let once = || async {
            let reply = self.client.controller().await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "moves".to_owned(), answer.error_message.as_deref())?;
            for topic in &answer.responses {
                for row in &topic.partitions {
                    let subject = || format!("partition {}-{}", topic.name, row.partition_index);
                    ClientError::check(row.error_code, subject, row.error_message.as_deref())?;
                }
            }
            Ok(())
        };
        self.retry(|| async { final_if_unknown(once().await) }).await?
    }

    /// The partitions that are being moved.
    ///
    /// # Errors
    /// What the controller says.
    pub async fn reassignments(&self) -> Result<BTreeMap<TopicPartition, Reassignment>, ClientError> {
        self.retry(|| async {
            let request = ListPartitionReassignmentsRequest { timeout_ms: self.timeout_ms(), topics: None };
            let reply = self.client.controller().await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "moves".to_owned(), answer.error_message.as_deref())?;
            let rows = answer.topics.into_iter().flat_map(|topic| {
                let name = topic.name;
                topic.partitions.into_iter().map(move |row| {
                    let (replicas, adding, removing) = (row.replicas, row.adding_replicas, row.removing_replicas);
                    let partition = TopicPartition::new(name.clone(), row.partition_index);
                    (partition, Reassignment { replicas, adding, removing })
                })
            });
            Ok(rows.collect())
        })
        .await
    }
}
