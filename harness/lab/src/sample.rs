//! What one run of one cell showed.

use std::time::Duration;

use ringbench_stats::{Cost, Latencies, WriteBack};

/// What one run of one cell showed.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Moved, by all threads together.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Of each append, transfer or request, from when it was due.
    pub latencies: Latencies,
    /// What this process used: the strategy and the bench around it.
    pub cost: Cost,
    /// The part of `cost` that is the client's, where one asks a server.
    pub client: Option<Cost>,
    /// What was made durable, and how long that took.
    pub syncs: Syncs,
    /// Threads that the kernel ran for rings when the run ended. An idle one lives on for 5 s: these are the most that there were.
    pub ring_threads: usize,
    /// Dirty pages of the whole host when the run ended.
    pub write_back: WriteBack,
    /// Made by all threads, where they were counted: which is in runs that are not timed.
    pub system_calls: Option<u64>,
}

/// What was made durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Syncs {
    /// Calls that came back with the data durable.
    pub count: u64,
    /// Time spent in them. With [`crate::SyncPolicy::Every`] and `Group` the write is part of the call.
    pub time: Duration,
}

impl Sample {
    /// Megabytes a second.
    #[must_use]
    pub fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Appends, slices or requests a second.
    #[must_use]
    pub fn per_s(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Processor seconds for each million of them.
    #[must_use]
    pub fn cpu_s_per_million(&self) -> f64 {
        self.cost.cpu_seconds() / (self.latencies.count().max(1) as f64 / 1e6)
    }

    /// Processor nanoseconds for each append, transfer or request of this size.
    pub(crate) fn cpu_ns(&self, size_bytes: usize) -> f64 {
        self.cost.cpu_seconds() * 1e9 / (self.bytes as f64 / size_bytes as f64).max(1.0)
    }

    /// Processor seconds for each gigabyte.
    #[must_use]
    pub fn cpu_s_per_gb(&self) -> f64 {
        self.cost.cpu_seconds() / (self.bytes.max(1) as f64 / 1e9)
    }
}
