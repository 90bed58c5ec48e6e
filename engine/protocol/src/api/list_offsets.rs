//! ListOffsets (key 2): offsets by timestamp. −1 is the latest, −2 the earliest, −3 that of the largest timestamp; what is
//! not found is offset −1.

use crate::{Str, schema::api};

api! {
    ListOffsets = 2, versions 1..=11, flexible from 6;

    request ListOffsetsRequest<'a> {
        0..   replica_id: i32;
        2..   isolation_level: i8;
        0..   topics: Vec<ListOffsetsTopic<'a>>;
        10..  timeout_ms: i32, ignorable;
    }

    struct ListOffsetsTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<ListOffsetsPartition>;
    }

    struct ListOffsetsPartition {
        0..  partition_index: i32;
        4..  current_leader_epoch: i32 = -1, ignorable;
        0..  timestamp: i64;
    }

    response ListOffsetsResponse<'a> {
        2..  throttle_time_ms: i32, ignorable;
        0..  topics: Vec<ListOffsetsTopicResponse<'a>>;
    }

    struct ListOffsetsTopicResponse<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<ListOffsetsPartitionResponse>;
    }

    struct ListOffsetsPartitionResponse {
        0..  partition_index: i32;
        0..  error_code: i16;
        1..  timestamp: i64 = -1;
        1..  offset: i64 = -1;
        4..  leader_epoch: i32 = -1;
    }
}
