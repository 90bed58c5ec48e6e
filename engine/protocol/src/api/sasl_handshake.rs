//! SaslHandshake (key 17): the SASL mechanism to use. Never flexible.

use crate::{Str, schema::api};

api! {
    SaslHandshake = 17, versions 0..=1, never flexible;

    request SaslHandshakeRequest<'a> {
        0..  mechanism: Str<'a>;
    }

    response SaslHandshakeResponse<'a> {
        0..  error_code: i16;
        0..  mechanisms: Vec<Str<'a>>;
    }
}
