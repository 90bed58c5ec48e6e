//! AlterReplicaLogDirs: there is one data directory, in which every partition is already (KIP-113).

use std::collections::BTreeMap;

use ringlog_protocol::ErrorCode;
use ringlog_protocol::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};

use crate::request::Incoming;

pub(crate) fn serve<'a>(
    incoming: &Incoming,
    request: &AlterReplicaLogDirsRequest<'a>,
) -> AlterReplicaLogDirsResponse<'a> {
    let broker = incoming.broker();
    let here = broker.config.log_dir.display().to_string();
    // Of a partition that stands more than once the last directory counts.
    let mut topics: BTreeMap<_, BTreeMap<i32, ErrorCode>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for partition in &topic.partitions {
                let code = match broker.topics.log(&topic.name, *partition) {
                    // As DescribeLogDirs writes it, and no other spelling of it.
                    _ if dir.path != here => ErrorCode::LogDirNotFound,
                    Ok(_) => ErrorCode::None,
                    Err(code) => code,
                };
                topics.entry(topic.name.clone()).or_default().insert(*partition, code);
            }
        }
    }
    let results = topics.into_iter().map(|(topic_name, partitions)| AlterReplicaLogDirTopicResult {
        topic_name,
        partitions: partitions
            .into_iter()
            .map(|(partition_index, code)| AlterReplicaLogDirPartitionResult {
                partition_index,
                error_code: code as i16,
            })
            .collect(),
    });
    AlterReplicaLogDirsResponse { results: results.collect(), ..Default::default() }
}
