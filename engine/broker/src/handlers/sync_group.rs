//! SyncGroup: brings a member its assignment, and the leader's to everybody.

use ringlog_coordinator::{Answer, GroupError, MemberClaim, SyncRequest};
use ringlog_protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use ringlog_protocol::{Blob, Str};

use crate::errors::code_of_group;
use crate::request::Incoming;

/// Protocol type and name have to be given from this version on (KIP-559).
const PROTOCOL_FROM_VERSION: i16 = 5;

pub(crate) async fn serve(incoming: &Incoming, request: &SyncGroupRequest<'_>) -> SyncGroupResponse<'static> {
    let protocol_given = request.protocol_type.is_some() && request.protocol_name.is_some();
    if incoming.version >= PROTOCOL_FROM_VERSION && !protocol_given {
        return refuse(GroupError::InconsistentGroupProtocol);
    }
    let sync = SyncRequest {
        group: request.group_id.to_string(),
        member: MemberClaim {
            member_id: request.member_id.to_string(),
            instance_id: request.group_instance_id.as_ref().map(Str::to_string),
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type.as_ref().map(Str::to_string),
        protocol: request.protocol_name.as_ref().map(Str::to_string),
        assignments: request.assignments.iter().map(|a| (a.member_id.to_string(), (&*a.assignment).into())).collect(),
    };
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let answer = broker.groups.ask(broker, disk, |groups, now_ms, token| groups.sync(now_ms, token, sync)).await;
    match answer {
        Some(Answer::Sync(Ok(synced))) => SyncGroupResponse {
            protocol_type: synced.protocol_type.map(Str::Owned),
            protocol_name: synced.protocol.map(Str::Owned),
            assignment: Blob::Owned(synced.assignment.to_vec()),
            ..Default::default()
        },
        Some(Answer::Sync(Err(error))) => refuse(error),
        _ => refuse(GroupError::CoordinatorNotAvailable),
    }
}

fn refuse(error: GroupError) -> SyncGroupResponse<'static> {
    SyncGroupResponse { error_code: code_of_group(error) as i16, ..Default::default() }
}
