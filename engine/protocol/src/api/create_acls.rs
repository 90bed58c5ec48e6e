//! CreateAcls (key 30): access rules to add.

use crate::{Str, schema::api};

api! {
    CreateAcls = 30, versions 1..=3, flexible from 2;

    request CreateAclsRequest<'a> {
        0..  creations: Vec<AclCreation<'a>>;
    }

    struct AclCreation<'a> {
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
        1..  resource_pattern_type: i8 = 3;
        0..  principal: Str<'a>;
        0..  host: Str<'a>;
        0..  operation: i8;
        0..  permission_type: i8;
    }

    response CreateAclsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  results: Vec<AclCreationResult<'a>>;
    }

    struct AclCreationResult<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
    }
}
