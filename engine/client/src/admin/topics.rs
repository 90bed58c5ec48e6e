//! Topics: create, list, describe, add partitions, delete, delete records, look offsets up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use ringlog_protocol::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use ringlog_protocol::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ringlog_protocol::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use ringlog_protocol::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ringlog_protocol::{ApiKey, ErrorCode};

use super::Admin;
use crate::client::Lane;
use crate::offsets::{self, FoundOffset, OffsetSpec, by_topic};
use crate::topology::Topic;
use crate::{ClientError, Isolation, TopicPartition};

/// A topic as the cluster shows it.
pub type TopicDescription = Arc<Topic>;

/// A topic to be created.
#[derive(Debug, Clone, Default)]
pub struct NewTopic {
    /// Its name: letters, digits, `.`, `_` and `-`, at most 249 of them.
    pub name: String,
    /// How many partitions; `None` for the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// How many replicas; `None` for the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// The brokers of each partition, the preferred leader first, in place of both numbers; empty for the cluster to choose.
    pub assignments: Vec<Vec<i32>>,
    /// Settings of its own.
    pub configs: Vec<(String, String)>,
}

impl Admin {
    /// Creates a topic. On return it can be used. With `validate_only` nothing is created, only checked.
    ///
    /// # Errors
    /// [`ErrorCode::TopicAlreadyExists`], [`ErrorCode::InvalidTopicException`], [`ErrorCode::InvalidConfig`] and
    /// others.
    pub async fn create_topic(&self, topic: &NewTopic, validate_only: bool) -> Result<(), ClientError> {
        self.retry(|| async {
            let request = CreateTopicsRequest {
                topics: vec![CreatableTopic {
                    name: topic.name.as_str().into(),
                    num_partitions: topic.partitions.unwrap_or(-1),
                    replication_factor: topic.replication_factor.unwrap_or(-1),
                    assignments: topic
                        .assignments
                        .iter()
                        .zip(0..)
                        .map(|(brokers, partition_index)| CreatableReplicaAssignment {
                            partition_index,
                            broker_ids: brokers.clone(),
                        })
                        .collect(),
                    configs: topic
                        .configs
                        .iter()
                        .map(|(name, value)| CreatableTopicConfig { name: name.into(), value: Some(value.into()) })
                        .collect(),
                }],
                timeout_ms: self.timeout_ms(),
                validate_only,
            };
            let reply = self.client.controller().await?.call(&request).await?;
            reply.read()?.topics.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || format!("topic {}", row.name), row.error_message.as_deref())
            })
        })
        .await?;
        // Kafka's controller answers before its brokers have heard.
        if !validate_only {
            self.client.topic(&topic.name, false, self.client.options().api_timeout).await?;
        }
        Ok(())
    }

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownTopicOrPartition`] and others.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        let once = || async {
            let connection = self.client.controller().await?;
            let version = connection.version(ApiKey::DeleteTopics, 1..=i16::MAX)?;
            let timeout_ms = self.timeout_ms();
            // Names stand in a list of their own up to version 5.
            let request = if version < 6 {
                DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms, ..Default::default() }
            } else {
                let topics = vec![DeleteTopicState { name: Some(name.into()), ..Default::default() }];
                DeleteTopicsRequest { topics, timeout_ms, ..Default::default() }
            };
            let reply = connection.call_version(&request, version, std::time::Duration::ZERO).await?;
            reply.read()?.responses.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || format!("topic {name}"), row.error_message.as_deref())
            })
        };
        self.retry(|| async { final_if_unknown(once().await) }).await?
    }

    /// Raises the number of a topic's partitions to `partitions`. Keys map to other partitions from then on.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPartitions`] when it has as many already; [`ErrorCode::UnknownTopicOrPartition`] and others.
    pub async fn create_partitions(&self, topic: &str, partitions: i32) -> Result<(), ClientError> {
        let once = || async {
            let request = CreatePartitionsRequest {
                topics: vec![CreatePartitionsTopic { name: topic.into(), count: partitions, assignments: None }],
                timeout_ms: self.timeout_ms(),
                validate_only: false,
            };
            let reply = self.client.controller().await?.call(&request).await?;
            reply.read()?.results.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || format!("topic {topic}"), row.error_message.as_deref())
            })
        };
        self.retry(|| async { final_if_unknown(once().await) }).await?
    }

    /// All topics, sorted by name.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn topics(&self) -> Result<Vec<TopicDescription>, ClientError> {
        let topology = self.retry(|| self.client.refresh(None, false)).await?;
        topology.topic_names().into_iter().map(|name| topology.topic(name)).collect()
    }

    /// One topic, fresh from the cluster.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownTopicOrPartition`] at once when there is no such topic.
    pub async fn topic(&self, name: &str) -> Result<TopicDescription, ClientError> {
        self.retry(|| async { self.client.refresh(Some(&[name]), false).await }).await?.topic(name)
    }

    /// Looks offsets up. The result has an entry for each partition asked for.
    ///
    /// # Errors
    /// Of the first partition that has none.
    pub async fn offsets(
        &self,
        asked: &BTreeMap<TopicPartition, OffsetSpec>,
    ) -> Result<BTreeMap<TopicPartition, FoundOffset>, ClientError> {
        let names: Vec<_> = by_topic(asked).into_keys().collect();
        self.all_exist(&names).await?;
        self.retry(|| async {
            let found = offsets::list(&self.client, asked, Isolation::ReadUncommitted).await;
            if found.values().any(|found| found.as_ref().is_err_and(ClientError::calls_for_metadata)) {
                // The next attempt asks the leaders of then; when they can't be had, it says so.
                let _ = self.client.refresh(Some(&names), false).await;
            }
            found.into_iter().map(|(partition, found)| Ok((partition, found?))).collect()
        })
        .await
    }

    /// Deletes the records before these offsets (−1: all that there are), and gives the partitions' first offsets from
    /// then on.
    ///
    /// # Errors
    /// [`ErrorCode::OffsetOutOfRange`] for an offset behind the end; [`ErrorCode::PolicyViolation`] on a compacted
    /// topic.
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, i64>,
    ) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        self.all_exist(&by_topic(before).into_keys().collect::<Vec<_>>()).await?;
        self.retry(|| async {
            let leaders = self.by_leader(before).await?;
            let calls = leaders.into_iter().map(|(leader, rows)| self.delete_records_at(leader, rows));
            Ok(try_join_all(calls).await?.into_iter().flatten().collect())
        })
        .await
    }

    /// The partitions by the brokers that lead them, fresh from the cluster.
    pub(super) async fn by_leader<'a, T>(
        &self,
        partitions: impl IntoIterator<Item = (&'a TopicPartition, T)>,
    ) -> Result<BTreeMap<i32, Vec<(&'a TopicPartition, T)>>, ClientError> {
        let rows: Vec<_> = partitions.into_iter().collect();
        let names: BTreeSet<_> = rows.iter().map(|(partition, _)| &*partition.topic).collect();
        let topology = self.client.refresh(Some(&Vec::from_iter(names)), false).await?;
        let mut leaders = BTreeMap::<i32, Vec<_>>::new();
        for (partition, value) in rows {
            let leader = topology.topic(&partition.topic)?.leader(partition.partition)?;
            leaders.entry(leader).or_default().push((partition, value));
        }
        Ok(leaders)
    }

    /// Fails at once for a topic that is not there, where a look-up would wait for it to appear.
    pub(super) async fn all_exist(&self, names: &[&str]) -> Result<(), ClientError> {
        let topology = self.retry(|| self.client.refresh(Some(names), false)).await?;
        names.iter().try_for_each(|name| topology.topic(name).map(drop))
    }

    async fn delete_records_at(
        &self,
        leader: i32,
        rows: Vec<(&TopicPartition, &i64)>,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let row = |(partition_index, &offset): (i32, &i64)| DeleteRecordsPartition { partition_index, offset };
        let topics = by_topic(rows).into_iter().map(|(name, rows)| DeleteRecordsTopic {
            name: name.into(),
            partitions: rows.into_iter().map(row).collect(),
        });
        let request = DeleteRecordsRequest { topics: topics.collect(), timeout_ms: self.timeout_ms() };
        let reply = self.client.node(leader, Lane::SHARED).await?.call(&request).await?;
        let mut low_watermarks = Vec::new();
        for topic in reply.read()?.topics {
            for row in topic.partitions {
                let partition = TopicPartition::new(topic.name.clone(), row.partition_index);
                ClientError::check(row.error_code, || format!("partition {partition}"), None)?;
                low_watermarks.push((partition, row.low_watermark));
            }
        }
        Ok(low_watermarks)
    }
}

/// To a reader an unknown topic may be one that is not known yet; who changes a topic names one that exists, so trying
/// again only delays the bad news.
pub(super) fn final_if_unknown<T>(outcome: Result<T, ClientError>) -> Result<Result<T, ClientError>, ClientError> {
    match outcome {
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => Ok(Err(error)),
        other => other.map(Ok),
    }
}
