//! Produce: batches from the frame's own buffer to the partitions' queues, answered when they have reached their durability.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::FutureExt;
use ringlog_log::{AppendBatch, Appended, Appending, Log, LogError};
use ringlog_protocol::produce::{self, PartitionProduceResponse, ProduceResponse, TopicProduceResponse, Walk};
use ringlog_protocol::{ErrorCode, Str};
use ringlog_record::validate::{self, Limits};

use crate::budget::Held;
use crate::dispatch::{Handling, Incoming, RequestError};
use crate::errors::{code_of, code_of_record};
use crate::reply::Reply;
use crate::shard::Shard;

/// Produce before version 7 can't carry zstd (KIP-110).
const ZSTD_FROM_VERSION: i16 = 7;

/// One partition's part of the request, once its batch is queued or refused.
struct Outcome {
    partition: i32,
    state: State,
}

enum State {
    Queued(Appending),
    Refused(ErrorCode, String),
}

/// A topic's name and its partitions' outcomes, in the order of the request.
struct TopicOutcomes {
    name: String,
    partitions: Vec<Outcome>,
}

/// Queues every batch on its partition before it returns: the order of requests is the order in the log.
pub(crate) fn start(shard: &Rc<Shard>, mut incoming: Incoming) -> Result<Handling, RequestError> {
    let held = shard.broker.budget.hold(incoming.body.len());
    let body = incoming.body.split();
    let walk = produce::walk(&body, incoming.version).map_err(|cause| incoming.malformed(cause))?;
    let acks = walk.acks;
    let plan = plan(walk);
    let outcomes = queue(shard, &incoming, body, plan, acks);
    if acks == 0 {
        // The batches keep their place in the budget until they are written; nobody is told how that went.
        tokio::task::spawn_local(settle(outcomes, held).map(drop));
        return Ok(Handling::Done(Reply::silence()));
    }
    let answered = async move {
        let responses = settle(outcomes, held).await;
        incoming.answer(&ProduceResponse { responses, ..Default::default() })
    };
    Ok(Handling::Later(answered.boxed_local()))
}

/// What a walk says once it no longer borrows the frame: names, and where each partition's records lie.
type Plan = Vec<(String, Vec<(i32, Option<std::ops::Range<usize>>)>)>;

fn plan(walk: Walk<'_>) -> Plan {
    let partitions = |topic: Vec<produce::WalkPartition>| topic.into_iter().map(|p| (p.index, p.records)).collect();
    walk.topics.into_iter().map(|topic| (topic.name.into_owned(), partitions(topic.partitions))).collect()
}

fn queue(
    shard: &Rc<Shard>,
    incoming: &Incoming,
    mut body: bytes::BytesMut,
    plan: Plan,
    acks: i16,
) -> Vec<TopicOutcomes> {
    let now_ms = now_ms();
    let mut cut = 0;
    let mut outcomes = Vec::with_capacity(plan.len());
    for (name, asked) in plan {
        let topic = shard.broker.topics.get(&name);
        let mut partitions = Vec::with_capacity(asked.len());
        for (partition, range) in asked {
            // Ranges rise through the request: each batch is split off the front of what is left of the frame.
            let records = range.map(|range| {
                drop(body.split_to(range.start - cut));
                cut = range.end;
                body.split_to(range.len())
            });
            let log = topic.as_ref().and_then(|topic| topic.log(partition));
            let state = match (log, records) {
                _ if !matches!(acks, -1..=1) => State::Refused(
                    ErrorCode::InvalidRequiredAcks,
                    format!("acks={acks}: 0, 1 and -1 (all) are allowed"),
                ),
                (None, _) => State::Refused(
                    ErrorCode::UnknownTopicOrPartition,
                    format!("{name}-{partition} does not exist: create the topic or ask for fresh metadata"),
                ),
                (Some(_), None) => State::Refused(ErrorCode::InvalidRecord, "the request holds no batch".to_owned()),
                (Some(log), Some(records)) => append(shard, incoming, log, records, now_ms),
            };
            partitions.push(Outcome { partition, state });
        }
        outcomes.push(TopicOutcomes { name, partitions });
    }
    outcomes
}

fn append(shard: &Rc<Shard>, incoming: &Incoming, log: &Arc<Log>, records: bytes::BytesMut, now_ms: i64) -> State {
    let config = log.config();
    let limits = Limits {
        max_message_bytes: shard.broker.config.message_max_bytes,
        zstd_allowed: incoming.version >= ZSTD_FROM_VERSION,
        keys_required: config.cleanup_compact,
        ..Limits::default()
    };
    let checked = validate::producer_batch(&records, &limits).and_then(|_| AppendBatch::new(records, now_ms));
    match checked {
        Ok(batch) => State::Queued(log.append(&shard.disk, batch)),
        Err(error) => State::Refused(code_of_record(&error), error.to_string()),
    }
}

/// Waits for every batch's outcome; the frame's share of the budget ends here.
async fn settle(outcomes: Vec<TopicOutcomes>, held: Held) -> Vec<TopicProduceResponse<'static>> {
    let mut responses = Vec::with_capacity(outcomes.len());
    for topic in outcomes {
        let mut partition_responses = Vec::with_capacity(topic.partitions.len());
        for Outcome { partition, state } in topic.partitions {
            partition_responses.push(match state {
                State::Queued(appending) => answer(partition, appending.await),
                State::Refused(code, message) => refuse(partition, code, message),
            });
        }
        responses.push(TopicProduceResponse {
            name: Str::Owned(topic.name),
            partition_responses,
            ..Default::default()
        });
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

fn refuse(partition: i32, code: ErrorCode, message: String) -> PartitionProduceResponse<'static> {
    PartitionProduceResponse {
        index: partition,
        error_code: code as i16,
        base_offset: -1,
        error_message: Some(Str::Owned(message)),
        ..Default::default()
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
