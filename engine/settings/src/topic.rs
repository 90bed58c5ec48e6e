//! The settings of topics: Kafka 4.3's, each with the broker settings that stand in for it.

use crate::setting::{Kind, Setting};

const LONG_MAX: &str = "9223372036854775807";
const INT: i64 = i32::MAX as i64;

pub(crate) const COMPRESSION_TYPES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
pub(crate) const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
pub(crate) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];

const fn int(name: &'static str, min: i64, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, Kind::Int(min, INT), Some(default), doc).dynamic()
}

const fn long(name: &'static str, min: i64, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, Kind::Long(min, i64::MAX), Some(default), doc).dynamic()
}

const fn other(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, kind, Some(default), doc).dynamic()
}

/// Every setting of a topic, in Kafka's (alphabetical) order.
pub const TOPIC: &[Setting] = &[
    other(
        "cleanup.policy",
        Kind::List(CLEANUP_POLICIES),
        "delete",
        "What becomes of old records: `delete` drops whole segments by age and size, `compact` keeps the newest record of each key. With neither they stay for ever.",
    ),
    other(
        "compression.gzip.level",
        Kind::IntOr(-1, 1, 9),
        "-1",
        "Level of gzip where the broker compresses; −1 is the codec's own choice.",
    ),
    other("compression.lz4.level", Kind::Int(1, 17), "9", "Level of lz4 where the broker compresses."),
    other(
        "compression.type",
        Kind::Choice(COMPRESSION_TYPES),
        "producer",
        "How batches are kept: `producer` as they came, otherwise recompressed by the broker.",
    ),
    other("compression.zstd.level", Kind::Int(-131_072, 22), "3", "Level of zstd where the broker compresses."),
    long(
        "delete.retention.ms",
        0,
        "86400000",
        "How long compaction keeps a tombstone after the first pass that met it. Milliseconds.",
    ),
    long(
        "file.delete.delay.ms",
        0,
        "60000",
        "How long the files of a deleted segment stay on disk, for readers that still send them. Milliseconds.",
    ),
    long(
        "flush.messages",
        1,
        LONG_MAX,
        "Records between two fdatasyncs. 1 is the fsync level: an acknowledgement leaves only when an fdatasync has covered it.",
    ),
    long(
        "flush.ms",
        0,
        LONG_MAX,
        "Longest time that an acknowledged record is in the page cache only, until its sync begins. Milliseconds; less than 100 is as 100.",
    ),
    other(
        "follower.replication.throttled.replicas",
        Kind::List(&[]),
        "",
        "Replicas whose followers are throttled. Kept; a broker without followers has none to throttle.",
    ),
    int("index.interval.bytes", 0, "4096", "Bytes of log for each entry of the offset index."),
    other(
        "leader.replication.throttled.replicas",
        Kind::List(&[]),
        "",
        "Replicas whose leaders are throttled. Kept; a broker without followers has none to throttle.",
    ),
    long(
        "local.retention.bytes",
        -2,
        "-2",
        "With remote storage: bytes that stay local. Kept; there is no remote storage.",
    ),
    long(
        "local.retention.ms",
        -2,
        "-2",
        "With remote storage: how long records stay local. Kept; there is no remote storage.",
    ),
    long(
        "max.compaction.lag.ms",
        1,
        LONG_MAX,
        "A record is compacted at the latest when it is this old, however little of the log is dirty. Milliseconds.",
    ),
    int("max.message.bytes", 0, "1048588", "Largest batch that is taken. Bytes, as compressed."),
    long(
        "message.timestamp.after.max.ms",
        0,
        "3600000",
        "How far in the future a record's timestamp may lie (CreateTime). Milliseconds.",
    ),
    long(
        "message.timestamp.before.max.ms",
        0,
        LONG_MAX,
        "How far in the past a record's timestamp may lie (CreateTime). Milliseconds.",
    ),
    other(
        "message.timestamp.type",
        Kind::Choice(TIMESTAMP_TYPES),
        "CreateTime",
        "Whose clock timestamps are from: the producer's, or the broker's at the append.",
    ),
    other(
        "min.cleanable.dirty.ratio",
        Kind::Double(0.0, 1.0),
        "0.5",
        "Share of the log that must be uncompacted before compaction runs.",
    ),
    long("min.compaction.lag.ms", 0, "0", "Records younger than this are not compacted. Milliseconds."),
    int(
        "min.insync.replicas",
        1,
        "1",
        "In-sync replicas without which a write with acks=all is refused. One broker has one.",
    ),
    other("preallocate", Kind::Boolean, "false", "Whether a segment's file is allocated whole when it is begun."),
    other(
        "remote.log.copy.disable",
        Kind::Boolean,
        "false",
        "With remote storage: stops copying. Kept; there is no remote storage.",
    ),
    other(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        "false",
        "With remote storage: deletes what was copied. Kept; there is no remote storage.",
    ),
    other("remote.storage.enable", Kind::Boolean, "false", "Remote storage. Only `false` is served."),
    long("retention.bytes", i64::MIN, "-1", "The oldest segments go while a partition is larger; −1: no limit. Bytes."),
    long("retention.ms", -1, "604800000", "Segments whose newest record is older go; −1: no limit. Milliseconds."),
    int(
        "segment.bytes",
        1_048_576,
        "1073741824",
        "A batch that would make the active segment larger begins the next one. Bytes.",
    ),
    int(
        "segment.index.bytes",
        4,
        "10485760",
        "Bound of a segment's index files; a full one begins the next segment. Bytes.",
    ),
    long(
        "segment.jitter.ms",
        0,
        "0",
        "Takes up to this much off segment.ms, at random, so that partitions do not roll at the same moment. Milliseconds.",
    ),
    long(
        "segment.ms",
        1,
        "604800000",
        "A segment is closed when a batch lies this far past its first one. Milliseconds.",
    ),
    other(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "false",
        "Whether a replica that has lost records may lead. Kept; one broker elects nobody.",
    ),
];

