//! JoinGroup: answered when the rebalance completes.

use ringlog_coordinator::{Answer, GroupError, JoinRequest, Joined, JoinedMember};
use ringlog_protocol::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use ringlog_protocol::{Blob, Str};

use crate::errors::code_of_group;
use crate::request::Incoming;
use crate::topics::fresh_id;

/// A new member has to come back with the id that it is given (KIP-394).
const KNOWN_ID_FROM_VERSION: i16 = 4;
/// The name of no protocol is null; before that it is empty.
const NULL_PROTOCOL_FROM_VERSION: i16 = 7;
/// The leader may be told that it need not assign (KIP-814).
const SKIP_ASSIGNMENT_FROM_VERSION: i16 = 9;

pub(crate) async fn serve(incoming: &Incoming, request: &JoinGroupRequest<'_>) -> JoinGroupResponse<'static> {
    let Ok(unique) = fresh_id() else {
        return refuse(incoming, GroupError::CoordinatorNotAvailable, String::new());
    };
    let member_id = request.member_id.to_string();
    let join = JoinRequest {
        group: request.group_id.to_string(),
        member_id: member_id.clone(),
        instance_id: request.group_instance_id.as_ref().map(Str::to_string),
        client_id: incoming.client_id.clone(),
        client_host: format!("/{}", incoming.peer.address.ip()),
        session_timeout_ms: request.session_timeout_ms,
        // Version 0 had none: the session's time-out served for both.
        rebalance_timeout_ms: match request.rebalance_timeout_ms {
            -1 => request.session_timeout_ms,
            timeout_ms => timeout_ms.max(0),
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.iter().map(|p| (p.name.to_string(), (&*p.metadata).into())).collect(),
        needs_known_member_id: incoming.version >= KNOWN_ID_FROM_VERSION,
        knows_skip_assignment: incoming.version >= SKIP_ASSIGNMENT_FROM_VERSION,
        unique: hyphenated(unique.0),
    };
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let answer = broker.groups.ask(broker, disk, |groups, now_ms, token| groups.join(now_ms, token, join)).await;
    match answer {
        Some(Answer::Join(Ok(joined))) => accept(joined),
        Some(Answer::Join(Err((error, member_id)))) => refuse(incoming, error, member_id),
        _ => refuse(incoming, GroupError::CoordinatorNotAvailable, member_id),
    }
}

fn accept(joined: Joined) -> JoinGroupResponse<'static> {
    let member = |member: JoinedMember| JoinGroupResponseMember {
        member_id: Str::Owned(member.member_id),
        group_instance_id: member.instance_id.map(Str::Owned),
        metadata: Blob::Owned(member.metadata.to_vec()),
    };
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type.map(Str::Owned),
        protocol_name: joined.protocol.map(Str::Owned),
        leader: Str::Owned(joined.leader),
        skip_assignment: joined.skip_assignment,
        member_id: Str::Owned(joined.member_id),
        members: joined.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn refuse(incoming: &Incoming, error: GroupError, member_id: String) -> JoinGroupResponse<'static> {
    JoinGroupResponse {
        error_code: code_of_group(error) as i16,
        protocol_name: (incoming.version < NULL_PROTOCOL_FROM_VERSION).then(Str::default),
        member_id: Str::Owned(member_id),
        ..Default::default()
    }
}

/// 8-4-4-4-12 hexadecimal digits, as member ids end with.
fn hyphenated(id: [u8; 16]) -> String {
    let digits = id.map(|byte| format!("{byte:02x}")).concat();
    let (a, rest) = digits.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    [a, b, c, d, e].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_ids_end_like_a_uuid() {
        let id = std::array::from_fn(|byte| byte as u8);
        assert_eq!(hyphenated(id), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
