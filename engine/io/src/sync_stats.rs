//! How many fdatasyncs this process has done, and how long they took: the cost of durability, for an operator's dashboard.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static COUNT: AtomicU64 = AtomicU64::new(0);
static NANOSECONDS: AtomicU64 = AtomicU64::new(0);

/// fdatasyncs since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncStats {
    /// How many have ended, well or not.
    pub count: u64,
    /// Time from each call to its end, added up; several at once count each.
    pub total: Duration,
}

impl SyncStats {
    /// As of now, over all disks and threads.
    #[must_use]
    pub fn now() -> SyncStats {
        SyncStats {
            count: COUNT.load(Ordering::Relaxed),
            total: Duration::from_nanos(NANOSECONDS.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn note(took: Duration) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        NANOSECONDS.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
