//! DescribeTransactions (key 65): the state of transactions (KIP-664).

use crate::{Str, schema::api};

api! {
    DescribeTransactions = 65, versions 0..=0, flexible from 0;

    request DescribeTransactionsRequest<'a> {
        0..  transactional_ids: Vec<Str<'a>>;
    }

    response DescribeTransactionsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  transaction_states: Vec<TransactionState<'a>>;
    }

    struct TransactionState<'a> {
        0..  error_code: i16;
        0..  transactional_id: Str<'a>;
        0..  transaction_state: Str<'a>;
        0..  transaction_timeout_ms: i32;
        0..  transaction_start_time_ms: i64;
        0..  producer_id: i64;
        0..  producer_epoch: i16;
        0..  topics: Vec<TopicData<'a>>;
    }

    struct TopicData<'a> {
        0..  topic: Str<'a>;
        0..  partitions: Vec<i32>;
    }
}
