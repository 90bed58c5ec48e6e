//! What was measured, with everything that it takes to believe and to repeat it: `results.json`.
//!
//! A [`Run`] has [`RunCell`]s, and each of these its [`Repeat`]s. Who measures fills in what was asked for and the repeats; everything
//! that is said of the cell as a whole is made of them by [`RunCell::derive`], and made again by who doubts it.

mod cell;
mod derived;
mod file;
mod histograms;
mod noise_floor;
mod repeat;

use std::collections::BTreeMap;

use ringbench_stats::{DirtyLimits, Host, Interval, Roofline};
use serde::{Deserialize, Serialize};

pub(crate) use file::stated_noise_floor;

pub use cell::{Ack, Declared, Durability, Intervals, Payload, RunCell, Shape};
pub use histograms::SERIES;
pub use noise_floor::NoiseFloor;
pub use repeat::{Cost, LatencyUs, Ledger, LogFile, Repeat, Tick};

/// What `schema` of a `results.json` says: its name, and a number that grows when a field changes its meaning.
pub const SCHEMA: &str = "ringbench/1";

/// One run. Every field is described in RESULTS.md.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was asked for.
    pub kind: Kind,
    /// The workload's name.
    pub workload: String,
    /// Its file, word for word; `None` of one that is built in.
    pub workload_yaml: Option<String>,
    /// The command that repeats it.
    pub command: String,
    /// The version of ringbench.
    pub version: String,
    /// When it began: milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// How long it took, what was resumed included. Seconds.
    pub took_seconds: f64,
    /// Decides the order of the repeats, and the payload.
    pub seed: u64,
    /// How often each cell was to run.
    pub repeats: usize,
    /// Whether it ended before its end: some cells have fewer repeats, or none.
    pub interrupted: bool,
    /// What a rate must keep to count.
    pub objective: Option<Objective>,
    /// The machine, and the mount that holds the data.
    pub host: Host,
    /// What the host's parts do alone; `None`: it was not measured.
    pub roofline: Option<Roofline>,
    /// From how many dirty pages on the kernel writes back, and makes writers wait.
    pub dirty_limits: DirtyLimits,
    /// What the generator does on one core without a broker.
    pub calibration: Option<Calibration>,
    /// Why system calls could not be counted; `None`: they were.
    #[serde(default)]
    pub system_calls_uncounted: Option<String>,
    /// Who was measured.
    pub targets: Vec<Target>,
    /// In the order of the plan.
    pub cells: Vec<RunCell>,
    /// The highest rate that keeps the objective, of each target and settings that were searched.
    pub max_rates: Vec<MaxRate>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One workload as it stands.
    Run,
    /// All combinations of some settings, or a covering part of them.
    Sweep,
    /// Latency at rates from low to what is too much.
    Curve,
    /// A search for the highest rate that keeps an objective.
    MaxRate,
    /// A dozen cells in three minutes.
    Quick,
}

/// Who was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Short, and none other of this run has it: cells name it.
    pub name: String,
    /// Where it was reached; `serve` or `start://NAME` where each run started one.
    pub url: String,
    /// What it is, with its version as it says it.
    pub product: String,
    /// The command that started it; `None`: it ran before.
    pub command: Option<String>,
    /// Its settings as it runs with them, defaults included.
    pub config: BTreeMap<String, String>,
    /// From the start of its process until it was ready. Milliseconds.
    pub ready_ms: Option<f64>,
    /// Resident memory of its process at the end. Bytes.
    pub resident_bytes: Option<u64>,
}

impl Target {
    /// Whether each run had a process and files of its own.
    #[must_use]
    pub fn is_fresh_each_run(&self) -> bool {
        self.url == "serve" || self.url.starts_with("start://")
    }

    /// Whether it is a process at all that may outlive a run.
    fn is_broker(&self) -> bool {
        !["null://", "engine://", "zeromq://"].iter().any(|scheme| self.url.starts_with(scheme))
    }
}

/// What the generator does on one core when nothing is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Records a second.
    pub records_per_s: f64,
    /// Megabytes of records a second.
    pub mb_per_s: f64,
    /// Of so many bytes each.
    pub record_bytes: f64,
}

