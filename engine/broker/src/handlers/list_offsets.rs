//! ListOffsets: offsets by timestamp, and the two ends.

use std::rc::Rc;

use ringlog_log::{Log, LogError, TimestampQuery, Visible};
use ringlog_protocol::ErrorCode;
use ringlog_protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};

use crate::errors::code_of;
use crate::shard::Shard;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIMESTAMP: i64 = -3;
const READ_COMMITTED: i8 = 1;

/// Leader epochs are answered from version 4 on.
const EPOCHS_FROM_VERSION: i16 = 4;

pub(crate) fn serve<'a>(shard: &Rc<Shard>, version: i16, request: &ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
    let visible = if request.isolation_level == READ_COMMITTED { Visible::LastStable } else { Visible::HighWatermark };
    let topics = request.topics.iter().map(|topic| {
        let known = shard.broker.topics.get(&topic.name);
        let partitions = topic.partitions.iter().map(|asked| {
            let log = known.as_ref().and_then(|topic| topic.log(asked.partition_index));
            match log.map(|log| look_up(log, asked, visible)) {
                Some(Ok(found)) if version < EPOCHS_FROM_VERSION => {
                    ListOffsetsPartitionResponse { leader_epoch: -1, ..found }
                }
                Some(Ok(found)) => found,
                Some(Err(error)) => refuse(asked, code_of(&error)),
                None => refuse(asked, ErrorCode::UnknownTopicOrPartition),
            }
        });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

fn look_up(
    log: &Log,
    asked: &ListOffsetsPartition,
    visible: Visible,
) -> Result<ListOffsetsPartitionResponse, LogError> {
    let answer = ListOffsetsPartitionResponse { partition_index: asked.partition_index, ..Default::default() };
    let at = |offset| ListOffsetsPartitionResponse { offset, leader_epoch: 0, ..answer.clone() };
    let query = match asked.timestamp {
        LATEST if visible == Visible::LastStable => return Ok(at(log.last_stable_offset())),
        LATEST => return Ok(at(log.high_watermark())),
        EARLIEST => return Ok(at(log.log_start_offset())),
        LARGEST_TIMESTAMP => TimestampQuery::Largest,
        timestamp => TimestampQuery::AtOrAfter(timestamp),
    };
    Ok(log.offset_for_timestamp(query, visible)?.map_or(answer.clone(), |found| ListOffsetsPartitionResponse {
        timestamp: found.timestamp_ms,
        offset: found.offset,
        leader_epoch: found.leader_epoch,
        ..answer
    }))
}

fn refuse(asked: &ListOffsetsPartition, code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code: code as i16,
        ..Default::default()
    }
}
