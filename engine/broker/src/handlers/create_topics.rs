//! CreateTopics: answered once each topic is usable, or with the value that can't be and what is allowed.

use std::collections::BTreeMap;

use ringlog_protocol::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use ringlog_protocol::{ErrorCode, Str, Uuid};
use ringlog_settings::{Described, describe_topic};

use crate::broker::Broker;
use crate::quotas::Mutations;
use crate::repeats::times;
use crate::request::Incoming;
use crate::topics::MAX_PARTITIONS;

/// A quota that is used up refuses from this version on (KIP-599).
const STRICT_FROM_VERSION: i16 = 6;
/// "As the broker is configured", for partitions and replicas alike (KIP-464).
const DEFAULT: i32 = -1;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &CreateTopicsRequest<'a>) -> CreateTopicsResponse<'a> {
    let is_strict = incoming.version >= STRICT_FROM_VERSION;
    let mut mutations = incoming.broker().quotas.mutations(incoming.client(), is_strict);
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut times = times(request.topics.iter().map(|topic| &topic.name));
    for topic in &request.topics {
        // What stands more than once is refused once.
        let Some(times) = times.remove(&topic.name) else { continue };
        let outcome = match times > 1 {
            true => Err((ErrorCode::InvalidRequest, format!("{} stands more than once in the request", topic.name))),
            false => create(incoming, topic, request.validate_only, &mut mutations).await,
        };
        topics.push(answer(topic.name.clone(), outcome));
    }
    CreateTopicsResponse { throttle_time_ms: mutations.throttle_ms, topics }
}

/// What a topic has become, or would.
struct Created {
    id: Uuid,
    partitions: i32,
    configs: Vec<CreatableTopicConfigs<'static>>,
}

async fn create(
    incoming: &Incoming,
    topic: &CreatableTopic<'_>,
    validate_only: bool,
    mutations: &mut Mutations<'_>,
) -> Result<Created, Refusal> {
    let broker = incoming.broker();
    broker.topics.check_new(&topic.name, &BTreeMap::new()).map_err(explain)?;
    let partitions = partitions(broker, topic)?;
    let configs = configs(topic)?;
    broker.topics.check_new(&topic.name, &configs).map_err(explain)?;
    let id = match validate_only {
        true => Uuid::default(),
        false => {
            mutations.take(partitions as usize)?;
            let made = broker.topics.create(&incoming.shard.disk, &topic.name, partitions, configs.clone()).await;
            made.map_err(explain)?.id
        }
    };
    let described = describe_topic(&configs, &broker.topics.sources());
    Ok(Created { id, partitions, configs: described.into_iter().map(config).collect() })
}

/// What is set on the topic; a setting without a value is none.
fn configs(topic: &CreatableTopic<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            return Err((ErrorCode::InvalidConfig, format!("{} has no value: give one, or leave it out", config.name)));
        };
        configs.insert(config.name.to_string(), value.to_string());
    }
    Ok(configs)
}

fn config(described: Described) -> CreatableTopicConfigs<'static> {
    CreatableTopicConfigs {
        name: Str::Borrowed(described.setting.name),
        value: described.value.map(Str::Owned),
        read_only: described.read_only,
        config_source: described.source as i8,
        is_sensitive: false,
    }
}

type Refusal = (ErrorCode, String);

fn explain(error: crate::topics::TopicError) -> Refusal {
    (error.code(), error.to_string())
}

/// How many partitions the topic gets, or why it can't be made as asked.
fn partitions(broker: &Broker, topic: &CreatableTopic<'_>) -> Result<i32, Refusal> {
    let node_id = broker.node_id;
    if !topic.assignments.is_empty() {
        if topic.num_partitions != DEFAULT || topic.replication_factor != DEFAULT as i16 {
            let reason = "with replicas named by hand, give -1 for the counts of partitions and replicas".to_owned();
            return Err((ErrorCode::InvalidRequest, reason));
        }
        // Clients send them in any order: a map has none.
        let mut indexes: Vec<i32> = topic.assignments.iter().map(|assignment| assignment.partition_index).collect();
        indexes.sort_unstable();
        let is_gapless = indexes.into_iter().zip(0..).all(|(index, expected)| index == expected);
        if !is_gapless || topic.assignments.iter().any(|assignment| assignment.broker_ids != [node_id]) {
            let reason = format!("partitions must be 0, 1, … without a gap, each once, on broker {node_id} alone");
            return Err((ErrorCode::InvalidReplicaAssignment, reason));
        }
        return allowed(i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX));
    }
    if !matches!(i32::from(topic.replication_factor), DEFAULT | 1) {
        let reason = format!("replication factor {}: there is one broker, 1 is allowed", topic.replication_factor);
        return Err((ErrorCode::InvalidReplicationFactor, reason));
    }
    match topic.num_partitions {
        DEFAULT => Ok(broker.config.num_partitions),
        partitions => allowed(partitions),
    }
}

fn allowed(partitions: i32) -> Result<i32, Refusal> {
    match partitions {
        1..=MAX_PARTITIONS => Ok(partitions),
        _ => {
            let reason = format!("{partitions} partitions: 1 to {MAX_PARTITIONS} are allowed");
            Err((ErrorCode::InvalidPartitions, reason))
        }
    }
}

fn answer<'a>(name: Str<'a>, outcome: Result<Created, Refusal>) -> CreatableTopicResult<'a> {
    match outcome {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.id,
            error_message: None,
            num_partitions: created.partitions,
            replication_factor: 1,
            configs: Some(created.configs),
            ..Default::default()
        },
        Err((code, message)) => CreatableTopicResult {
            name,
            error_code: code as i16,
            error_message: Some(Str::Owned(message)),
            configs: Some(Vec::new()),
            ..Default::default()
        },
    }
}
