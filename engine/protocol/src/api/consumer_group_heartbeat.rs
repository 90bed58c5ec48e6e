//! ConsumerGroupHeartbeat (key 68): membership of a consumer group, the protocol of KIP-848.

use crate::{Str, Uuid, schema::api};

api! {
    ConsumerGroupHeartbeat = 68, versions 0..=1, flexible from 0;

    request ConsumerGroupHeartbeatRequest<'a> {
        0..  group_id: Str<'a>;
        0..  member_id: Str<'a>;
        0..  member_epoch: i32;
        0..  instance_id: Option<Str<'a>> = None, null 0..;
        0..  rack_id: Option<Str<'a>> = None, null 0..;
        0..  rebalance_timeout_ms: i32 = -1;
        0..  subscribed_topic_names: Option<Vec<Str<'a>>> = None, null 0..;
        1..  subscribed_topic_regex: Option<Str<'a>> = None, null 1..;
        0..  server_assignor: Option<Str<'a>> = None, null 0..;
        0..  topic_partitions: Option<Vec<TopicPartitions>> = None, null 0..;
    }

    struct TopicPartitions {
        0..  topic_id: Uuid;
        0..  partitions: Vec<i32>;
    }

    response ConsumerGroupHeartbeatResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>> = None, null 0..;
        0..  member_id: Option<Str<'a>> = None, null 0..;
        0..  member_epoch: i32;
        0..  heartbeat_interval_ms: i32;
        0..  assignment: Option<Assignment> = None, null 0..;
    }

    struct Assignment {
        0..  topic_partitions: Vec<ResponseTopicPartitions>;
    }

    struct ResponseTopicPartitions {
        0..  topic_id: Uuid;
        0..  partitions: Vec<i32>;
    }
}
