//! What a log is configured with: the topic settings that concern one partition, under Kafka's names.

use std::{fmt, sync::Arc};

/// A partition's name; its directory is called `topic-partition`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name, `[A-Za-z0-9._-]{1,249}`.
    pub topic: Arc<str>,
    /// Partition number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }

    /// The partition whose directory is called `name`; `None` when `name` is no partition's directory.
    #[must_use]
    pub fn from_dir_name(name: &str) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        let all_digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let topic_is_legal = (1..=249).contains(&topic.len()) && topic.bytes().all(legal);
        (all_digits && topic_is_legal).then(|| Some(Self::new(topic, partition.parse().ok()?))).flatten()
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The settings of one log. Field names and defaults are those of Kafka's topic settings, with dots as underscores.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// A batch that would make the active segment larger than this goes to the next one. Bytes, ≥ 1 MiB in Kafka.
    pub segment_bytes: u64,
    /// Disk blocks of a whole segment are reserved when its first batch comes; what is left is given back when it is closed.
    pub preallocate: bool,
    /// A segment is also closed when a batch's timestamp lies this far past its first batch's. Milliseconds.
    pub segment_ms: i64,
    /// Bound of each index file; a full index closes the segment. Bytes.
    pub segment_index_bytes: u64,
    /// One index entry for each so many bytes of log.
    pub index_interval_bytes: u64,
    /// Segments whose newest record is older are deleted; `None` keeps them. Milliseconds.
    pub retention_ms: Option<i64>,
    /// The oldest segments are deleted while the log is larger; `None` keeps them. Bytes.
    pub retention_bytes: Option<u64>,
    /// `cleanup.policy` contains `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub cleanup_compact: bool,
    /// How long compaction keeps a tombstone after the first pass that met it. Milliseconds.
    pub delete_retention_ms: i64,
    /// Compaction runs when this share of the log's bytes has not been compacted.
    pub min_cleanable_dirty_ratio: f64,
    /// Records younger than this are not compacted. Milliseconds.
    pub min_compaction_lag_ms: i64,
    /// Records older than this are compacted however little of the log is dirty; `None` leaves it to the ratio. Milliseconds.
    pub max_compaction_lag_ms: Option<i64>,
    /// A deleted segment's files stay on disk this long, for readers that are still sending them. Milliseconds.
    pub file_delete_delay_ms: i64,
    /// `message.timestamp.type`: with `LogAppendTime` the log stamps each batch.
    pub message_timestamp_type: ringlog_record::TimestampType,
    /// Records between two fdatasyncs: 1 is the fsync level, `u64::MAX` leaves it to the kernel.
    pub flush_messages: u64,
    /// Longest time that an appended record stays unsynced; `None` leaves it to the kernel. Milliseconds.
    pub flush_ms: Option<i64>,
    /// An idempotent producer that has been silent for longer is forgotten. Milliseconds.
    pub producer_id_expiration_ms: i64,
    /// Bound of the key table of one compaction pass. Bytes.
    pub dedupe_buffer_bytes: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            preallocate: false,
            segment_ms: 7 * DAY_MS,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            cleanup_delete: true,
            cleanup_compact: false,
            delete_retention_ms: DAY_MS,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: None,
            file_delete_delay_ms: 60_000,
            message_timestamp_type: ringlog_record::TimestampType::CreateTime,
            flush_messages: u64::MAX,
            flush_ms: None,
            producer_id_expiration_ms: DAY_MS,
            dedupe_buffer_bytes: 128 << 20,
        }
    }
}

impl LogConfig {
    /// When an acknowledgement may leave.
    #[must_use]
    pub fn durability(&self) -> Durability {
        match (self.flush_messages, self.flush_ms) {
            (0 | 1, _) => Durability::Fsync,
            (u64::MAX, None) => Durability::PageCache,
            _ => Durability::Interval,
        }
    }
}

/// What an acknowledged append has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The write has completed: survives kill -9, not a power cut.
    PageCache,
    /// Page cache; fdatasync follows within `flush.ms` or `flush.messages`.
    Interval,
    /// An fdatasync that covers it has completed: survives a power cut.
    Fsync,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_directory_gives_its_name_back() {
        let name = TopicPartition::new("a-b.c_d", 12);
        assert_eq!(TopicPartition::from_dir_name(&name.to_string()), Some(name));
        for not_one in
            ["", "topic", "topic-", "-1", "topic--", "topic-1x", "topic-1.0af3-delete", "to/pic-1", "t-99999999999"]
        {
            assert_eq!(TopicPartition::from_dir_name(not_one), None, "{not_one}");
        }
    }

    #[test]
    fn the_flush_settings_select_the_durability_level() {
        let level =
            |flush_messages, flush_ms| LogConfig { flush_messages, flush_ms, ..Default::default() }.durability();
        assert_eq!(level(u64::MAX, None), Durability::PageCache);
        assert_eq!(level(1, None), Durability::Fsync);
        assert_eq!(level(1, Some(10)), Durability::Fsync);
        assert_eq!(level(u64::MAX, Some(10)), Durability::Interval);
        assert_eq!(level(1000, None), Durability::Interval);
    }
}
