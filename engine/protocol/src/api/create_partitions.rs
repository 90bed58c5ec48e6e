//! CreatePartitions (key 37): partitions to add to topics.

use crate::{Str, schema::api};

api! {
    CreatePartitions = 37, versions 0..=3, flexible from 2;

    request CreatePartitionsRequest<'a> {
        0..  topics: Vec<CreatePartitionsTopic<'a>>;
        0..  timeout_ms: i32;
        0..  validate_only: bool;
    }

    struct CreatePartitionsTopic<'a> {
        0..  name: Str<'a>;
        0..  count: i32;
        0..  assignments: Option<Vec<CreatePartitionsAssignment>>, null 0..;
    }

    struct CreatePartitionsAssignment {
        0..  broker_ids: Vec<i32>;
    }

    response CreatePartitionsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  results: Vec<CreatePartitionsTopicResult<'a>>;
    }

    struct CreatePartitionsTopicResult<'a> {
        0..  name: Str<'a>;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>> = None, null 0..;
    }
}
