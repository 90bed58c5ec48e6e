//! UpdateFeatures (key 57): feature levels to raise or lower (KIP-584).

use crate::{Str, schema::api};

api! {
    UpdateFeatures = 57, versions 0..=2, flexible from 0;

    request UpdateFeaturesRequest<'a> {
        0..  timeout_ms: i32 = 60000;
        0..  feature_updates: Vec<FeatureUpdateKey<'a>>;
        1..  validate_only: bool;
    }

    struct FeatureUpdateKey<'a> {
        0..    feature: Str<'a>;
        0..    max_version_level: i16;
        0..=0  allow_downgrade: bool;
        1..    upgrade_type: i8 = 1;
    }

    response UpdateFeaturesResponse<'a> {
        0..    throttle_time_ms: i32;
        0..    error_code: i16;
        0..    error_message: Option<Str<'a>>, null 0..;
        0..=1  results: Vec<UpdatableFeatureResult<'a>>, ignorable;
    }

    struct UpdatableFeatureResult<'a> {
        0..  feature: Str<'a>;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
    }
}
