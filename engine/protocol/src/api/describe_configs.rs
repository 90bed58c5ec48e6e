//! DescribeConfigs (key 32): settings, with where each value comes from.

use crate::{Str, schema::api};

api! {
    DescribeConfigs = 32, versions 1..=4, flexible from 4;

    request DescribeConfigsRequest<'a> {
        0..  resources: Vec<DescribeConfigsResource<'a>>;
        1..  include_synonyms: bool;
        3..  include_documentation: bool;
    }

    struct DescribeConfigsResource<'a> {
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
        0..  configuration_keys: Option<Vec<Str<'a>>>, null 0..;
    }

    response DescribeConfigsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  results: Vec<DescribeConfigsResult<'a>>;
    }

    struct DescribeConfigsResult<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  resource_type: i8;
        0..  resource_name: Str<'a>;
        0..  configs: Vec<DescribeConfigsResourceResult<'a>>;
    }

    struct DescribeConfigsResourceResult<'a> {
        0..  name: Str<'a>;
        0..  value: Option<Str<'a>>, null 0..;
        0..  read_only: bool;
        1..  config_source: i8 = -1;
        0..  is_sensitive: bool;
        1..  synonyms: Vec<DescribeConfigsSynonym<'a>>;
        3..  config_type: i8, ignorable;
        3..  documentation: Option<Str<'a>>, null 0.., ignorable;
    }

    struct DescribeConfigsSynonym<'a> {
        1..  name: Str<'a>;
        1..  value: Option<Str<'a>>, null 0..;
        1..  source: i8;
    }
}
