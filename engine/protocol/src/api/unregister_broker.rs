//! UnregisterBroker (key 64): a broker that is gone for good (KIP-500).

use crate::{Str, schema::api};

api! {
    UnregisterBroker = 64, versions 0..=0, flexible from 0;

    request UnregisterBrokerRequest {
        0..  broker_id: i32;
    }

    response UnregisterBrokerResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
    }
}
