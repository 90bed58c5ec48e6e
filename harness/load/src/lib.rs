//! The load generator and the verification ledger.
//!
//! [`measure`] runs one [`Cell`]: as fast as it goes, then at a fixed rate with latencies from when each record was due, then
//! everything is read back and held against the [`Ledger`].
#![forbid(unsafe_code)]

mod broker;
mod cell;
mod corpus;
mod error;
mod ledger;
mod measure;
pub mod workload;

pub use broker::BrokerProcess;
pub use cell::{Cell, dozen};
pub use corpus::Corpus;
pub use error::LoadError;
pub use ledger::{Ledger, STAMP_BYTES, Verdict};
pub use measure::{Measured, Plan, measure};
