//! ListOffsets: offsets by timestamp, and the two ends.

use ringlog_log::{Log, TimestampQuery, Visible};
use ringlog_protocol::ErrorCode;
use ringlog_protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    ListOffsetsTopicResponse,
};

use crate::errors::code_of;
use crate::leadership::{check_epoch, leader_epoch};
use crate::request::Incoming;

const READ_COMMITTED: i8 = 1;

/// Leader epochs are answered from version 4 on.
const EPOCHS_FROM_VERSION: i16 = 4;

/// What a timestamp asks for: a time, or one of the negative numbers that stand for a place.
enum Wanted {
    AtOrAfter(i64),
    Latest,
    Earliest,
    LargestTimestamp,
    /// The newest offset in remote storage, or the first one not yet there: there is none.
    Remote,
}

impl Wanted {
    /// The numbers, and since which version each is known (KIP-734, KIP-405, KIP-1005, KIP-1023).
    fn parse(timestamp: i64, version: i16) -> Option<Wanted> {
        match timestamp {
            0.. => Some(Wanted::AtOrAfter(timestamp)),
            -1 => Some(Wanted::Latest),
            -2 => Some(Wanted::Earliest),
            -3 if version >= 7 => Some(Wanted::LargestTimestamp),
            // The earliest local offset: everything is local.
            -4 if version >= 8 => Some(Wanted::Earliest),
            -5 if version >= 9 => Some(Wanted::Remote),
            -6 if version >= 11 => Some(Wanted::Remote),
            _ => None,
        }
    }
}

pub(crate) fn serve<'a>(incoming: &Incoming, request: &ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
    let visible = if request.isolation_level == READ_COMMITTED { Visible::LastStable } else { Visible::HighWatermark };
    let topics = request.topics.iter().map(|topic| {
        let is_first =
            |at: usize, index: i32| topic.partitions.iter().position(|p| p.partition_index == index) == Some(at);
        // What stands more than once is refused once.
        let once = topic.partitions.iter().enumerate().filter(|(at, asked)| is_first(*at, asked.partition_index));
        let partitions = once.map(|(at, asked)| {
            let index = asked.partition_index;
            let repeated = topic.partitions.iter().skip(at + 1).any(|later| later.partition_index == index);
            let found = if repeated { Err(ErrorCode::InvalidRequest) } else { find(incoming, topic, asked, visible) };
            found.unwrap_or_else(|code| ListOffsetsPartitionResponse {
                partition_index: index,
                error_code: code as i16,
                ..Default::default()
            })
        });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

fn find(
    incoming: &Incoming,
    topic: &ListOffsetsTopic<'_>,
    asked: &ListOffsetsPartition,
    visible: Visible,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let wanted = Wanted::parse(asked.timestamp, incoming.version).ok_or(ErrorCode::UnsupportedVersion)?;
    let log = incoming.broker().topics.log(&topic.name, asked.partition_index)?;
    check_epoch(&log, asked.current_leader_epoch)?;
    let found = look_up(&log, asked.partition_index, &wanted, visible)?;
    let leader_epoch = if incoming.version < EPOCHS_FROM_VERSION { -1 } else { found.leader_epoch };
    Ok(ListOffsetsPartitionResponse { leader_epoch, ..found })
}

fn look_up(
    log: &Log,
    partition_index: i32,
    wanted: &Wanted,
    visible: Visible,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let nowhere = ListOffsetsPartitionResponse { partition_index, ..Default::default() };
    let at = |offset, leader_epoch| ListOffsetsPartitionResponse { offset, leader_epoch, ..nowhere.clone() };
    let query = match *wanted {
        Wanted::Latest if visible == Visible::LastStable => {
            return Ok(at(log.last_stable_offset(), leader_epoch(log)));
        }
        Wanted::Latest => return Ok(at(log.high_watermark(), leader_epoch(log))),
        Wanted::Earliest => {
            let start = log.log_start_offset();
            return Ok(at(start, log.epoch_at(start).unwrap_or_else(|| leader_epoch(log))));
        }
        Wanted::Remote => return Ok(nowhere),
        Wanted::LargestTimestamp => TimestampQuery::Largest,
        Wanted::AtOrAfter(timestamp) => TimestampQuery::AtOrAfter(timestamp),
    };
    let found = log.offset_for_timestamp(query, visible).map_err(|error| code_of(&error))?;
    Ok(found.map_or(nowhere.clone(), |found| ListOffsetsPartitionResponse {
        timestamp: found.timestamp_ms,
        offset: found.offset,
        leader_epoch: found.leader_epoch,
        ..nowhere
    }))
}
