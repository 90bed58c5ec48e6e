//! Heartbeat: a member lives; it hears whether it has to join again.

use ringlog_coordinator::{Answer, GroupError, MemberClaim};
use ringlog_protocol::Str;
use ringlog_protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use crate::errors::code_of_group;
use crate::request::Incoming;

pub(crate) async fn serve(incoming: &Incoming, request: &HeartbeatRequest<'_>) -> HeartbeatResponse {
    let member = MemberClaim {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_ref().map(Str::to_string),
        generation: request.generation_id,
    };
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let answer = broker
        .groups
        .ask(broker, disk, |groups, now_ms, token| groups.heartbeat(now_ms, token, &request.group_id, &member))
        .await;
    let outcome = match answer {
        Some(Answer::Heartbeat(outcome)) => outcome,
        _ => Err(GroupError::CoordinatorNotAvailable),
    };
    HeartbeatResponse { error_code: outcome.err().map_or(0, |error| code_of_group(error) as i16), ..Default::default() }
}
