//! ListGroups (key 16): the groups that a broker coordinates.

use crate::{Str, schema::api};

api! {
    ListGroups = 16, versions 0..=5, flexible from 3;

    request ListGroupsRequest<'a> {
        4..  states_filter: Vec<Str<'a>>;
        5..  types_filter: Vec<Str<'a>>;
    }

    response ListGroupsResponse<'a> {
        1..  throttle_time_ms: i32, ignorable;
        0..  error_code: i16;
        0..  groups: Vec<ListedGroup<'a>>;
    }

    struct ListedGroup<'a> {
        0..  group_id: Str<'a>;
        0..  protocol_type: Str<'a>;
        4..  group_state: Str<'a>, ignorable;
        5..  group_type: Str<'a>, ignorable;
    }
}
