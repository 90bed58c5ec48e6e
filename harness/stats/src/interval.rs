//! How sure a figure is: the median of repeated runs with what else it may be, and when two contestants differ.

use serde::{Deserialize, Serialize};

use crate::floor::Floor;

/// Fewer pairs than this can't tell a difference from chance.
const FEW_PAIRS: usize = 3;
/// How often the bounds of a ratio, or of one of many ratios, may miss it.
const OUTSIDE: f64 = 0.02;
/// Bounds that are believed less exclude nothing.
const BELIEVED: f64 = 0.9;

/// The median of repeated runs, and between which bounds the true one is believed to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The middle of the runs.
    pub median: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// How often bounds that are made this way hold the true median; 0 of one run.
    pub confidence: f64,
    /// How many runs, or pairs of runs, it is made from.
    pub runs: usize,
}

impl Interval {
    /// The median of runs (never of their samples), with the narrowest bounds that are runs themselves and hold the true median in
    /// at least 95 % of cases. `None` without a run, or with one that is not finite.
    ///
    /// Up to five runs can't give so much: the bounds are their range, and `confidence` says what it is worth: 0, 50, 75, 88 and
    /// 94 %. All of this is exact for every distribution: n runs lie on one side of the true median in one of 2ⁿ⁻¹ cases. The
    /// percentile bootstrap, which needs luck besides, holds it in 94 % at five and six runs, but in 89 % at seven (measured).
    #[must_use]
    pub fn of(runs: &[f64]) -> Option<Interval> {
        if runs.is_empty() || !runs.iter().all(|run| run.is_finite()) {
            return None;
        }
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (outside, confidence) = runs_outside(sorted.len());
        let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Interval {
            median: f64::midpoint(below, above),
            low: sorted[outside],
            high: sorted[sorted.len() - 1 - outside],
            confidence,
            runs: sorted.len(),
        })
    }

    /// Whether the value is believed not to be the true one: it lies outside of bounds that hold in at least nine of ten cases.
    #[must_use]
    pub fn excludes(&self, value: f64) -> bool {
        self.confidence >= BELIEVED && !(self.low..=self.high).contains(&value)
    }

    /// Bounds of a ratio that also leave room for what equals differ by: they exclude 1 where the ratio lies beyond both its interval
    /// and the floor. Without a floor they exclude nothing: nobody knows then what a difference is worth.
    #[must_use]
    pub fn beyond(self, floor: Option<&Floor>) -> Interval {
        let Some(floor) = floor else { return Interval { confidence: 0.0, ..self } };
        let times = floor.at(self.runs);
        Interval { low: self.low.min(self.median / times), high: self.high.max(self.median * times), ..self }
    }
}

/// How much more `a` does than `b`, from runs in turns: the ratio of the i-th run of `a` to the i-th of `b`, with bounds at 98 %.
/// `None` without a pair of positive, finite runs; what has no partner is left out. One or two pairs give their range.
///
/// The bounds are Student's t on the logarithms of the ratios. Measured: how often a contestant differs from itself (20,000 trials,
/// 2,000 of the bootstraps, each of log-normal noise of 5 %, two modes 1.3 or 3 apart taken evenly or in one run of five, one run in ten up to
/// three times slower, Student's t with 2 degrees), and how often a difference of 20 % is found in noise of 5 %:
///
/// | pairs | t 98 %: A/A | found | t 95 %: A/A | bootstrap of the median, 95 %: A/A | bootstrap-t, 95 %: A/A |
/// |--:|--:|--:|--:|--:|--:|
/// | 2 | 1.5–7.2 % | 9 % | 3.8–12.9 % | 50 % | – |
/// | 3 | 1.2–3.6 % | 34 % | 2.3–4.8 % | 25 % | 0–6.8 % |
/// | 4 | 0.5–2.0 % | 71 % | 1.8–4.8 % | 12–15 % | 0.8–3.8 % |
/// | 5 | 0.6–2.1 % | 91 % | 1.3–5.2 % | 5.4–6.6 % | 0.6–5.8 % |
/// | 8 | 0.3–2.2 % | 100 % | 1.6–5.6 % | 6.7–10.4 % | 3.2–8.0 % |
/// | 10 | 0.3–2.2 % | 100 % | 1.4–5.6 % | 6.3–8.3 % | 5.6–10.7 % |
///
/// Where one run in ten is up to three times slower, a fifth is found in 41 % with five pairs: rather unseen than invented.
///
/// Turns also take a host's drift out: with 3 % of noise, five pairs and a host that slows down by a fifth, wanders by 3 % a run or falls
/// by a third at once, 1 to 2 % of equal contestants differ; all runs of one before all of the other, 96, 17 and 23 %. What no turns
/// help against is a process that is lucky for as long as it lives (its memory's layout, its files' places): of two equal brokers
/// that live through all repeats and are 2 % apart by that, one in ten pairs differs. A broker of its own for each repeat makes noise of it
/// that the bounds know (Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", 2013).
///
/// So 98 %: a table of a hundred cells must stay at 5 % of false differences or below nearly always, not in half of its runs. And
/// who is compared with the best of a table is compared with luck: of sixteen equals, five runs each, 4.5 % of the others
/// seem to differ from whoever came out first.
#[must_use]
pub fn ratio(a: &[f64], b: &[f64]) -> Option<Interval> {
    ratio_among(a, b, 1)
}

