//! OffsetCommit (key 8): offsets that a group has come to.

use crate::{Str, Uuid, schema::api};

api! {
    OffsetCommit = 8, versions 2..=10, flexible from 8;

    request OffsetCommitRequest<'a> {
        0..    group_id: Str<'a>;
        1..    generation_id_or_member_epoch: i32 = -1;
        1..    member_id: Str<'a>;
        7..    group_instance_id: Option<Str<'a>> = None, null 7..;
        2..=4  retention_time_ms: i64 = -1, ignorable;
        0..    topics: Vec<OffsetCommitRequestTopic<'a>>;
    }

    struct OffsetCommitRequestTopic<'a> {
        0..=9  name: Str<'a>, ignorable;
        10..   topic_id: Uuid, ignorable;
        0..    partitions: Vec<OffsetCommitRequestPartition<'a>>;
    }

    struct OffsetCommitRequestPartition<'a> {
        0..  partition_index: i32;
        0..  committed_offset: i64;
        6..  committed_leader_epoch: i32 = -1, ignorable;
        0..  committed_metadata: Option<Str<'a>>, null 0..;
    }

    response OffsetCommitResponse<'a> {
        3..  throttle_time_ms: i32, ignorable;
        0..  topics: Vec<OffsetCommitResponseTopic<'a>>;
    }

    struct OffsetCommitResponseTopic<'a> {
        0..=9  name: Str<'a>, ignorable;
        10..   topic_id: Uuid, ignorable;
        0..    partitions: Vec<OffsetCommitResponsePartition>;
    }

    struct OffsetCommitResponsePartition {
        0..  partition_index: i32;
        0..  error_code: i16;
    }
}
