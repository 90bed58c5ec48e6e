//! What settings are set on, as requests name it.

use std::sync::Arc;

use ringlog_protocol::ErrorCode;

use crate::broker::Broker;
use crate::topics::Topic;

/// Kafka's numbers (`ConfigResource.Type`).
pub(crate) const TOPIC: i8 = 2;
pub(crate) const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
pub(crate) const KINDS: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(crate) type Refusal = (ErrorCode, String);

/// A resource that is there.
pub(crate) enum ConfigResource {
    Topic(Arc<Topic>),
    /// This broker.
    Broker,
    /// What counts for every broker.
    EveryBroker,
    /// Of a kind that has no settings here.
    Empty,
}

impl ConfigResource {
    pub(crate) fn find(broker: &Broker, kind: i8, name: &str) -> Result<ConfigResource, Refusal> {
        match kind {
            TOPIC => match broker.topics.get(name) {
                Some(topic) => Ok(ConfigResource::Topic(topic)),
                None => {
                    ringlog_metadata::check_topic_name(name)
                        .map_err(|error| (ErrorCode::InvalidTopicException, error.to_string()))?;
                    Err((ErrorCode::UnknownTopicOrPartition, format!("topic {name:?} does not exist")))
                }
            },
            BROKER if name.is_empty() => Ok(ConfigResource::EveryBroker),
            BROKER if name.parse() == Ok(broker.node_id) => Ok(ConfigResource::Broker),
            BROKER => {
                let reason =
                    format!("broker {name:?}: {} and the empty name, for every broker, are allowed", broker.node_id);
                Err((ErrorCode::InvalidRequest, reason))
            }
            BROKER_LOGGER => {
                Err((ErrorCode::InvalidRequest, "loggers are set with RINGLOG_LOG at the start".to_owned()))
            }
            CLIENT_METRICS | GROUP => Ok(ConfigResource::Empty),
            other => {
                let reason = format!("resource type {other}: {TOPIC} (topics) and {BROKER} (brokers) have settings");
                Err((ErrorCode::InvalidRequest, reason))
            }
        }
    }
}
