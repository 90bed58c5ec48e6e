//! Fetch: from offsets to ranges of segment files; waits for more where there is too little.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringlog_log::{Log, LogError, ReadSlice, Visible, Waiter};
use ringlog_protocol::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use ringlog_protocol::{ErrorCode, Piece as WirePiece, Records, encode_response_pieces};
use tokio::time::Instant;

use crate::dispatch::{Incoming, RequestError};
use crate::errors::code_of;
use crate::reply::{FileSlice, Piece, Reply};
use crate::shard::Shard;

const READ_COMMITTED: i8 = 1;

/// What one partition has to give, in the order of the request.
struct Gathered {
    slices: Vec<Vec<Result<ReadSlice, ErrorCode>>>,
    bytes: usize,
    /// A partition refused: the answer can't wait.
    refused: bool,
}

/// Reads every partition asked for, below the visible end; sleeps until min_bytes are there or max_wait_ms have passed.
pub(crate) async fn serve(shard: Rc<Shard>, incoming: Incoming) -> Result<Reply, RequestError> {
    let request: FetchRequest<'_> = incoming.decode()?;
    let logs: Vec<Vec<Option<Arc<Log>>>> = request
        .topics
        .iter()
        .map(|topic| {
            let known = shard.broker.topics.get(&topic.topic);
            topic.partitions.iter().map(|p| known.as_ref().and_then(|topic| topic.log(p.partition).cloned())).collect()
        })
        .collect();
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let waiter = Waiter::new();
    let gathered = loop {
        // Registered before the read: what is appended in between wakes the waiter.
        logs.iter().flatten().flatten().for_each(|log| log.register_waiter(&waiter));
        let gathered = gather(&shard, &request, &logs);
        if gathered.bytes >= enough
            || gathered.refused
            || tokio::time::timeout_at(deadline, waiter.woken()).await.is_err()
        {
            break gathered;
        }
    };
    reply(&incoming, &request, gathered)
}

fn gather(shard: &Shard, request: &FetchRequest<'_>, logs: &[Vec<Option<Arc<Log>>>]) -> Gathered {
    let visible = if request.isolation_level == READ_COMMITTED { Visible::LastStable } else { Visible::HighWatermark };
    let total = usize::try_from(request.max_bytes).unwrap_or(0).min(shard.broker.config.fetch_max_bytes);
    let mut gathered = Gathered { slices: Vec::with_capacity(logs.len()), bytes: 0, refused: false };
    for (topic, logs) in request.topics.iter().zip(logs) {
        let mut slices = Vec::with_capacity(logs.len());
        for (asked, log) in topic.partitions.iter().zip(logs) {
            let left = total.saturating_sub(gathered.bytes);
            let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(left);
            // The first batch of a response comes whole, however large: else its consumer could never pass it.
            let read = match log {
                None => Err(ErrorCode::UnknownTopicOrPartition),
                Some(log) => {
                    log.read(asked.fetch_offset, limit, gathered.bytes == 0, visible).map_err(|error| explain(&error))
                }
            };
            match &read {
                Ok(slice) => gathered.bytes += slice.length,
                Err(_) => gathered.refused = true,
            }
            slices.push(read);
        }
        gathered.slices.push(slices);
    }
    gathered
}

fn explain(error: &LogError) -> ErrorCode {
    if matches!(error, LogError::Corrupt { .. } | LogError::Io { .. }) {
        tracing::error!(%error, "a fetch could not be read");
    }
    code_of(error)
}

fn reply(incoming: &Incoming, request: &FetchRequest<'_>, gathered: Gathered) -> Result<Reply, RequestError> {
    let mut files = Vec::new();
    let responses = request
        .topics
        .iter()
        .zip(gathered.slices)
        .map(|(topic, slices)| FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .zip(slices)
                .map(|(asked, slice)| partition(asked.partition, slice, &mut files))
                .collect(),
        })
        .collect();
    let response = FetchResponse { responses, ..Default::default() };
    let mut files = files.into_iter();
    let pieces = encode_response_pieces(&response, incoming.version, incoming.correlation_id)?
        .into_iter()
        .filter_map(|piece| match piece {
            WirePiece::Bytes(bytes) => Some(Piece::Bytes(bytes)),
            WirePiece::Gap(_) => files.next().map(Piece::File),
        })
        .collect();
    Ok(Reply { pieces })
}

fn partition(index: i32, read: Result<ReadSlice, ErrorCode>, files: &mut Vec<FileSlice>) -> PartitionData<'static> {
    match read {
        Ok(slice) => {
            if slice.length > 0 {
                files.push(FileSlice { file: slice.file, position: slice.position, length: slice.length });
            }
            PartitionData {
                partition_index: index,
                high_watermark: slice.high_watermark,
                last_stable_offset: slice.last_stable_offset,
                log_start_offset: slice.log_start_offset,
                aborted_transactions: None,
                records: Some(Records::Elsewhere(slice.length)),
                ..Default::default()
            }
        }
        Err(code) => PartitionData {
            partition_index: index,
            error_code: code as i16,
            high_watermark: -1,
            aborted_transactions: None,
            ..Default::default()
        },
    }
}
