//! What one run of one cell showed.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use ringbench_stats::Latencies;

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
    /// What was made durable, and how long that took.
    pub syncs: Syncs,
}

/// What was made durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Syncs {
    /// Calls that came back with the data durable.
    pub count: u64,
    /// Time spent in them. With [`crate::SyncPolicy::Every`] and `Group` the write is part of the call.
    pub time: Duration,
}

/// What this process used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Processor time in user space.
    pub user: Duration,
    /// Processor time in the kernel, io-wq workers included.
    pub system: Duration,
    /// Times that a thread gave way or was made to.
    pub context_switches: u64,
}

impl Cost {
    /// Since the process began. getrusage(2).
    pub(crate) fn now() -> Cost {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Cost::default() };
        let time = |value: nix::sys::time::TimeVal| {
            Duration::new(value.tv_sec().unsigned_abs(), value.tv_usec() as u32 * 1_000)
        };
        let switches = |usage: &Usage| usage.voluntary_context_switches() + usage.involuntary_context_switches();
        Cost {
            user: time(usage.user_time()),
            system: time(usage.system_time()),
            context_switches: switches(&usage).unsigned_abs(),
        }
    }

    /// What was used between two moments.
    pub(crate) fn since(&self, before: &Cost) -> Cost {
        Cost {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            context_switches: self.context_switches.saturating_sub(before.context_switches),
        }
    }
}

impl Sample {
    /// Megabytes a second.
    #[must_use]
    pub fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Processor seconds for each gigabyte.
    #[must_use]
    pub fn cpu_s_per_gb(&self) -> f64 {
        (self.cost.user + self.cost.system).as_secs_f64() / (self.bytes.max(1) as f64 / 1e9)
    }
}
