//! DescribeProducers: the idempotent producers that a partition remembers (KIP-664).

use std::collections::HashSet;

use ringlog_metadata::check_topic_name;
use ringlog_protocol::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;

pub(crate) fn serve<'a>(incoming: &Incoming, request: &DescribeProducersRequest<'a>) -> DescribeProducersResponse<'a> {
    // A partition's producers are told once, however often they are asked for.
    let mut told = HashSet::new();
    let topics = request.topics.iter().map(|topic| {
        let asked = topic.partition_indexes.iter().filter(|partition| told.insert((&topic.name, **partition)));
        let partitions =
            asked.map(|&partition_index| match incoming.broker().topics.log(&topic.name, partition_index) {
                Ok(log) => PartitionResponse {
                    partition_index,
                    active_producers: log.producers().iter().map(describe).collect(),
                    ..Default::default()
                },
                Err(code) => refuse(&topic.name, partition_index, code),
            });
        TopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    DescribeProducersResponse { topics: topics.collect(), ..Default::default() }
}

fn refuse(topic: &str, partition_index: i32, code: ErrorCode) -> PartitionResponse<'static> {
    let (code, reason) = match check_topic_name(topic) {
        Ok(()) => (code, format!("{topic}-{partition_index} does not exist")),
        Err(error) => (ErrorCode::InvalidTopicException, error.to_string()),
    };
    PartitionResponse {
        partition_index,
        error_code: code as i16,
        error_message: Some(Str::Owned(reason)),
        ..Default::default()
    }
}

fn describe(producer: &ringlog_log::Producer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.epoch),
        last_sequence: producer.last_sequence(),
        last_timestamp: producer.last_timestamp_ms,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_first_offset.unwrap_or(-1),
    }
}
