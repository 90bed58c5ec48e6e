//! SaslAuthenticate (key 36): one message of a SASL exchange.

use crate::{Secret, Str, schema::api};

api! {
    SaslAuthenticate = 36, versions 0..=2, flexible from 2;

    request SaslAuthenticateRequest<'a> {
        0..  auth_bytes: Secret<'a>;
    }

    response SaslAuthenticateResponse<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  auth_bytes: Secret<'a>;
        1..  session_lifetime_ms: i64, ignorable;
    }
}
