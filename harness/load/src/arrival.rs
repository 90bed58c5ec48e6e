//! Intended time: when each record of a producer should leave, whatever the target does.

use crate::workload::Arrival;

/// The times of one of several producers, in nanoseconds after the start. Times are never skipped: who comes late sends at once,
/// and counts each record from when it was due.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    /// Whenever it can.
    AtOnce,
    /// The n-th record at (n + phase) intervals.
    Uniform { interval_ns: f64, phase: f64, n: u64 },
    /// Intervals as those of a Poisson process.
    Poisson { mean_ns: f64, next_ns: f64, random: fastrand::Rng },
}

impl Schedule {
    /// That of producer `number` of `producers`, which share the rate evenly. Uniform producers take turns; the sum of Poisson's
    /// is one itself.
    pub(crate) fn new(arrival: Arrival, number: u32, producers: u32, seed: u64) -> Schedule {
        let interval_ns = |per_second: f64| f64::from(producers) * 1e9 / per_second;
        match arrival {
            Arrival::Maximum | Arrival::Closed { .. } => Schedule::AtOnce,
            Arrival::Uniform { per_second } => Schedule::Uniform {
                interval_ns: interval_ns(per_second),
                phase: f64::from(number) / f64::from(producers),
                n: 0,
            },
            Arrival::Poisson { per_second } => {
                let mut random = fastrand::Rng::with_seed(seed ^ u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                let mean_ns = interval_ns(per_second);
                Schedule::Poisson { mean_ns, next_ns: exponential(mean_ns, &mut random), random }
            }
        }
    }

    /// When the next record is due; `None`: whenever it can be sent.
    pub(crate) fn next_ns(&mut self) -> Option<u64> {
        match self {
            Schedule::AtOnce => None,
            Schedule::Uniform { interval_ns, phase, n } => {
                let due = (*n as f64 + *phase) * *interval_ns;
                *n += 1;
                Some(due as u64)
            }
            Schedule::Poisson { mean_ns, next_ns, random } => {
                let due = *next_ns;
                *next_ns += exponential(*mean_ns, random);
                Some(due as u64)
            }
        }
    }
}

/// By inversion: a uniform number of (0, 1] has a finite logarithm.
fn exponential(mean: f64, random: &mut fastrand::Rng) -> f64 {
    -(1.0 - random.f64()).ln() * mean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(arrival: Arrival, producers: u32, until_ns: u64) -> Vec<u64> {
        let mut times = Vec::new();
        for number in 0..producers {
            let mut schedule = Schedule::new(arrival, number, producers, 7);
            times.extend(std::iter::from_fn(|| schedule.next_ns()).take_while(|due| *due < until_ns));
        }
        times.sort_unstable();
        times
    }

    #[test]
    fn producers_share_a_uniform_rate_in_turns() {
        let times = times(Arrival::Uniform { per_second: 1_000.0 }, 4, 1_000_000_000);
        assert_eq!(times, (0..1_000).map(|n| n * 1_000_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_poisson_process_has_its_rate_and_its_scatter() {
        for producers in [1, 10] {
            let times = times(Arrival::Poisson { per_second: 10_000.0 }, producers, 10_000_000_000);
            assert!((99_000..101_000).contains(&times.len()), "{}", times.len());
            let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
            assert!((0.97..1.03).contains(&(deviation / mean)), "an exponential's deviation is its mean");
        }
    }

    #[test]
    fn a_seed_gives_the_same_times_again() {
        let arrival = Arrival::Poisson { per_second: 100.0 };
        assert_eq!(times(arrival, 3, 1 << 33), times(arrival, 3, 1 << 33));
    }
}
