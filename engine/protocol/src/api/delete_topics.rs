//! DeleteTopics (key 20): topics to delete, by name, or from version 6 on by id.

use crate::{Str, Uuid, schema::api};

api! {
    DeleteTopics = 20, versions 1..=6, flexible from 4;

    request DeleteTopicsRequest<'a> {
        6..    topics: Vec<DeleteTopicState<'a>>;
        0..=5  topic_names: Vec<Str<'a>>, ignorable;
        0..    timeout_ms: i32;
    }

    struct DeleteTopicState<'a> {
        6..  name: Option<Str<'a>> = None, null 6..;
        6..  topic_id: Uuid;
    }

    response DeleteTopicsResponse<'a> {
        1..  throttle_time_ms: i32;
        0..  responses: Vec<DeletableTopicResult<'a>>;
    }

    struct DeletableTopicResult<'a> {
        0..  name: Option<Str<'a>>, null 6..;
        6..  topic_id: Uuid, ignorable;
        0..  error_code: i16;
        5..  error_message: Option<Str<'a>> = None, null 5.., ignorable;
    }
}
