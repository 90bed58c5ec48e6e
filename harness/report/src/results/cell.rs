//! A cell: one target with one set of settings at one load, and what its repeats come to.

use std::collections::BTreeMap;

use ringbench_stats::Interval;
use serde::{Deserialize, Serialize};

use super::repeat::KEPT;
use super::{LatencyUs, Ledger, Repeat};

/// One cell. What stands behind `repeats` is derived from them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunCell {
    /// Hash of what was asked for, the target left out: cells of two runs that share it may be compared.
    pub key: String,
    /// Name of the target.
    pub target: String,
    /// What was varied, by Kafka's names.
    pub settings: BTreeMap<String, String>,
    /// All settings of the client, defaults included.
    pub client_config: BTreeMap<String, String>,
    /// Settings that its topics were made with.
    #[serde(default)]
    pub topic_config: BTreeMap<String, String>,
    /// Settings that a broker of its own was started with.
    #[serde(default)]
    pub broker_config: BTreeMap<String, String>,
    /// Topics, producers and consumers.
    pub shape: Shape,
    /// What the driver says that it does.
    pub declared: Declared,
    /// What was sent.
    pub payload: Payload,
    /// Whether every record carried sequence and checksum.
    #[serde(default = "carried")]
    pub verified: bool,
    /// When records are due: `maximum`, `closed`, `uniform` or `poisson`.
    pub arrival: String,
    /// The rate as a share of the measured maximum, where it was chosen as one.
    pub load: Option<f64>,
    /// Records a second that were due; `None`: as many as it takes.
    pub offered_per_s: Option<f64>,
    /// What was not counted, in each repeat. Seconds.
    pub warmup_seconds: f64,
    /// What was counted, in each repeat; with `write_bytes` the most that it may be. Seconds.
    pub seconds: f64,
    /// It ends when so many bytes of values are acknowledged, backlog and warm-up included; `None`: by time.
    #[serde(default)]
    pub write_bytes: Option<u64>,
    /// In the order in which they ran.
    pub repeats: Vec<Repeat>,

    /// Acknowledged records a second: the median of the repeats.
    pub achieved_per_s: Option<f64>,
    /// Megabytes of records, before compression, a second: the median of the repeats.
    pub mb_per_s: Option<f64>,
    /// The same of what consumers got.
    pub received_mb_per_s: Option<f64>,
    /// Megabytes a second, the time that the disk took to have everything included: the median of the repeats.
    #[serde(default)]
    pub synced_mb_per_s: Option<f64>,
    /// Between which bounds these and others lie.
    pub intervals: Intervals,
    /// From when a record was due to its acknowledgement; all repeats merged.
    pub latency_us: LatencyUs,
    /// From when it was sent, which forgives a generator that comes late.
    pub service_us: LatencyUs,
    /// From when it was due until a consumer had it.
    pub end_to_end_us: LatencyUs,
    /// From when it was due until it was sent.
    pub generator_lag_us: LatencyUs,
    /// All repeats together.
    pub ledger: Ledger,
    /// Processor seconds of the broker in a repeat: the median.
    pub broker_cpu_s: Option<f64>,
    /// Processor seconds of the client in a repeat: the median.
    pub client_cpu_s: Option<f64>,
    /// What went over the wire, as a share of what a bare loop of receive, CRC and append does on this host.
    pub roofline_share: Option<f64>,
    /// Whether it counts.
    pub valid: bool,
    /// Why it does not.
    pub why: Option<String>,
    /// What a reader has to know before believing it.
    pub flags: Vec<String>,
}

/// Where nothing is said of it.
fn carried() -> bool {
    true
}

/// Topics, producers and consumers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Topics.
    pub topics: usize,
    /// Partitions of each.
    pub partitions: usize,
    /// Producers in all.
    pub producers: usize,
    /// Consumers in all.
    pub consumers: usize,
    /// Threads that all of them run on.
    pub threads: usize,
}

/// What a driver says that it does. Tables never mix durability, nor who waits for an answer with who does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// `native`, `librdkafka`, `engine` or the peer's.
    pub driver: String,
    /// What an acknowledgement has behind it.
    pub durability: Durability,
    /// How often the page cache is synced, where it is in intervals. Milliseconds.
    #[serde(default)]
    pub sync_every_ms: Option<u64>,
    /// Copies of each record.
    pub replication: usize,
    /// How both are known: what the target tells, or why it is believed.
    #[serde(default)]
    pub evidence: Option<String>,
    /// Whose answer counts as an acknowledgement.
    pub ack: Ack,
    /// Requests, or records, that wait for their answers at the same time on a connection; `None`: as many as fit the buffer.
    pub pipelining: Option<usize>,
    /// Connections that records go over, to each of its servers.
    pub connections: usize,
}

/// What an acknowledgement has behind it. From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// The target's memory: gone with its process.
    Memory,
    /// The page cache: survives the process, not the host.
    PageCache,
    /// The page cache, and a sync every so often: a failing host loses the last of them.
    SyncedInIntervals,
    /// Synced before the acknowledgement: survives the host.
    Synced,
}

