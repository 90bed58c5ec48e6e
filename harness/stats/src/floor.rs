//! The noise floor: how far equals lie apart, which is what a difference has to exceed before it counts.

use serde::{Deserialize, Serialize};

use crate::interval::student_t;

/// Of so many of a hundred pairs of equals, the floor is not exceeded.
const INSIDE: f64 = 0.95;
/// One pair says nothing of the next.
const FEW_PAIRS: usize = 2;
/// Fewer twins than this go in with the halves: of one or two alone Student's t makes a floor that nothing exceeds.
const FEW_TWINS: usize = 3;

/// How far equals lie apart that ran so often each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// The larger of two equals as a multiple of the smaller: in 95 of 100 cases it is less.
    pub times: f64,
    /// How often each of them runs.
    pub runs: usize,
    /// How many pairs of equals it is made from.
    pub pairs: usize,
}

impl Floor {
    /// From [`halves`] and [`twins`], for equals that run so often each; `None` of fewer than two pairs.
    ///
    /// From nineteen pairs on it is the distance that the next one exceeds in at most 5 % of cases whatever its distribution: the
    /// k-th smallest of n pairs where k ≥ 0.95 (n + 1). Of fewer no quantile is that far out: it is their root mean square times
    /// Student's t, exact for normal scatter; of long tails one pair in eight exceeds it. Twins also have what a process brings with it for as long as it lives,
    /// so where there are three of them, the floor is not lower than theirs.
    ///
    /// Measured on tables of 1 to 25 cells of two equal targets (normal, log-normal, two modes, outliers, Student's t with 2 degrees;
    /// a host that is still, slows down, wanders or falls by a third at once): 0 to 3 % of cells differ beyond interval and floor,
    /// where the interval alone lets 1 to 4 % through. A fifth more is found in nine of ten cells of 25, with 5 % of scatter and five rounds.
    #[must_use]
    pub fn of(halves: &[f64], twins: &[f64], runs: usize) -> Option<Floor> {
        let all = [halves, twins].concat();
        let own = Some(twins).filter(|twins| twins.len() >= FEW_TWINS).and_then(exceeded_by_few);
        let single = exceeded_by_few(&all)?.max(own.unwrap_or(0.0));
        let times = (single / (runs.max(1) as f64).sqrt()).exp();
        Some(Floor { times, runs, pairs: all.len() })
    }

    /// The same of equals that run this often each: what is left of chance falls with the root of that.
    #[must_use]
    pub fn at(&self, runs: usize) -> f64 {
        self.times.powf((self.runs as f64 / runs.max(1) as f64).sqrt())
    }
}

/// How far the even runs of a contestant lie from its odd ones: an A/A comparison that costs no run of its own. As the logarithm of
/// their ratio, brought to one run each. `None` of a single run, or with one that is not positive and finite.
///
/// Taken in turns, so that a host that gets slower weighs on both halves alike.
#[must_use]
pub fn halves(runs: &[f64]) -> Option<f64> {
    let logarithms = logarithms(runs)?;
    let mean_from = |first: usize| {
        let half: Vec<f64> = logarithms.iter().skip(first).step_by(2).copied().collect();
        (!half.is_empty()).then(|| (half.iter().sum::<f64>() / half.len() as f64, half.len() as f64))
    };
    let ((even, evens), (odd, odds)) = (mean_from(0)?, mean_from(1)?);
    Some((even - odd) * (2.0 / (1.0 / evens + 1.0 / odds)).sqrt())
}

/// The same of a product that a run has twice: all runs of the one against those of the other.
#[must_use]
pub fn twins(one: &[f64], other: &[f64]) -> Option<f64> {
    let (one, other) = (logarithms(one)?, logarithms(other)?);
    let pairs = one.len().min(other.len()) as f64;
    let apart = one.iter().zip(&other).map(|(one, other)| one - other).sum::<f64>() / pairs;
    Some(apart * pairs.sqrt()).filter(|apart| apart.is_finite())
}

fn logarithms(runs: &[f64]) -> Option<Vec<f64>> {
    runs.iter().map(|run| Some(run.ln()).filter(|logarithm| logarithm.is_finite())).collect()
}

