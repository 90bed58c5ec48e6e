//! The settings of a cell by librdkafka's names and in its units.
//!
//! What Kafka has a name for is set as the cell says, or to Kafka's default: librdkafka's own defaults are others, such as batches of
//! 1,000,000 bytes, 1 GiB of memory, a million requests in flight, `read_committed`, and CRCs that nobody checks. What Kafka has no name
//! for stays as librdkafka has it, and is declared.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::util::get_rdkafka_version;
use ringlog_client::{Acks, ConsumerOptions, Isolation, ProducerOptions};

use super::said;
use crate::LoadError;

/// What is declared of producers.
const OF_PRODUCERS: [&str; 16] = [
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "compression.level",
    "enable.idempotence",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "request.required.acks",
    "socket.nagle.disable",
    "statistics.interval.ms",
];
/// And of consumers.
const OF_CONSUMERS: [&str; 14] = [
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "check.crcs",
    "enable.auto.commit",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "isolation.level",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
];
/// What an answer takes beside its records; librdkafka refuses to make less room.
const ANSWER_BYTES: usize = 512;
/// What librdkafka makes room for by itself.
const USUAL_ANSWER_BYTES: usize = 100_000_000;

pub(super) fn producing(bootstrap: &str, options: &ProducerOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    let acks = match options.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "-1",
    };
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "ringbench")
        .set("request.required.acks", acks)
        // 0 is Kafka's word for batches of one record; 1 byte comes to that.
        .set("batch.size", options.batch_bytes.max(1).to_string())
        // Kafka counts bytes alone: the highest that librdkafka has.
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", (options.buffer_bytes / 1024).max(1).to_string())
        .set("queue.buffering.max.ms", options.linger.as_millis().to_string())
        .set("compression.codec", options.compression.to_string())
        .set("enable.idempotence", options.idempotence.to_string())
        // Nothing else says that it has a producer id.
        .set("statistics.interval.ms", if options.idempotence { "1000" } else { "0" })
        .set("max.in.flight.requests.per.connection", options.max_in_flight.to_string())
        .set("message.max.bytes", options.max_request_bytes.to_string())
        .set("message.timeout.ms", options.delivery_timeout.as_millis().to_string());
    config
}

pub(super) fn consuming(bootstrap: &str, options: &ConsumerOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    let isolation = match options.isolation {
        Isolation::ReadUncommitted => "read_uncommitted",
        Isolation::ReadCommitted => "read_committed",
    };
    let answer_bytes = (options.fetch_max_bytes + ANSWER_BYTES).max(USUAL_ANSWER_BYTES);
    if let Some(interval) = options.auto_commit {
        config.set("auto.commit.interval.ms", interval.as_millis().to_string());
    }
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "ringbench")
        .set("enable.auto.commit", options.auto_commit.is_some().to_string())
        .set("auto.offset.reset", "earliest")
        .set("fetch.min.bytes", options.fetch_min_bytes.to_string())
        .set("fetch.wait.max.ms", options.fetch_max_wait.as_millis().to_string())
        .set("fetch.max.bytes", options.fetch_max_bytes.to_string())
        .set("receive.message.max.bytes", answer_bytes.to_string())
        .set("fetch.message.max.bytes", options.partition_max_bytes.to_string())
        .set("isolation.level", isolation)
        .set("check.crcs", options.check_crcs.to_string());
    config
}

/// What librdkafka makes of both, its own defaults included.
pub(super) fn resolved(
    producing: &ClientConfig,
    consuming: &ClientConfig,
) -> Result<BTreeMap<String, String>, LoadError> {
    let mut settings = BTreeMap::from([("librdkafka".to_owned(), get_rdkafka_version().1)]);
    for (config, names) in [(producing, &OF_PRODUCERS[..]), (consuming, &OF_CONSUMERS[..])] {
        let native = config.create_native_config().map_err(said)?;
        for name in names {
            settings.insert((*name).to_owned(), native.get(name).map_err(said)?);
        }
    }
    Ok(settings)
}
