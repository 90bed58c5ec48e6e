//! Log directories of brokers, and replicas that move between them (KIP-113).

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use ringlog_protocol::ErrorCode;
use ringlog_protocol::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use ringlog_protocol::describe_log_dirs::DescribeLogDirsRequest;

use super::Admin;
use super::topics::final_if_unknown;
use crate::client::Lane;
use crate::offsets::{by_topic, known};
use crate::{ClientError, TopicPartition};

/// A directory of a broker that holds partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Whose.
    pub broker: i32,
    /// Its path there.
    pub path: String,
    /// Why the broker can't use it, such as [`ErrorCode::KafkaStorageError`], if it can't; then nothing else is told.
    pub error: Option<ErrorCode>,
    /// Size of its filesystem, if told.
    pub total_bytes: Option<i64>,
    /// What is free of it, if told.
    pub usable_bytes: Option<i64>,
    /// Sorted.
    pub partitions: Vec<LogDirPartition>,
}

/// A partition in a log directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirPartition {
    /// Which.
    pub partition: TopicPartition,
    /// Bytes of its segments.
    pub size_bytes: i64,
    /// How far it lies behind.
    pub offset_lag: i64,
    /// Whether it is a copy that will replace the one in another directory once it has caught up.
    pub future: bool,
}

impl Admin {
    /// The log directories of all brokers, those that have failed among them.
    ///
    /// # Errors
    /// When a broker does not answer, and what it says.
    pub async fn log_dirs(&self) -> Result<Vec<LogDir>, ClientError> {
        let topology = self.retry(|| self.client.refresh(Some(&[]), false)).await?;
        let calls = topology.brokers.keys().map(|&broker| self.retry(move || self.log_dirs_of(broker)));
        Ok(try_join_all(calls).await?.into_iter().flatten().collect())
    }

    async fn log_dirs_of(&self, broker: i32) -> Result<Vec<LogDir>, ClientError> {
        let request = DescribeLogDirsRequest { topics: None };
        let reply = self.client.node(broker, Lane::SHARED).await?.call(&request).await?;
        let answer = reply.read()?;
        ClientError::check(answer.error_code, || format!("log directories of broker {broker}"), None)?;
        let mut dirs = Vec::new();
        for dir in answer.results {
            let rows = dir.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |row| (topic, row)));
            let mut partitions: Vec<_> = rows
                .map(|(topic, row)| LogDirPartition {
                    partition: TopicPartition::new(topic.name.clone(), row.partition_index),
                    size_bytes: row.partition_size,
                    offset_lag: row.offset_lag,
                    future: row.is_future_key,
                })
                .collect();
            partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
            dirs.push(LogDir {
                broker,
                path: dir.log_dir.into_owned(),
                error: ErrorCode::from_code(dir.error_code).ok().err(),
                total_bytes: known(dir.total_bytes),
                usable_bytes: known(dir.usable_bytes),
                partitions,
            });
        }
        Ok(dirs)
    }

    /// Begins to move a broker's replicas of these partitions to these of its log directories. It goes on after the return:
    /// see [`log_dirs`](Self::log_dirs). A replica that the broker is about to get is waited for.
    ///
    /// # Errors
    /// Of the first partition that is refused, such as [`ErrorCode::LogDirNotFound`] and
    /// [`ErrorCode::ReplicaNotAvailable`]; the others may have begun.
    pub async fn move_to_log_dirs(
        &self,
        broker: i32,
        moves: &BTreeMap<TopicPartition, String>,
    ) -> Result<(), ClientError> {
        let mut by_path = BTreeMap::<&str, Vec<(&TopicPartition, ())>>::new();
        for (partition, path) in moves {
            by_path.entry(path).or_default().push((partition, ()));
        }
        let topic = |(name, rows): (&str, Vec<(i32, ())>)| AlterReplicaLogDirTopic {
            name: name.to_owned().into(),
            partitions: rows.into_iter().map(|(partition, ())| partition).collect(),
        };
        let dirs = by_path.into_iter().map(|(path, rows)| AlterReplicaLogDir {
            path: path.into(),
            topics: by_topic(rows).into_iter().map(topic).collect(),
        });
        let request = AlterReplicaLogDirsRequest { dirs: dirs.collect() };
        let once = || async {
            let reply = self.client.node(broker, Lane::SHARED).await?.call(&request).await?;
            for topic in &reply.read()?.results {
                for row in &topic.partitions {
                    let subject =
                        || format!("partition {}-{} on broker {broker}", topic.topic_name, row.partition_index);
                    ClientError::check(row.error_code, subject, None)?;
                }
            }
            Ok(())
        };
        self.retry(|| async { final_if_unknown(once().await) }).await?
    }
}
