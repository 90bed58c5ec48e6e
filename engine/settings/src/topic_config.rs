//! A topic's settings, resolved and typed.

use std::collections::BTreeMap;

use crate::setting::Scope;
use crate::sources::{Sources, Values};
use crate::{SettingsError, TOPIC};

/// How a topic's batches are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// Decompressed.
    Uncompressed,
    /// Recompressed, at a level; `None` is the codec's own choice.
    Gzip(Option<i32>),
    /// Recompressed.
    Snappy,
    /// Recompressed, at a level.
    Lz4(i32),
    /// Recompressed, at a level.
    Zstd(i32),
}

/// The settings of one topic. Names are Kafka's, with dots as underscores.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy` contains `compact`.
    pub cleanup_compact: bool,
    /// `cleanup.policy` contains `delete`.
    pub cleanup_delete: bool,
    /// How batches are kept.
    pub compression_type: CompressionType,
    /// Milliseconds.
    pub delete_retention_ms: i64,
    /// Milliseconds.
    pub file_delete_delay_ms: i64,
    /// Records between two fdatasyncs; `None`: the kernel decides.
    pub flush_messages: Option<u64>,
    /// Longest time without an fdatasync; `None`: the kernel decides. Milliseconds.
    pub flush_ms: Option<i64>,
    /// Bytes.
    pub index_interval_bytes: u64,
    /// Milliseconds; `None`: no limit.
    pub max_compaction_lag_ms: Option<i64>,
    /// Bytes.
    pub max_message_bytes: usize,
    /// Milliseconds.
    pub message_timestamp_after_max_ms: i64,
    /// Milliseconds.
    pub message_timestamp_before_max_ms: i64,
    /// Timestamps are the broker's at the append.
    pub log_append_time: bool,
    /// Share of the log.
    pub min_cleanable_dirty_ratio: f64,
    /// Milliseconds.
    pub min_compaction_lag_ms: i64,
    /// Replicas.
    pub min_insync_replicas: i32,
    /// Whether segments are allocated whole.
    pub preallocate: bool,
    /// Bytes; `None`: no limit.
    pub retention_bytes: Option<u64>,
    /// Milliseconds; `None`: no limit.
    pub retention_ms: Option<i64>,
    /// Bytes.
    pub segment_bytes: u64,
    /// Bytes.
    pub segment_index_bytes: u64,
    /// Milliseconds.
    pub segment_jitter_ms: i64,
    /// Milliseconds.
    pub segment_ms: i64,
}

