//! A scale: from a value to its place, and round values to mark on it.

/// Linear or logarithmic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// From 0 at `from` to `high` at `to`.
    pub(super) fn linear(high: f64, from: f64, to: f64) -> Scale {
        Scale { low: 0.0, high: high.max(f64::MIN_POSITIVE), from, to, logarithmic: false }
    }

    /// What is not positive is left out; a little air on both sides.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = positive.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if high > 0.0 { (low, high) } else { (1.0, 1.0) };
        let air = (high / low).powf(0.05).max(1.1);
        Scale { low: low / air, high: high * air, from, to, logarithmic: true }
    }

    /// The last value that has a place of its own.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Where a value stands; beyond an end, at that end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// About `wanted` round values within.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.logarithmic { self.decades(wanted) } else { self.steps(wanted) }
    }

    fn steps(&self, wanted: usize) -> Vec<f64> {
        let rough = self.high / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let rounds = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power);
        let step = rounds.into_iter().find(|step| *step >= rough).unwrap_or(power);
        (0..).map(|n| f64::from(n) * step).take_while(|tick| *tick <= self.high).collect()
    }

    /// 1, 2 and 5 of each power of ten where there is room for them, else powers only, and of many only some.
    fn decades(&self, wanted: usize) -> Vec<f64> {
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let within = |factors: &[f64]| -> Vec<f64> {
            let all = powers.clone().flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
            all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
        };
        let all = within(&[1.0, 2.0, 5.0]);
        if all.len() <= wanted {
            return all;
        }
        let (some, powers) = (within(&[1.0, 3.0]), within(&[1.0]));
        if some.len() <= wanted {
            return some;
        }
        let every = powers.len().div_ceil(wanted.max(1)).max(1);
        powers.into_iter().step_by(every).collect()
    }
}

/// A value as a mark names it: no more digits than it has.
pub(crate) fn named(tick: f64) -> String {
    if tick >= 1_000.0 {
        return crate::numbers::grouped(tick.round() as u64);
    }
    let text = format!("{tick:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(Scale::linear(430.0, 0.0, 1.0).ticks(4), [0.0, 200.0, 400.0]);
        assert_eq!(Scale::linear(7.9, 0.0, 1.0).ticks(4), [0.0, 2.0, 4.0, 6.0]);
        let log = |low: f64, high: f64| Scale::logarithmic([low, high].into_iter(), 0.0, 1.0).ticks(6);
        assert_eq!(log(3.0, 40.0), [5.0, 10.0, 20.0]);
        assert_eq!(log(1.0, 1_000.0), [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!(log(7.0, 7.0), [7.0; 0], "one value has no round neighbour");
    }

    #[test]
    fn values_stand_in_order_and_never_outside() {
        let scale = Scale::logarithmic([1.0, 100.0, f64::NAN, -3.0].into_iter(), 10.0, 20.0);
        assert!(scale.at(1.0) > 10.0 && scale.at(10.0) - 15.0 < 1e-9 && scale.at(100.0) < 20.0);
        assert_eq!((scale.at(-1.0), scale.at(1e9)), (10.0, 20.0));
        assert_eq!(Scale::linear(0.0, 0.0, 9.0).at(0.0), 0.0);
    }

    #[test]
    fn marks_are_named_without_needless_digits() {
        assert_eq!([0.5, 20.0, 5_000.0, 0.001].map(named), ["0.5", "20", "5,000", "0.001"]);
    }
}
