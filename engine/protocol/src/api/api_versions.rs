//! ApiVersions (key 18): which APIs, versions and features the broker speaks. The first request of a connection.
//!
//! A version that the broker does not know is answered with a version 0 body, error 35 and the range of this key; the
//! response's header never has tagged fields (KIP-511).

use crate::{Str, schema::api};

api! {
    ApiVersions = 18, versions 0..=4, flexible from 3;

    request ApiVersionsRequest<'a> {
        3..  client_software_name: Str<'a>, ignorable;
        3..  client_software_version: Str<'a>, ignorable;
    }

    response ApiVersionsResponse<'a> {
        0..  error_code: i16;
        0..  api_keys: Vec<ApiVersion>;
        1..  throttle_time_ms: i32, ignorable;
        3..  supported_features: Vec<SupportedFeatureKey<'a>>, tag 0, ignorable;
        3..  finalized_features_epoch: i64 = -1, tag 1, ignorable;
        3..  finalized_features: Vec<FinalizedFeatureKey<'a>>, tag 2, ignorable;
        3..  zk_migration_ready: bool, tag 3, ignorable;
    }

    struct ApiVersion {
        0..  api_key: i16;
        0..  min_version: i16;
        0..  max_version: i16;
    }

    struct SupportedFeatureKey<'a> {
        3..  name: Str<'a>;
        3..  min_version: i16;
        3..  max_version: i16;
    }

    struct FinalizedFeatureKey<'a> {
        3..  name: Str<'a>;
        3..  max_version_level: i16;
        3..  min_version_level: i16;
    }
}
