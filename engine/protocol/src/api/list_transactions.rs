//! ListTransactions (key 66): the transactions that a broker coordinates (KIP-664).

use crate::{Str, schema::api};

api! {
    ListTransactions = 66, versions 0..=2, flexible from 0;

    request ListTransactionsRequest<'a> {
        0..  state_filters: Vec<Str<'a>>;
        0..  producer_id_filters: Vec<i64>;
        1..  duration_filter: i64 = -1;
        2..  transactional_id_pattern: Option<Str<'a>> = None, null 2..;
    }

    response ListTransactionsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  unknown_state_filters: Vec<Str<'a>>;
        0..  transaction_states: Vec<TransactionState<'a>>;
    }

    struct TransactionState<'a> {
        0..  transactional_id: Str<'a>;
        0..  producer_id: i64;
        0..  transaction_state: Str<'a>;
    }
}
