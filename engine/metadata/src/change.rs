//! One change of the image, as the metadata log has it.

use std::collections::BTreeMap;

use ringlog_protocol::Uuid;
use serde::{Deserialize, Serialize};

use crate::{QuotaEntity, QuotaValues, ScramCredential, ScramMechanism};

/// A change. The log keeps it as JSON; field names are part of the format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A topic is there.
    TopicCreated {
        /// Its name.
        name: String,
        /// Its id.
        #[serde(with = "id_text")]
        id: Uuid,
        /// How many partitions it has.
        partitions: i32,
        /// What is set on it.
        configs: BTreeMap<String, String>,
    },
    /// A topic has more partitions.
    PartitionsAdded {
        /// Its id.
        #[serde(with = "id_text")]
        id: Uuid,
        /// How many it has from here on.
        total: i32,
    },
    /// A topic is gone; its directories are to be removed.
    TopicDeleted {
        /// Its id.
        #[serde(with = "id_text")]
        id: Uuid,
    },
    /// Nothing is left of a deleted topic.
    TopicRemoved {
        /// Its id.
        #[serde(with = "id_text")]
        id: Uuid,
    },
    /// What is set on a topic or broker, from here on; all of it.
    Configs {
        /// On what.
        scope: ConfigScope,
        /// Names and values.
        configs: BTreeMap<String, String>,
    },
    /// What bounds an entity, from here on; all of it.
    Quotas {
        /// Whom.
        entity: QuotaEntity,
        /// What, and how much.
        quotas: QuotaValues,
    },
    /// A user has a credential, in place of an earlier one for the mechanism.
    ScramCredentialSet {
        /// The user's name.
        user: String,
        /// For which mechanism.
        mechanism: ScramMechanism,
        /// What is kept of the password.
        credential: ScramCredential,
    },
    /// A user has no credential for a mechanism any more.
    ScramCredentialRemoved {
        /// The user's name.
        user: String,
        /// For which mechanism.
        mechanism: ScramMechanism,
    },
    /// The log was written anew: what stands before this is the outcome of so many changes.
    Rewritten {
        /// How many changes had been made.
        offset: u64,
    },
}

/// What settings are set on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigScope {
    /// The topic with this id.
    Topic(#[serde(with = "id_text")] Uuid),
    /// This broker.
    Broker,
    /// Every broker.
    Brokers,
}

/// Ids as Kafka writes them: 22 characters.
pub(crate) mod id_text {
    use ringlog_protocol::Uuid;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
