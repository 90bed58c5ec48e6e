//! AlterReplicaLogDirs (key 34): replicas to move to other log directories (KIP-113).

use crate::{Str, schema::api};

api! {
    AlterReplicaLogDirs = 34, versions 1..=2, flexible from 2;

    request AlterReplicaLogDirsRequest<'a> {
        0..  dirs: Vec<AlterReplicaLogDir<'a>>;
    }

    struct AlterReplicaLogDir<'a> {
        0..  path: Str<'a>;
        0..  topics: Vec<AlterReplicaLogDirTopic<'a>>;
    }

    struct AlterReplicaLogDirTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<i32>;
    }

    response AlterReplicaLogDirsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  results: Vec<AlterReplicaLogDirTopicResult<'a>>;
    }

    struct AlterReplicaLogDirTopicResult<'a> {
        0..  topic_name: Str<'a>;
        0..  partitions: Vec<AlterReplicaLogDirPartitionResult>;
    }

    struct AlterReplicaLogDirPartitionResult {
        0..  partition_index: i32;
        0..  error_code: i16;
    }
}