/// The broker settings that a topic setting falls back to, most binding first, with what one of their units is in the topic's.
pub(crate) fn broker_synonyms(topic_setting: &str) -> &'static [(&'static str, i64)] {
    const HOUR_MS: i64 = 3_600_000;
    match topic_setting {
        "cleanup.policy" => &[("log.cleanup.policy", 1)],
        "compression.gzip.level" => &[("compression.gzip.level", 1)],
        "compression.lz4.level" => &[("compression.lz4.level", 1)],
        "compression.type" => &[("compression.type", 1)],
        "compression.zstd.level" => &[("compression.zstd.level", 1)],
        "delete.retention.ms" => &[("log.cleaner.delete.retention.ms", 1)],
        "file.delete.delay.ms" => &[("log.segment.delete.delay.ms", 1)],
        "flush.messages" => &[("log.flush.interval.messages", 1)],
        "flush.ms" => &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
        "index.interval.bytes" => &[("log.index.interval.bytes", 1)],
        "max.compaction.lag.ms" => &[("log.cleaner.max.compaction.lag.ms", 1)],
        "max.message.bytes" => &[("message.max.bytes", 1)],
        "message.timestamp.after.max.ms" => &[("log.message.timestamp.after.max.ms", 1)],
        "message.timestamp.before.max.ms" => &[("log.message.timestamp.before.max.ms", 1)],
        "message.timestamp.type" => &[("log.message.timestamp.type", 1)],
        "min.cleanable.dirty.ratio" => &[("log.cleaner.min.cleanable.ratio", 1)],
        "min.compaction.lag.ms" => &[("log.cleaner.min.compaction.lag.ms", 1)],
        "min.insync.replicas" => &[("min.insync.replicas", 1)],
        "preallocate" => &[("log.preallocate", 1)],
        "retention.bytes" => &[("log.retention.bytes", 1)],
        "retention.ms" => {
            &[("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", HOUR_MS)]
        }
        "segment.bytes" => &[("log.segment.bytes", 1)],
        "segment.index.bytes" => &[("log.index.size.max.bytes", 1)],
        "segment.jitter.ms" => &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR_MS)],
        "segment.ms" => &[("log.roll.ms", 1), ("log.roll.hours", HOUR_MS)],
        "unclean.leader.election.enable" => &[("unclean.leader.election.enable", 1)],
        _ => &[],
    }
}
