//! The cluster itself: brokers and their log directories.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use futures_util::future::try_join_all;
use ringlog_protocol::describe_cluster::DescribeClusterRequest;
use ringlog_protocol::describe_log_dirs::DescribeLogDirsRequest;

use super::Admin;
use crate::client::Lane;
use crate::connection::api_versions_request;
use crate::topology::Broker;
use crate::{Address, ClientError, TopicPartition};

/// A cluster and its brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The id that it was formatted with.
    pub cluster_id: String,
    /// The broker that takes changes.
    pub controller: Option<i32>,
    /// By their ids.
    pub brokers: BTreeMap<i32, Broker>,
}

/// What brokers can do together, by versions of its own (KIP-584).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// What the software of the broker that was asked can do.
    pub supported: RangeInclusive<i16>,
    /// What the cluster does; `None` while it does nothing of it.
    pub finalized: Option<i16>,
}

/// A directory of a broker that holds partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Whose.
    pub broker: i32,
    /// Its path there.
    pub path: String,
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
}

impl Admin {
    /// The cluster and its brokers.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn cluster(&self) -> Result<ClusterDescription, ClientError> {
        self.retry(|| async {
            let reply = self.client.any(Lane::SHARED).await?.call(&DescribeClusterRequest::default()).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "cluster".to_owned(), answer.error_message.as_deref())?;
            let broker = |row: &ringlog_protocol::describe_cluster::DescribeClusterBroker<'_>| {
                let port = u16::try_from(row.port).unwrap_or_default();
                let address = Address { host: row.host.clone().into_owned(), port };
                (row.broker_id, Broker { address, rack: row.rack.clone().map(Into::into) })
            };
            Ok(ClusterDescription {
                cluster_id: answer.cluster_id.clone().into_owned(),
                controller: Some(answer.controller_id).filter(|&id| id >= 0),
                brokers: answer.brokers.iter().map(broker).collect(),
            })
        })
        .await
    }

    /// The features of a broker, by their names; none where it tells of none.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn features(&self) -> Result<BTreeMap<String, Feature>, ClientError> {
        self.retry(|| async {
            let reply = self.client.any(Lane::SHARED).await?.call(&api_versions_request()).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "features".to_owned(), None)?;
            let finalized = |name: &str| {
                let mut rows = answer.finalized_features.iter();
                rows.find(|row| row.name == name).map(|row| row.max_version_level)
            };
            let features = answer.supported_features.iter().map(|row| {
                let supported = row.min_version..=row.max_version;
                (row.name.clone().into_owned(), Feature { supported, finalized: finalized(&row.name) })
            });
            Ok(features.collect())
        })
        .await
    }

    /// The log directories of all brokers.
    ///
    /// # Errors
    /// [`KafkaStorageError`](ringlog_protocol::ErrorCode::KafkaStorageError) of a directory that has failed, and
    /// others.
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
            ClientError::check(dir.error_code, || format!("log directory {} of broker {broker}", dir.log_dir), None)?;
            let rows = dir.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |row| (topic, row)));
            let mut partitions: Vec<_> = rows
                .map(|(topic, row)| LogDirPartition {
                    partition: TopicPartition::new(topic.name.clone(), row.partition_index),
                    size_bytes: row.partition_size,
                    offset_lag: row.offset_lag,
                })
                .collect();
            partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
            let known = |bytes: i64| Some(bytes).filter(|&bytes| bytes >= 0);
            dirs.push(LogDir {
                broker,
                path: dir.log_dir.into_owned(),
                total_bytes: known(dir.total_bytes),
                usable_bytes: known(dir.usable_bytes),
                partitions,
            });
        }
        Ok(dirs)
    }
}
