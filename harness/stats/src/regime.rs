//! A regime: what the kernel does about dirty pages.

use std::fmt;

use crate::{DirtyLimits, WriteBack};

/// How far dirty pages have piled up. Cells of different regimes are different cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    /// Below the kernel's limits: nobody waits for the device unless he asks to.
    Cached,
    /// The kernel writes back, and the writer goes on.
    WrittenBack,
    /// The writer is made to wait, from half way between the two limits on (mm/page-writeback.c, `freerun`).
    Throttled,
}

impl Regime {
    /// `None` where the kernel does not tell its limits.
    #[must_use]
    pub fn of(write_back: &WriteBack, limits: &DirtyLimits) -> Option<Regime> {
        let (background, throttle) = (limits.background_bytes?, limits.throttle_bytes?);
        Some(match write_back.bytes() {
            bytes if bytes < background => Regime::Cached,
            bytes if bytes < u64::midpoint(background, throttle) => Regime::WrittenBack,
            _ => Regime::Throttled,
        })
    }

    /// The furthest that the kernel went, with what it does now.
    #[must_use]
    pub fn furthest(before: Option<Regime>, write_back: &WriteBack, limits: &DirtyLimits) -> Option<Regime> {
        before.max(Regime::of(write_back, limits))
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Regime::Cached => "below the dirty limits",
            Regime::WrittenBack => "written back in the background",
            Regime::Throttled => "throttled",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_to_the_device_counts_and_limits_decide() {
        let mut limits = DirtyLimits::here();
        (limits.background_bytes, limits.throttle_bytes) = (Some(100), Some(200));
        let regime = |dirty_bytes, writing_bytes| Regime::of(&WriteBack { dirty_bytes, writing_bytes }, &limits);
        assert_eq!(regime(60, 39), Some(Regime::Cached));
        assert_eq!(regime(60, 40), Some(Regime::WrittenBack));
        assert_eq!(regime(0, 150), Some(Regime::Throttled));
        limits.throttle_bytes = None;
        assert_eq!(Regime::of(&WriteBack::default(), &limits), None);
        let after = |before| Regime::furthest(before, &WriteBack::default(), &limits);
        assert_eq!((after(Some(Regime::Throttled)), after(None)), (Some(Regime::Throttled), None));
    }
}
