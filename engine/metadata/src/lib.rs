//! The cluster image: topics, configurations, quotas and credentials, kept in a local metadata log; and the node's identity.
//!
//! [`MetadataLog`] holds the [`Image`]; a [`Change`] is on the device before the image that has it can be seen.
#![forbid(unsafe_code)]

mod change;
mod image;
mod log;
mod meta_properties;
mod producer_ids;
mod quota;
mod scram;
mod topic_name;

pub use change::{Change, ConfigScope};
pub use image::{Image, TopicImage};
pub use log::{MetadataLog, OpenReport};
pub use meta_properties::{MetaError, MetaProperties};
pub use producer_ids::ProducerIds;
pub use quota::{ClientQuotas, EntityType, QuotaEntity, QuotaKey, QuotaValues};
pub use scram::{ScramCredential, ScramMechanism};
pub use topic_name::{InvalidTopicName, check_topic_name};
