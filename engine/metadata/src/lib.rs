//! The cluster image: brokers, topics, configurations; kept in a local metadata log.
#![forbid(unsafe_code)]

mod meta_properties;
mod producer_ids;
mod topic_name;

pub use meta_properties::{MetaError, MetaProperties};
pub use producer_ids::ProducerIds;
pub use topic_name::{InvalidTopicName, check_topic_name};
