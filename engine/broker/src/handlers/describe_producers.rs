//! DescribeProducers: the idempotent producers that a partition remembers (KIP-664).

use ringlog_protocol::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

use crate::dispatch::Incoming;

pub(crate) fn serve<'a>(incoming: &Incoming, request: &DescribeProducersRequest<'a>) -> DescribeProducersResponse<'a> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|&partition_index| {
            match incoming.broker().topics.log(&topic.name, partition_index) {
                Ok(log) => PartitionResponse {
                    partition_index,
                    active_producers: log.producers().iter().map(describe).collect(),
                    ..Default::default()
                },
                Err(code) => PartitionResponse { partition_index, error_code: code as i16, ..Default::default() },
            }
        });
        TopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    DescribeProducersResponse { topics: topics.collect(), ..Default::default() }
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
