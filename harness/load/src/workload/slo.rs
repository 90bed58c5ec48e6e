//! What a rate must keep to count as sustained.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::key::time;

const KEPT: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// A bound for a percentile of the latency from intended time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// The percentile: 50, 90, 99 or 99.9, which are those that results keep.
    pub percent: f64,
    /// It must be below this.
    pub below: Duration,
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Slo, String> {
        let parsed = || {
            let (percentile, limit) = text.split_once('<')?;
            let percent: f64 = percentile.trim().strip_prefix('p')?.parse().ok()?;
            KEPT.iter().find(|kept| **kept == percent)?;
            let below = time(limit.trim_start_matches('=').trim()).filter(|below| !below.is_zero())?;
            Some(Slo { percent, below })
        };
        parsed()
            .ok_or_else(|| "an objective such as p99<10ms is needed; p50, p90, p99 and p99.9 are allowed".to_owned())
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}<{}ms", self.percent, self.below.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_is_a_percentile_and_a_time() {
        let slo: Slo = "p99.9<10ms".parse().unwrap();
        assert_eq!(slo, Slo { percent: 99.9, below: Duration::from_millis(10) });
        assert_eq!(slo.to_string(), "p99.9<10ms");
        assert_eq!("p50 <= 0.5s".parse::<Slo>().unwrap().to_string(), "p50<500ms");
        for wrong in ["", "p99", "p99>10ms", "p98<1ms", "max<1ms", "99<1ms", "p99<10", "p99<0ms", "p99<-1ms"] {
            assert!(wrong.parse::<Slo>().is_err(), "{wrong}");
        }
    }
}