/// [`ratio`] as one of many that are looked at together: in 98 % of cases the bounds of all of them hold (Bonferroni). Who looks at a
/// hundred figures for one that became worse, each with bounds at 98 %, finds one in two of three cases where nothing changed.
#[must_use]
pub fn ratio_among(a: &[f64], b: &[f64], comparisons: usize) -> Option<Interval> {
    let pairs = a.iter().zip(b).map(|(a, b)| a / b);
    let ratios: Vec<f64> = pairs.filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect();
    let range = Interval::of(&ratios)?;
    if ratios.len() < FEW_PAIRS {
        return Some(range);
    }
    let pairs = ratios.len() as f64;
    let mean = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / pairs;
    let variance = ratios.iter().map(|ratio| (ratio.ln() - mean).powi(2)).sum::<f64>() / (pairs - 1.0);
    let confidence = 1.0 - OUTSIDE / comparisons.max(1) as f64;
    let reach = student_t(ratios.len() - 1, confidence) * (variance / pairs).sqrt();
    Some(Interval {
        // The median of many skewed pairs can lie outside of the bounds of their mean.
        low: (mean - reach).exp().min(range.median),
        high: (mean + reach).exp().max(range.median),
        confidence,
        ..range
    })
}

/// Whether two contestants that ran in turns differ: whether their [`ratio`] excludes 1. Fewer than three pairs never do.
#[must_use]
pub fn distinguishable(a: &[f64], b: &[f64]) -> bool {
    ratio(a, b).is_some_and(|ratio| ratio.excludes(1.0))
}

/// Of so many runs, how many on each side may lie outside of the bounds, and how often these then hold the true median.
fn runs_outside(runs: usize) -> (usize, f64) {
    let halves = -(runs as f64) * std::f64::consts::LN_2;
    // How likely it is that exactly k runs lie below the true median: as a logarithm, since 2ⁿ ends at a thousand runs.
    let (mut exactly, mut tail) = (halves, halves.exp());
    let mut outside = 0;
    loop {
        exactly += ((runs - outside) as f64 / (outside + 1) as f64).ln();
        let next = tail + exactly.exp();
        if 1.0 - 2.0 * next < 0.95 {
            return (outside, 1.0 - 2.0 * tail);
        }
        (outside, tail) = (outside + 1, next);
    }
}

/// Between which value and its negative Student's t lies with so much probability, below 1.
pub(crate) fn student_t(degrees: usize, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while student_within(degrees, high) < probability {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if student_within(degrees, middle) < probability { low = middle } else { high = middle }
    }
    high
}

