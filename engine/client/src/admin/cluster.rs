//! The cluster itself: its brokers, and the features that they share.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use ringlog_protocol::ApiKey;
use ringlog_protocol::describe_cluster::DescribeClusterRequest;
use ringlog_protocol::unregister_broker::UnregisterBrokerRequest;
use ringlog_protocol::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};

use super::Admin;
use crate::client::Lane;
use crate::connection::api_versions_request;
use crate::offsets::known;
use crate::topology::Broker;
use crate::{Address, ClientError};

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

/// A change of a feature's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureUpdate {
    /// Up to this level.
    Upgrade(i16),
    /// Down to this level, 0 being without the feature, where nothing is lost by it.
    Downgrade(i16),
    /// Down to this level, whatever is lost.
    UnsafeDowngrade(i16),
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
                controller: known(answer.controller_id),
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

    /// Changes the levels of features, all or none. With `validate_only` they are only checked.
    ///
    /// # Errors
    /// [`InvalidUpdateVersion`](ringlog_protocol::ErrorCode::InvalidUpdateVersion) for a feature or level that is not supported, or a way that does not lead there.
    pub async fn update_features(
        &self,
        updates: &BTreeMap<String, FeatureUpdate>,
        validate_only: bool,
    ) -> Result<(), ClientError> {
        let update = |(feature, update): (&String, &FeatureUpdate)| {
            let (upgrade_type, max_version_level) = match *update {
                FeatureUpdate::Upgrade(level) => (1, level),
                FeatureUpdate::Downgrade(level) => (2, level),
                FeatureUpdate::UnsafeDowngrade(level) => (3, level),
            };
            let feature = feature.clone().into();
            FeatureUpdateKey { feature, max_version_level, upgrade_type, ..Default::default() }
        };
        let feature_updates = updates.iter().map(update).collect();
        let request = UpdateFeaturesRequest { timeout_ms: self.timeout_ms(), feature_updates, validate_only };
        self.retry(|| async {
            let connection = self.client.controller().await?;
            // Version 0 neither names a way down nor only validates.
            let version = connection.version(ApiKey::UpdateFeatures, 1..=i16::MAX)?;
            let reply = connection.call_version(&request, version, Duration::ZERO).await?;
            let answer = reply.read()?;
            // The first that is refused stands in a row of its own up to version 1.
            answer.results.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || format!("feature {}", row.feature), row.error_message.as_deref())
            })?;
            ClientError::check(answer.error_code, || "features".to_owned(), answer.error_message.as_deref())
        })
        .await
    }

    /// Forgets a broker that is gone for good, where the cluster keeps its own metadata (KRaft).
    ///
    /// # Errors
    /// [`BrokerIdNotRegistered`](ringlog_protocol::ErrorCode::BrokerIdNotRegistered) for one that is not known, and what the controller says of one that runs.
    pub async fn unregister_broker(&self, broker: i32) -> Result<(), ClientError> {
        let request = UnregisterBrokerRequest { broker_id: broker };
        self.retry(|| async {
            let reply = self.client.controller().await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || format!("broker {broker}"), answer.error_message.as_deref())
        })
        .await
    }
}
