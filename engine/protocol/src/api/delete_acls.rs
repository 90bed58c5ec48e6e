//! DeleteAcls (key 31): filters whose access rules are to go.

use crate::{Str, schema::api};

api! {
    DeleteAcls = 31, versions 1..=3, flexible from 2;

    request DeleteAclsRequest<'a> {
        0..  filters: Vec<DeleteAclsFilter<'a>>;
    }

    struct DeleteAclsFilter<'a> {
        0..  resource_type_filter: i8;
        0..  resource_name_filter: Option<Str<'a>>, null 0..;
        1..  pattern_type_filter: i8 = 3;
        0..  principal_filter: Option<Str<'a>>, null 0..;
        0..  host_filter: Option<Str<'a>>, null 0..;
        0..  operation: i8;
        0..  permission_type: i8;
    }

    response DeleteAclsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  filter_results: Vec<DeleteAclsFilterResult<'a>>;
    }

    struct DeleteAclsFilterResult<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  matching_acls: Vec<DeleteAclsMatchingAcl<'a>>;
    }

    struct DeleteAclsMatchingAcl<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
        1..  pattern_type: i8 = 3;
        0..  principal: Str<'a>;
        0..  host: Str<'a>;
        0..  operation: i8;
        0..  permission_type: i8;
    }
}
