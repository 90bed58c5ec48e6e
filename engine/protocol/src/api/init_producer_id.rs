//! InitProducerId (key 22): a producer id and epoch, for idempotence and transactions.

use crate::{Str, schema::api};

api! {
    InitProducerId = 22, versions 0..=5, flexible from 2;

    request InitProducerIdRequest<'a> {
        0..  transactional_id: Option<Str<'a>>, null 0..;
        0..  transaction_timeout_ms: i32;
        3..  producer_id: i64 = -1;
        3..  producer_epoch: i16 = -1;
    }

    response InitProducerIdResponse {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  producer_id: i64 = -1;
        0..  producer_epoch: i16;
    }
}
