//! Fetch: from offsets to ranges of segment files; waits for more where there is too little.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use ringlog_log::{Log, LogError, ReadSlice, Visible, Waiter};
use ringlog_protocol::fetch::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchableTopicResponse, PartitionData,
};
use ringlog_protocol::{ErrorCode, Piece as WirePiece, Records, encode_response_pieces};
use tokio::time::Instant;

use crate::broker::Broker;
use crate::errors::code_of;
use crate::leadership::check_epoch;
use crate::reply::{FileSlice, Piece, Reply};
use crate::request::{Handling, Incoming, RequestError};

/// Topics go by id from this version on (KIP-516).
const IDS_FROM_VERSION: i16 = 13;
const READ_COMMITTED: i8 = 1;

/// What the partitions asked for have to give, in the order of the request.
#[derive(Default)]
struct Gathered {
    answers: Vec<Vec<Answer>>,
    bytes: usize,
    /// A partition has something to say that can't wait: an error, or a log that went another way.
    urgent: bool,
}

enum Answer {
    Slice(ReadSlice),
    Diverging(EpochEndOffset, ReadSlice),
    Refused(ErrorCode),
}

/// Takes the request; answered when there is enough, or when it has waited as long as it wants to.
pub(crate) fn start(incoming: Incoming) -> Result<Handling, RequestError> {
    Ok(Handling::Later(serve(incoming).boxed_local()))
}

async fn serve(incoming: Incoming) -> Result<Reply, RequestError> {
    let request: FetchRequest<'_> = incoming.decode()?;
    // Every answer opens no session: then the client names all of its partitions each time. It can't be in one either.
    if request.session_epoch > 0 {
        let error_code = ErrorCode::FetchSessionIdNotFound as i16;
        return incoming.answer(&FetchResponse { error_code, ..Default::default() });
    }
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let (broker, client) = (incoming.broker(), incoming.client());
    let most = broker.config.fetch_max_bytes.min(broker.quotas.most_fetched(client));
    let most = usize::try_from(request.max_bytes).unwrap_or(0).min(most);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0).min(most);
    let waiter = Waiter::new();
    let gathered = loop {
        let gathered = gather(&incoming, &request, most, &waiter);
        if gathered.bytes >= enough || gathered.urgent {
            break gathered;
        }
        tokio::select! {
            () = waiter.woken() => {}
            () = tokio::time::sleep_until(deadline) => break gathered,
            () = broker.drain.started() => break gathered,
        }
    };
    reply(&incoming, &request, gathered)
}

/// Reads every partition asked for, below the visible end. What is appended from then on wakes the waiter.
fn gather(incoming: &Incoming, request: &FetchRequest<'_>, most: usize, waiter: &Arc<Waiter>) -> Gathered {
    let visible = if request.isolation_level == READ_COMMITTED { Visible::LastStable } else { Visible::HighWatermark };
    let mut gathered = Gathered::default();
    for topic in &request.topics {
        let mut answers = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            // The first batch of a response comes whole, however large: else its consumer could never pass it.
            let room = most.saturating_sub(gathered.bytes);
            let answer = find(incoming.broker(), topic, asked, incoming.version).and_then(|log| {
                log.register_waiter(waiter);
                read(&log, asked, room, gathered.bytes == 0, visible)
            });
            let answer = answer.unwrap_or_else(Answer::Refused);
            match &answer {
                Answer::Slice(slice) => gathered.bytes += slice.length,
                Answer::Diverging(..) | Answer::Refused(_) => gathered.urgent = true,
            }
            answers.push(answer);
        }
        gathered.answers.push(answers);
    }
    gathered
}

fn find(broker: &Broker, topic: &FetchTopic<'_>, asked: &FetchPartition, version: i16) -> Result<Arc<Log>, ErrorCode> {
    let topic = if version < IDS_FROM_VERSION {
        broker.topics.get(&topic.topic).ok_or(ErrorCode::UnknownTopicOrPartition)?
    } else {
        broker.topics.by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId)?
    };
    let log = topic.log(asked.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    check_epoch(log, asked.current_leader_epoch)?;
    Ok(log.clone())
}

