//! The load generator and the verification ledger.
//!
//! [`measure`] runs one [`Cell`]: as fast as it goes, then at a fixed rate with latencies from when each record was due, then
//! everything is read back and held against the [`Ledger`].
#![forbid(unsafe_code)]

mod arrival;
mod broker;
mod cell;
mod clock;
mod corpus;
pub mod driver;
mod error;
mod generator;
mod ledger;
mod measure;
mod payload;
mod sequences;
mod stamp;
mod target;
mod timer;
pub mod workload;

pub use broker::BrokerProcess;
pub use cell::{Cell, dozen};
pub use clock::monotonic_ns;
pub use corpus::Corpus;
pub use driver::Driver;
pub use error::LoadError;
pub use generator::{Conditions, Outcome, Stop, Tick, run_cell};
pub use ledger::{Ledger, Verdict};
pub use measure::{Measured, Plan, measure};
pub use payload::Pool;
pub use stamp::STAMP_BYTES;
pub use target::{Described, Target};
