//! DeleteTopics: by name, and by id from version 6 on. A topic's name is free again when the answer leaves.

use std::sync::Arc;

use ringlog_protocol::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use ringlog_protocol::{ErrorCode, Str, Uuid};

use crate::quotas::Mutations;
use crate::repeats::times;
use crate::request::Incoming;
use crate::topics::Topic;

/// Topics are listed with name or id from this version on.
const IDS_FROM_VERSION: i16 = 6;

/// A quota that is used up refuses from this version on (KIP-599).
const STRICT_FROM_VERSION: i16 = 5;

type Refusal = (ErrorCode, Option<String>);

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &DeleteTopicsRequest<'a>) -> DeleteTopicsResponse<'a> {
    let asked: Vec<DeleteTopicState<'a>> = if incoming.version < IDS_FROM_VERSION {
        let by_name = |name: &Str<'a>| DeleteTopicState { name: Some(name.clone()), topic_id: Uuid::default() };
        request.topic_names.iter().map(by_name).collect()
    } else {
        request.topics.clone()
    };
    let is_strict = incoming.version >= STRICT_FROM_VERSION;
    let mut mutations = incoming.broker().quotas.mutations(incoming.client(), is_strict);
    let mut responses = Vec::with_capacity(asked.len());
    let key = |topic: &DeleteTopicState<'a>| (topic.name.clone(), topic.topic_id);
    let times = times(asked.iter().map(key));
    for topic in &asked {
        let repeated = times.get(&key(topic)).is_some_and(|times| *times > 1);
        let outcome = match find(incoming, topic) {
            _ if !incoming.broker().config.delete_topic_enable => {
                Err((ErrorCode::TopicDeletionDisabled, Some("delete.topic.enable=false keeps topics".to_owned())))
            }
            _ if repeated => Err((ErrorCode::InvalidRequest, Some("the topic stands more than once".to_owned()))),
            Ok(found) => delete(incoming, found, &mut mutations).await,
            Err(refusal) => Err(refusal),
        };
        responses.push(answer(topic, outcome));
    }
    DeleteTopicsResponse { throttle_time_ms: mutations.throttle_ms, responses }
}

fn find(incoming: &Incoming, asked: &DeleteTopicState<'_>) -> Result<Arc<Topic>, Refusal> {
    let topics = &incoming.broker().topics;
    match &asked.name {
        Some(_) if asked.topic_id != Uuid::default() => {
            Err((ErrorCode::InvalidRequest, Some("give the topic's name or its id, not both".to_owned())))
        }
        None if asked.topic_id == Uuid::default() => {
            Err((ErrorCode::InvalidRequest, Some("give the topic's name or its id".to_owned())))
        }
        Some(name) => topics.get(name).ok_or((ErrorCode::UnknownTopicOrPartition, None)),
        None => topics.by_id(asked.topic_id).ok_or((ErrorCode::UnknownTopicId, None)),
    }
}

async fn delete(incoming: &Incoming, topic: Arc<Topic>, mutations: &mut Mutations<'_>) -> Result<Arc<Topic>, Refusal> {
    mutations.take(topic.partitions.len()).map_err(|(code, reason)| (code, Some(reason)))?;
    let broker = incoming.broker();
    match broker.topics.delete(&incoming.shard.disk, &topic).await {
        Ok(()) => {
            broker.groups.topic_deleted(&incoming.shard.broker, &incoming.shard.disk, &topic.name);
            Ok(topic)
        }
        Err(error) => Err((error.code(), Some(error.to_string()))),
    }
}

fn answer<'a>(asked: &DeleteTopicState<'a>, outcome: Result<Arc<Topic>, Refusal>) -> DeletableTopicResult<'a> {
    match outcome {
        Ok(topic) => DeletableTopicResult {
            name: Some(Str::Owned(topic.name.to_string())),
            topic_id: topic.id,
            ..Default::default()
        },
        Err((code, reason)) => DeletableTopicResult {
            name: asked.name.clone(),
            topic_id: asked.topic_id,
            error_code: code as i16,
            error_message: Some(Str::Owned(reason.unwrap_or_else(|| code.message().to_owned()))),
        },
    }
}
