//! Latencies: recorded whole, merged never averaged, quoted only where enough samples lie beyond.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A percentile with fewer samples beyond it says more about luck than about the broker.
const BEYOND: f64 = 10.0;
/// Three significant digits: errors stay below 0.1 %.
const DIGITS: u8 = 3;

/// Latencies of one measurement, in nanoseconds.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { histogram: Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("three digits are allowed")) }
    }
}

/// Counts as they are; more of them may be added.
impl From<Histogram<u64>> for Latencies {
    fn from(histogram: Histogram<u64>) -> Latencies {
        let mut latencies = Latencies::default();
        let _ = latencies.histogram.add(&histogram);
        latencies
    }
}

impl Latencies {
    /// Records one.
    pub fn record(&mut self, latency: Duration) {
        self.record_ns(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records one of so many nanoseconds; 0 counts as 1.
    pub fn record_ns(&mut self, nanoseconds: u64) {
        // An auto-resizing histogram takes every 64-bit value.
        let _ = self.histogram.record(nanoseconds.max(1));
    }

    /// Adds another measurement's samples.
    pub fn merge(&mut self, other: &Latencies) {
        let _ = self.histogram.add(&other.histogram);
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The longest, in milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        self.histogram.max() as f64 / 1e6
    }

    /// A percentile in milliseconds, where enough samples lie beyond it.
    #[must_use]
    pub fn percentile_ms(&self, percent: f64) -> Option<f64> {
        let beyond = self.count() as f64 * (100.0 - percent) / 100.0;
        // 100 − 99.9 is a little less than 0.1.
        (beyond > BEYOND - 1e-6).then(|| self.histogram.value_at_percentile(percent) as f64 / 1e6)
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// The raw histogram: values in nanoseconds with their counts, from the lowest. Enough to compute every percentile anew.
    #[must_use]
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        self.histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_quoted_only_with_ten_samples_beyond() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let close = |found: Option<f64>, expected: f64| found.is_some_and(|ms| (ms - expected).abs() < 2.0);
        assert!(close(latencies.percentile_ms(50.0), 500.0));
        assert!(close(latencies.percentile_ms(99.0), 990.0));
        assert_eq!(latencies.percentile_ms(99.9), None, "one sample lies beyond");
        (1..=9_000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        assert!(latencies.percentile_ms(99.9).is_some(), "exactly ten do");
        assert_eq!(latencies.percentile_ms(99.91), None, "nine do");
    }

    #[test]
    fn merged_histograms_keep_every_sample() {
        let (mut a, mut b) = (Latencies::default(), Latencies::default());
        a.record(Duration::from_micros(5));
        b.record(Duration::from_secs(100));
        a.merge(&b);
        assert_eq!((a.count(), a.buckets().iter().map(|(_, count)| count).sum::<u64>()), (2, 2));
        assert!((a.max_ms() - 100_000.0).abs() < 100.0);
    }
}
