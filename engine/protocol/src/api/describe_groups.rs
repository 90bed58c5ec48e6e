//! DescribeGroups (key 15): state and members of classic groups.

use crate::{Blob, Str, schema::api};

api! {
    DescribeGroups = 15, versions 0..=6, flexible from 5;

    request DescribeGroupsRequest<'a> {
        0..  groups: Vec<Str<'a>>;
        3..  include_authorized_operations: bool;
    }

    response DescribeGroupsResponse<'a> {
        1..  throttle_time_ms: i32, ignorable;
        0..  groups: Vec<DescribedGroup<'a>>;
    }

    struct DescribedGroup<'a> {
        0..  error_code: i16;
        6..  error_message: Option<Str<'a>> = None, null 6..;
        0..  group_id: Str<'a>;
        0..  group_state: Str<'a>;
        0..  protocol_type: Str<'a>;
        0..  protocol_data: Str<'a>;
        0..  members: Vec<DescribedGroupMember<'a>>;
        3..  authorized_operations: i32 = i32::MIN;
    }

    struct DescribedGroupMember<'a> {
        0..  member_id: Str<'a>;
        4..  group_instance_id: Option<Str<'a>> = None, null 4.., ignorable;
        0..  client_id: Str<'a>;
        0..  client_host: Str<'a>;
        0..  member_metadata: Blob<'a>;
        0..  member_assignment: Blob<'a>;
    }
}
