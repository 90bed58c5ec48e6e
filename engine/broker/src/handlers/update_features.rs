//! UpdateFeatures: there are none whose level could be changed (KIP-584).

use ringlog_protocol::update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;

pub(crate) fn serve(_: &Incoming, request: &UpdateFeaturesRequest<'_>) -> UpdateFeaturesResponse<'static> {
    let Some(asked) = request.feature_updates.first() else {
        return UpdateFeaturesResponse { error_message: None, ..Default::default() };
    };
    let reason = format!("feature {:?}: this broker has none whose level could be changed", asked.feature);
    UpdateFeaturesResponse {
        error_code: ErrorCode::InvalidUpdateVersion as i16,
        error_message: Some(Str::Owned(reason)),
        ..Default::default()
    }
}
