//! Client quotas: whom they are for, and what they bound (KIP-13, KIP-546, KIP-599, KIP-612).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a quota goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntityType {
    /// Who has signed in.
    User,
    /// What the client calls itself.
    ClientId,
    /// The address that a connection comes from.
    Ip,
}

/// Whom a quota is for, by every type that it goes by. `None` stands for everyone that has no quota by name.
pub type QuotaEntity = BTreeMap<EntityType, Option<String>>;

/// What a quota bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKey {
    /// Bytes of Produce requests a second.
    ProducerByteRate,
    /// Bytes of Fetch responses a second.
    ConsumerByteRate,
    /// Partitions made and deleted a second.
    ControllerMutationRate,
    /// Connections a second.
    ConnectionCreationRate,
}

/// What is set for an entity: a positive, finite number for each key.
pub type QuotaValues = BTreeMap<QuotaKey, f64>;

/// Every quota that is set.
pub type ClientQuotas = BTreeMap<QuotaEntity, QuotaValues>;

impl EntityType {
    /// All of them.
    pub const ALL: [EntityType; 3] = [EntityType::User, EntityType::ClientId, EntityType::Ip];

    /// As Kafka calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EntityType::User => "user",
            EntityType::ClientId => "client-id",
            EntityType::Ip => "ip",
        }
    }
}

impl QuotaKey {
    /// All of them.
    pub const ALL: [QuotaKey; 4] = [
        QuotaKey::ProducerByteRate,
        QuotaKey::ConsumerByteRate,
        QuotaKey::ControllerMutationRate,
        QuotaKey::ConnectionCreationRate,
    ];

    /// As Kafka calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            QuotaKey::ProducerByteRate => "producer_byte_rate",
            QuotaKey::ConsumerByteRate => "consumer_byte_rate",
            QuotaKey::ControllerMutationRate => "controller_mutation_rate",
            QuotaKey::ConnectionCreationRate => "connection_creation_rate",
        }
    }

    /// Whether only whole numbers are allowed.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        !matches!(self, QuotaKey::ControllerMutationRate)
    }

    /// Whether it bounds what comes from an address, and not what a user or client does.
    #[must_use]
    pub const fn is_of_addresses(self) -> bool {
        matches!(self, QuotaKey::ConnectionCreationRate)
    }
}

impl FromStr for EntityType {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        EntityType::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

impl FromStr for QuotaKey {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        QuotaKey::ALL.into_iter().find(|key| key.name() == name).ok_or(())
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for QuotaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_kafkas_names() {
        for kind in EntityType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        for key in QuotaKey::ALL {
            assert_eq!(serde_json::to_value(key).unwrap(), key.name());
            assert_eq!(key.name().parse(), Ok(key));
        }
    }
}
