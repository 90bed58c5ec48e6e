//! ListPartitionReassignments (key 46): partitions that are being moved (KIP-455).

use crate::{Str, schema::api};

api! {
    ListPartitionReassignments = 46, versions 0..=0, flexible from 0;

    request ListPartitionReassignmentsRequest<'a> {
        0..  timeout_ms: i32 = 60000;
        0..  topics: Option<Vec<ListPartitionReassignmentsTopics<'a>>> = None, null 0..;
    }

    struct ListPartitionReassignmentsTopics<'a> {
        0..  name: Str<'a>;
        0..  partition_indexes: Vec<i32>;
    }

    response ListPartitionReassignmentsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  topics: Vec<OngoingTopicReassignment<'a>>;
    }

    struct OngoingTopicReassignment<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<OngoingPartitionReassignment>;
    }

    struct OngoingPartitionReassignment {
        0..  partition_index: i32;
        0..  replicas: Vec<i32>;
        0..  adding_replicas: Vec<i32>;
        0..  removing_replicas: Vec<i32>;
    }
}
