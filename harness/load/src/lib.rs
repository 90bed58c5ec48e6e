//! The load generator and the verification ledger.
//!
//! [`run_cell`] runs one cell of a [`workload`] through a [`Driver`]: what is due when, whatever the target does; then everything is read
//! back and held against what was acknowledged, which gives the [`Verdict`].
#![forbid(unsafe_code)]

mod arrival;
mod broker;
mod clock;
mod corpus;
pub mod driver;
mod error;
mod generator;
mod payload;
mod product;
mod sequences;
mod stamp;
mod subject;
mod target;
mod timer;
mod verdict;
pub mod workload;

pub use broker::{BrokerProcess, Launch};
pub use clock::monotonic_ns;
pub use driver::Driver;
pub use error::LoadError;
pub use generator::{Conditions, FinalSync, Outcome, Side, Stop, Tick, run_cell};
pub use payload::Pool;
pub use stamp::STAMP_BYTES;
pub use subject::{Programs, Ready, Subject};
pub use target::{Described, Target};
pub use verdict::Verdict;
