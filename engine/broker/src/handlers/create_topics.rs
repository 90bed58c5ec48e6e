//! CreateTopics: answered once each topic is usable, or with the value that can't be and what is allowed.

use ringlog_protocol::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use ringlog_protocol::{ErrorCode, Str, Uuid};

use crate::broker::Broker;
use crate::dispatch::Incoming;
use crate::topics::MAX_PARTITIONS;

/// "As the broker is configured", for partitions and replicas alike (KIP-464).
const DEFAULT: i32 = -1;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &CreateTopicsRequest<'a>) -> CreateTopicsResponse<'a> {
    let broker = incoming.broker();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let repeated = request.topics.iter().filter(|other| other.name == topic.name).count() > 1;
        let outcome = match check(broker, topic) {
            _ if repeated => {
                Err((ErrorCode::InvalidRequest, format!("{} stands more than once in the request", topic.name)))
            }
            Ok(partitions) if request.validate_only => {
                broker.topics.check_new(&topic.name).map(|()| (Uuid::default(), partitions)).map_err(explain)
            }
            Ok(partitions) => {
                let created = broker.topics.create(&incoming.shard.disk, &topic.name, partitions).await;
                created.map(|topic| (topic.id, partitions)).map_err(explain)
            }
            Err(refusal) => Err(refusal),
        };
        topics.push(answer(topic.name.clone(), outcome));
    }
    CreateTopicsResponse { topics, ..Default::default() }
}

type Refusal = (ErrorCode, String);

fn explain(error: crate::topics::TopicError) -> Refusal {
    (error.code(), error.to_string())
}

/// How many partitions the topic gets, or why it can't be made as asked.
fn check(broker: &Broker, topic: &CreatableTopic<'_>) -> Result<i32, Refusal> {
    let node_id = broker.node_id;
    if let Some(config) = topic.configs.first() {
        let reason =
            format!("{}: settings of single topics are not served; create the topic without them", config.name);
        return Err((ErrorCode::InvalidConfig, reason));
    }
    if !topic.assignments.is_empty() {
        let in_order = topic.assignments.iter().enumerate().all(|(index, a)| a.partition_index == index as i32);
        if !in_order || topic.assignments.iter().any(|assignment| assignment.broker_ids != [node_id]) {
            let reason = format!("partitions must be 0, 1, … in order, each on broker {node_id} alone");
            return Err((ErrorCode::InvalidReplicaAssignment, reason));
        }
        return Ok(topic.assignments.len() as i32);
    }
    if !matches!(i32::from(topic.replication_factor), DEFAULT | 1) {
        let reason = format!("replication factor {}: there is one broker, 1 is allowed", topic.replication_factor);
        return Err((ErrorCode::InvalidReplicationFactor, reason));
    }
    match topic.num_partitions {
        DEFAULT => Ok(broker.config.num_partitions),
        partitions @ 1..=MAX_PARTITIONS => Ok(partitions),
        partitions => {
            let reason = format!("{partitions} partitions: 1 to {MAX_PARTITIONS} are allowed");
            Err((ErrorCode::InvalidPartitions, reason))
        }
    }
}

fn answer<'a>(name: Str<'a>, outcome: Result<(Uuid, i32), Refusal>) -> CreatableTopicResult<'a> {
    match outcome {
        Ok((topic_id, num_partitions)) => CreatableTopicResult {
            name,
            topic_id,
            error_message: None,
            num_partitions,
            replication_factor: 1,
            configs: Some(Vec::new()),
            ..Default::default()
        },
        Err((code, message)) => CreatableTopicResult {
            name,
            error_code: code as i16,
            error_message: Some(Str::Owned(message)),
            configs: None,
            ..Default::default()
        },
    }
}
