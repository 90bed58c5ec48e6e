//! The I/O lab: ways to write an append-only log, to move it to a socket and to serve requests, on one bench.
//!
//! | module | holds |
//! |---|---|
//! | `contestant` | [`Contestant`]: a strategy by its name, and whether this host can run it |
//! | `write` | the strategies for writing, a file each; what a run of one is |
//! | `transfer` | the strategies for moving a range of a file to a socket, likewise |
//! | `serve` | the strategies for answering requests over many connections, likewise |
//! | `loopback` | connections of this host with itself |
//! | `plan` | [`Plan`]: which cells are run, how often and for how long |
//! | `bench` | where a run takes place, and what it may use |
//! | `lab` | [`Lab`]: runs a plan, interleaved and in a random order |
//! | `stretch` | threads that begin together and are watched until the last has ended |
//! | `sample` | [`Sample`]: what one run of one cell showed |
//! | `rates` | how fast appends come in an open loop |
//! | `overhead` | [`Overhead`]: what the bench itself costs |
//! | `share` | [`roofline_share`]: how much is left to what the host's parts do alone |
//! | `profile` | [`profile()`]: what the broker is told of this host |
//! | `ranking` | [`rank()`]: who is ahead, and by how much more than chance |
//!
//! # Invariants
//!
//! - A strategy is measured where it will be used: in the directory that was named, in files of its own that are gone afterwards.
//! - What can't run is said with its reason and its remedy, and never stands in a ranking.
//! - Repeats of a cell are never run one after the other: what drifts on the host drifts for all contestants.
#![forbid(unsafe_code)]

mod bench;
mod contestant;
mod error;
mod lab;
mod loopback;
mod overhead;
mod plan;
mod profile;
mod ranking;
mod rates;
mod sample;
mod serve;
mod setting;
mod share;
mod stretch;
mod transfer;
mod write;

pub use contestant::{Availability, Contestant, Family};
pub use error::LabError;
pub use lab::{CellOutcome, Event, Lab, Outcome};
pub use overhead::Overhead;
pub use plan::{Cell, Plan, PlanOptions};
pub use profile::profile;
pub use ranking::{Ranked, Ranking, differences, rank};
pub use sample::{Sample, Syncs};
pub use setting::{
    Load, Pages, Preparation, Receiver, ServeSetting, Setting, SyncPolicy, TransferSetting, WriteSetting,
};
pub use share::roofline_share;
