//! IncrementalAlterConfigs (key 44): settings to set, delete, append to or subtract from (KIP-339).

use crate::{Str, schema::api};

api! {
    IncrementalAlterConfigs = 44, versions 0..=1, flexible from 1;

    request IncrementalAlterConfigsRequest<'a> {
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
        0..  config_operation: i8;
        0..  value: Option<Str<'a>>, null 0..;
    }

    response IncrementalAlterConfigsResponse<'a> {
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
