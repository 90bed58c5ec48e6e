//! AddPartitionsToTxn (key 24): partitions that join a transaction. Several transactions in one request, from brokers,
//! from version 4 on.

use crate::{Str, schema::api};

api! {
    AddPartitionsToTxn = 24, versions 0..=5, flexible from 3;

    request AddPartitionsToTxnRequest<'a> {
        4..    transactions: Vec<AddPartitionsToTxnTransaction<'a>>;
        0..=3  v3_and_below_transactional_id: Str<'a>;
        0..=3  v3_and_below_producer_id: i64;
        0..=3  v3_and_below_producer_epoch: i16;
        0..=3  v3_and_below_topics: Vec<AddPartitionsToTxnTopic<'a>>;
    }

    struct AddPartitionsToTxnTransaction<'a> {
        4..  transactional_id: Str<'a>;
        4..  producer_id: i64;
        4..  producer_epoch: i16;
        4..  verify_only: bool;
        4..  topics: Vec<AddPartitionsToTxnTopic<'a>>;
    }

    struct AddPartitionsToTxnTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<i32>;
    }

    response AddPartitionsToTxnResponse<'a> {
        0..    throttle_time_ms: i32;
        4..    error_code: i16, ignorable;
        4..    results_by_transaction: Vec<AddPartitionsToTxnResult<'a>>;
        0..=3  results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult<'a>>;
    }

    struct AddPartitionsToTxnResult<'a> {
        4..  transactional_id: Str<'a>;
        4..  topic_results: Vec<AddPartitionsToTxnTopicResult<'a>>;
    }

    struct AddPartitionsToTxnTopicResult<'a> {
        0..  name: Str<'a>;
        0..  results_by_partition: Vec<AddPartitionsToTxnPartitionResult>;
    }

    struct AddPartitionsToTxnPartitionResult {
        0..  partition_index: i32;
        0..  partition_error_code: i16;
    }
}
