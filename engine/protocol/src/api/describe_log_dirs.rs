//! DescribeLogDirs (key 35): log directories, with the replicas in them and their sizes.

use crate::{Str, schema::api};

api! {
    DescribeLogDirs = 35, versions 1..=5, flexible from 2;

    request DescribeLogDirsRequest<'a> {
        0..  topics: Option<Vec<DescribableLogDirTopic<'a>>>, null 0..;
    }

    struct DescribableLogDirTopic<'a> {
        0..  topic: Str<'a>;
        0..  partitions: Vec<i32>;
    }

    response DescribeLogDirsResponse<'a> {
        0..  throttle_time_ms: i32;
        3..  error_code: i16, ignorable;
        0..  results: Vec<DescribeLogDirsResult<'a>>;
    }

    struct DescribeLogDirsResult<'a> {
        0..  error_code: i16;
        0..  log_dir: Str<'a>;
        0..  topics: Vec<DescribeLogDirsTopic<'a>>;
        4..  total_bytes: i64 = -1, ignorable;
        4..  usable_bytes: i64 = -1, ignorable;
        5..  is_cordoned: bool, ignorable;
    }

    struct DescribeLogDirsTopic<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<DescribeLogDirsPartition>;
    }

    struct DescribeLogDirsPartition {
        0..  partition_index: i32;
        0..  partition_size: i64;
        0..  offset_lag: i64;
        0..  is_future_key: bool;
    }
}
