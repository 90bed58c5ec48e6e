//! DescribeQuorum (key 55): the state of the metadata quorum (KIP-595).

use crate::{Str, Uuid, schema::api};

api! {
    DescribeQuorum = 55, versions 0..=2, flexible from 0;

    request DescribeQuorumRequest<'a> {
        0..  topics: Vec<TopicData<'a>>;
    }

    struct TopicData<'a> {
        0..  topic_name: Str<'a>;
        0..  partitions: Vec<PartitionData>;
    }

    struct PartitionData {
        0..  partition_index: i32;
    }

    response DescribeQuorumResponse<'a> {
        0..  error_code: i16;
        2..  error_message: Option<Str<'a>>, null 2.., ignorable;
        0..  topics: Vec<ResponseTopicData<'a>>;
        2..  nodes: Vec<Node<'a>>;
    }

    struct ResponseTopicData<'a> {
        0..  topic_name: Str<'a>;
        0..  partitions: Vec<ResponsePartitionData<'a>>;
    }

    struct ResponsePartitionData<'a> {
        0..  partition_index: i32;
        0..  error_code: i16;
        2..  error_message: Option<Str<'a>>, null 2.., ignorable;
        0..  leader_id: i32;
        0..  leader_epoch: i32;
        0..  high_watermark: i64;
        0..  current_voters: Vec<ReplicaState>;
        0..  observers: Vec<ReplicaState>;
    }

    struct ReplicaState {
        0..  replica_id: i32;
        2..  replica_directory_id: Uuid;
        0..  log_end_offset: i64;
        1..  last_fetch_timestamp: i64 = -1, ignorable;
        1..  last_caught_up_timestamp: i64 = -1, ignorable;
    }

    struct Node<'a> {
        2..  node_id: i32;
        2..  listeners: Vec<Listener<'a>>;
    }

    struct Listener<'a> {
        2..  name: Str<'a>;
        2..  host: Str<'a>;
        2..  port: u16;
    }
}
