//! ElectLeaders (key 43): partitions to elect leaders for (KIP-460).

use crate::{Str, schema::api};

api! {
    ElectLeaders = 43, versions 0..=2, flexible from 2;

    request ElectLeadersRequest<'a> {
        1..  election_type: i8;
        0..  topic_partitions: Option<Vec<TopicPartitions<'a>>>, null 0..;
        0..  timeout_ms: i32 = 60000;
    }

    struct TopicPartitions<'a> {
        0..  topic: Str<'a>;
        0..  partitions: Vec<i32>;
    }

    response ElectLeadersResponse<'a> {
        0..  throttle_time_ms: i32;
        1..  error_code: i16;
        0..  replica_election_results: Vec<ReplicaElectionResult<'a>>;
    }

    struct ReplicaElectionResult<'a> {
        0..  topic: Str<'a>;
        0..  partition_result: Vec<PartitionResult<'a>>;
    }

    struct PartitionResult<'a> {
        0..  partition_id: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
    }
}
