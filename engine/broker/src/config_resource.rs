//! What settings are set on, as requests name it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringlog_protocol::{ErrorCode, Str};
use ringlog_settings::{Scope, SettingsError, Sources};

use crate::broker::Broker;
use crate::request::Incoming;
use crate::topics::{Topic, TopicError};

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

/// Changes what is set on a resource; `change` makes, for the scope of its settings, what shall be set of what is. Durable on
/// return.
pub(crate) async fn alter<C>(
    incoming: &Incoming,
    (kind, name): (i8, &str),
    validate_only: bool,
    change: impl FnOnce(Scope) -> C,
) -> Result<(), Refusal>
where
    C: FnOnce(&mut BTreeMap<String, String>, &Sources) -> Result<(), SettingsError>,
{
    let (topics, disk) = (&incoming.broker().topics, &incoming.shard.disk);
    let changed = match ConfigResource::find(incoming.broker(), kind, name)? {
        ConfigResource::Topic(topic) => topics.alter_topic(disk, &topic, change(Scope::Topic), validate_only).await,
        ConfigResource::Broker => topics.alter_broker(disk, false, change(Scope::Broker), validate_only).await,
        ConfigResource::EveryBroker => topics.alter_broker(disk, true, change(Scope::Broker), validate_only).await,
        ConfigResource::Empty => {
            let reason = format!("resource type {kind}: {TOPIC} (topics) and {BROKER} (brokers) have settings");
            return Err((ErrorCode::InvalidRequest, reason));
        }
    };
    changed.map_err(|error| match &error {
        TopicError::Settings(SettingsError::ReadOnly { .. }) => (ErrorCode::InvalidRequest, error.to_string()),
        other => (other.code(), error.to_string()),
    })
}

/// Refuses a resource that stands more than once in a request: which change is meant to be the last can't be told.
pub(crate) fn check_once(times: usize) -> Result<(), Refusal> {
    match times {
        0 | 1 => Ok(()),
        _ => Err((ErrorCode::InvalidRequest, "the resource stands more than once in the request".to_owned())),
    }
}

/// Code and message of an outcome, as responses have them.
pub(crate) fn answer(outcome: Result<(), Refusal>) -> (i16, Option<Str<'static>>) {
    match outcome {
        Ok(()) => (ErrorCode::None as i16, None),
        Err((code, reason)) => (code as i16, Some(Str::Owned(reason))),
    }
}
