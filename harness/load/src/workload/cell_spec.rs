//! One cell: everything that decides what is measured, resolved, and the key that it hashes to.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::key::time;

/// One cell of a workload, with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellSpec {
    /// What tables call it: what sets it apart from the workload's other cells. No part of its content.
    #[serde(skip)]
    pub name: String,
    /// What a sweep varies, with this cell's values. No part of its content either.
    #[serde(skip)]
    pub varied: BTreeMap<String, String>,
    /// Of the producers and consumers, under Kafka's names. `acks`, `batch.size`, `linger.ms` and `compression.type` are always
    /// there; sizes are bytes, times milliseconds.
    pub settings: BTreeMap<String, String>,
    /// Topics.
    pub topics: u32,
    /// Partitions of each.
    pub partitions_per_topic: u32,
    /// Producers of each topic.
    pub producers_per_topic: u32,
    /// Consumer groups of each topic, each of which receives everything. 0: nobody consumes while it is measured.
    pub subscriptions_per_topic: u32,
    /// Consumers in each group.
    pub consumers_per_subscription: u32,
    /// How they come to their partitions.
    #[serde(skip_serializing_if = "Consumption::is_assigned")]
    pub consumption: Consumption,
    /// Bytes of a record's value, those of the ledger's stamp included.
    pub message_bytes: usize,
    /// What the values are made of.
    pub payload: Payload,
    /// Which keys records have.
    pub keys: Keys,
    /// When records leave. Rates are of all producers together.
    pub arrival: Arrival,
    /// So many bytes of values are acknowledged before consumers, and the cell's own load, begin; 0 is none.
    pub backlog_bytes: u64,
    /// It ends once so many bytes of values are acknowledged, those of backlog and warm-up included, instead of by time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<u64>,
    /// Whether the target's files are synced after the last acknowledgement, and the time of that counted as well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub final_sync: bool,
    /// What an acknowledgement must have behind it.
    pub durability: Durability,
    /// For the topics that are made, under Kafka's names; those that `durability` asks for are among them.
    pub topic_settings: BTreeMap<String, String>,
    /// For a broker that is started for this cell, under Kafka's names.
    pub broker_settings: BTreeMap<String, String>,
    /// Whether every record carries sequence and checksum and is held against the ledger.
    pub verify: bool,
    /// Load before anything is recorded.
    pub warm_up: Duration,
    /// Load while everything is recorded. With `write_bytes` it is what that takes; and without a rate it is the most that it may
    /// take.
    pub duration: Duration,
}

impl CellSpec {
    /// Sixteen hexadecimal digits of the SHA-256 of its content: equal for equal cells, whatever file they come from.
    #[must_use]
    #[expect(clippy::expect_used, reason = "maps have text as keys, and nothing here refuses to be serialized")]
    pub fn key(&self) -> String {
        let content = serde_json::to_vec(self).expect("a cell is plain data");
        Sha256::digest(&content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same at another load.
    #[must_use]
    pub fn at(&self, arrival: Arrival) -> CellSpec {
        let mut cell = CellSpec { arrival, ..self.clone() };
        if let Some(time) = cell.time_to_write() {
            cell.duration = time;
        }
        cell
    }

    /// How many records are acknowledged when it ends; `None` where it ends by time.
    #[must_use]
    pub fn write_records(&self) -> Option<u64> {
        Some(self.write_bytes?.div_ceil(self.message_bytes.max(1) as u64))
    }

    /// Producers of all topics.
    #[must_use]
    pub fn producers(&self) -> u32 {
        self.topics.saturating_mul(self.producers_per_topic)
    }

    /// Consumers of all topics and groups; those that would have no partition to read are not made.
    #[must_use]
    pub fn consumers(&self) -> u32 {
        let of_group = self.consumers_per_subscription.min(self.partitions_per_topic);
        self.topics.saturating_mul(self.subscriptions_per_topic).saturating_mul(of_group)
    }
}

/// How consumers come to their partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Consumption {
    /// Each reads those that it is told.
    Assigned,
    /// A group shares them out among its members.
    Group,
}

impl Consumption {
    fn is_assigned(&self) -> bool {
        *self == Consumption::Assigned
    }
}

impl fmt::Display for Consumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Consumption::Assigned => "assigned",
            Consumption::Group => "group",
        })
    }
}

/// When records leave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// As fast as producers take them: `buffer.memory` is the only brake.
    Maximum,
    /// Each producer has so many records on their way, and sends the next one when one of them is acknowledged.
    Closed {
        /// Records.
        in_flight: u32,
    },
    /// At a fixed rate, whatever the broker does.
    Uniform {
        /// Records a second; more than 0.
        per_second: f64,
    },
    /// At random times, at this rate in the mean, whatever the broker does.
    Poisson {
        /// Records a second; more than 0.
        per_second: f64,
    },
}

impl Arrival {
    /// Records a second that are offered; `None` where the broker decides.
    #[must_use]
    pub fn per_second(self) -> Option<f64> {
        match self {
            Arrival::Uniform { per_second } | Arrival::Poisson { per_second } => Some(per_second),
            Arrival::Maximum | Arrival::Closed { .. } => None,
        }
    }
}

/// What values are made of. Never one value again and again, but where a file says so.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Events of a log in JSON.
    Json,
    /// Text that the machine has, such as its package index.
    Text,
    /// Random bytes in front and zeros behind them, as OpenMessaging Benchmark makes them.
    Random {
        /// Share of the bytes that is random.
        ratio: f64,
        /// How many different values take turns; 0: as many as no codec's window holds.
        pool: u32,
    },
    /// What is in a file, from changing places of it; repeated where it is shorter than `message_bytes`.
    File {
        /// The file. No part of the cell's content: what is in it is.
        #[serde(skip)]
        path: PathBuf,
        /// CRC-32C of it.
        crc32c: u32,
    },
}

/// Which keys records have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// None: the producer's partitioner is free.
    None,
    /// Ten thousand of them, in turns.
    RoundRobin,
    /// Ten thousand of them, at random.
    Random,
}

/// What an acknowledgement must have behind it, from least to most. Cells of different durability are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// The memory of a process: gone with it.
    Memory,
    /// The page cache: outlives the process, not the machine.
    PageCache,
    /// The page cache, and the disk not later than this.
    FsyncEvery(Duration),
    /// The disk.
    Fsync,
}

/// A sync every second is more than one every two minutes.
impl Ord for Durability {
    fn cmp(&self, other: &Durability) -> Ordering {
        let rank = |level: &Durability| match level {
            Durability::Memory => (0, Reverse(Duration::MAX)),
            Durability::PageCache => (1, Reverse(Duration::MAX)),
            Durability::FsyncEvery(period) => (1, Reverse(*period)),
            Durability::Fsync => (2, Reverse(Duration::ZERO)),
        };
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for Durability {
    fn partial_cmp(&self, other: &Durability) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Durability::Memory => f.write_str("memory"),
            Durability::PageCache => f.write_str("page-cache"),
            Durability::FsyncEvery(period) => write!(f, "fsync:{}ms", period.as_millis()),
            Durability::Fsync => f.write_str("fsync"),
        }
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Durability, String> {
        let every = || time(text.strip_prefix("fsync:")?).filter(|period| period.as_millis() > 0);
        match text {
            "memory" => Ok(Durability::Memory),
            "page-cache" => Ok(Durability::PageCache),
            "fsync" => Ok(Durability::Fsync),
            _ => every()
                .map(Durability::FsyncEvery)
                .ok_or_else(|| "memory, page-cache, fsync and fsync:TIME (such as fsync:1s) are allowed".to_owned()),
        }
    }
}
