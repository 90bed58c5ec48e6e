//! Produce: batches from the frame's own buffer to the partitions' queues, answered when they have reached their durability.

use std::sync::Arc;

use futures_util::future::FutureExt;
use ringlog_log::{Appended, Appending, Log, LogError};
use ringlog_protocol::produce::{
    self, BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse, Walk,
};
use ringlog_protocol::{ErrorCode, Str, Uuid};
use ringlog_record::RecordError;

use crate::admission::admit;
use crate::budget::Held;
use crate::clock::now_ms;
use crate::errors::{code_of, code_of_record};
use crate::reply::Reply;
use crate::request::{Handling, Incoming, RequestError};
use crate::topics::Topic;

/// Topics go by id from this version on (KIP-516).
const IDS_FROM_VERSION: i16 = 13;

/// One partition's part of the request, once its batch is queued or refused.
struct Outcome {
    partition: i32,
    state: State,
}

enum State {
    Queued(Appending),
    Refused(ErrorCode, String),
    /// The records themselves are at fault.
    Faulty {
        error: RecordError,
        log_start_offset: i64,
    },
}

/// A topic as the request names it, and its partitions' outcomes, in the order of the request.
struct TopicOutcomes {
    name: String,
    id: Uuid,
    partitions: Vec<Outcome>,
}

/// Queues every batch on its partition before it returns: the order of requests is the order in the log.
pub(crate) fn start(mut incoming: Incoming) -> Result<Handling, RequestError> {
    let bytes = incoming.body.len();
    let held = incoming.hold();
    let body = incoming.body.split();
    let walk = produce::walk(&body, incoming.version).map_err(|cause| incoming.malformed(cause))?;
    let acks = walk.acks;
    let plan = plan(walk);
    let outcomes = queue(&incoming, body, plan, acks);
    let throttle_time_ms = incoming.broker().quotas.produced(incoming.client(), bytes);
    let answered = async move {
        let responses = settle(&incoming, outcomes, held).await;
        if acks == 0 {
            // In flight like any other, so that a client which waits for nothing can't fill the memory; only nobody is told.
            return Ok(Reply::silence().throttled(throttle_time_ms));
        }
        let response = ProduceResponse { responses, throttle_time_ms, ..Default::default() };
        Ok(incoming.answer(&response)?.throttled(throttle_time_ms))
    };
    Ok(Handling::Later(answered.boxed_local()))
}

/// What a walk says once it no longer borrows the frame: the topic, and where each partition's records lie.
struct Planned {
    name: String,
    id: Uuid,
    partitions: Vec<produce::WalkPartition>,
}

fn plan(walk: Walk<'_>) -> Vec<Planned> {
    let topic = |topic: produce::WalkTopic<'_>| Planned {
        name: topic.name.into_owned(),
        id: topic.topic_id,
        partitions: topic.partitions,
    };
    walk.topics.into_iter().map(topic).collect()
}

fn queue(incoming: &Incoming, mut body: bytes::BytesMut, plan: Vec<Planned>, acks: i16) -> Vec<TopicOutcomes> {
    let now_ms = now_ms();
    let mut cut = 0;
    let mut outcomes = Vec::with_capacity(plan.len());
    for Planned { name, id, partitions: asked } in plan {
        let topic = find(incoming, &name, id);
        let mut partitions = Vec::with_capacity(asked.len());
        for produce::WalkPartition { index, records } in asked {
            // Ranges rise through the request: each batch is split off the front of what is left of the frame.
            let records = records.map(|range| {
                drop(body.split_to(range.start - cut));
                cut = range.end;
                body.split_to(range.len())
            });
            let state = match (&topic, records) {
                _ if !matches!(acks, -1..=1) => State::Refused(
                    ErrorCode::InvalidRequiredAcks,
                    format!("acks={acks}: 0, 1 and -1 (all) are allowed"),
                ),
                (Err((code, reason)), _) => State::Refused(*code, reason.clone()),
                (Ok(_), None) => State::Refused(ErrorCode::InvalidRecord, "the request holds no batch".to_owned()),
                (Ok(topic), Some(records)) => match topic.log(index) {
                    Some(log) => append(incoming, topic, log, records, now_ms, acks),
                    None => State::Refused(
                        ErrorCode::UnknownTopicOrPartition,
                        format!("{}-{index} does not exist: ask for fresh metadata", topic.name),
                    ),
                },
            };
            partitions.push(Outcome { partition: index, state });
        }
        outcomes.push(TopicOutcomes { name, id, partitions });
    }
    outcomes
}

