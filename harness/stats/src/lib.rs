//! Histograms, intended-time recording, intervals and noise floor of repeated runs, host snapshot and roofline, what a stretch of a process cost.
#![forbid(unsafe_code)]

mod cost;
mod floor;
mod hdr_log;
mod host;
mod interval;
mod latency;
mod loopback;
mod pace;
mod process;
mod regime;
mod roofline;
#[cfg(test)]
mod simulated;
mod system_calls;
mod threads;
mod write_back;

pub use cost::Cost;
pub use floor::{Floor, halves, twins};
pub use hdr_log::{HdrLog, Slice};
pub use host::{Host, memory_bytes};
pub use interval::{Interval, distinguishable, ratio, ratio_among};
pub use latency::Latencies;
pub use pace::Pace;
pub use process::{ProcessIo, listener, process_cost, resident_bytes, ring_threads};
pub use regime::Regime;
pub use roofline::{Depth, Roofline};
pub use system_calls::SystemCalls;
pub use threads::ThreadTimes;
pub use write_back::{DirtyLimits, WriteBack};
