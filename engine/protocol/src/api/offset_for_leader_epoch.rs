//! OffsetForLeaderEpoch (key 23): where the log of a leader epoch ends (KIP-101).

use crate::{Str, schema::api};

api! {
    OffsetForLeaderEpoch = 23, versions 2..=4, flexible from 4;

    request OffsetForLeaderEpochRequest<'a> {
        3..  replica_id: i32 = -2, ignorable;
        0..  topics: Vec<OffsetForLeaderTopic<'a>>;
    }

    struct OffsetForLeaderTopic<'a> {
        0..  topic: Str<'a>;
        0..  partitions: Vec<OffsetForLeaderPartition>;
    }

    struct OffsetForLeaderPartition {
        0..  partition: i32;
        2..  current_leader_epoch: i32 = -1;
        0..  leader_epoch: i32;
    }

    response OffsetForLeaderEpochResponse<'a> {
        2..  throttle_time_ms: i32;
        0..  topics: Vec<OffsetForLeaderTopicResult<'a>>;
    }

    struct OffsetForLeaderTopicResult<'a> {
        0..  topic: Str<'a>;
        0..  partitions: Vec<EpochEndOffset>;
    }

    struct EpochEndOffset {
        0..  error_code: i16;
        0..  partition: i32;
        1..  leader_epoch: i32 = -1;
        0..  end_offset: i64 = -1;
    }
}
