//! SyncGroup (key 14): the assignment, from the leader to each member of a classic group.

use crate::{Blob, Str, schema::api};

api! {
    SyncGroup = 14, versions 0..=5, flexible from 4;

    request SyncGroupRequest<'a> {
        0..  group_id: Str<'a>;
        0..  generation_id: i32;
        0..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>> = None, null 3..;
        5..  protocol_type: Option<Str<'a>> = None, null 5.., ignorable;
        5..  protocol_name: Option<Str<'a>> = None, null 5.., ignorable;
        0..  assignments: Vec<SyncGroupRequestAssignment<'a>>;
    }

    struct SyncGroupRequestAssignment<'a> {
        0..  member_id: Str<'a>;
        0..  assignment: Blob<'a>;
    }

    response SyncGroupResponse<'a> {
        1..  throttle_time_ms: i32, ignorable;
        0..  error_code: i16;
        5..  protocol_type: Option<Str<'a>> = None, null 5.., ignorable;
        5..  protocol_name: Option<Str<'a>> = None, null 5.., ignorable;
        0..  assignment: Blob<'a>;
    }
}
