//! A repeat: a cell that ran once, from a fresh data directory to its books.

use ringbench_stats::Latencies;
use serde::{Deserialize, Serialize};

use super::RunCell;
use crate::numbers::grouped;

/// Whoever does less than this share of the rate has not kept it.
pub(super) const KEPT: f64 = 0.99;

/// The failure of a repeat that was stopped by whoever measured.
const CUT: &str = "interrupted";

/// One repeat of a cell.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Repeat {
    /// Its place in the order of all repeats of the run, from 0.
    pub order: usize,
    /// When it began: milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// How long was counted, by the clock. Seconds.
    pub seconds: f64,
    /// Records that were due in that time; without a rate, that were sent. At random times they are more or fewer than the rate says.
    #[serde(default)]
    pub due_records: Option<u64>,
    /// Acknowledged in that time.
    pub acked_records: u64,
    /// Their bytes, before compression.
    pub acked_bytes: u64,
    /// Bytes that consumers got in that time; `None` without any.
    pub received_bytes: Option<u64>,
    /// Bytes of batches sent in that time, where the driver can tell.
    pub wire_bytes: Option<u64>,
    /// Bytes that the target's process had written to its files in that time.
    pub disk_bytes: Option<u64>,
    /// From when a record was due to its acknowledgement.
    pub latency_us: LatencyUs,
    /// From when it was sent to its acknowledgement.
    pub service_us: LatencyUs,
    /// From when it was due until a consumer had it.
    pub end_to_end_us: LatencyUs,
    /// From when it was due until it was sent.
    pub generator_lag_us: LatencyUs,
    /// Latencies of 0 ns, which a clock that is too coarse gives; they count.
    pub zero_latencies: u64,
    /// Latencies below 0, which no clock of one host gives; they count as 0.
    pub negative_latencies: u64,
    /// The books, warm-up included.
    pub ledger: Ledger,
    /// What the target's process cost, where it is on this host.
    pub broker_cost: Option<Cost>,
    /// What the generator cost.
    pub client_cost: Cost,
    /// How much of a processor its busiest thread used, be it a load thread or one of a library.
    pub client_busy_share: f64,
    /// Dirty pages of the host at the end. Bytes.
    pub dirty_bytes: u64,
    /// Pages on their way to the disk at the end. Bytes.
    pub write_back_bytes: u64,
    /// What the kernel did about them, the furthest that it went in that time.
    pub regime: Option<String>,
    /// How long the disk took after the last acknowledgement until it had everything, where that was waited for. Seconds.
    #[serde(default)]
    pub final_sync_s: Option<f64>,
    /// Megabytes a second with that time: of all records since the load began, its warm-up included.
    #[serde(default)]
    pub synced_mb_per_s: Option<f64>,
    /// Records that retention has deleted before the end.
    #[serde(default)]
    pub deleted_records: Option<u64>,
    /// How it went, in slices of a second or so.
    pub timeline: Vec<Tick>,
    /// The raw histograms.
    pub histograms: Option<LogFile>,
    /// Why it did not run to its end, or is none of its cell: then its figures count for nothing.
    pub failure: Option<String>,
}

/// Latencies in microseconds; `None` where fewer than ten samples lie beyond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyUs {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// What became of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Handed to the producer, or due and never taken by it.
    pub sent: u64,
    /// Acknowledged; with acks=0, handed to the kernel.
    pub acked: u64,
    /// Read back.
    pub received: u64,
    /// Acknowledged and not read back.
    pub lost: u64,
    /// Read more than once.
    pub duplicated: u64,
    /// Read after a later one of its producer and partition.
    pub reordered: u64,
    /// Read with another checksum, from another partition, or never sent.
    pub corrupt: u64,
    /// Refused, never answered, or due and never taken.
    pub failed: u64,
}

/// What a process cost in one repeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Processor seconds in the program.
    pub user_s: f64,
    /// Processor seconds in the kernel.
    pub system_s: f64,
    /// How often a thread waited, or was made to.
    pub context_switches: Option<u64>,
    /// How often one was made to wait; part of these.
    #[serde(default)]
    pub involuntary_switches: Option<u64>,
    /// System calls, where they were counted: in the warm-up, which is not timed, for as many records as here.
    pub system_calls: Option<u64>,
    /// `syscr` of /proc/PID/io: calls of read(2) and its kin and of sendfile(2), on files and sockets, but not of recv(2).
    #[serde(default)]
    pub reads: Option<u64>,
    /// `syscw`: calls of write(2) and its kin and of sendfile(2), but not of send(2) and fsync(2).
    #[serde(default)]
    pub writes: Option<u64>,
}

