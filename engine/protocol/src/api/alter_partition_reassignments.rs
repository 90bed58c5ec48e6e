//! AlterPartitionReassignments (key 45): partitions to move to other brokers (KIP-455).

use crate::{Str, schema::api};

api! {
    AlterPartitionReassignments = 45, versions 0..=1, flexible from 0;

    request AlterPartitionReassignmentsRequest<'a> {
        0..  timeout_ms: i32 = 60000;
        1..  allow_replication_factor_change: bool = true;
        0..  topics: Vec<ReassignableTopic<'a>>;
    }

    struct ReassignableTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<ReassignablePartition>;
    }

    struct ReassignablePartition {
        0..  partition_index: i32;
        0..  replicas: Option<Vec<i32>> = None, null 0..;
    }

    response AlterPartitionReassignmentsResponse<'a> {
        0..  throttle_time_ms: i32;
        1..  allow_replication_factor_change: bool = true, ignorable;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  responses: Vec<ReassignableTopicResponse<'a>>;
    }

    struct ReassignableTopicResponse<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<ReassignablePartitionResponse<'a>>;
    }

    struct ReassignablePartitionResponse<'a> {
        0..  partition_index: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
    }
}
