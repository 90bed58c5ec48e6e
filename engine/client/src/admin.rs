//! Looks after a cluster: topics, configurations, groups, records, brokers, replicas, quotas, access rules,
//! credentials, transactions.

mod acls;
mod cluster;
mod configs;
mod groups;
mod log_dirs;
mod quorum;
mod quotas;
mod replicas;
mod scram;
mod topics;
mod transactions;

pub use self::acls::{Acl, AclFilter, AclOperation, AclPattern, AclPatternFilter, AclPermission, AclResource};
pub use self::cluster::{ClusterDescription, Feature, FeatureUpdate};
pub use self::configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};
pub use self::groups::{GroupDescription, GroupEpochs, GroupListing, GroupMember, MemberTarget};
pub use self::log_dirs::{LogDir, LogDirPartition};
pub use self::quorum::{Quorum, QuorumReplica};
pub use self::quotas::{QuotaEntity, QuotaMatch};
pub use self::replicas::{Election, Reassignment};
pub use self::scram::ScramMechanism;
pub use self::topics::{NewTopic, TopicDescription};
pub use self::transactions::{
    HangingTransaction, ProducerState, TransactionDescription, TransactionFilter, TransactionListing,
};

use std::future::Future;

use crate::{Client, ClientError};

/// Looks after a cluster. Every call retries what may succeed later, for `default.api.timeout.ms` in all, and fails
/// with the broker's own error otherwise. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    /// An admin on `client`'s connections.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client that it works with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn retry<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        self.client.retry(self.client.options().api_timeout, attempt).await
    }

    /// What a broker is told it may take for a change.
    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.client.options().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}