/// One slice of a repeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// When it ended, from the beginning of what was counted. Seconds.
    pub at_s: f64,
    /// Records acknowledged in it.
    pub acked: u64,
    /// Records that consumers got in it.
    pub received: Option<u64>,
    /// Records that were due by its end and not acknowledged.
    pub backlog: u64,
    /// Records that were acknowledged by its end and not received.
    pub unread: Option<u64>,
}

/// A file beside `results.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Relative to the directory of `results.json`.
    pub file: String,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

impl Repeat {
    /// Whether whoever measured stopped it, by which nothing is said of the target.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.failure.as_deref() == Some(CUT)
    }

    /// Acknowledged records a second.
    #[must_use]
    pub fn achieved_per_s(&self) -> f64 {
        self.per_second(self.acked_records as f64)
    }

    /// Megabytes of records a second.
    #[must_use]
    pub fn mb_per_s(&self) -> f64 {
        self.per_second(self.acked_bytes as f64 / 1e6)
    }

    /// Megabytes a second that consumers got.
    #[must_use]
    pub fn received_mb_per_s(&self) -> Option<f64> {
        Some(self.per_second(self.received_bytes? as f64 / 1e6))
    }

    /// 0 where it was cut short before anything was counted.
    fn per_second(&self, amount: f64) -> f64 {
        if self.seconds > 0.0 { amount / self.seconds } else { 0.0 }
    }

    /// Processor seconds of the broker for a million acknowledged records.
    #[must_use]
    pub fn broker_cpu_s_per_million(&self) -> Option<f64> {
        Some(self.broker_cost?.cpu_s() / self.acked_records as f64 * 1e6)
    }

    /// Those of the client.
    #[must_use]
    pub fn client_cpu_s_per_million(&self) -> Option<f64> {
        Some(self.client_cost.cpu_s() / self.acked_records as f64 * 1e6)
    }

    /// Acknowledged records as a share of those that were due at a rate.
    #[must_use]
    pub fn share_of_due(&self, offered_per_s: f64) -> f64 {
        let due = self.due_records.map_or(offered_per_s * self.seconds, |due| due as f64);
        if due > 0.0 { self.acked_records as f64 / due } else { 1.0 }
    }

    /// Whether the rate was kept, to 99 %.
    #[must_use]
    pub fn kept_rate(&self, offered_per_s: f64) -> bool {
        self.share_of_due(offered_per_s) >= KEPT
    }

    /// Whether records piled up from the first slice to the last: more of them than [`Self::kept_rate`] allows.
    #[must_use]
    pub fn backlog_grew(&self, offered_per_s: f64) -> bool {
        let ends = self.timeline.first().zip(self.timeline.last());
        let grown = ends.map_or(0, |(first, last)| last.backlog.saturating_sub(first.backlog));
        grown as f64 > (1.0 - KEPT) * offered_per_s * self.seconds
    }

    /// Whether the rate of its cell was kept and nothing piled up; without a rate there is nothing to keep.
    pub(super) fn is_carried(&self, cell: &RunCell) -> bool {
        cell.offered_per_s.is_none_or(|offered| self.kept_rate(offered) && !self.backlog_grew(offered))
    }
}

impl LatencyUs {
    /// Those of a histogram.
    #[must_use]
    pub fn of(latencies: &Latencies) -> LatencyUs {
        let us = |percent| latencies.percentile_ms(percent).map(|ms| ms * 1e3);
        LatencyUs {
            p50: us(50.0),
            p90: us(90.0),
            p99: us(99.0),
            p999: us(99.9),
            max: (latencies.count() > 0).then(|| latencies.max_ms() * 1e3),
        }
    }

    /// One of the percentiles that are kept: 50, 90, 99 or 99.9.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let kept = [(50.0, self.p50), (90.0, self.p90), (99.0, self.p99), (99.9, self.p999)];
        kept.into_iter().find(|(kept, _)| *kept == percent)?.1
    }
}

impl Ledger {
    /// Whether every record that was acknowledged came back once, whole and in order, and none was refused.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults().is_empty()
    }

    /// What is wrong, as `lost 3, corrupt 1`; empty when nothing is.
    #[must_use]
    pub fn faults(&self) -> String {
        let Ledger { lost, duplicated, reordered, corrupt, failed, .. } = *self;
        let named = [
            ("lost", lost),
            ("duplicated", duplicated),
            ("reordered", reordered),
            ("corrupt", corrupt),
            ("refused or unanswered", failed),
        ];
        let faults = named.into_iter().filter(|(_, count)| *count > 0);
        faults.map(|(name, count)| format!("{name} {}", grouped(count))).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn add(&mut self, other: &Ledger) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.received += other.received;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
        self.failed += other.failed;
    }
}

impl Cost {
    /// Processor seconds, user and system.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}
