//! The bench of one run: where it takes place, and what it may use.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What a run of a cell may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Budget {
    pub(crate) duration: Duration,
    pub(crate) bytes: u64,
}

/// Where and how long a cell runs.
pub(crate) struct Bench<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) budget: Budget,
    /// Set when somebody wants the end.
    pub(crate) stop: &'a AtomicBool,
    /// Count system calls, which takes time.
    pub(crate) counts_calls: bool,
}