fn find(incoming: &Incoming, name: &str, id: Uuid) -> Result<Arc<Topic>, (ErrorCode, String)> {
    let topics = &incoming.broker().topics;
    if incoming.version < IDS_FROM_VERSION {
        topics
            .get(name)
            .ok_or_else(|| (ErrorCode::UnknownTopicOrPartition, format!("topic {name:?} does not exist: create it")))
    } else {
        topics.by_id(id).ok_or_else(|| (ErrorCode::UnknownTopicId, format!("there is no topic with id {id}")))
    }
}

fn append(
    incoming: &Incoming,
    topic: &Topic,
    log: &Arc<Log>,
    records: bytes::BytesMut,
    now_ms: i64,
    acks: i16,
) -> State {
    let config = &topic.config;
    if acks == -1 && config.min_insync_replicas > 1 {
        let reason = format!("min.insync.replicas={}, and there is one replica", config.min_insync_replicas);
        return State::Refused(ErrorCode::NotEnoughReplicas, reason);
    }
    if let Some(reason) = incoming.broker().topics.reserve().refusal() {
        return State::Refused(ErrorCode::KafkaStorageError, reason);
    }
    match admit(records, incoming.version, config, now_ms) {
        Ok(batch) => State::Queued(log.append(&incoming.shard.disk, batch)),
        Err(error) => State::Faulty { error, log_start_offset: log.log_start_offset() },
    }
}

/// Waits for every batch's outcome; the frame's share of the budget ends here.
async fn settle(incoming: &Incoming, outcomes: Vec<TopicOutcomes>, held: Held) -> Vec<TopicProduceResponse<'static>> {
    let mut responses = Vec::with_capacity(outcomes.len());
    for topic in outcomes {
        let mut partition_responses = Vec::with_capacity(topic.partitions.len());
        for Outcome { partition, state } in topic.partitions {
            partition_responses.push(match state {
                State::Queued(appending) => {
                    let outcome = appending.await;
                    if matches!(outcome, Err(LogError::DiskFull { .. })) {
                        incoming.broker().topics.reserve().give_up(&incoming.shard.disk);
                    }
                    answer(partition, outcome)
                }
                State::Refused(code, message) => refuse(partition, code, message),
                State::Faulty { error, log_start_offset } => reject(partition, &error, log_start_offset),
            });
        }
        responses.push(TopicProduceResponse { name: Str::Owned(topic.name), topic_id: topic.id, partition_responses });
    }
    drop(held);
    responses
}

fn answer(partition: i32, outcome: Result<Appended, LogError>) -> PartitionProduceResponse<'static> {
    match outcome {
        Ok(appended) => PartitionProduceResponse {
            index: partition,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time_ms,
            log_start_offset: appended.log_start_offset,
            ..Default::default()
        },
        Err(error) => refuse(partition, code_of(&error), error.to_string()),
    }
}

/// Says which records are at fault, where the batch as a whole is not: a client may send the others again. As in Kafka,
/// what is found out before the batch reaches its log comes without the log's start.
fn reject(partition: i32, error: &RecordError, log_start_offset: i64) -> PartitionProduceResponse<'static> {
    let record_errors = error.refused_records().iter().map(|&(batch_index, reason)| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: Some(Str::Borrowed(reason)),
    });
    PartitionProduceResponse {
        log_start_offset: if error.is_of_the_envelope() { -1 } else { log_start_offset },
        record_errors: record_errors.collect(),
        ..refuse(partition, code_of_record(error), error.to_string())
    }
}

fn refuse(partition: i32, code: ErrorCode, message: String) -> PartitionProduceResponse<'static> {
    PartitionProduceResponse {
        index: partition,
        error_code: code as i16,
        base_offset: -1,
        error_message: Some(Str::Owned(message)),
        ..Default::default()
    }
}
