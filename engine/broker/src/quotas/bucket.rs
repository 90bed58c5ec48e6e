//! What somebody has used of a quota and not yet paid off with time. What time it is, the caller says.
//!
//! A bucket of tokens (KIP-599): what the limit gives in a burst's time may be used at once, and over any longer time no more
//! than the limit. With S used all of a sudden, at a limit of L a second and bursts of B seconds, the wait is S / L - B: that of
//! Kafka's windows of B seconds too, which forget what is older, and so let twice the limit pass where S is about L * B.

/// An hour. With a small limit and much used at once a bucket would be owed to for days, and clients choose their names.
const REMEMBERED_MS: u64 = 3_600_000;

/// One entity's use of one quota.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Used and not paid off, as of then.
    owed: f64,
    as_of_ms: u64,
    /// A second.
    limit: f64,
}

impl Bucket {
    /// Pays off what the time since the last call allows; from here on, `limit` a second.
    pub(crate) fn settle(&mut self, now_ms: u64, limit: f64) {
        self.owed = self.owed_at(now_ms);
        // Of two threads the later one may have looked at the clock first.
        self.as_of_ms = self.as_of_ms.max(now_ms);
        self.limit = limit;
    }

    /// Uses `amount`, more than there is if need be.
    pub(crate) fn take(&mut self, amount: f64) {
        self.owed += amount;
    }

    /// How long until no more is owed than a burst gives. Milliseconds.
    pub(crate) fn wait_ms(&self, burst_ms: f64) -> f64 {
        (self.owed / self.limit * 1000.0 - burst_ms).max(0.0)
    }

    /// Whether it is what a new one would be, or nobody has used it for as long as Kafka remembers a client.
    pub(crate) fn is_forgotten_at(&self, now_ms: u64) -> bool {
        self.owed_at(now_ms) == 0.0 || now_ms.saturating_sub(self.as_of_ms) >= REMEMBERED_MS
    }

    fn owed_at(&self, now_ms: u64) -> f64 {
        (self.owed - self.limit * now_ms.saturating_sub(self.as_of_ms) as f64 / 1000.0).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With Kafka's defaults.
    const BURST_MS: f64 = 11_000.0;

    fn used(bucket: &mut Bucket, now_ms: u64, amount: f64, limit: f64) -> f64 {
        bucket.settle(now_ms, limit);
        bucket.take(amount);
        bucket.wait_ms(BURST_MS)
    }

    #[test]
    fn a_burst_is_free_and_the_rest_takes_its_time() {
        let mut bucket = Bucket::default();
        assert_eq!(used(&mut bucket, 100, 1100.0, 100.0), 0.0);
        assert_eq!(used(&mut bucket, 100, 1.0, 100.0), 10.0);
        assert_eq!(used(&mut bucket, 110, 0.0, 100.0), 0.0);
        // Ten seconds give ten seconds' worth.
        assert_eq!(used(&mut bucket, 10_110, 1000.0, 100.0), 0.0);
        assert_eq!(used(&mut bucket, 10_110, 50.0, 100.0), 500.0);
        assert!(!bucket.is_forgotten_at(21_609));
        assert!(bucket.is_forgotten_at(21_610));
    }

    #[test]
    fn what_is_not_used_does_not_pile_up() {
        let mut bucket = Bucket::default();
        assert_eq!(used(&mut bucket, 0, 5.0, 100.0), 0.0);
        assert_eq!(used(&mut bucket, 3_600_000, 1200.0, 100.0), 1000.0);
    }

    #[test]
    fn what_is_owed_is_paid_off_at_the_limit_of_the_day() {
        let mut bucket = Bucket::default();
        assert_eq!(used(&mut bucket, 0, 1e6, 10.0), 1e8 - BURST_MS);
        assert_eq!(used(&mut bucket, 0, 0.0, 1e6), 0.0, "a quota that was too small by mistake is soon forgotten");
    }

    #[test]
    fn who_keeps_to_the_waits_keeps_to_the_limit() {
        for (amount, limit) in [(500.0, 1000.0), (7.0, 3.0), (33.0, 3.0), (1_000_000.0, 40_000.0)] {
            let (mut bucket, mut now_ms, mut sent) = (Bucket::default(), 0, 0.0);
            while now_ms < 600_000 {
                sent += amount;
                now_ms += used(&mut bucket, now_ms, amount, limit).ceil() as u64;
            }
            let allowed = limit * (now_ms as f64 + BURST_MS) / 1000.0;
            assert!(sent <= allowed && sent > 0.95 * allowed, "{sent} of {allowed}, {amount} at a time");
        }
    }
}
