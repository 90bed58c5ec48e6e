//! JoinGroup (key 11): membership of a classic group.
//!
//! From version 4 on a member without an id is sent away with one first (KIP-394); static members from version 5 on.

use crate::{Blob, Str, schema::api};

api! {
    JoinGroup = 11, versions 0..=9, flexible from 6;

    request JoinGroupRequest<'a> {
        0..  group_id: Str<'a>;
        0..  session_timeout_ms: i32;
        1..  rebalance_timeout_ms: i32 = -1, ignorable;
        0..  member_id: Str<'a>;
        5..  group_instance_id: Option<Str<'a>> = None, null 5..;
        0..  protocol_type: Str<'a>;
        0..  protocols: Vec<JoinGroupRequestProtocol<'a>>;
        8..  reason: Option<Str<'a>> = None, null 8.., ignorable;
    }

    struct JoinGroupRequestProtocol<'a> {
        0..  name: Str<'a>;
        0..  metadata: Blob<'a>;
    }

    response JoinGroupResponse<'a> {
        2..  throttle_time_ms: i32, ignorable;
        0..  error_code: i16;
        0..  generation_id: i32 = -1;
        7..  protocol_type: Option<Str<'a>> = None, null 7.., ignorable;
        0..  protocol_name: Option<Str<'a>>, null 7..;
        0..  leader: Str<'a>;
        9..  skip_assignment: bool;
        0..  member_id: Str<'a>;
        0..  members: Vec<JoinGroupResponseMember<'a>>;
    }

    struct JoinGroupResponseMember<'a> {
        0..  member_id: Str<'a>;
        5..  group_instance_id: Option<Str<'a>> = None, null 5.., ignorable;
        0..  metadata: Blob<'a>;
    }
}
