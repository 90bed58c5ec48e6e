//! The keys of a workload file, declared once: reading, messages and the schema's page come from this table.

use std::time::Duration;

use super::{Durability, Slo};

/// A key.
#[derive(Debug)]
pub(crate) struct Key {
    /// As it is written.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What holds without it; empty: nothing does, or it follows from others.
    pub(crate) default: &'static str,
    /// Whose it is.
    pub(crate) origin: Origin,
    /// For the schema's page.
    pub(crate) about: &'static str,
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// OpenMessaging Benchmark's.
    Omb,
    /// Kafka's, of producers and consumers.
    Kafka,
    /// Ours: about a cell.
    Ours,
    /// Ours: about the workload as a whole. Can't be swept.
    Whole,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// An integer within these bounds.
    Count(u64, u64),
    /// Bytes within these bounds.
    Bytes(u64, u64),
    /// A number within these bounds.
    Number(f64, f64),
    /// Kept as milliseconds.
    Time,
    Flag,
    OneOf(&'static [&'static str]),
    Durability,
    Slo,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, origin: Origin, about: &'static str) -> Key {
    Key { name, kind, default, origin, about }
}

const MOST: u64 = i32::MAX as u64;
/// More than any host offers; OpenMessaging Benchmark's files ask for 10,000,000.
const MOST_PER_SECOND: f64 = 1e9;

use Kind::{Bytes, Count, Flag, Number, OneOf, Text, Time};
use Origin::{Kafka, Omb, Ours, Whole};

