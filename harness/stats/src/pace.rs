//! Intended time: when each record of an open loop should leave, whatever the broker does.

use std::time::Duration;

/// A uniform rate. The n-th record is due at `n / rate` after the start; a generator that comes late sends what is due at once
/// and counts each record's latency from when it was due. No tick is ever skipped.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    per_second: f64,
}

impl Pace {
    /// So many a second; more than 0.
    #[must_use]
    pub fn new(per_second: f64) -> Pace {
        Pace { per_second: per_second.max(f64::MIN_POSITIVE) }
    }

    /// When the n-th record (from 0) is due, after the start.
    #[must_use]
    pub fn due(self, n: u64) -> Duration {
        Duration::from_secs_f64(n as f64 / self.per_second)
    }

    /// How many are due by `elapsed`.
    #[must_use]
    pub fn due_by(self, elapsed: Duration) -> u64 {
        (elapsed.as_secs_f64() * self.per_second).floor() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latencies;

    /// A broker that answers in a millisecond, but not at all for two seconds: what a generator of 1,000 a second must show.
    #[test]
    fn a_stall_of_two_seconds_is_seen_by_two_thousand_records() {
        let (pace, mut latencies) = (Pace::new(1_000.0), Latencies::default());
        let (stall_begins, stall_ends) = (Duration::from_secs(3), Duration::from_secs(5));
        for n in 0..10_000 {
            let due = pace.due(n);
            let answered = if due >= stall_begins && due < stall_ends { stall_ends } else { due };
            latencies.record(answered + Duration::from_millis(1) - due);
        }
        assert!((latencies.max_ms() - 2_001.0).abs() < 5.0, "{}", latencies.max_ms());
        let slow: u64 = latencies.buckets().iter().filter(|(ns, _)| *ns > 2_000_000).map(|(_, count)| count).sum();
        assert!((1_990..=2_000).contains(&slow), "{slow}");
    }

    #[test]
    fn who_comes_late_still_owes_every_record() {
        let pace = Pace::new(1_000.0);
        assert_eq!(pace.due_by(Duration::from_millis(2_500)), 2_501);
        assert_eq!(pace.due(2_500), Duration::from_millis(2_500));
    }
}
