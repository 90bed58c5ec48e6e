//! DescribeProducers (key 61): the producers that a partition remembers (KIP-664).

use crate::{Str, schema::api};

api! {
    DescribeProducers = 61, versions 0..=0, flexible from 0;

    request DescribeProducersRequest<'a> {
        0..  topics: Vec<TopicRequest<'a>>;
    }

    struct TopicRequest<'a> {
        0..  name: Str<'a>;
        0..  partition_indexes: Vec<i32>;
    }

    response DescribeProducersResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  topics: Vec<TopicResponse<'a>>;
    }

    struct TopicResponse<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<PartitionResponse<'a>>;
    }

    struct PartitionResponse<'a> {
        0..  partition_index: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>> = None, null 0..;
        0..  active_producers: Vec<ProducerState>;
    }

    struct ProducerState {
        0..  producer_id: i64;
        0..  producer_epoch: i32;
        0..  last_sequence: i32 = -1;
        0..  last_timestamp: i64 = -1;
        0..  coordinator_epoch: i32;
        0..  current_txn_start_offset: i64 = -1;
    }
}
