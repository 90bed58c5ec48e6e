//! When a cell runs: its warm-up, what is counted, and the slices of that.

use std::time::Duration;

/// How many slices a cell has at most, and how long one is at least.
const SLICES: u64 = 120;
const SLICE_NS: u64 = 1_000_000_000;

/// Moments of one cell, in nanoseconds of [`monotonic_ns`](crate::monotonic_ns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Load begins.
    pub(crate) load_ns: u64,
    /// Counting begins.
    pub(crate) begin_ns: u64,
    /// Both end.
    pub(crate) end_ns: u64,
    /// Length of a slice.
    pub(crate) slice_ns: u64,
}

impl Window {
    pub(crate) fn new(load_ns: u64, warm_up: Duration, duration: Duration) -> Window {
        let begin_ns = load_ns + nanoseconds(warm_up);
        let length_ns = nanoseconds(duration).max(1);
        let slice_ns = SLICE_NS.max(length_ns.div_ceil(SLICES)).min(length_ns);
        Window { load_ns, begin_ns, end_ns: begin_ns + length_ns, slice_ns }
    }

    /// The slice that a moment lies in; `None` before counting begins, and after it has ended.
    pub(crate) fn slice(&self, at_ns: u64) -> Option<usize> {
        (self.begin_ns..self.end_ns).contains(&at_ns).then(|| ((at_ns - self.begin_ns) / self.slice_ns) as usize)
    }

    pub(crate) fn slices(&self) -> usize {
        (self.end_ns - self.begin_ns).div_ceil(self.slice_ns) as usize
    }

    /// When a slice ends, after the beginning.
    pub(crate) fn slice_end(&self, slice: usize) -> Duration {
        Duration::from_nanos(((slice as u64 + 1) * self.slice_ns).min(self.end_ns - self.begin_ns))
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counted_moment_has_a_slice_and_no_other_has() {
        for (duration, slices) in [(300, 1), (1_000, 1), (2_500, 3), (120_000, 120), (3_600_000, 120)] {
            let window = Window::new(5, Duration::from_millis(10), Duration::from_millis(duration));
            assert_eq!(window.slices(), slices);
            assert_eq!((window.slice(window.begin_ns - 1), window.slice(window.end_ns)), (None, None));
            assert_eq!((window.slice(window.begin_ns), window.slice(window.end_ns - 1)), (Some(0), Some(slices - 1)));
            assert_eq!(window.slice_end(slices - 1), Duration::from_millis(duration));
        }
    }
}