/// How likely Student's t lies between a value and its negative (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn student_within(degrees: usize, t: f64) -> f64 {
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    let (mut term, mut sum, mut at) = (if odd { cosine } else { 1.0 }, 0.0, if odd { 3 } else { 2 });
    while at <= degrees {
        sum += term;
        term *= (at - 1) as f64 / at as f64 * cosine * cosine;
        at += 2;
    }
    if odd { (angle + sine * sum) / std::f64::consts::FRAC_PI_2 } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::{NOISES, Noise, Random, normal, runs, seed};

    /// Of 4,000 trials, the share in which `b`, so many times `a`'s distribution, is called different from it.
    fn called_different(noise: Noise, pairs: usize, times: f64) -> f64 {
        let mut random = Random(7);
        let different = (0..4_000).filter(|_| {
            let a = runs(&mut random, noise, pairs);
            let b: Vec<f64> = runs(&mut random, noise, pairs).iter().map(|run| run * times).collect();
            distinguishable(&a, &b)
        });
        different.count() as f64 / 4_000.0
    }

    #[test]
    fn a_contestant_differs_from_itself_in_fewer_than_five_of_a_hundred_trials() {
        for noise in NOISES {
            for pairs in [1, 2, 3, 4, 5, 6, 8, 10, 20] {
                let share = called_different(noise, pairs, 1.0);
                assert!(share <= 0.05, "{noise:?}, {pairs} pairs: {share}");
            }
        }
    }

    /// What a host does to runs, one after the other.
    #[derive(Debug, Clone, Copy)]
    enum Drift {
        /// It gets slower, by a fifth from the first to the last.
        Slope,
        /// From one run to the next it is 3 % faster or slower.
        Walk,
        /// At some moment it is slower by a third from then on.
        Step,
        /// Two brokers that live through all runs: each is 2 % faster or slower than its like, for as long as it lives.
        Processes,
    }

    /// Of 2,000 cells, the share in which a target is called different from itself: five runs of each, 3 % of noise and a host that
    /// drifts, in turns (A B, B A, …) or first all of one.
    fn called_different_while(drift: Drift, in_turns: bool, seed: u64) -> f64 {
        const PAIRS: usize = 5;
        let mut random = Random(seed);
        let different = (0..2_000).filter(|_| {
            let (mut level, steps_at) = (1.0, random.below(2 * PAIRS));
            let own = [0.02 * normal(&mut random), 0.02 * normal(&mut random)].map(f64::exp);
            let mut values: [Vec<f64>; 2] = Default::default();
            for turn in 0..2 * PAIRS {
                let whose = if in_turns { usize::from(matches!(turn % 4, 1 | 2)) } else { turn / PAIRS };
                level = match drift {
                    Drift::Slope => 1.0 - 0.2 * turn as f64 / (2 * PAIRS - 1) as f64,
                    Drift::Walk => level * (0.03 * normal(&mut random)).exp(),
                    Drift::Step if turn == steps_at => 0.67,
                    Drift::Step => level,
                    Drift::Processes => own[whose],
                };
                values[whose].push(1e9 * level * (0.03 * normal(&mut random)).exp());
            }
            distinguishable(&values[0], &values[1])
        });
        different.count() as f64 / 2_000.0
    }

    #[test]
    fn a_host_that_drifts_makes_no_difference_as_long_as_they_take_turns() {
        let seed = seed(7);
        for drift in [Drift::Slope, Drift::Walk, Drift::Step] {
            let (in_turns, in_blocks) =
                (called_different_while(drift, true, seed), called_different_while(drift, false, seed));
            println!("{drift:?}: {in_turns} in turns, {in_blocks} one after the other");
            assert!(in_turns <= 0.05, "{drift:?}: {in_turns}");
            assert!(in_blocks > in_turns, "{drift:?}: {in_blocks}");
        }
        // What no turns can help against: each repeat needs a broker of its own.
        let processes = called_different_while(Drift::Processes, true, seed);
        println!("Processes: {processes} in turns");
        assert!(processes > 0.05, "{processes}");
    }

    #[test]
    fn of_sixteen_equals_at_most_five_in_a_hundred_differ_from_the_luckiest() {
        let (mut random, mut different) = (Random(5), 0);
        for _ in 0..1_000 {
            let mut table: Vec<Vec<f64>> = (0..16).map(|_| runs(&mut random, Noise::Steady, 5)).collect();
            let median = |runs: &[f64]| Interval::of(runs).unwrap().median;
            table.sort_by(|a, b| median(b).total_cmp(&median(a)));
            different += table[1..].iter().filter(|other| distinguishable(&table[0], other)).count();
        }
        assert!(different <= 15 * 1_000 / 20, "{different} of 15,000");
    }

    #[test]
    fn a_difference_of_a_fifth_is_found_in_five_pairs_of_steady_runs() {
        assert!(called_different(Noise::Steady, 5, 1.2) > 0.85);
        assert!(called_different(Noise::Steady, 5, 1.0 / 1.2) > 0.85);
        assert!(called_different(Noise::Outliers, 5, 1.2) > 0.35);
    }

    #[test]
    fn the_bounds_hold_the_true_median_as_often_as_they_say() {
        for count in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20] {
            let (mut random, mut confidence) = (Random(11), 0.0);
            let held = (0..4_000).filter(|_| {
                let interval = Interval::of(&runs(&mut random, Noise::Steady, count)).unwrap();
                confidence = interval.confidence;
                (interval.low..=interval.high).contains(&1e9)
            });
            let held = held.count() as f64 / 4_000.0;
            assert!((held - confidence).abs() < 0.02, "{count} runs: {held}, said {confidence}");
            assert!(count < 6 || (0.95..1.0).contains(&confidence), "{count} runs: {confidence}");
        }
    }

    #[test]
    fn few_runs_give_their_range_with_what_it_is_worth() {
        let three = Interval::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((three.low, three.median, three.high, three.runs), (1.0, 2.0, 3.0, 3));
        assert!((three.confidence - 0.75).abs() < 1e-9 && !three.excludes(100.0));
        let one = Interval::of(&[7.0]).unwrap();
        assert_eq!((one.low, one.median, one.high, one.confidence), (7.0, 7.0, 7.0, 0.0));
        assert!(Interval::of(&[5.0, 1.0, 4.0, 2.0, 3.0]).unwrap().excludes(5.5));
    }

    #[test]
    fn many_runs_leave_the_outermost_outside() {
        let many: Vec<f64> = (1..=2_001).map(f64::from).collect();
        let interval = Interval::of(&many).unwrap();
        assert_eq!((interval.median, interval.low + interval.high), (1_001.0, 2_002.0));
        assert!((950.0..965.0).contains(&interval.low), "{interval:?}");
        assert_eq!(Interval::of(&many[..4]).unwrap().median, 2.5);
    }

    #[test]
    fn two_pairs_may_be_chance() {
        assert!(!distinguishable(&[1.0, 1.0], &[9.0, 9.0]));
        assert!(distinguishable(&[1.0, 1.01, 0.99], &[9.0, 9.1, 9.2]));
    }

    #[test]
    fn nothing_and_what_is_not_a_number_give_no_interval() {
        assert_eq!(Interval::of(&[]), None);
        assert_eq!(Interval::of(&[1.0, f64::NAN]), None);
        assert_eq!(ratio(&[1.0, 2.0], &[]), None);
        assert_eq!(ratio(&[0.0, 5.0], &[0.0, 0.0]), None);
        let kept = ratio(&[0.0, 6.0, 7.0], &[1.0, 3.0]).unwrap();
        assert_eq!((kept.median, kept.runs), (2.0, 1), "a run that failed takes its partner with it");
    }

    #[test]
    fn a_ratio_of_runs_that_repeat_to_the_digit_has_no_width() {
        let same = ratio(&[2.0; 5], &[2.0; 5]).unwrap();
        assert_eq!((same.low, same.median, same.high), (1.0, 1.0, 1.0));
        assert!(!same.excludes(1.0));
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        let table =
            [(1, 31.821), (2, 6.965), (3, 4.541), (4, 3.747), (9, 2.821), (12, 2.681), (30, 2.457), (1_000, 2.330)];
        for (degrees, expected) in table {
            let found = student_t(degrees, 0.98);
            assert!((found / expected - 1.0).abs() < 0.000_5, "{degrees}: {found}");
        }
        assert!((student_t(4, 0.999) - 8.610).abs() < 0.001 && (student_t(5, 0.95) - 2.571).abs() < 0.001);
    }

    #[test]
    fn of_many_figures_that_did_not_change_hardly_ever_one_seems_to() {
        let (mut random, mut found) = (Random(3), 0);
        for _ in 0..400 {
            let differ = (0..50).any(|_| {
                let (a, b) = (runs(&mut random, Noise::Steady, 5), runs(&mut random, Noise::Steady, 5));
                ratio_among(&a, &b, 50).unwrap().excludes(1.0)
            });
            found += usize::from(differ);
        }
        assert!(found <= 20, "in {found} of 400 tables");
        assert_eq!(ratio_among(&[2.0, 2.2, 2.1], &[1.0; 3], 1), ratio(&[2.0, 2.2, 2.1], &[1.0; 3]));
    }
}
