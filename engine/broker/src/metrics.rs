//! What is counted, and what an operator's dashboard is told: Prometheus' text format.
//!
//! Each shard counts on its own cache lines; a scrape adds them up, and looks up the rest where it is.

mod http;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use ringlog_io::SyncStats;
use ringlog_protocol::ApiKey;

use crate::broker::Broker;
use crate::dispatch::SERVED;

pub(crate) use http::serve;

/// Upper bounds of the latency buckets. Seconds.
const BOUNDS: [f64; 14] = [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// One shard's counters.
pub(crate) struct ShardMetrics {
    apis: [Latency; SERVED.len()],
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
}

impl Default for ShardMetrics {
    fn default() -> Self {
        let apis = std::array::from_fn(|_| Latency::default());
        Self { apis, received_bytes: AtomicU64::new(0), sent_bytes: AtomicU64::new(0) }
    }
}

/// A histogram: how many took so long, not yet added up from below.
#[derive(Default)]
struct Latency {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    throttle_ms: AtomicU64,
}

impl ShardMetrics {
    /// A request was answered, or done where no answer is wanted.
    pub(crate) fn answered(&self, api: ApiKey, took: Duration) {
        let Some(latency) = self.of(api) else { return };
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        latency.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        latency.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A client has to wait before its next request: a quota is used up.
    pub(crate) fn throttled(&self, api: ApiKey, throttle_ms: u64) {
        if let Some(latency) = self.of(api) {
            latency.throttle_ms.fetch_add(throttle_ms, Ordering::Relaxed);
        }
    }

    fn of(&self, api: ApiKey) -> Option<&Latency> {
        SERVED.iter().position(|(key, ..)| *key == api).map(|index| &self.apis[index])
    }
}

/// The text of one scrape.
pub(crate) fn scrape(broker: &Arc<Broker>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("ringlog");
    registry.register_collector(Box::new(Scrape(broker.clone())));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

struct Scrape(Arc<Broker>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let broker = &self.0;
        requests(
            broker,
            encoder.encode_descriptor(
                "request_duration_seconds",
                "Time from a whole request to its answer, by API",
                None,
                MetricType::Histogram,
            )?,
        )?;
        throttles(broker, &mut encoder)?;
        let sum = |of: fn(&ShardMetrics) -> &AtomicU64| -> u64 {
            broker.metrics.iter().map(|shard| of(shard).load(Ordering::Relaxed)).sum()
        };
        counter(&mut encoder, "received_bytes", "Bytes from clients", sum(|shard| &shard.received_bytes))?;
        counter(&mut encoder, "sent_bytes", "Bytes to clients", sum(|shard| &shard.sent_bytes))?;
        let syncs = SyncStats::now();
        counter(&mut encoder, "fdatasync", "fdatasyncs done", syncs.count)?;
        counter(
            &mut encoder,
            "fdatasync_seconds",
            "Time in fdatasync, several at once counted each",
            syncs.total.as_secs_f64(),
        )?;
        gauge(&mut encoder, "connections", "Open connections", broker.gate.open() as i64)?;
        gauge(&mut encoder, "inflight_bytes", "Request bytes held", broker.budget.held() as i64)?;
        let is_full = i64::from(broker.topics.reserve().refusal().is_some());
        gauge(&mut encoder, "disk_full", "1 while producing is refused because the disk is full", is_full)?;
        let topics = broker.topics.all();
        gauge(&mut encoder, "topics", "Topics", topics.len() as i64)?;
        let logs = broker.topics.logs();
        gauge(&mut encoder, "partitions", "Partitions", logs.len() as i64)?;
        let fenced = logs.iter().filter(|log| log.fenced().is_some()).count();
        gauge(&mut encoder, "partitions_fenced", "Partitions that take no appends since a sync failed", fenced as i64)?;
        let mut backend =
            encoder.encode_descriptor("disk_backend", "Which way to the disk is in use", None, MetricType::Gauge)?;
        backend.encode_family(&[("backend", broker.backend.as_str())])?.encode_gauge(&1i64)?;
        partitions(broker, &mut encoder)?;
        lag(broker, &mut encoder)
    }
}

fn requests(broker: &Broker, mut metric: MetricEncoder<'_>) -> fmt::Result {
    for (index, (api, ..)) in SERVED.iter().enumerate() {
        let latencies = || broker.metrics.iter().map(|shard| &shard.apis[index]);
        let count_in =
            |bucket: usize| -> u64 { latencies().map(|latency| latency.buckets[bucket].load(Ordering::Relaxed)).sum() };
        let nanoseconds: u64 = latencies().map(|latency| latency.nanoseconds.load(Ordering::Relaxed)).sum();
        let bounds = BOUNDS.iter().copied().chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.enumerate().map(|(bucket, bound)| (bound, count_in(bucket))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        if count > 0 {
            let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
            let labels = [("api", api.name())];
            metric.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(seconds, count, &buckets, None)?;
        }
    }
    Ok(())
}

fn throttles(broker: &Broker, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Time that clients were told to wait because a quota was used up, by API";
    let mut metric = encoder.encode_descriptor("throttle_seconds", help, None, MetricType::Counter)?;
    for (index, (api, ..)) in SERVED.iter().enumerate() {
        let of = |shard: &ShardMetrics| shard.apis[index].throttle_ms.load(Ordering::Relaxed);
        let throttle_ms: u64 = broker.metrics.iter().map(of).sum();
        if throttle_ms > 0 {
            let labels = [("api", api.name())];
            let seconds = Duration::from_millis(throttle_ms).as_secs_f64();
            metric.encode_family(&labels)?.encode_counter::<[(&str, &str); 0], _, f64>(&seconds, None)?;
        }
    }
    Ok(())
}

fn partitions(broker: &Broker, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    type Value = fn(&ringlog_log::Log) -> i64;
    let gauges: [(&str, &str, Value); 3] = [
        ("log_start_offset", "First offset that is served", |log| log.log_start_offset()),
        ("log_end_offset", "Offset that the next record will get", |log| log.log_end_offset()),
        ("log_size_bytes", "Bytes of all segments", |log| i64::try_from(log.size_bytes()).unwrap_or(i64::MAX)),
    ];
    let logs = broker.topics.logs();
    for (name, help, value) in gauges {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for log in &logs {
            let partition = log.name().partition.to_string();
            let labels = [("topic", &*log.name().topic), ("partition", partition.as_str())];
            metric.encode_family(&labels)?.encode_gauge(&value(log))?;
        }
    }
    Ok(())
}

fn lag(broker: &Broker, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Records that the group has not committed yet";
    let mut metric = encoder.encode_descriptor("group_lag", help, None, MetricType::Gauge)?;
    let committed = broker.groups.read(|groups| {
        let offsets = |group: ringlog_coordinator::GroupListing| -> Vec<_> {
            let of_group = groups.all_committed(&group.group);
            of_group.map(|(topic, partition, at)| (group.group.clone(), topic.clone(), partition, at.offset)).collect()
        };
        groups.list().flat_map(offsets).collect::<Vec<_>>()
    });
    for (group, topic, partition, offset) in committed {
        let Ok(log) = broker.topics.log(&topic, partition) else { continue };
        let number = partition.to_string();
        let labels = [("group", &*group), ("topic", &*topic), ("partition", number.as_str())];
        metric.encode_family(&labels)?.encode_gauge(&(log.high_watermark() - offset).max(0))?;
    }
    Ok(())
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl prometheus_client::encoding::EncodeCounterValue,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    metric.encode_counter::<[(&str, &str); 0], _, f64>(&value, None)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}
