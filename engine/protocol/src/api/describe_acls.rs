//! DescribeAcls (key 29): the access rules that match a filter.

use crate::{Str, schema::api};

api! {
    DescribeAcls = 29, versions 1..=3, flexible from 2;

    request DescribeAclsRequest<'a> {
        0..  resource_type_filter: i8;
        0..  resource_name_filter: Option<Str<'a>>, null 0..;
        1..  pattern_type_filter: i8 = 3;
        0..  principal_filter: Option<Str<'a>>, null 0..;
        0..  host_filter: Option<Str<'a>>, null 0..;
        0..  operation: i8;
        0..  permission_type: i8;
    }

    response DescribeAclsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  resources: Vec<DescribeAclsResource<'a>>;
    }

    struct DescribeAclsResource<'a> {
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
        1..  pattern_type: i8 = 3;
        0..  acls: Vec<AclDescription<'a>>;
    }

    struct AclDescription<'a> {
        0..  principal: Str<'a>;
        0..  host: Str<'a>;
        0..  operation: i8;
        0..  permission_type: i8;
    }
}
