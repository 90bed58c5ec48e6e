//! What the I/O lab measured: `lab.json`, from which its report is made.

mod condition;
mod file;
mod report;
mod shown;
mod terminal;
mod verdict;

use ringbench_stats::{DirtyLimits, Host, Interval};
use serde::{Deserialize, Serialize};

pub use report::write_lab_report;
pub use terminal::lab_ranking;
pub(crate) use verdict::in_a_sentence;

use crate::environment::FloorPart;

/// What `schema` of a `lab.json` says: its name, and a number that grows when a field changes its meaning.
pub const LAB_SCHEMA: &str = "ringbench-lab/1";

/// One run of the lab. Every field is described in LAB.md.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabResults {
    /// [`LAB_SCHEMA`].
    pub schema: String,
    /// The command that repeats it.
    pub command: String,
    /// When it began: milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// How long it took. Seconds.
    pub took_seconds: f64,
    /// Decides the order of the runs.
    pub seed: u64,
    /// How often each cell was to run.
    pub repeats: usize,
    /// Somebody ended it before its end: some cells have fewer runs, or none.
    pub interrupted: bool,
    /// The machine, and the mount of the directory that was measured.
    pub host: Host,
    /// What the host's parts do alone.
    pub roofline: Vec<FloorPart>,
    /// From how many dirty pages on the kernel writes back, and makes writers wait.
    pub dirty_limits: DirtyLimits,
    /// What the bench itself costs, at each size that one writer appends.
    pub overhead: Vec<LabOverhead>,
    /// Why system calls were not counted.
    pub system_calls_uncounted: Option<String>,
    /// Contestants that this host can't run.
    pub unavailable: Vec<LabUnavailable>,
    /// In the order of the plan: those of one setting stand together.
    pub cells: Vec<LabCell>,
    /// The order in which the cells ran: indexes into `cells`.
    pub order: Vec<usize>,
}

/// The bench's part in the processor time of the fastest contestant at one size, where it weighs most.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabOverhead {
    /// Size of one append. Bytes.
    pub size_bytes: usize,
    /// The fastest.
    pub name: String,
    /// Processor nanoseconds of the bench's loop around a writer that writes nothing, for each append.
    pub bench_ns: f64,
    /// Those of the fastest contestant, the bench's among them.
    pub append_ns: f64,
    /// The former in the latter.
    pub share: f64,
}

/// A contestant that this host can't run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabUnavailable {
    /// What it is called.
    pub name: String,
    /// By what it was refused.
    pub reason: String,
    /// What to change to have it.
    pub remedy: String,
}

/// One contestant in one setting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabCell {
    /// The contestant.
    pub name: String,
    /// `write`, `transfer` or `serve`.
    pub family: String,
    /// What was asked of everybody in this setting, in words.
    pub setting: String,
    /// Size of one append, transfer or request. Bytes.
    pub size_bytes: usize,
    /// When appends had to be durable: `none`, `every`, `group` or the interval.
    pub sync: Option<String>,
    /// What the file was before: `extend`, `allocate` or `prewritten`.
    pub prepare: Option<String>,
    /// Threads, each with a file of its own.
    pub writers: Option<usize>,
    /// Appends that were handed over together.
    pub queued: Option<usize>,
    /// Appends a second over all writers; `None`: as fast as it goes.
    pub offered_per_s: Option<f64>,
    /// Bytes that each run wrote, however long it took; `None`: for as long as all others ran.
    pub whole_bytes: Option<u64>,
    /// Where the file's pages were before it was sent: `warm` or `cold`.
    pub pages: Option<String>,
    /// What was done at the other end of the socket: `reads` or `discards`.
    pub receiver: Option<String>,
    /// Connections over which requests came.
    pub connections: Option<usize>,
    /// Requests on each of them that waited for their answers.
    pub pipelined: Option<usize>,
    /// Runs that counted.
    pub runs: usize,
    /// Among those of its setting, from 1: the place of the best one that it can't be told from. `None` without a run.
    pub rank: Option<usize>,
    /// Its score as a multiple of that of its setting's best, run by run.
    pub of_best: Option<Interval>,
    /// Megabytes a second.
    pub mb_per_s: Option<Interval>,
    /// The same of each round; `None` where a run failed or was not reached.
    pub mb_per_s_by_round: Vec<Option<f64>>,
    /// Requests a second, where requests were answered.
    pub requests_per_s: Option<Interval>,
    /// From when it was due; of all runs together.
    pub latency_us: LabLatency,
    /// Processor seconds, user and system, of the whole process for each gigabyte: the median of the runs.
    pub cpu_s_per_gb: Option<f64>,
    /// The same for each million requests, where requests were answered.
    pub cpu_s_per_million_requests: Option<f64>,
    /// The client's part of that; the rest is the server's.
    pub client_cpu_s_per_million_requests: Option<f64>,
    /// User space's part of `cpu_s_per_gb`.
    pub user_s_per_gb: Option<f64>,
    /// Context switches for each megabyte: the median of the runs.
    pub context_switches_per_mb: Option<f64>,
    /// System calls for each append, transfer or request, counted in a run that was not timed; an operation of io_uring is none.
    pub system_calls_each: Option<f64>,
    /// Threads that the kernel ran for rings (io-wq, SQPOLL) at the end of a run: the most of all runs.
    pub ring_threads: Option<usize>,
    /// Dirty pages of the whole host at the end of a run: the most of all runs. Bytes.
    pub dirty_bytes: Option<u64>,
    /// Pages on their way to the device at that moment. Bytes.
    pub write_back_bytes: Option<u64>,
    /// What the kernel did about them: `below the dirty limits`, `written back in the background` or `throttled`.
    pub regime: Option<String>,
    /// Calls that came back with the data durable, in all runs.
    pub syncs: u64,
    /// Their mean time. Microseconds.
    pub sync_us: Option<f64>,
    /// Megabytes a second as a share of what the host's parts do alone.
    pub roofline_share: Option<f64>,
    /// Why it did not run to the end.
    pub failure: Option<String>,
}

/// Latencies in microseconds; `None` where fewer than ten samples lie beyond.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct LabLatency {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}
