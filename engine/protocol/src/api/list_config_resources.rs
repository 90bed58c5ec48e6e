//! ListConfigResources (key 74): what has settings of its own (KIP-1142).

use crate::{Str, schema::api};

api! {
    ListConfigResources = 74, versions 0..=1, flexible from 0;

    request ListConfigResourcesRequest {
        1..  resource_types: Vec<i8>;
    }

    response ListConfigResourcesResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  config_resources: Vec<ConfigResource<'a>>;
    }

    struct ConfigResource<'a> {
        0..  resource_name: Str<'a>;
        1..  resource_type: i8 = 16, ignorable;
    }
}
