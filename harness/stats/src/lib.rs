//! Histograms, intended-time recording, host snapshot.
#![forbid(unsafe_code)]

mod host;
mod interval;
mod latency;
mod pace;
mod process;

pub use host::Host;
pub use interval::{Interval, distinguishable, ratio};
pub use latency::{Latencies, Percentile, QUOTED};
pub use pace::Pace;
pub use process::cpu_time;
