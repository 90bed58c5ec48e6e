//! EndTxn (key 26): a transaction is to be committed or aborted.

use crate::{Str, schema::api};

api! {
    EndTxn = 26, versions 0..=5, flexible from 3;

    request EndTxnRequest<'a> {
        0..  transactional_id: Str<'a>;
        0..  producer_id: i64;
        0..  producer_epoch: i16;
        0..  committed: bool;
    }

    response EndTxnResponse {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        5..  producer_id: i64 = -1, ignorable;
        5..  producer_epoch: i16 = -1, ignorable;
    }
}
