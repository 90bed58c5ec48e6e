//! FindCoordinator (key 10): which broker coordinates a group or a transactional id. Several keys in one request from
//! version 4 on.

use crate::{Str, schema::api};

api! {
    FindCoordinator = 10, versions 0..=6, flexible from 3;

    request FindCoordinatorRequest<'a> {
        0..=3  key: Str<'a>;
        1..    key_type: i8;
        4..    coordinator_keys: Vec<Str<'a>>;
    }

    response FindCoordinatorResponse<'a> {
        1..    throttle_time_ms: i32, ignorable;
        0..=3  error_code: i16;
        1..=3  error_message: Option<Str<'a>>, null 1.., ignorable;
        0..=3  node_id: i32;
        0..=3  host: Str<'a>;
        0..=3  port: i32;
        4..    coordinators: Vec<Coordinator<'a>>;
    }

    struct Coordinator<'a> {
        4..  key: Str<'a>;
        4..  node_id: i32;
        4..  host: Str<'a>;
        4..  port: i32;
        4..  error_code: i16;
        4..  error_message: Option<Str<'a>>, null 4.., ignorable;
    }
}