/// All of them, in the order of the schema's page.
pub(crate) const KEYS: &[Key] = &[
    key("name", Text, "", Whole, "What reports call it. Without it: the file's name."),
    key("topics", Count(1, MOST), "1", Omb, "Topics to make."),
    key("partitionsPerTopic", Count(1, MOST), "1", Omb, "Partitions of each."),
    key("messageSize", Bytes(1, MOST), "1024", Omb, "Bytes of a record's value, the ledger's stamp included."),
    key(
        "payloadFile",
        Text,
        "",
        Omb,
        "A file that values are cut from, relative to the workload or to the directory above it. Those of OpenMessaging Benchmark (`payload/payload-1Kb.data`) are stood in for by random bytes where they are missing.",
    ),
    key(
        "useRandomizedPayloads",
        Flag,
        "false",
        Omb,
        "Values of random bytes in front and zeros behind them; beats `payloadFile`.",
    ),
    key(
        "randomBytesRatio",
        Number(0.0, 1.0),
        "0.5",
        Omb,
        "The payload's entropy: the share of random bytes; needs `useRandomizedPayloads`.",
    ),
    key(
        "randomizedPayloadPoolSize",
        Count(0, MOST),
        "0",
        Omb,
        "How many such values take turns; 0: more than a codec's window holds. To be compressed they must be as many bytes as its window or a batch hold. Needs `useRandomizedPayloads`.",
    ),
    key(
        "keyDistributor",
        OneOf(&["NO_KEY", "KEY_ROUND_ROBIN", "RANDOM_NANO"]),
        "NO_KEY",
        Omb,
        "No keys; ten thousand in turns; ten thousand at random. Of the peers only Redis and Pulsar carry them.",
    ),
    key("subscriptionsPerTopic", Count(0, MOST), "1", Omb, "Consumer groups, each of which receives everything."),
    key("consumerPerSubscription", Count(1, MOST), "1", Omb, "Consumers in each group."),
    key("producersPerTopic", Count(1, MOST), "1", Omb, "Producers of each topic."),
    key(
        "producerRate",
        Number(0.0, MOST_PER_SECOND),
        "0",
        Omb,
        "Records a second of all producers together; 0: as fast as they go. 10,000,000 and more, which is how OpenMessaging Benchmark's files say that, mean it too where `arrival` does not say otherwise.",
    ),
    key(
        "consumerBacklogSizeGB",
        Number(0.0, 1e6),
        "0",
        Omb,
        "GiB that are produced, as fast as it goes, before consumers and the load at `producerRate` begin.",
    ),
    key(
        "backlogDrainRatio",
        Number(0.0, 1.0),
        "1",
        Omb,
        "Taken, and without effect: a cell ends when everything was consumed.",
    ),
    key("testDurationMinutes", Number(0.0, 1e6), "5", Omb, "How long is recorded. Fractions are allowed."),
    key("warmupDurationMinutes", Number(0.0, 1e6), "1", Omb, "Load before that. Fractions are allowed."),
    key("testDuration", Time, "", Ours, "The same with a unit, such as `15s`; instead of `testDurationMinutes`."),
    key("warmupDuration", Time, "", Ours, "The same with a unit; instead of `warmupDurationMinutes`."),
    key(
        "timesMemory",
        Number(0.0, 1_000.0),
        "0",
        Ours,
        "Instead of `testDuration`: the cell ends when so many times the host's memory are written, backlog and warm-up included. With more than 1 it is larger than any page cache. Needs `compression.type: none`.",
    ),
    key(
        "finalSync",
        Flag,
        "false",
        Ours,
        "After the last acknowledgement the file systems that the target writes to are synced, and the throughput that this time counts in stands beside the other. Needs a target on this host.",
    ),
    key(
        "payload",
        OneOf(&["json", "text"]),
        "json",
        Ours,
        "Where neither a file nor random bytes are asked for: events of a log, or text that the machine has.",
    ),
    key(
        "arrival",
        OneOf(&["maximum", "closed", "uniform", "poisson"]),
        "",
        Ours,
        "When records leave: as fast as producers take them; when an earlier one is acknowledged; at a fixed rate; at random times with that rate in the mean. Without it: `uniform` with a `producerRate`, else `maximum`.",
    ),
    key("inFlight", Count(1, 1_000_000), "1", Ours, "Records on their way for each producer; needs `arrival: closed`."),
    key(
        "consumption",
        OneOf(&["group", "assigned"]),
        "",
        Ours,
        "How consumers come to their partitions: as members of a group that shares them out, which has come to rest before anything is recorded and commits by itself every 5 s; or each reads those that it is told. Without it: `group` where `subscriptionsPerTopic` or `consumerPerSubscription` are given, which mean groups, as in all files of OpenMessaging Benchmark; else `assigned`. Targets without groups give each subscription queues or streams of its own.",
    ),
    key(
        "durability",
        Kind::Durability,
        "page-cache",
        Ours,
        "What an acknowledgement has behind it: `memory`, `page-cache`, `fsync:TIME` (synced at least so often), `fsync`. Asked of Kafka-compatible brokers by the topic's `flush.messages` and `flush.ms`, and read back.",
    ),
    key(
        "verify",
        Flag,
        "true",
        Ours,
        "Every record carries sequence and checksum and is held against the ledger. `false` only where records are too small for the stamp.",
    ),
    key("acks", OneOf(&["0", "1", "all"]), "all", Kafka, "How many replicas answer for a record."),
    key("batch.size", Bytes(0, MOST), "16384", Kafka, "Bytes at which a batch is sent."),
    key("linger.ms", Count(0, MOST), "5", Kafka, "Age at which it is sent."),
    key("compression.type", OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]), "none", Kafka, "The producer's codec."),
    key(
        "enable.idempotence",
        Flag,
        "",
        Kafka,
        "Each record is written once and in order, whatever is retried. Without it: true with `acks: all`.",
    ),
    key(
        "max.in.flight.requests.per.connection",
        Count(1, 1_000),
        "5",
        Kafka,
        "Requests that wait for their answers; at most 5 with idempotence.",
    ),
    key(
        "buffer.memory",
        Bytes(1, u32::MAX as u64),
        "33554432",
        Kafka,
        "Bytes that all batches of a producer may hold; then it waits.",
    ),
    key("max.request.size", Bytes(1, MOST / 2), "1048576", Kafka, "The largest request, and so the largest record."),
    key("max.block.ms", Count(0, MOST), "60000", Kafka, "How long sending waits for memory or metadata."),
    key("delivery.timeout.ms", Count(1, MOST), "120000", Kafka, "How long a record may still be tried."),
    key("fetch.min.bytes", Bytes(1, MOST), "1", Kafka, "The broker waits for so many."),
    key("fetch.max.wait.ms", Count(0, MOST), "500", Kafka, "But no longer than this."),
    key("fetch.max.bytes", Bytes(1, MOST), "52428800", Kafka, "Of one answer."),
    key("max.partition.fetch.bytes", Bytes(1, MOST), "1048576", Kafka, "Of one partition in it."),
    key("max.poll.records", Count(1, MOST), "500", Kafka, "Records that one poll returns."),
    key(
        "isolation.level",
        OneOf(&["read_uncommitted", "read_committed"]),
        "read_uncommitted",
        Kafka,
        "Which records a consumer gets.",
    ),
    key("check.crcs", Flag, "true", Kafka, "Whether consumers check the CRC of each batch."),
    key("repeats", Count(1, 1_000), "1", Whole, "How often each cell runs. Five or more give intervals."),
    key(
        "order",
        OneOf(&["abba", "random", "listed"]),
        "abba",
        Whole,
        "Rounds of all cells: each second one the one before it backwards, so that drift cancels; each in an order of its own; all as listed.",
    ),
    key("seed", Count(0, u32::MAX as u64), "", Whole, "Decides the order. Without it: the cells' keys do."),
    key(
        "slo",
        Kind::Slo,
        "",
        Whole,
        "What a rate must keep to count as sustained, such as `p99<10ms`; `p50`, `p90` and `p99.9` likewise.",
    ),
    key(
        "cover",
        OneOf(&["full", "pairs"]),
        "full",
        Whole,
        "Of the sweep: every combination, or few in which every two values of different axes meet.",
    ),
];

