//! DeleteRecords (key 21): offsets before which records are to go.

use crate::{Str, schema::api};

api! {
    DeleteRecords = 21, versions 0..=2, flexible from 2;

    request DeleteRecordsRequest<'a> {
        0..  topics: Vec<DeleteRecordsTopic<'a>>;
        0..  timeout_ms: i32;
    }

    struct DeleteRecordsTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<DeleteRecordsPartition>;
    }

    struct DeleteRecordsPartition {
        0..  partition_index: i32;
        0..  offset: i64;
    }

    response DeleteRecordsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  topics: Vec<DeleteRecordsTopicResult<'a>>;
    }

    struct DeleteRecordsTopicResult<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<DeleteRecordsPartitionResult>;
    }

    struct DeleteRecordsPartitionResult {
        0..  partition_index: i32;
        0..  low_watermark: i64;
        0..  error_code: i16;
    }
}
