//! Access rules: none are kept, since there is no authorizer to ask for them.

use ringlog_protocol::{ErrorCode, Str};

/// What Kafka answers without an authorizer, in its words: clients' tests look for them.
pub(crate) fn disabled() -> (i16, Option<Str<'static>>) {
    (ErrorCode::SecurityDisabled as i16, Some(Str::Borrowed("No Authorizer is configured.")))
}
