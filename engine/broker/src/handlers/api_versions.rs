//! ApiVersions: what this broker serves.

use ringlog_protocol::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use ringlog_protocol::{ApiKey, ErrorCode};

use crate::dispatch::SERVED;
use crate::request::Incoming;

/// The client's name and version are part of the request from this version on (KIP-511).
const NAMES_FROM_VERSION: i16 = 3;

pub(crate) fn serve(incoming: &Incoming, request: &ApiVersionsRequest<'_>) -> ApiVersionsResponse<'static> {
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if incoming.version >= NAMES_FROM_VERSION && !named {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest as i16, ..Default::default() };
    }
    ApiVersionsResponse { api_keys: SERVED.iter().map(range).collect(), ..Default::default() }
}

/// The answer to a version of ApiVersions that is not served: error 35, and which are.
pub(crate) fn unsupported() -> ApiVersionsResponse<'static> {
    let own = SERVED.iter().filter(|(key, ..)| *key == ApiKey::ApiVersions);
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion as i16,
        api_keys: own.map(range).collect(),
        ..Default::default()
    }
}

fn range((key, min_version, max_version): &(ApiKey, i16, i16)) -> ApiVersion {
    ApiVersion { api_key: *key as i16, min_version: *min_version, max_version: *max_version }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(text.chars().next()) && ends(text.chars().next_back()) && text.chars().all(legal)
}