/// What the distance of the next pair exceeds in at most 5 % of cases.
fn exceeded_by_few(pairs: &[f64]) -> Option<f64> {
    let mut apart: Vec<f64> = pairs.iter().map(|pair| pair.abs()).collect();
    apart.sort_by(f64::total_cmp);
    let place = (INSIDE * (apart.len() + 1) as f64).ceil() as usize;
    if let Some(apart) = apart.get(place - 1) {
        return Some(*apart);
    }
    let mean_square = apart.iter().map(|apart| apart.powi(2)).sum::<f64>() / apart.len() as f64;
    (apart.len() >= FEW_PAIRS).then(|| student_t(apart.len(), INSIDE) * mean_square.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratio;
    use crate::simulated::{NOISES, Noise, Random, normal, runs, seed, unit};

    /// From so many on, a floor does not depend on how they are distributed.
    const ENOUGH_PAIRS: usize = 19;

    /// What the host does to a table's rounds.
    #[derive(Debug, Clone, Copy)]
    enum Host {
        Still,
        /// A fifth slower from the first turn to the last.
        Slope,
        /// 3 % faster or slower from one turn to the next.
        Walk,
        /// Slower by a third from some turn on.
        Step,
    }

    /// How the runs of a table scatter: as contestants do, or with Student's t of two degrees, whose variance has no bound.
    #[derive(Debug, Clone, Copy)]
    enum Scatter {
        As(Noise),
        /// On the scale of records a second itself, 4 %.
        Normal,
        HeavyTails,
    }

    impl Scatter {
        fn run(self, random: &mut Random) -> f64 {
            match self {
                Scatter::As(noise) => runs(random, noise, 1)[0],
                Scatter::Normal => 1e9 * (1.0 + 0.04 * normal(random)),
                Scatter::HeavyTails => {
                    let chi = -2.0 * (1.0 - unit(random)).ln();
                    1e9 * (0.03 * normal(random) / (chi / 2.0).sqrt()).exp()
                }
            }
        }
    }

    /// Two targets in so many cells and rounds, each cell A B in one round and B A in the next. `b` is so many times `a`.
    fn table(random: &mut Random, scatter: Scatter, host: Host, (cells, rounds): (usize, usize), times: f64) -> Table {
        let (mut level, turns) = (1.0, 2 * cells * rounds);
        let steps_at = random.below(turns);
        let mut table = vec![[Vec::new(), Vec::new()]; cells];
        for turn in 0..turns {
            let (round, cell, second) = (turn / 2 / cells, turn / 2 % cells, turn % 2);
            let whose = if round % 2 == 0 { second } else { 1 - second };
            level = match host {
                Host::Still => 1.0,
                Host::Slope => 1.0 - 0.2 * turn as f64 / turns as f64,
                Host::Walk => level * (0.03 * normal(random)).exp(),
                Host::Step if turn == steps_at => 0.67,
                Host::Step => level,
            };
            let own = if whose == 1 { times } else { 1.0 };
            table[cell][whose].push(level * own * scatter.run(random));
        }
        table
    }

    type Table = Vec<[Vec<f64>; 2]>;

    fn floor(table: &Table) -> Option<Floor> {
        let pairs: Vec<f64> = table.iter().flatten().filter_map(|runs| halves(runs)).collect();
        Floor::of(&pairs, &[], table[0][0].len())
    }

    /// Of so many cells in tables of this size, the shares that differ beyond the interval and the floor, and beyond the interval alone.
    fn called(random: &mut Random, scatter: Scatter, host: Host, size: (usize, usize), times: f64) -> (f64, f64) {
        let (mut both, mut interval, tables) = (0, 0, 2_000 / size.0);
        for _ in 0..tables {
            let table = table(random, scatter, host, size, times);
            let floor = floor(&table);
            for [a, b] in &table {
                let ratio = ratio(b, a).unwrap();
                both += usize::from(ratio.beyond(floor.as_ref()).excludes(1.0));
                interval += usize::from(ratio.excludes(1.0));
            }
        }
        let of = |count: usize| count as f64 / (tables * size.0) as f64;
        (of(both), of(interval))
    }

    #[test]
    fn equals_differ_beyond_interval_and_floor_in_fewer_than_five_of_a_hundred_cells() {
        let mut random = Random(seed(7));
        let scatters = NOISES.map(Scatter::As).into_iter().chain([Scatter::Normal, Scatter::HeavyTails]);
        for scatter in scatters {
            for host in [Host::Still, Host::Slope, Host::Walk, Host::Step] {
                for size in [(1, 5), (4, 3), (25, 5), (10, 10)] {
                    let (both, interval) = called(&mut random, scatter, host, size, 1.0);
                    println!("{scatter:?} {host:?} {size:?}: {both}, by the interval alone {interval}");
                    assert!(both <= 0.05 && both <= interval, "{scatter:?} {host:?} {size:?}: {both}");
                }
            }
        }
    }

    #[test]
    fn a_real_difference_is_found_in_five_rounds_of_usual_scatter() {
        let mut random = Random(seed(9));
        for (scatter, size, times, at_least) in [
            (Scatter::As(Noise::Steady), (25, 5), 1.2, 0.85),
            (Scatter::As(Noise::Steady), (4, 5), 1.2, 0.8),
            (Scatter::As(Noise::Steady), (1, 5), 1.2, 0.65),
            (Scatter::Normal, (25, 5), 1.15, 0.8),
            (Scatter::Normal, (25, 10), 1.1, 0.9),
            (Scatter::Normal, (1, 10), 1.1, 0.6),
        ] {
            let (both, interval) = called(&mut random, scatter, Host::Still, size, times);
            println!("{scatter:?} {size:?} {times}: {both}, by the interval alone {interval}");
            assert!(both >= at_least, "{scatter:?} {size:?} {times}: {both}");
        }
    }

    #[test]
    fn the_next_pair_of_equals_exceeds_the_floor_in_about_five_of_a_hundred_cases() {
        let mut random = Random(seed(11));
        for scatter in [Scatter::Normal, Scatter::HeavyTails, Scatter::As(Noise::Outliers)] {
            for (cells, rounds) in [(2, 5), (5, 4), (10, 5), (30, 5)] {
                let beyond = (0..1_000).filter(|_| {
                    let known = floor(&table(&mut random, scatter, Host::Still, (cells, rounds), 1.0)).unwrap();
                    let [a, b] = [0, 1].map(|_| (0..rounds).map(|_| scatter.run(&mut random)).collect::<Vec<f64>>());
                    let apart = twins(&a, &b).unwrap() / (rounds as f64).sqrt();
                    apart.abs() > known.times.ln()
                });
                let share = beyond.count() as f64 / 1_000.0;
                println!("{scatter:?} {cells} cells, {rounds} rounds: {share}");
                let most = if 2 * cells >= ENOUGH_PAIRS || matches!(scatter, Scatter::Normal) { 0.08 } else { 0.13 };
                assert!((0.01..=most).contains(&share), "{scatter:?} {cells} cells, {rounds} rounds: {share}");
            }
        }
    }

    #[test]
    fn twins_show_what_a_process_brings_with_it_and_halves_do_not() {
        let mut random = Random(seed(13));
        let (mut by_halves, mut by_twins) = (0, 0);
        for _ in 0..400 {
            // In each of ten cells three equal processes, each faster or slower by 4 % than its like for as long as it lives.
            let mut cell = || {
                [0, 1, 2].map(|_| {
                    let own = (0.04 * normal(&mut random)).exp();
                    (0..5).map(|_| own * 1e9 * (0.01 * normal(&mut random)).exp()).collect::<Vec<f64>>()
                })
            };
            let table: Vec<[Vec<f64>; 3]> = (0..10).map(|_| cell()).collect();
            let of_halves: Vec<f64> = table.iter().flatten().filter_map(|runs| halves(runs)).collect();
            let of_twins: Vec<f64> = table.iter().filter_map(|[one, two, _]| twins(one, two)).collect();
            let (known, better) = (Floor::of(&of_halves, &[], 5), Floor::of(&of_halves, &of_twins, 5));
            for [one, _, other] in &table {
                let ratio = ratio(one, other).unwrap();
                by_halves += usize::from(ratio.beyond(known.as_ref()).excludes(1.0));
                by_twins += usize::from(ratio.beyond(better.as_ref()).excludes(1.0));
            }
        }
        println!("of 4,000: {by_halves} by halves, {by_twins} by twins");
        assert!(by_halves > 2_000 && by_twins <= 200, "{by_halves} {by_twins}");
    }

    #[test]
    fn a_floor_takes_two_pairs_and_nothing_is_called_without_one() {
        assert_eq!((halves(&[5.0]), halves(&[]), halves(&[1.0, f64::NAN]), twins(&[], &[])), (None, None, None, None));
        assert_eq!((Floor::of(&[0.1], &[], 5), Floor::of(&[], &[0.1], 5)), (None, None));
        let certain = ratio(&[2.0, 2.1, 2.0], &[1.0, 1.0, 1.0]).unwrap();
        assert!(certain.excludes(1.0) && !certain.beyond(None).excludes(1.0));
        let known = Floor::of(&[0.0, 0.0], &[], 3).unwrap();
        assert_eq!(known.times, 1.0, "equals that repeat to the digit");
        assert_eq!(certain.beyond(Some(&known)), certain);
    }

    #[test]
    fn a_floor_is_the_distance_of_the_pair_that_few_exceed_and_falls_with_the_root_of_runs() {
        let hundred: Vec<f64> = (1..=99).map(|pair| f64::from(pair) / 100.0).collect();
        let one = Floor::of(&hundred, &[], 1).unwrap();
        assert!((one.times.ln() - 0.95).abs() < 1e-9 && one.pairs == 99, "{one:?}");
        assert!((one.at(4).ln() - 0.475).abs() < 1e-9);
        assert!((Floor::of(&hundred, &[], 4).unwrap().times - one.at(4)).abs() < 1e-9);
        // Two runs against two, 10 % apart: one run scatters by the root of two more.
        let apart = halves(&[1.1, 1.0, 1.1, 1.0]).unwrap();
        assert!((apart - 1.1f64.ln() * 2f64.sqrt()).abs() < 1e-9, "{apart}");
        assert!(halves(&[1.0, 0.9, 0.8, 0.7, 0.6]).unwrap().abs() < 0.03, "a host that gets slower weighs on both");
        let raised = Floor::of(&hundred, &[2.0; 3], 1).unwrap();
        assert!(raised.times.ln() > 2.0 && raised.pairs == 102, "{raised:?}");
    }
}
