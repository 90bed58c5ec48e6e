//! CreateTopics (key 19): topics to create. Answered once they are usable.

use crate::{Str, Uuid, schema::api};

api! {
    CreateTopics = 19, versions 2..=7, flexible from 5;

    request CreateTopicsRequest<'a> {
        0..  topics: Vec<CreatableTopic<'a>>;
        0..  timeout_ms: i32 = 60000;
        1..  validate_only: bool;
    }

    struct CreatableTopic<'a> {
        0..  name: Str<'a>;
        0..  num_partitions: i32;
        0..  replication_factor: i16;
        0..  assignments: Vec<CreatableReplicaAssignment>;
        0..  configs: Vec<CreatableTopicConfig<'a>>;
    }

    struct CreatableReplicaAssignment {
        0..  partition_index: i32;
        0..  broker_ids: Vec<i32>;
    }

    struct CreatableTopicConfig<'a> {
        0..  name: Str<'a>;
        0..  value: Option<Str<'a>>, null 0..;
    }

    response CreateTopicsResponse<'a> {
        2..  throttle_time_ms: i32;
        0..  topics: Vec<CreatableTopicResult<'a>>;
    }

    struct CreatableTopicResult<'a> {
        0..  name: Str<'a>;
        7..  topic_id: Uuid, ignorable;
        0..  error_code: i16;
        1..  error_message: Option<Str<'a>>, null 0..;
        5..  topic_config_error_code: i16, tag 0, ignorable;
        5..  num_partitions: i32 = -1, ignorable;
        5..  replication_factor: i16 = -1, ignorable;
        5..  configs: Option<Vec<CreatableTopicConfigs<'a>>>, null 5.., ignorable;
    }

    struct CreatableTopicConfigs<'a> {
        5..  name: Str<'a>;
        5..  value: Option<Str<'a>>, null 5..;
        5..  read_only: bool;
        5..  config_source: i8 = -1, ignorable;
        5..  is_sensitive: bool;
    }
}
