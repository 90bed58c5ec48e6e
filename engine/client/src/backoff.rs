//! How long to wait before trying again: doubling, with jitter, up to a maximum (KIP-580).

use std::time::Duration;

use crate::partitioner::random;

/// `retry.backoff.ms` and `retry.backoff.max.ms`, and how often it was tried.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        Self { first, max: max.max(first), attempts: 0 }
    }

    /// The next pause: twice the one before, ±20 % so that clients that failed together do not return together.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.first.saturating_mul(1 << self.attempts.min(20)).min(self.max);
        self.attempts += 1;
        pause.mul_f64(0.8 + 0.4 * (random() % 1000) as f64 / 1000.0)
    }

    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for expected_ms in [100.0, 200.0, 400.0, 800.0, 1000.0, 1000.0] {
            let pause_ms = backoff.next().as_secs_f64() * 1000.0;
            assert!((pause_ms / expected_ms - 1.0).abs() < 0.21, "{pause_ms} for {expected_ms}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(120));
    }
}