/// Whose answer counts as an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ack {
    /// Nobody's: a record counts when it was handed to the kernel.
    None,
    /// One server's.
    Leader,
    /// That of most replicas.
    Quorum,
    /// That of all replicas in sync.
    All,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// Where it is from.
    pub source: String,
    /// Mean size of a record's value. Bytes.
    pub record_bytes: f64,
    /// Bytes from which records are taken: more than a codec's window.
    pub pool_bytes: u64,
    /// CRC-32C of these.
    pub pool_crc32c: u32,
    /// Share of random bytes, where the workload sets it.
    pub random_share: Option<f64>,
    /// Bytes on the wire for each byte of records.
    pub wire_ratio: Option<f64>,
}

/// Medians of the repeats with their bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Records a second.
    pub achieved_per_s: Option<Interval>,
    /// Megabytes a second.
    pub mb_per_s: Option<Interval>,
    /// Megabytes a second that consumers got.
    pub received_mb_per_s: Option<Interval>,
    /// Median latency of each repeat.
    pub p50_us: Option<Interval>,
    /// 99th percentile of each repeat.
    pub p99_us: Option<Interval>,
    /// Processor seconds of the broker for a million acknowledged records.
    pub broker_cpu_s_per_million: Option<Interval>,
    /// Those of the client.
    pub client_cpu_s_per_million: Option<Interval>,
}

impl RunCell {
    /// One that did not run: nothing is said of it yet, nor of when its records were due, but by whom, how and what was to be sent.
    #[must_use]
    pub fn not_run(key: String, target: &str, declared: Declared, payload: Payload) -> RunCell {
        RunCell {
            key,
            target: target.to_owned(),
            settings: BTreeMap::new(),
            client_config: BTreeMap::new(),
            topic_config: BTreeMap::new(),
            broker_config: BTreeMap::new(),
            shape: Shape::default(),
            declared,
            payload,
            verified: true,
            arrival: String::new(),
            load: None,
            offered_per_s: None,
            warmup_seconds: 0.0,
            seconds: 0.0,
            write_bytes: None,
            repeats: Vec::new(),
            achieved_per_s: None,
            mb_per_s: None,
            received_mb_per_s: None,
            synced_mb_per_s: None,
            intervals: Intervals::default(),
            latency_us: LatencyUs::default(),
            service_us: LatencyUs::default(),
            end_to_end_us: LatencyUs::default(),
            generator_lag_us: LatencyUs::default(),
            ledger: Ledger::default(),
            broker_cpu_s: None,
            client_cpu_s: None,
            roofline_share: None,
            valid: false,
            why: Some("it did not run".to_owned()),
            flags: Vec::new(),
        }
    }

    /// Whether it was begun at all: one that was not is missing, not void.
    #[must_use]
    pub fn ran(&self) -> bool {
        !self.repeats.is_empty()
    }

    /// Repeats that ran to their end.
    pub fn whole(&self) -> impl Iterator<Item = &Repeat> {
        self.repeats.iter().filter(|repeat| repeat.failure.is_none())
    }

    /// Of the records that were due, how many were acknowledged, as a share: the median of the repeats. `None` without a rate.
    #[must_use]
    pub fn share_of_due(&self) -> Option<f64> {
        let offered = self.offered_per_s?;
        let shares: Vec<f64> = self.whole().map(|repeat| repeat.share_of_due(offered)).collect();
        Some(Interval::of(&shares).map_or(0.0, |shares| shares.median))
    }

    /// Whether that is 99 % or more. Without a rate there is nothing to keep.
    #[must_use]
    pub fn kept_rate(&self) -> bool {
        self.share_of_due().is_none_or(|share| share >= KEPT)
    }

    /// Whether records piled up in a repeat at a rate.
    #[must_use]
    pub fn backlog_grew(&self) -> bool {
        self.offered_per_s.is_some_and(|offered| self.whole().any(|repeat| repeat.backlog_grew(offered)))
    }

    /// Whether another one was asked for the same in everything but rate and settings.
    #[must_use]
    pub fn is_like(&self, other: &RunCell) -> bool {
        let asked = |cell: &RunCell| (Shape { threads: 0, ..cell.shape }, cell.tier(), cell.arrival.clone());
        asked(self) == asked(other) && self.payload.record_bytes == other.payload.record_bytes
    }

    /// Whether its books are held against what was read: without that nothing can be found missing.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.verified && self.ledger.received > 0
    }

    /// What decides the table that it belongs into: who may lose a second stands apart from who may lose two minutes, and who waits for
    /// an answer from who does not.
    #[must_use]
    pub fn tier(&self) -> (Durability, Option<u64>, bool) {
        (self.declared.durability, self.declared.sync_every_ms, self.declared.ack != Ack::None)
    }
}
