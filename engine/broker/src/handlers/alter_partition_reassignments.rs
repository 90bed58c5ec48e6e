//! AlterPartitionReassignments: to this broker a partition is moved already; there is no other (KIP-455).

use ringlog_protocol::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::broker::Broker;
use crate::request::Incoming;

pub(crate) fn serve<'a>(
    incoming: &Incoming,
    request: &AlterPartitionReassignmentsRequest<'a>,
) -> AlterPartitionReassignmentsResponse<'a> {
    let responses = request.topics.iter().map(|topic| ReassignableTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|asked| answer(incoming.broker(), topic, asked)).collect(),
    });
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses: responses.collect(),
        ..Default::default()
    }
}

fn answer(
    broker: &Broker,
    topic: &ReassignableTopic<'_>,
    asked: &ReassignablePartition,
) -> ReassignablePartitionResponse<'static> {
    let partition_index = asked.partition_index;
    let (error_code, error_message) = match check(broker, &topic.name, asked) {
        Ok(()) => (ErrorCode::None as i16, None),
        Err((code, reason)) => (code as i16, Some(Str::Owned(reason))),
    };
    ReassignablePartitionResponse { partition_index, error_code, error_message }
}

fn check(broker: &Broker, topic: &str, asked: &ReassignablePartition) -> Result<(), (ErrorCode, String)> {
    let name = format!("{topic}-{}", asked.partition_index);
    broker.topics.log(topic, asked.partition_index).map_err(|code| (code, format!("{name} does not exist")))?;
    match asked.replicas.as_deref() {
        // Null cancels.
        None => Err((ErrorCode::NoReassignmentInProgress, format!("{name} is not being moved"))),
        Some([only]) if *only == broker.node_id => Ok(()),
        Some(replicas) => {
            let reason = format!("replicas {replicas:?}: broker {} alone is allowed", broker.node_id);
            Err((ErrorCode::InvalidReplicaAssignment, reason))
        }
    }
}
