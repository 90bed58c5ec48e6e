//! The settings of a cell, by Kafka's names, resolved with Kafka's defaults: what the drivers of its protocol begin with.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use ringlog_client::{Acks, Compression, ConsumerOptions, Isolation, OffsetReset, ProducerOptions};

use crate::LoadError;
use crate::workload::Consumption;

/// What a cell may set of producers.
const OF_PRODUCERS: [&str; 10] = [
    "acks",
    "batch.size",
    "buffer.memory",
    "compression.type",
    "delivery.timeout.ms",
    "enable.idempotence",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.request.size",
];
/// What it may set of consumers.
const OF_CONSUMERS: [&str; 7] = [
    "check.crcs",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "isolation.level",
    "max.partition.fetch.bytes",
    "max.poll.records",
];

/// Kafka's defaults, but for what the cell sets. Idempotence is on where acks allow it, as in Java's producer.
pub(crate) fn producer_options(settings: &BTreeMap<String, String>) -> Result<ProducerOptions, LoadError> {
    for name in settings.keys() {
        if !OF_PRODUCERS.contains(&&**name) && !OF_CONSUMERS.contains(&&**name) {
            let known = [&OF_PRODUCERS[..], &OF_CONSUMERS[..]].concat().join(", ");
            return Err(LoadError::Setting {
                name: name.clone(),
                value: settings.get(name).cloned().unwrap_or_default(),
                allowed: format!("drivers of Kafka's protocol have {known}"),
            });
        }
    }
    let defaults = ProducerOptions::default();
    let acks = match settings.get("acks").map_or("all", String::as_str) {
        "0" => Acks::None,
        "1" => Acks::Leader,
        "all" | "-1" => Acks::All,
        other => return Err(refused("acks", other, "0, 1 and all are allowed")),
    };
    let in_flight = number(settings, "max.in.flight.requests.per.connection", defaults.max_in_flight)?;
    Ok(ProducerOptions {
        acks,
        idempotence: word(settings, "enable.idempotence", "true or false", acks == Acks::All && in_flight <= 5)?,
        batch_bytes: number(settings, "batch.size", defaults.batch_bytes)?,
        linger: millis(settings, "linger.ms", defaults.linger)?,
        buffer_bytes: number(settings, "buffer.memory", defaults.buffer_bytes)?,
        max_block: millis(settings, "max.block.ms", defaults.max_block)?,
        max_request_bytes: number(settings, "max.request.size", defaults.max_request_bytes)?,
        compression: word(settings, "compression.type", "none, gzip, snappy, lz4 or zstd", Compression::None)?,
        max_in_flight: in_flight,
        delivery_timeout: millis(settings, "delivery.timeout.ms", defaults.delivery_timeout)?,
        ..defaults
    })
}

/// Kafka's defaults, but for what the cell sets. Members of a group commit, as Kafka's do by themselves; others do not: what a consumer
/// has read is in the ledger.
pub(crate) fn consumer_options(
    settings: &BTreeMap<String, String>,
    consumption: Consumption,
) -> Result<ConsumerOptions, LoadError> {
    let defaults = ConsumerOptions::default();
    let isolation = match settings.get("isolation.level").map_or("read_uncommitted", String::as_str) {
        "read_uncommitted" => Isolation::ReadUncommitted,
        "read_committed" => Isolation::ReadCommitted,
        other => return Err(refused("isolation.level", other, "read_uncommitted and read_committed are allowed")),
    };
    Ok(ConsumerOptions {
        offset_reset: OffsetReset::Earliest,
        auto_commit: defaults.auto_commit.filter(|_| consumption == Consumption::Group),
        max_poll_records: number(settings, "max.poll.records", defaults.max_poll_records)?,
        fetch_min_bytes: number(settings, "fetch.min.bytes", defaults.fetch_min_bytes)?,
        fetch_max_wait: millis(settings, "fetch.max.wait.ms", defaults.fetch_max_wait)?,
        fetch_max_bytes: number(settings, "fetch.max.bytes", defaults.fetch_max_bytes)?,
        partition_max_bytes: number(settings, "max.partition.fetch.bytes", defaults.partition_max_bytes)?,
        check_crcs: word(settings, "check.crcs", "true or false", defaults.check_crcs)?,
        isolation,
        ..defaults
    })
}

/// All of them by Kafka's names, defaults included.
pub(crate) fn named(
    producing: &ProducerOptions,
    consuming: &ConsumerOptions,
    consumption: Consumption,
) -> BTreeMap<String, String> {
    let acks = match producing.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    };
    let isolation = match consuming.isolation {
        Isolation::ReadUncommitted => "read_uncommitted",
        Isolation::ReadCommitted => "read_committed",
    };
    let commits = consuming.auto_commit.map(|interval| ("auto.commit.interval.ms", interval.as_millis().to_string()));
    let named = [
        ("acks", acks.to_owned()),
        ("batch.size", producing.batch_bytes.to_string()),
        ("buffer.memory", producing.buffer_bytes.to_string()),
        ("compression.type", producing.compression.to_string()),
        ("delivery.timeout.ms", producing.delivery_timeout.as_millis().to_string()),
        ("enable.idempotence", producing.idempotence.to_string()),
        ("linger.ms", producing.linger.as_millis().to_string()),
        ("max.block.ms", producing.max_block.as_millis().to_string()),
        ("max.in.flight.requests.per.connection", producing.max_in_flight.to_string()),
        ("max.request.size", producing.max_request_bytes.to_string()),
        ("consumption", consumption.to_string()),
        ("enable.auto.commit", consuming.auto_commit.is_some().to_string()),
        ("check.crcs", consuming.check_crcs.to_string()),
        ("fetch.max.bytes", consuming.fetch_max_bytes.to_string()),
        ("fetch.max.wait.ms", consuming.fetch_max_wait.as_millis().to_string()),
        ("fetch.min.bytes", consuming.fetch_min_bytes.to_string()),
        ("isolation.level", isolation.to_owned()),
        ("max.partition.fetch.bytes", consuming.partition_max_bytes.to_string()),
        ("max.poll.records", consuming.max_poll_records.to_string()),
    ];
    named.into_iter().chain(commits).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn number(settings: &BTreeMap<String, String>, name: &str, default: usize) -> Result<usize, LoadError> {
    word(settings, name, "a whole number is allowed", default)
}

fn millis(settings: &BTreeMap<String, String>, name: &str, default: Duration) -> Result<Duration, LoadError> {
    let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
    Ok(Duration::from_millis(word(settings, name, "milliseconds are allowed", default)?))
}

fn word<T: FromStr>(
    settings: &BTreeMap<String, String>,
    name: &str,
    allowed: &str,
    default: T,
) -> Result<T, LoadError> {
    let Some(value) = settings.get(name) else { return Ok(default) };
    value.parse().map_err(|_| refused(name, value, allowed))
}

fn refused(name: &str, value: &str, allowed: &str) -> LoadError {
    LoadError::Setting { name: name.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() }
}
