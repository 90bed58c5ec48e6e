//! ConsumerGroupDescribe (key 69): state and members of consumer groups (KIP-848).

use crate::{Str, Uuid, schema::api};

api! {
    ConsumerGroupDescribe = 69, versions 0..=1, flexible from 0;

    request ConsumerGroupDescribeRequest<'a> {
        0..  group_ids: Vec<Str<'a>>;
        0..  include_authorized_operations: bool;
    }

    response ConsumerGroupDescribeResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  groups: Vec<DescribedGroup<'a>>;
    }

    struct DescribedGroup<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>> = None, null 0..;
        0..  group_id: Str<'a>;
        0..  group_state: Str<'a>;
        0..  group_epoch: i32;
        0..  assignment_epoch: i32;
        0..  assignor_name: Str<'a>;
        0..  members: Vec<Member<'a>>;
        0..  authorized_operations: i32 = i32::MIN;
    }

    struct Member<'a> {
        0..  member_id: Str<'a>;
        0..  instance_id: Option<Str<'a>> = None, null 0..;
        0..  rack_id: Option<Str<'a>> = None, null 0..;
        0..  member_epoch: i32;
        0..  client_id: Str<'a>;
        0..  client_host: Str<'a>;
        0..  subscribed_topic_names: Vec<Str<'a>>;
        0..  subscribed_topic_regex: Option<Str<'a>> = None, null 0..;
        0..  assignment: Assignment<'a>;
        0..  target_assignment: Assignment<'a>;
        1..  member_type: i8 = -1, ignorable;
    }

    struct Assignment<'a> {
        0..  topic_partitions: Vec<TopicPartitions<'a>>;
    }

    struct TopicPartitions<'a> {
        0..  topic_id: Uuid;
        0..  topic_name: Str<'a>;
        0..  partitions: Vec<i32>;
    }
}
