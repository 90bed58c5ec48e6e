//! Tests of the broker with other people's clients, unmodified and pinned, and beside Apache Kafka.
//!
//! A test takes the address of a broker. It is ours, started for that test on a free port, unless `RINGLOG_INTEROP_BOOTSTRAP`
//! names another: Apache Kafka (`scripts/kafka.sh start DIR`) must pass the same tests. What ours does not serve is tested
//! against a Kafka that the tests start.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, reason = "this crate is tests only: a panic is how they fail")]

mod answer;
mod broker;
mod course;
mod recording;
mod scenario;
mod talk;

pub use answer::Answer;
pub use broker::Broker;
pub use course::walk;
pub use recording::{Differences, Recording};
pub use scenario::play;
pub use talk::{Exchange, Pending, Talk};
