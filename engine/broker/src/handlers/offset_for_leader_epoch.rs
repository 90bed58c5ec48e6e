//! OffsetForLeaderEpoch: where a leader epoch ends, for consumers and followers that check what they have (KIP-320).

use ringlog_protocol::ErrorCode;
use ringlog_protocol::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

use crate::leadership::{check_epoch, leader_epoch};
use crate::request::Incoming;

pub(crate) fn serve<'a>(
    incoming: &Incoming,
    request: &OffsetForLeaderEpochRequest<'a>,
) -> OffsetForLeaderEpochResponse<'a> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            find(incoming, &topic.topic, asked).unwrap_or_else(|code| EpochEndOffset {
                partition: asked.partition,
                error_code: code as i16,
                ..Default::default()
            })
        });
        OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: partitions.collect() }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}

fn find(incoming: &Incoming, topic: &str, asked: &OffsetForLeaderPartition) -> Result<EpochEndOffset, ErrorCode> {
    let log = incoming.broker().topics.log(topic, asked.partition)?;
    check_epoch(&log, asked.current_leader_epoch)?;
    let (leader_epoch, end_offset) = match asked.leader_epoch {
        // Also before the epoch's first batch.
        epoch if epoch == leader_epoch(&log) => (epoch, log.log_end_offset()),
        epoch if epoch > leader_epoch(&log) => (-1, -1),
        epoch => log.end_offset_for_epoch(epoch).unwrap_or((-1, -1)),
    };
    Ok(EpochEndOffset { partition: asked.partition, leader_epoch, end_offset, error_code: 0 })
}
