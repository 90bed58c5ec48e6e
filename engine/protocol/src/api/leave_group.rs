//! LeaveGroup (key 13): members leave a classic group. Several in one request from version 3 on.

use crate::{Str, schema::api};

api! {
    LeaveGroup = 13, versions 0..=5, flexible from 4;

    request LeaveGroupRequest<'a> {
        0..    group_id: Str<'a>;
        0..=2  member_id: Str<'a>;
        3..    members: Vec<MemberIdentity<'a>>;
    }

    struct MemberIdentity<'a> {
        3..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>> = None, null 3..;
        5..  reason: Option<Str<'a>> = None, null 5.., ignorable;
    }

    response LeaveGroupResponse<'a> {
        1..  throttle_time_ms: i32, ignorable;
        0..  error_code: i16;
        3..  members: Vec<MemberResponse<'a>>;
    }

    struct MemberResponse<'a> {
        3..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>>, null 3..;
        3..  error_code: i16;
    }
}
