//! AddOffsetsToTxn (key 25): a group's offsets join a transaction.

use crate::{Str, schema::api};

api! {
    AddOffsetsToTxn = 25, versions 0..=4, flexible from 3;

    request AddOffsetsToTxnRequest<'a> {
        0..  transactional_id: Str<'a>;
        0..  producer_id: i64;
        0..  producer_epoch: i16;
        0..  group_id: Str<'a>;
    }

    response AddOffsetsToTxnResponse {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
    }
}
