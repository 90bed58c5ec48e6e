//! ElectLeaders: the one broker leads every partition already, whichever way it is asked to be elected (KIP-460).

use ringlog_protocol::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult, TopicPartitions,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;

/// The preferred replica, or any that is left (`ElectionType`).
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(crate) fn serve(incoming: &Incoming, request: &ElectLeadersRequest<'_>) -> ElectLeadersResponse<'static> {
    let topics = &incoming.broker().topics;
    let is_known = matches!(request.election_type, PREFERRED | UNCLEAN);
    let elect = |topic: &str, partition| match topics.log(topic, partition) {
        _ if !is_known => {
            let kind = request.election_type;
            (ErrorCode::InvalidRequest, format!("election type {kind}: 0 (preferred) and 1 (unclean) are allowed"))
        }
        Ok(_) => (ErrorCode::ElectionNotNeeded, format!("{topic}-{partition} is led by the only broker")),
        Err(code) => (code, format!("{topic}-{partition} does not exist")),
    };
    let result = |asked: &TopicPartitions<'_>| ReplicaElectionResult {
        topic: Str::Owned(asked.topic.to_string()),
        partition_result: asked
            .partitions
            .iter()
            .map(|partition| {
                let (code, reason) = elect(&asked.topic, *partition);
                PartitionResult {
                    partition_id: *partition,
                    error_code: code as i16,
                    error_message: Some(Str::Owned(reason)),
                }
            })
            .collect(),
    };
    // Null asks for all; of those only the ones that were elected are listed: none.
    let all = || topics.all().into_iter().map(|topic| Str::Owned(topic.name.to_string()));
    let replica_election_results = match &request.topic_partitions {
        Some(asked) => asked.iter().map(result).collect(),
        None if !is_known => Vec::new(),
        None => all().map(|topic| ReplicaElectionResult { topic, ..Default::default() }).collect(),
    };
    let code = if is_known { ErrorCode::None } else { ErrorCode::InvalidRequest };
    ElectLeadersResponse { error_code: code as i16, replica_election_results, ..Default::default() }
}
