//! DeleteGroups (key 42): groups to delete, with their offsets.

use crate::{Str, schema::api};

api! {
    DeleteGroups = 42, versions 0..=2, flexible from 2;

    request DeleteGroupsRequest<'a> {
        0..  groups_names: Vec<Str<'a>>;
    }

    response DeleteGroupsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  results: Vec<DeletableGroupResult<'a>>;
    }

    struct DeletableGroupResult<'a> {
        0..  group_id: Str<'a>;
        0..  error_code: i16;
    }
}
