//! Why the lab can't measure.

use std::io;
use std::path::PathBuf;

/// What ends a run of the lab, or keeps it from beginning. Each names the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The directory under test can't be used.
    #[error("{path}: {source}: name a directory that can be written with --dir", path = path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The device has no room for what the plan writes.
    #[error("{path} has {free_mib} MiB free and the lab needs {needed_mib}: make room, or name another directory with --dir", path = path.display())]
    Room {
        /// The directory.
        path: PathBuf,
        /// What is free. MiB.
        free_mib: u64,
        /// What the largest cells need at once. MiB.
        needed_mib: u64,
    },
    /// A name of no contestant.
    #[error("{name} is no contestant; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// Nothing is left to be measured.
    #[error("the plan has no cell: {reason}")]
    Empty {
        /// What excluded the last of them.
        reason: String,
    },
}
