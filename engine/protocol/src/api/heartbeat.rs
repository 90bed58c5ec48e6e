//! Heartbeat (key 12): a member of a classic group is alive.

use crate::{Str, schema::api};

api! {
    Heartbeat = 12, versions 0..=4, flexible from 4;

    request HeartbeatRequest<'a> {
        0..  group_id: Str<'a>;
        0..  generation_id: i32;
        0..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>> = None, null 3..;
    }

    response HeartbeatResponse {
        1..  throttle_time_ms: i32, ignorable;
        0..  error_code: i16;
    }
}
