//! From a topic's settings to those of a partition's log.

use std::hash::{DefaultHasher, Hash, Hasher};

use ringlog_log::{LogConfig, TopicPartition};
use ringlog_record::TimestampType;
use ringlog_settings::{LiveConfig, TopicConfig};

pub(crate) fn log_config(topic: &TopicConfig, live: &LiveConfig, partition: &TopicPartition) -> LogConfig {
    // A compacted log closes its segment in time for what is in it to be compacted.
    let lag_ms = topic.max_compaction_lag_ms.filter(|_| topic.cleanup_compact).unwrap_or(i64::MAX);
    LogConfig {
        segment_bytes: topic.segment_bytes,
        preallocate: topic.preallocate,
        segment_ms: topic.segment_ms.min(lag_ms).saturating_sub(jitter_ms(topic, partition)).max(1),
        segment_index_bytes: topic.segment_index_bytes,
        index_interval_bytes: topic.index_interval_bytes,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        cleanup_delete: topic.cleanup_delete,
        cleanup_compact: topic.cleanup_compact,
        delete_retention_ms: topic.delete_retention_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        file_delete_delay_ms: topic.file_delete_delay_ms,
        message_timestamp_type: match topic.log_append_time {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        },
        flush_messages: topic.flush_messages.unwrap_or(u64::MAX),
        flush_ms: topic.flush_ms,
        producer_id_expiration_ms: live.producer_id_expiration_ms,
        dedupe_buffer_bytes: live.log_cleaner_dedupe_buffer_size,
    }
}

/// `segment.jitter.ms`, as a share that each partition has for good.
fn jitter_ms(topic: &TopicConfig, partition: &TopicPartition) -> i64 {
    if topic.segment_jitter_ms == 0 {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    partition.hash(&mut hasher);
    i64::try_from(hasher.finish() % topic.segment_jitter_ms.unsigned_abs()).unwrap_or(0)
}
