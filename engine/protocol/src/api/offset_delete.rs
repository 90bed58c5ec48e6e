//! OffsetDelete (key 47): committed offsets to delete. Never flexible.

use crate::{Str, schema::api};

api! {
    OffsetDelete = 47, versions 0..=0, never flexible;

    request OffsetDeleteRequest<'a> {
        0..  group_id: Str<'a>;
        0..  topics: Vec<OffsetDeleteRequestTopic<'a>>;
    }

    struct OffsetDeleteRequestTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<OffsetDeleteRequestPartition>;
    }

    struct OffsetDeleteRequestPartition {
        0..  partition_index: i32;
    }

    response OffsetDeleteResponse<'a> {
        0..  error_code: i16;
        0..  throttle_time_ms: i32;
        0..  topics: Vec<OffsetDeleteResponseTopic<'a>>;
    }

    struct OffsetDeleteResponseTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<OffsetDeleteResponsePartition>;
    }

    struct OffsetDeleteResponsePartition {
        0..  partition_index: i32;
        0..  error_code: i16;
    }
}
