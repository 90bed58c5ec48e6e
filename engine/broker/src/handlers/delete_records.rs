//! DeleteRecords: raises the log start. Durable before the answer.

use ringlog_protocol::ErrorCode;
use ringlog_protocol::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

use crate::errors::code_of;
use crate::request::Incoming;

pub(crate) fn serve<'a>(incoming: &Incoming, request: &DeleteRecordsRequest<'a>) -> DeleteRecordsResponse<'a> {
    let mut topics: Vec<DeleteRecordsTopicResult<'a>> = request
        .topics
        .iter()
        .map(|topic| DeleteRecordsTopicResult {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|asked| {
                    let outcome = delete_before(incoming, &topic.name, asked.partition_index, asked.offset);
                    answer(asked.partition_index, outcome)
                })
                .collect(),
        })
        .collect();
    // One write of the checkpoints covers all of them. Without it nothing is acknowledged: a restart could bring them back.
    if let Err(error) = incoming.broker().topics.write_checkpoints(&incoming.shard.disk) {
        tracing::error!(%error, "deleted records could not be made durable");
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        partitions.for_each(|partition| *partition = answer(partition.partition_index, Err(code_of(&error))));
    }
    DeleteRecordsResponse { topics, ..Default::default() }
}

fn delete_before(incoming: &Incoming, topic: &str, partition: i32, offset: i64) -> Result<i64, ErrorCode> {
    let log = incoming.broker().topics.log(topic, partition)?;
    if log.config().cleanup_compact && !log.config().cleanup_delete {
        // Kafka's rule: what only compaction may remove is not deleted from the front.
        return Err(ErrorCode::PolicyViolation);
    }
    log.delete_records_before(offset).map_err(|error| code_of(&error))
}

fn answer(partition_index: i32, outcome: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    match outcome {
        Ok(low_watermark) => DeleteRecordsPartitionResult { partition_index, low_watermark, error_code: 0 },
        Err(code) => DeleteRecordsPartitionResult { partition_index, low_watermark: -1, error_code: code as i16 },
    }
}
