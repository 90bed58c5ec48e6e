//! ApiVersions: what this broker serves.

use ringlog_protocol::ErrorCode;
use ringlog_protocol::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};

use crate::dispatch::{Incoming, SERVED};

pub(crate) fn serve(_: &Incoming, _: &ApiVersionsRequest<'_>) -> ApiVersionsResponse<'static> {
    supported()
}

/// The versions served of each API.
fn supported() -> ApiVersionsResponse<'static> {
    let api_keys = SERVED
        .iter()
        .map(|(key, min_version, max_version)| ApiVersion {
            api_key: *key as i16,
            min_version: *min_version,
            max_version: *max_version,
        })
        .collect();
    ApiVersionsResponse { api_keys, ..Default::default() }
}

/// The answer to a version that is not served: error 35, and what is.
pub(crate) fn unsupported() -> ApiVersionsResponse<'static> {
    ApiVersionsResponse { error_code: ErrorCode::UnsupportedVersion as i16, ..supported() }
}
