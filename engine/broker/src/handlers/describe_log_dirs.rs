//! DescribeLogDirs: what the data directory holds, and how much room is left (KIP-113, KIP-827).

use std::collections::{HashMap, HashSet};

use nix::sys::statvfs::statvfs;
use ringlog_protocol::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;
use crate::topics::Topic;

pub(crate) fn serve(incoming: &Incoming, request: &DescribeLogDirsRequest<'_>) -> DescribeLogDirsResponse<'static> {
    let broker = incoming.broker();
    let asked = request.topics.as_deref().map(by_name);
    let topics = broker.topics.all().into_iter().filter_map(|topic| match &asked {
        None => Some(describe(&topic, |_| true)),
        Some(asked) => asked.get(&*topic.name).map(|asked| describe(&topic, |partition| asked.contains(&partition))),
    });
    let log_dir = &broker.config.log_dir;
    let (error_code, total_bytes, usable_bytes) = match statvfs(log_dir) {
        Ok(space) => {
            let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(space.fragment_size())).unwrap_or(i64::MAX);
            (0, bytes(space.blocks()), bytes(space.blocks_available()))
        }
        Err(error) => {
            tracing::error!(dir = %log_dir.display(), %error, "no word from the file system on its space");
            (ErrorCode::KafkaStorageError as i16, -1, -1)
        }
    };
    let result = DescribeLogDirsResult {
        error_code,
        log_dir: Str::Owned(log_dir.display().to_string()),
        topics: topics.filter(|topic| !topic.partitions.is_empty()).collect(),
        total_bytes,
        usable_bytes,
        ..Default::default()
    };
    DescribeLogDirsResponse { results: vec![result], ..Default::default() }
}

/// A topic may stand there more than once.
fn by_name<'a>(asked: &'a [DescribableLogDirTopic<'_>]) -> HashMap<&'a str, HashSet<i32>> {
    let mut partitions: HashMap<&str, HashSet<i32>> = HashMap::new();
    asked.iter().for_each(|asked| partitions.entry(&asked.topic).or_default().extend(&asked.partitions));
    partitions
}

fn describe(topic: &Topic, is_asked: impl Fn(i32) -> bool) -> DescribeLogDirsTopic<'static> {
    let partitions = topic.partitions.iter().map(|log| (log.name().partition, log.size_bytes()));
    DescribeLogDirsTopic {
        name: Str::Owned(topic.name.to_string()),
        partitions: partitions
            .filter(|(partition, _)| is_asked(*partition))
            .map(|(partition_index, size_bytes)| DescribeLogDirsPartition {
                partition_index,
                partition_size: i64::try_from(size_bytes).unwrap_or(i64::MAX),
                ..Default::default()
            })
            .collect(),
    }
}
