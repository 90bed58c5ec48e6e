//! TxnOffsetCommit (key 28): offsets to be committed with a transaction.

use crate::{Str, schema::api};

api! {
    TxnOffsetCommit = 28, versions 0..=5, flexible from 3;

    request TxnOffsetCommitRequest<'a> {
        0..  transactional_id: Str<'a>;
        0..  group_id: Str<'a>;
        0..  producer_id: i64;
        0..  producer_epoch: i16;
        3..  generation_id: i32 = -1;
        3..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>> = None, null 3..;
        0..  topics: Vec<TxnOffsetCommitRequestTopic<'a>>;
    }

    struct TxnOffsetCommitRequestTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<TxnOffsetCommitRequestPartition<'a>>;
    }

    struct TxnOffsetCommitRequestPartition<'a> {
        0..  partition_index: i32;
        0..  committed_offset: i64;
        2..  committed_leader_epoch: i32 = -1, ignorable;
        0..  committed_metadata: Option<Str<'a>>, null 0..;
    }

    response TxnOffsetCommitResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  topics: Vec<TxnOffsetCommitResponseTopic<'a>>;
    }

    struct TxnOffsetCommitResponseTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<TxnOffsetCommitResponsePartition>;
    }

    struct TxnOffsetCommitResponsePartition {
        0..  partition_index: i32;
        0..  error_code: i16;
    }
}
