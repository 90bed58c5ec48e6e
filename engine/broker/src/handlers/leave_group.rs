//! LeaveGroup: one member up to version 2, several from 3 on (KIP-345).

use ringlog_coordinator::{Answer, GroupError, LeaveRequest, LeavingMember, LeftMember};
use ringlog_protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse};
use ringlog_protocol::{ErrorCode, Str};

use crate::errors::code_of_group;
use crate::request::Incoming;

const SEVERAL_FROM_VERSION: i16 = 3;

pub(crate) async fn serve(incoming: &Incoming, request: &LeaveGroupRequest<'_>) -> LeaveGroupResponse<'static> {
    let takes_several = incoming.version >= SEVERAL_FROM_VERSION;
    let identity = |member: &MemberIdentity<'_>| LeavingMember {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(Str::to_string),
    };
    let members = match takes_several {
        true => request.members.iter().map(identity).collect(),
        false => vec![LeavingMember { member_id: request.member_id.to_string(), instance_id: None }],
    };
    let leave = LeaveRequest { group: request.group_id.to_string(), members };
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let answer = broker.groups.ask(broker, disk, |groups, now_ms, token| groups.leave(now_ms, token, leave)).await;
    match answer {
        Some(Answer::Leave(Ok(left))) if takes_several => {
            LeaveGroupResponse { members: left.into_iter().map(describe).collect(), ..Default::default() }
        }
        Some(Answer::Leave(Ok(left))) => {
            let error_code = left.into_iter().next().map_or(0, |member| describe(member).error_code);
            LeaveGroupResponse { error_code, ..Default::default() }
        }
        Some(Answer::Leave(Err(error))) => refuse(error),
        _ => refuse(GroupError::CoordinatorNotAvailable),
    }
}

fn describe(left: LeftMember) -> MemberResponse<'static> {
    MemberResponse {
        member_id: Str::Owned(left.member_id),
        group_instance_id: left.instance_id.map(Str::Owned),
        error_code: left.outcome.err().map_or(ErrorCode::None, code_of_group) as i16,
    }
}

fn refuse(error: GroupError) -> LeaveGroupResponse<'static> {
    LeaveGroupResponse { error_code: code_of_group(error) as i16, ..Default::default() }
}