fn read(log: &Log, asked: &FetchPartition, room: usize, is_first: bool, visible: Visible) -> Result<Answer, ErrorCode> {
    let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room);
    if asked.last_fetched_epoch >= 0 {
        let (epoch, end_offset) = log.end_offset_for_epoch(asked.last_fetched_epoch).unwrap_or((-1, -1));
        if epoch < asked.last_fetched_epoch || end_offset < asked.fetch_offset {
            let nothing = log.read(log.log_start_offset(), 0, false, visible).map_err(|error| explain(&error))?;
            return Ok(Answer::Diverging(EpochEndOffset { epoch, end_offset }, nothing));
        }
    }
    log.read(asked.fetch_offset, limit, is_first, visible).map(Answer::Slice).map_err(|error| explain(&error))
}

fn explain(error: &LogError) -> ErrorCode {
    if matches!(error, LogError::Corrupt { .. } | LogError::Io { .. }) {
        tracing::error!(%error, "a fetch could not be read");
    }
    code_of(error)
}

fn reply(incoming: &Incoming, request: &FetchRequest<'_>, gathered: Gathered) -> Result<Reply, RequestError> {
    let mut files = Vec::new();
    // There are no transactions: none was aborted. Who reads everything is not told of any.
    let aborted = (request.isolation_level == READ_COMMITTED).then(Vec::new);
    let mut partitions = |topic: &FetchTopic<'_>, answers: Vec<Answer>| {
        let answers = topic.partitions.iter().zip(answers);
        answers.map(|(asked, answer)| partition(asked, answer, aborted.clone(), &mut files)).collect()
    };
    let responses = request.topics.iter().zip(gathered.answers).map(|(topic, answers)| FetchableTopicResponse {
        topic: topic.topic.clone(),
        topic_id: topic.topic_id,
        partitions: partitions(topic, answers),
    });
    let mut response = FetchResponse { responses: responses.collect(), ..Default::default() };
    let encode = |response: &_| encode_response_pieces(response, incoming.version, incoming.correlation_id);
    let mut encoded = encode(&response)?;
    let length = |piece: &_| match piece {
        WirePiece::Bytes(bytes) => bytes.len(),
        WirePiece::Gap(length) => *length,
    };
    let bytes = encoded.iter().map(length).sum();
    response.throttle_time_ms = incoming.broker().quotas.fetched(incoming.client(), bytes);
    if response.throttle_time_ms > 0 {
        encoded = encode(&response)?;
    }
    let mut files = files.into_iter();
    let pieces = encoded
        .into_iter()
        .filter_map(|piece| match piece {
            WirePiece::Bytes(bytes) => Some(Piece::Bytes(bytes)),
            WirePiece::Gap(_) => files.next().map(Piece::File),
        })
        .collect();
    Ok(Reply { pieces, throttle_ms: response.throttle_time_ms })
}

fn partition(
    asked: &FetchPartition,
    answer: Answer,
    aborted_transactions: Option<Vec<AbortedTransaction>>,
    files: &mut Vec<FileSlice>,
) -> PartitionData<'static> {
    let partition_index = asked.partition;
    let from_slice = |slice: &ReadSlice| PartitionData {
        partition_index,
        high_watermark: slice.high_watermark,
        last_stable_offset: slice.last_stable_offset,
        log_start_offset: slice.log_start_offset,
        aborted_transactions: aborted_transactions.clone(),
        records: Some(Records::Elsewhere(slice.length)),
        ..Default::default()
    };
    match answer {
        Answer::Slice(slice) => {
            let data = from_slice(&slice);
            if slice.length > 0 {
                files.push(FileSlice { file: slice.file, position: slice.position, length: slice.length });
            }
            data
        }
        Answer::Diverging(diverging_epoch, slice) => {
            PartitionData { diverging_epoch, records: Some(Records::Elsewhere(0)), ..from_slice(&slice) }
        }
        Answer::Refused(code) => PartitionData {
            partition_index,
            error_code: code as i16,
            high_watermark: -1,
            aborted_transactions: is_unknown(code).then(Vec::new),
            records: Some(Records::Elsewhere(0)),
            ..Default::default()
        },
    }
}

/// Kafka answers for a partition that it does not have with an empty list of aborted transactions, else with none.
fn is_unknown(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId)
}
