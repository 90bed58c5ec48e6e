//! AlterConfigs (key 33): settings that replace all of a resource's. Kept for older clients.

use crate::{Str, schema::api};

api! {
    AlterConfigs = 33, versions 0..=2, flexible from 2;

    request AlterConfigsRequest<'a> {
        0..  resources: Vec<AlterConfigsResource<'a>>;
        0..  validate_only: bool;
    }

    struct AlterConfigsResource<'a> {
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
        0..  configs: Vec<AlterableConfig<'a>>;
    }

    struct AlterableConfig<'a> {
        0..  name: Str<'a>;
        0..  value: Option<Str<'a>>, null 0..;
    }

    response AlterConfigsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  responses: Vec<AlterConfigsResourceResponse<'a>>;
    }

    struct AlterConfigsResourceResponse<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
    }
}
