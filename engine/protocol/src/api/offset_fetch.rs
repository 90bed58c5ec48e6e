//! OffsetFetch (key 9): offsets that a group has committed. Several groups in one request from version 8 on; null
//! topics mean all.

use crate::{Str, Uuid, schema::api};

api! {
    OffsetFetch = 9, versions 1..=10, flexible from 6;

    request OffsetFetchRequest<'a> {
        0..=7  group_id: Str<'a>;
        0..=7  topics: Option<Vec<OffsetFetchRequestTopic<'a>>>, null 2..;
        8..    groups: Vec<OffsetFetchRequestGroup<'a>>;
        7..    require_stable: bool;
    }

    struct OffsetFetchRequestTopic<'a> {
        0..=7  name: Str<'a>;
        0..=7  partition_indexes: Vec<i32>;
    }

    struct OffsetFetchRequestGroup<'a> {
        8..  group_id: Str<'a>;
        9..  member_id: Option<Str<'a>> = None, null 9.., ignorable;
        9..  member_epoch: i32 = -1, ignorable;
        8..  topics: Option<Vec<OffsetFetchRequestTopics<'a>>>, null 8..;
    }

    struct OffsetFetchRequestTopics<'a> {
        8..=9  name: Str<'a>, ignorable;
        10..   topic_id: Uuid, ignorable;
        8..    partition_indexes: Vec<i32>;
    }

    response OffsetFetchResponse<'a> {
        3..    throttle_time_ms: i32, ignorable;
        0..=7  topics: Vec<OffsetFetchResponseTopic<'a>>;
        2..=7  error_code: i16, ignorable;
        8..    groups: Vec<OffsetFetchResponseGroup<'a>>;
    }

    struct OffsetFetchResponseTopic<'a> {
        0..=7  name: Str<'a>;
        0..=7  partitions: Vec<OffsetFetchResponsePartition<'a>>;
    }

    struct OffsetFetchResponsePartition<'a> {
        0..=7  partition_index: i32;
        0..=7  committed_offset: i64;
        5..=7  committed_leader_epoch: i32 = -1, ignorable;
        0..=7  metadata: Option<Str<'a>>, null 0..;
        0..=7  error_code: i16;
    }

    struct OffsetFetchResponseGroup<'a> {
        8..  group_id: Str<'a>;
        8..  topics: Vec<OffsetFetchResponseTopics<'a>>;
        8..  error_code: i16;
    }

    struct OffsetFetchResponseTopics<'a> {
        8..=9  name: Str<'a>, ignorable;
        10..   topic_id: Uuid, ignorable;
        8..    partitions: Vec<OffsetFetchResponsePartitions<'a>>;
    }

    struct OffsetFetchResponsePartitions<'a> {
        8..  partition_index: i32;
        8..  committed_offset: i64;
        8..  committed_leader_epoch: i32 = -1, ignorable;
        8..  metadata: Option<Str<'a>>, null 8..;
        8..  error_code: i16;
    }
}
