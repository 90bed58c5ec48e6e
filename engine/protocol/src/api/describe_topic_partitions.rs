//! DescribeTopicPartitions (key 75): topics and partitions, a page at a time (KIP-966).

use crate::{Str, Uuid, schema::api};

api! {
    DescribeTopicPartitions = 75, versions 0..=0, flexible from 0;

    request DescribeTopicPartitionsRequest<'a> {
        0..  topics: Vec<TopicRequest<'a>>;
        0..  response_partition_limit: i32 = 2000;
        0..  cursor: Option<Cursor<'a>> = None, null 0..;
    }

    struct TopicRequest<'a> {
        0..  name: Str<'a>;
    }

    struct Cursor<'a> {
        0..  topic_name: Str<'a>;
        0..  partition_index: i32;
    }

    response DescribeTopicPartitionsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  topics: Vec<DescribeTopicPartitionsResponseTopic<'a>>;
        0..  next_cursor: Option<ResponseCursor<'a>> = None, null 0..;
    }

    struct DescribeTopicPartitionsResponseTopic<'a> {
        0..  error_code: i16;
        0..  name: Option<Str<'a>>, null 0..;
        0..  topic_id: Uuid;
        0..  is_internal: bool;
        0..  partitions: Vec<DescribeTopicPartitionsResponsePartition>;
        0..  topic_authorized_operations: i32 = i32::MIN;
    }

    struct DescribeTopicPartitionsResponsePartition {
        0..  error_code: i16;
        0..  partition_index: i32;
        0..  leader_id: i32;
        0..  leader_epoch: i32 = -1;
        0..  replica_nodes: Vec<i32>;
        0..  isr_nodes: Vec<i32>;
        0..  eligible_leader_replicas: Option<Vec<i32>> = None, null 0..;
        0..  last_known_elr: Option<Vec<i32>> = None, null 0..;
        0..  offline_replicas: Vec<i32>;
    }

    struct ResponseCursor<'a> {
        0..  topic_name: Str<'a>;
        0..  partition_index: i32;
    }
}