/// What a rate must keep to count, such as `p99<10ms`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Which percentile of the latency: 50, 90, 99 or 99.9.
    pub percentile: f64,
    /// It has to stay below. Microseconds.
    pub limit_us: f64,
}

/// What came of one search.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaxRate {
    /// Of whom.
    pub target: String,
    /// With which settings.
    pub settings: BTreeMap<String, String>,
    /// The highest rate that kept the objective and was confirmed. Records a second; `None`: none did.
    pub rate_per_s: Option<f64>,
    /// The lowest rate above it at which run after run failed. Records a second.
    #[serde(default)]
    pub failed_per_s: Option<f64>,
    /// Key of the cell that confirmed it.
    pub confirmed_by: Option<String>,
    /// Why there is none, or what bounds it from above.
    pub why: String,
}

impl Run {
    /// The target that a cell names.
    #[must_use]
    pub fn target(&self, cell: &RunCell) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == cell.target)
    }

    /// The cell that confirmed what a search of this run found.
    #[must_use]
    pub fn confirming(&self, found: &MaxRate) -> Option<&RunCell> {
        let key = found.confirmed_by.as_ref()?;
        self.cells.iter().find(|cell| cell.key == *key && cell.target == found.target)
    }

    /// Targets whose process was the same in several runs.
    pub fn outliving(&self) -> impl Iterator<Item = &str> {
        let several = self.cells.iter().map(|cell| cell.repeats.len()).sum::<usize>() > self.targets.len();
        let old =
            self.targets.iter().filter(move |target| several && target.is_broker() && !target.is_fresh_each_run());
        old.map(|target| target.name.as_str())
    }

    /// How many cells have all their repeats.
    #[must_use]
    pub fn whole_cells(&self) -> usize {
        self.cells.iter().filter(|cell| cell.repeats.len() >= self.repeats).count()
    }

    /// Cells that ran and count for nothing.
    pub fn void_cells(&self) -> impl Iterator<Item = &RunCell> {
        self.cells.iter().filter(|cell| cell.ran() && !cell.valid)
    }
}

/// Searches with fewer repeats than this differ from themselves in more than five of a hundred cases.
const FEW_REPEATS: usize = 3;

impl MaxRate {
    /// How many times another one's rate it is, where each was confirmed by so many repeats: at least its own rate over the lowest at
    /// which the other failed, at most the other way round. `None` where one of the two has no rate, or no bound.
    ///
    /// Two searches hardly ever end at the same rate: of rates alone every two differ. Bounds of equal targets exclude 1 in 0 to 2 % of
    /// 1,000 simulated pairs of searches with three or five repeats whose runs scatter by 1 to 10 %, and find a fifth more in 75 % and
    /// more of them up to 5 %.
    #[must_use]
    pub fn times(&self, other: &MaxRate, runs: usize) -> Option<Interval> {
        let (rate, others) = (self.rate_per_s?, other.rate_per_s?);
        let (low, high) = (rate / other.failed_per_s?, self.failed_per_s? / others);
        let confidence = if runs < FEW_REPEATS { 0.0 } else { 0.95 };
        Some(Interval { median: rate / others, low, high, confidence, runs })
    }
}

impl Objective {
    /// Whether a cell keeps it: every record is in order and the percentile of all repeats, which has ten samples beyond it, stays below
    /// the limit; and in each repeat the rate was kept to 99 %, the backlog did not grow, and its own percentile stays below, where
    /// enough samples lie beyond. One repeat in five that fails is too few records for the percentile of all of them to show.
    #[must_use]
    pub fn is_kept_by(&self, cell: &RunCell) -> bool {
        let within = cell.latency_us.percentile(self.percentile).is_some_and(|us| us < self.limit_us);
        let in_each = |repeat: &Repeat| {
            let us = repeat.latency_us.percentile(self.percentile);
            repeat.is_carried(cell) && us.is_none_or(|us| us < self.limit_us)
        };
        cell.valid && within && cell.whole().all(in_each)
    }

    /// Whether one repeat of a cell keeps it, the others left aside.
    #[must_use]
    pub fn is_kept_in(&self, cell: &RunCell, repeat: &Repeat) -> bool {
        let within = repeat.latency_us.percentile(self.percentile).is_some_and(|us| us < self.limit_us);
        repeat.failure.is_none() && repeat.ledger.is_clean() && within && repeat.is_carried(cell)
    }
}