impl TopicConfig {
    /// What counts for a topic: what is set on it, else on the broker, else the default.
    ///
    /// # Errors
    /// [`SettingsError::Unknown`], [`SettingsError::Value`], [`SettingsError::Conflict`], [`SettingsError::NotServed`].
    pub fn resolve(on_topic: &BTreeMap<String, String>, broker: &Sources) -> Result<TopicConfig, SettingsError> {
        for name in on_topic.keys() {
            Scope::Topic.find(name)?;
        }
        let values = Values::read(TOPIC, |setting| Some(broker.topic_value(setting, on_topic).0))?;
        let number = |name| values.number(name);
        let limit = |name| Some(values.number(name)).filter(|value| *value != i64::MAX);
        let bytes = |name| u64::try_from(values.number(name)).unwrap_or(0);
        let level = |name| i32::try_from(values.number(name)).unwrap_or(-1);
        let has_policy = |policy: &str| values.list("cleanup.policy").iter().any(|item| item == policy);
        if values.boolean("remote.storage.enable") {
            return Err(SettingsError::NotServed {
                name: "remote.storage.enable",
                value: "true".to_owned(),
                remedy: "there is no remote storage: leave it at false".to_owned(),
            });
        }
        if number("min.compaction.lag.ms") > number("max.compaction.lag.ms") {
            return Err(SettingsError::Conflict(format!(
                "min.compaction.lag.ms={} is more than max.compaction.lag.ms={}: make it less",
                number("min.compaction.lag.ms"),
                number("max.compaction.lag.ms"),
            )));
        }
        Ok(TopicConfig {
            cleanup_compact: has_policy("compact"),
            cleanup_delete: has_policy("delete"),
            compression_type: match values.text("compression.type") {
                Some("uncompressed") => CompressionType::Uncompressed,
                Some("gzip") => {
                    CompressionType::Gzip(Some(level("compression.gzip.level")).filter(|level| *level >= 0))
                }
                Some("snappy") => CompressionType::Snappy,
                Some("lz4") => CompressionType::Lz4(level("compression.lz4.level")),
                Some("zstd") => CompressionType::Zstd(level("compression.zstd.level")),
                _ => CompressionType::Producer,
            },
            delete_retention_ms: number("delete.retention.ms"),
            file_delete_delay_ms: number("file.delete.delay.ms"),
            flush_messages: limit("flush.messages").map(i64::unsigned_abs),
            flush_ms: limit("flush.ms"),
            index_interval_bytes: bytes("index.interval.bytes"),
            max_compaction_lag_ms: limit("max.compaction.lag.ms"),
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(0),
            message_timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            log_append_time: values.text("message.timestamp.type") == Some("LogAppendTime"),
            min_cleanable_dirty_ratio: values.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            min_insync_replicas: level("min.insync.replicas"),
            preallocate: values.boolean("preallocate"),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            retention_ms: Some(number("retention.ms")).filter(|retention_ms| *retention_ms >= 0),
            segment_bytes: bytes("segment.bytes"),
            segment_index_bytes: bytes("segment.index.bytes"),
            segment_jitter_ms: number("segment.jitter.ms"),
            segment_ms: number("segment.ms"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_topic_beats_the_broker_and_milliseconds_beat_hours() {
        let resolve = |topic: &[(&str, &str)], broker: &[(&str, &str)]| {
            let sources = Sources { fixed: map(broker), ..Sources::default() };
            TopicConfig::resolve(&map(topic), &sources).unwrap().retention_ms
        };
        assert_eq!(resolve(&[], &[]), Some(604_800_000));
        assert_eq!(resolve(&[], &[("log.retention.hours", "1")]), Some(3_600_000));
        assert_eq!(resolve(&[], &[("log.retention.hours", "1"), ("log.retention.minutes", "1")]), Some(60_000));
        assert_eq!(resolve(&[], &[("log.retention.ms", "7"), ("log.retention.minutes", "1")]), Some(7));
        assert_eq!(resolve(&[], &[("log.retention.hours", "-1")]), None);
        assert_eq!(resolve(&[("retention.ms", "5")], &[("log.retention.ms", "7")]), Some(5));
    }

    #[test]
    fn what_is_set_on_the_broker_while_it_runs_beats_its_file() {
        let sources = Sources {
            dynamic: map(&[("log.flush.interval.messages", "1")]),
            dynamic_default: map(&[("log.flush.interval.messages", "2"), ("log.flush.interval.ms", "20")]),
            fixed: map(&[("log.flush.interval.messages", "3"), ("log.flush.interval.ms", "30")]),
        };
        let config = TopicConfig::resolve(&BTreeMap::new(), &sources).unwrap();
        assert_eq!((config.flush_messages, config.flush_ms), (Some(1), Some(20)));
    }

    #[test]
    fn contradictions_and_strangers_are_refused() {
        let refuse =
            |topic: &[(&str, &str)]| TopicConfig::resolve(&map(topic), &Sources::default()).unwrap_err().to_string();
        assert_eq!(
            refuse(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]),
            "min.compaction.lag.ms=10 is more than max.compaction.lag.ms=5: make it less"
        );
        assert!(refuse(&[("retention.mss", "1")]).contains("did you mean retention.ms?"));
        assert!(refuse(&[("remote.storage.enable", "true")]).contains("no remote storage"));
    }
}
