//! The settings of the broker.

use crate::setting::{Kind, Setting};
use crate::topic::{CLEANUP_POLICIES, COMPRESSION_TYPES, TIMESTAMP_TYPES};

const LONG_MAX: &str = "9223372036854775807";
const INT_MAX: &str = "2147483647";
const INT: i64 = i32::MAX as i64;

const fn int(name: &'static str, min: i64, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, Kind::Int(min, INT), Some(default), doc)
}

const fn long(name: &'static str, min: i64, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, Kind::Long(min, i64::MAX), Some(default), doc)
}

const fn unset(name: &'static str, kind: Kind, doc: &'static str) -> Setting {
    Setting::new(name, kind, None, doc)
}

const fn other(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, kind, Some(default), doc)
}

const ANY_LONG: Kind = Kind::Long(i64::MIN, i64::MAX);
const ANY_INT: Kind = Kind::Int(i32::MIN as i64, INT);

/// Every setting of the broker that does something, in alphabetical order.
pub const BROKER: &[Setting] = &[
    unset(
        "advertised.listeners",
        Kind::List(&[]),
        "Where clients are told to connect, if not where the broker listens: `PLAINTEXT://host:port`.",
    ),
    other("auto.create.topics.enable", Kind::Boolean, "true", "Whether a topic that a client asks for is made."),
    unset("broker.id", ANY_INT, "Older name of node.id."),
    other(
        "compression.gzip.level",
        Kind::IntOr(-1, 1, 9),
        "-1",
        "Default of the topic setting compression.gzip.level.",
    )
    .dynamic(),
    other("compression.lz4.level", Kind::Int(1, 17), "9", "Default of the topic setting compression.lz4.level.")
        .dynamic(),
    other(
        "compression.type",
        Kind::Choice(COMPRESSION_TYPES),
        "producer",
        "Default of the topic setting compression.type.",
    )
    .dynamic(),
    other(
        "compression.zstd.level",
        Kind::Int(-131_072, 22),
        "3",
        "Default of the topic setting compression.zstd.level.",
    )
    .dynamic(),
    long(
        "connections.max.idle.ms",
        i64::MIN,
        "600000",
        "A connection without requests for this long is closed. Milliseconds.",
    ),
    int("controller.quota.window.num", 1, "11", "As quota.window.num, for topics made and deleted."),
    int("controller.quota.window.size.seconds", 1, "1", "Length of a sample of controller.quota.window.num. Seconds."),
    other("delete.topic.enable", Kind::Boolean, "true", "Whether topics may be deleted."),
    int("fetch.max.bytes", 1024, "57671680", "Most record bytes of one Fetch response, beyond its first batch."),
    int(
        "group.initial.rebalance.delay.ms",
        0,
        "3000",
        "How long the first rebalance of an empty group waits for further members. Milliseconds.",
    ),
    int(
        "group.max.session.timeout.ms",
        1,
        "1800000",
        "Longest session time-out that a group's member may ask for. Milliseconds.",
    ),
    int("group.max.size", 1, INT_MAX, "Most members of a group."),
    int(
        "group.min.session.timeout.ms",
        1,
        "6000",
        "Shortest session time-out that a group's member may ask for. Milliseconds.",
    ),
    other(
        "io.backend",
        Kind::Choice(&["auto", "uring", "syscall"]),
        "auto",
        "Which way to the disk: io_uring, plain system calls, or what a probe at the start finds to work.",
    )
    .own(),
    unset(
        "io.profile",
        Kind::Text,
        "What `ringbench lab profile` found to be best on this host and filesystem; one made for others is refused. Where `io.backend` is not auto, it has the last word.",
    )
    .own(),
    unset(
        "io.shards",
        Kind::Int(1, 1024),
        "Threads that serve, each with connections and a disk handle of its own; unset: one for each core.",
    )
    .own(),
    unset(
        "listeners",
        Kind::List(&[]),
        "Where to listen: `PLAINTEXT://host:port`; an empty host is every address, port 0 a free one. Unset: `PLAINTEXT://127.0.0.1:9092`.",
    ),
    other(
        "listener.security.protocol.map",
        Kind::List(&[]),
        "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        "Which protocol each listener's name stands for. PLAINTEXT is served.",
    ),
    long("log.cleaner.backoff.ms", 0, "15000", "How long compaction rests when there was nothing to do. Milliseconds.")
        .dynamic(),
    long(
        "log.cleaner.dedupe.buffer.size",
        1_048_576,
        "134217728",
        "Bound of the table of keys of one compaction pass. Bytes.",
    )
    .dynamic(),
    long("log.cleaner.delete.retention.ms", 0, "86400000", "Default of the topic setting delete.retention.ms.")
        .dynamic(),
    other("log.cleaner.enable", Kind::Boolean, "true", "Whether compaction runs."),
    long("log.cleaner.max.compaction.lag.ms", 1, LONG_MAX, "Default of the topic setting max.compaction.lag.ms.")
        .dynamic(),
    other(
        "log.cleaner.min.cleanable.ratio",
        Kind::Double(0.0, 1.0),
        "0.5",
        "Default of the topic setting min.cleanable.dirty.ratio.",
    )
    .dynamic(),
    long("log.cleaner.min.compaction.lag.ms", 0, "0", "Default of the topic setting min.compaction.lag.ms.").dynamic(),
    other("log.cleanup.policy", Kind::List(CLEANUP_POLICIES), "delete", "Default of the topic setting cleanup.policy.")
        .dynamic(),
    unset("log.dir", Kind::Text, "Older name of log.dirs."),
    unset("log.dirs", Kind::List(&[]), "The data directory; one."),
    long(
        "log.flush.interval.messages",
        1,
        LONG_MAX,
        "Default of the topic setting flush.messages; 1 makes every acknowledgement durable.",
    )
    .dynamic(),
    unset(
        "log.flush.interval.ms",
        ANY_LONG,
        "Default of the topic setting flush.ms; unset: log.flush.scheduler.interval.ms. Milliseconds.",
    )
    .dynamic(),
    int(
        "log.flush.offset.checkpoint.interval.ms",
        0,
        "60000",
        "How often it is written down up to where each log is synced: recovery begins there. Milliseconds.",
    ),
    long("log.flush.scheduler.interval.ms", 1, LONG_MAX, "Stands in for log.flush.interval.ms. Milliseconds."),
    int("log.index.interval.bytes", 0, "4096", "Default of the topic setting index.interval.bytes.").dynamic(),
    int("log.index.size.max.bytes", 4, "10485760", "Default of the topic setting segment.index.bytes.").dynamic(),
    long(
        "log.message.timestamp.after.max.ms",
        0,
        "3600000",
        "Default of the topic setting message.timestamp.after.max.ms.",
    )
    .dynamic(),
    long(
        "log.message.timestamp.before.max.ms",
        0,
        LONG_MAX,
        "Default of the topic setting message.timestamp.before.max.ms.",
    )
    .dynamic(),
    other(
        "log.message.timestamp.type",
        Kind::Choice(TIMESTAMP_TYPES),
        "CreateTime",
        "Default of the topic setting message.timestamp.type.",
    )
    .dynamic(),
    other("log.preallocate", Kind::Boolean, "false", "Default of the topic setting preallocate.").dynamic(),
    long("log.retention.bytes", i64::MIN, "-1", "Default of the topic setting retention.bytes.").dynamic(),
    long("log.retention.check.interval.ms", 1, "300000", "How often old segments are looked for. Milliseconds."),
    other("log.retention.hours", ANY_INT, "168", "Stands in for log.retention.minutes. Hours."),
    unset("log.retention.minutes", ANY_INT, "Stands in for log.retention.ms. Minutes."),
    unset(
        "log.retention.ms",
        ANY_LONG,
        "Default of the topic setting retention.ms; unset: log.retention.minutes. Milliseconds.",
    )
    .dynamic(),
    int("log.roll.hours", 1, "168", "Stands in for log.roll.ms. Hours."),
    int("log.roll.jitter.hours", 0, "0", "Stands in for log.roll.jitter.ms. Hours."),
    unset(
        "log.roll.jitter.ms",
        ANY_LONG,
        "Default of the topic setting segment.jitter.ms; unset: log.roll.jitter.hours. Milliseconds.",
    )
    .dynamic(),
    unset("log.roll.ms", ANY_LONG, "Default of the topic setting segment.ms; unset: log.roll.hours. Milliseconds.")
        .dynamic(),
    int("log.segment.bytes", 1_048_576, "1073741824", "Default of the topic setting segment.bytes.").dynamic(),
    long("log.segment.delete.delay.ms", 0, "60000", "Default of the topic setting file.delete.delay.ms.").dynamic(),
    other(
        "logging.format",
        Kind::Choice(&["text", "json"]),
        "text",
        "How the broker's own log lines are written to standard error.",
    )
    .own(),
    int("max.connections", 0, INT_MAX, "Open connections in all.").dynamic(),
    int("max.connections.per.ip", 0, INT_MAX, "Open connections from one address.").dynamic(),
    int("max.request.partition.size.limit", 1, "2000", "Most partitions of one DescribeTopicPartitions response."),
    long(
        "memory.inflight.max.bytes",
        1_048_576,
        "268435456",
        "Request bytes held at one time over all connections; above it sockets are not read.",
    )
    .own(),
    int("message.max.bytes", 0, "1048588", "Default of the topic setting max.message.bytes.").dynamic(),
    unset(
        "metrics.listen",
        Kind::Text,
        "`host:port` where /metrics (Prometheus) and /healthz are answered; unset: nowhere.",
    )
    .own(),
    int("min.insync.replicas", 1, "1", "Default of the topic setting min.insync.replicas.").dynamic(),
    int("node.id", 0, "1", "This broker's number."),
    int("num.partitions", 1, "1", "Partitions of a topic that is made without saying how many."),
    int("offset.metadata.max.bytes", 0, "4096", "Longest metadata of a committed offset. Bytes."),
    long("offsets.retention.check.interval.ms", 1, "600000", "How often expired offsets are looked for. Milliseconds."),
    int("offsets.retention.minutes", 1, "10080", "How long the offsets of a group without members are kept. Minutes."),
    int(
        "offsets.topic.num.partitions",
        1,
        "50",
        "Partitions of `__consumer_offsets`. Must stay what it was when the topic was made.",
    ),
    int("offsets.topic.segment.bytes", 1, "104857600", "Segment size of `__consumer_offsets`. Bytes."),
    int(
        "producer.id.expiration.check.interval.ms",
        1,
        "600000",
        "How often producers that have expired are looked for. Milliseconds.",
    ),
    int(
        "producer.id.expiration.ms",
        1,
        "86400000",
        "An idempotent producer that has been silent for longer is forgotten. Milliseconds.",
    )
    .dynamic(),
    int(
        "quota.window.num",
        1,
        "11",
        "A client with a quota may use what it gives in so many samples of quota.window.size.seconds at once.",
    ),
    int("quota.window.size.seconds", 1, "1", "Length of a sample of quota.window.num. Seconds."),
    int("socket.request.max.bytes", 1, "104857600", "Longest request. Bytes."),
    other(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "false",
        "Default of the topic setting unclean.leader.election.enable.",
    )
    .dynamic(),
];
