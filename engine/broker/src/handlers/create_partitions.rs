//! CreatePartitions: more partitions for a topic that exists. They are usable when the answer leaves.

use ringlog_protocol::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::quotas::Mutations;
use crate::repeats::times;
use crate::request::Incoming;
use crate::topics::MAX_PARTITIONS;

/// A quota that is used up refuses from this version on (KIP-599).
const STRICT_FROM_VERSION: i16 = 3;

type Refusal = (ErrorCode, String);

pub(crate) async fn serve<'a>(
    incoming: &Incoming,
    request: &CreatePartitionsRequest<'a>,
) -> CreatePartitionsResponse<'a> {
    let is_strict = incoming.version >= STRICT_FROM_VERSION;
    let mut mutations = incoming.broker().quotas.mutations(incoming.client(), is_strict);
    let mut results = Vec::with_capacity(request.topics.len());
    let mut times = times(request.topics.iter().map(|topic| &topic.name));
    for topic in &request.topics {
        // What stands more than once is refused once.
        let Some(times) = times.remove(&topic.name) else { continue };
        let outcome = if times > 1 {
            Err((ErrorCode::InvalidRequest, format!("{} stands more than once in the request", topic.name)))
        } else {
            grow(incoming, topic, request.validate_only, &mut mutations).await
        };
        let (error_code, error_message) = match outcome {
            Ok(()) => (ErrorCode::None, None),
            Err((code, reason)) => (code, Some(Str::Owned(reason))),
        };
        let error_code = error_code as i16;
        results.push(CreatePartitionsTopicResult { name: topic.name.clone(), error_code, error_message });
    }
    CreatePartitionsResponse { throttle_time_ms: mutations.throttle_ms, results }
}

async fn grow(
    incoming: &Incoming,
    asked: &CreatePartitionsTopic<'_>,
    validate_only: bool,
    mutations: &mut Mutations<'_>,
) -> Result<(), Refusal> {
    let broker = incoming.broker();
    let topic = broker
        .topics
        .get(&asked.name)
        .ok_or_else(|| (ErrorCode::UnknownTopicOrPartition, format!("topic {:?} does not exist", asked.name)))?;
    let held = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if asked.count <= held || asked.count > MAX_PARTITIONS {
        let reason = format!(
            "{} partitions: {} has {held}, and partitions are only added; {} to {MAX_PARTITIONS} are allowed",
            asked.count,
            asked.name,
            held + 1
        );
        return Err((ErrorCode::InvalidPartitions, reason));
    }
    if let Some(assignments) = &asked.assignments {
        let added = (asked.count - held) as usize;
        if assignments.len() != added || assignments.iter().any(|replicas| replicas.broker_ids != [broker.node_id]) {
            let reason = format!(
                "{} replica lists for {added} added partitions: each must name broker {} alone",
                assignments.len(),
                broker.node_id
            );
            return Err((ErrorCode::InvalidReplicaAssignment, reason));
        }
    }
    if validate_only {
        return Ok(());
    }
    mutations.take((asked.count - held) as usize)?;
    let grown = broker.topics.add_partitions(&incoming.shard.disk, &topic, asked.count).await;
    grown.map_err(|error| (error.code(), error.to_string()))
}
