//! One partition on disk: append, read, truncate; segments, indexes, recovery, retention, compaction.
//!
//! The files are Kafka's, byte for byte; `engine/FORMAT.md` draws them. Only the `.log` files are the truth: indexes, snapshots
//! and checkpoints are derived from them, written without a sync, and made anew when they are missing or wrong.
//!
//! | to | use |
//! |---|---|
//! | prepare a data directory, and say how its last user ended | [`LogDir`] |
//! | open a partition, repairing what a crash left | [`Log::open`], [`RecoveryReport`] |
//! | append, at a durability level | [`Log::append`], [`Durability`] |
//! | read, wait for more | [`Log::read`], [`Waiter`] |
//! | look up by time | [`Log::offset_for_timestamp`] |
//! | delete old records | [`Log::apply_retention`], [`Log::delete_records_before`] |
//! | keep the newest record of each key | [`Log::compact`] |
//! | cut the end off | [`Log::truncate_to`] |
#![forbid(unsafe_code)]

mod appender;
mod batch_chunks;
mod checkpoint;
mod compaction;
mod config;
mod error;
mod header_walk;
mod leader_epochs;
mod leftovers;
mod log;
mod log_dir;
mod offset_index;
mod offsets;
pub mod partition_metadata;
mod producer_replay;
mod producer_state;
mod reader;
mod recovery;
mod retention;
mod scan;
mod segment;
mod segments;
mod snapshot;
mod sparse_index;
mod syncer;
mod time_index;
mod truncation;
mod waiter;

pub use appender::{AppendBatch, Appended, Appending};
pub use checkpoint::OffsetCheckpoint;
pub use compaction::Compacted;
pub use config::{Durability, LogConfig, TopicPartition};
pub use error::LogError;
pub use log::Log;
pub use log_dir::{LogDir, Shutdown};
pub use producer_state::{ProducedBatch, Producer};
pub use reader::{ReadSlice, TimestampQuery, TimestampedOffset, Visible};
pub use recovery::{Recovery, RecoveryCase, RecoveryReport};
pub use retention::Retained;
pub use snapshot::producers_in_snapshot;
pub use waiter::Waiter;
