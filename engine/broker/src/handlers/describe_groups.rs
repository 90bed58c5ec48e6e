//! DescribeGroups: state, members and assignments of groups.

use ringlog_coordinator::{GroupDescription, MemberDescription};
use ringlog_protocol::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use ringlog_protocol::{Blob, ErrorCode, Str};

use crate::authorized_operations;
use crate::repeats::distinct;
use crate::request::Incoming;

/// A group that is not there is an error from this version on (KIP-1043); before that it is dead.
const ERROR_FROM_VERSION: i16 = 6;

pub(crate) fn serve<'a>(incoming: &Incoming, request: &DescribeGroupsRequest<'a>) -> DescribeGroupsResponse<'a> {
    let groups = incoming.broker().groups.read(|groups| {
        let describe = |id: &Str<'a>| match groups.describe(id) {
            Some(group) => DescribedGroup {
                authorized_operations: authorized_operations::of_group(request.include_authorized_operations),
                ..describe(id.clone(), group)
            },
            None => missing(id.clone(), incoming.version),
        };
        distinct(&request.groups, |id| id).map(describe).collect()
    });
    DescribeGroupsResponse { groups, ..Default::default() }
}

fn describe(group_id: Str<'_>, group: GroupDescription) -> DescribedGroup<'_> {
    let member = |member: MemberDescription| DescribedGroupMember {
        member_id: Str::Owned(member.member_id),
        group_instance_id: member.instance_id.map(Str::Owned),
        client_id: Str::Owned(member.client_id),
        client_host: Str::Owned(member.client_host),
        member_metadata: Blob::Owned(member.metadata.to_vec()),
        member_assignment: Blob::Owned(member.assignment.to_vec()),
    };
    DescribedGroup {
        group_id,
        group_state: Str::Borrowed(group.state),
        protocol_type: Str::Owned(group.protocol_type),
        protocol_data: Str::Owned(group.protocol),
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn missing(group_id: Str<'_>, version: i16) -> DescribedGroup<'_> {
    let dead = DescribedGroup { group_state: Str::Borrowed("Dead"), ..Default::default() };
    if version < ERROR_FROM_VERSION {
        return DescribedGroup { group_id, ..dead };
    }
    DescribedGroup {
        error_code: ErrorCode::GroupIdNotFound as i16,
        error_message: Some(Str::Owned(format!("Group {group_id} not found."))),
        group_id,
        ..dead
    }
}