/// The keys that hold others: their names are not ours to know.
pub(crate) const MAPS: [(&str, &str); 2] = [
    ("topic", "Settings of the topics that are made, under Kafka's names, such as `retention.bytes`."),
    ("broker", "Settings of a ringlog that is started for a run of the cell (`--target serve`), under Kafka's names."),
];

/// The key of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether it is a setting of Kafka's, of clients, topics or brokers.
pub(crate) fn is_kafkas(name: &str) -> bool {
    let is_of_map = MAPS.iter().any(|(map, _)| name.strip_prefix(map).is_some_and(|rest| rest.starts_with('.')));
    is_of_map || find(name).is_some_and(|key| key.origin == Origin::Kafka)
}

/// The key that is most like this one, if any is.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let names = KEYS.iter().map(|key| key.name).chain(MAPS.map(|(name, _)| name)).chain(["sweep"]);
    let plain = |text: &str| text.to_lowercase().replace(['.', '_', '-'], "");
    let wanted = plain(name);
    let (near, edits) = names.map(|name| (name, edits(&wanted, &plain(name)))).min_by_key(|(_, edits)| *edits)?;
    (edits <= 1 + wanted.len() / 4).then_some(near)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (done, in_a) in a.chars().enumerate() {
        let mut above_left = done;
        let mut left = done + 1;
        for (in_b, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let substituted = above_left + usize::from(*in_b != in_a);
            above_left = *cell;
            left = substituted.min(left + 1).min(above_left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = done + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

impl Kind {
    /// The value in its one way to be written (integers for sizes and times), or what would be allowed.
    pub(crate) fn canonical(self, text: &str) -> Result<String, String> {
        let plain = text.replace('_', "");
        match self {
            Kind::Text if text.is_empty() => Err("it has no value".to_owned()),
            Kind::Text => Ok(text.to_owned()),
            Kind::Count(least, most) => {
                let number = plain.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
                number
                    .map(|number| number.to_string())
                    .ok_or_else(|| format!("an integer {} is needed", bounds(least, most)))
            }
            Kind::Bytes(least, most) => {
                let number = bytes(&plain).filter(|number| (least..=most).contains(number));
                let needed =
                    || format!("bytes {} are needed; k, M and G stand for 1024 and its powers", bounds(least, most));
                number.map(|number| number.to_string()).ok_or_else(needed)
            }
            Kind::Number(least, most) => {
                let number = plain.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
                number
                    .map(|number| number.to_string())
                    .ok_or_else(|| format!("a number from {least} to {most} is needed"))
            }
            Kind::Time => {
                let time = time(&plain).ok_or_else(|| TIME_NEEDED.to_owned())?;
                Ok(time.as_millis().to_string())
            }
            Kind::Flag => match text {
                "true" | "false" => Ok(text.to_owned()),
                _ => Err("true or false is needed".to_owned()),
            },
            Kind::OneOf(words) => {
                // Kafka's other word for all.
                let text = if text == "-1" && words.contains(&"all") { "all" } else { text };
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                word.map(|word| (*word).to_owned()).ok_or_else(|| format!("{} are allowed", words.join(", ")))
            }
            Kind::Durability => text.parse::<Durability>().map(|durability| durability.to_string()),
            Kind::Slo => text.parse::<Slo>().map(|slo| slo.to_string()),
        }
    }

    /// For the schema's page.
    pub(crate) fn describe(self) -> String {
        match self {
            Kind::Text => "text".to_owned(),
            Kind::Count(least, most) => format!("integer {}", bounds(least, most)),
            Kind::Bytes(least, most) => format!("bytes {}", bounds(least, most)),
            Kind::Number(least, most) => format!("number, {least} to {most}"),
            Kind::Time => "time".to_owned(),
            Kind::Flag => "`true`, `false`".to_owned(),
            Kind::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Kind::Durability => "level".to_owned(),
            Kind::Slo => "objective".to_owned(),
        }
    }
}

/// What is wrong with a time.
pub(super) const TIME_NEEDED: &str = "a time with its unit is needed: ms, s, m or h, such as 15s, at most a year";

fn bounds(least: u64, most: u64) -> String {
    format!("from {least} to {most}")
}

/// Bytes, with or without a binary unit.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 1,
        "m" | "mib" => 2,
        "g" | "gib" => 3,
        _ => return None,
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

/// A time with its unit; at most a year.
pub(super) fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let milliseconds = match text.get(digits.len()..)? {
        "ms" => 1.0,
        "s" => 1e3,
        "m" | "min" => 60e3,
        "h" => 3600e3,
        _ => return None,
    };
    let number = digits.trim_end().parse::<f64>().ok().filter(|number| (0.0..=365.0 * 86_400e3).contains(number))?;
    Some(Duration::from_secs_f64(number * milliseconds / 1e3)).filter(|time| time.as_secs() <= 365 * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_way_to_be_written() {
        let canonical = |name: &str, text: &str| find(name).unwrap().kind.canonical(text);
        assert_eq!(canonical("batch.size", "16k").unwrap(), "16384");
        assert_eq!(canonical("batch.size", "1MiB").unwrap(), "1048576");
        assert_eq!(canonical("producerRate", "10_000").unwrap(), "10000");
        assert_eq!(canonical("producerRate", "1e4").unwrap(), "10000");
        assert_eq!(canonical("testDuration", "1.5s").unwrap(), "1500");
        assert_eq!(canonical("acks", "-1").unwrap(), "all");
        assert_eq!(canonical("durability", "fsync:1s").unwrap(), "fsync:1000ms");
        for (name, text) in [
            ("partitionsPerTopic", "0"),
            ("producerRate", "-1"),
            ("producerRate", "NaN"),
            ("producerRate", "2e9"),
            ("testDuration", "15"),
            ("testDuration", "1e300h"),
            ("batch.size", "99999999999999999999G"),
            ("verify", "yes"),
            ("durability", "sometimes"),
        ] {
            assert!(canonical(name, text).is_err(), "{name}: {text}");
        }
    }

    #[test]
    fn a_mistyped_key_has_a_nearest_one_and_a_strange_one_has_none() {
        for (mistyped, meant) in [
            ("partitionPerTopic", "partitionsPerTopic"),
            ("consumersPerSubscription", "consumerPerSubscription"),
            ("batch_size", "batch.size"),
            ("lingerMs", "linger.ms"),
            ("compression", "compression.type"),
            ("sweeps", "sweep"),
        ] {
            assert_eq!(nearest(mistyped), Some(meant).filter(|_| mistyped != "compression"), "{mistyped}");
        }
        assert_eq!(nearest("favouriteColour"), None);
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            assert_eq!(key.kind.canonical(key.default).as_deref(), Ok(key.default), "{}", key.name);
        }
    }
}
