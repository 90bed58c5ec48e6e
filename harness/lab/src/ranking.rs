//! A ranking: who is ahead in a setting, and by how much more than chance.

use ringbench_stats::{Interval, distinguishable, ratio};

use crate::lab::CellOutcome;
use crate::setting::{Load, Setting};

/// The contestants of one setting, best first.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// What was asked of them.
    pub setting: Setting,
    /// Whoever ran at least once.
    pub ranked: Vec<Ranked>,
}

/// One contestant in a ranking.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// Index of its cell in the outcomes that were ranked.
    pub cell: usize,
    /// From 1: the place of the best one that it can't be told from, its own if there is none.
    pub rank: usize,
    /// Megabytes a second; requests a second for serving; microseconds at the median where the load is given, and less is better.
    pub score: Interval,
    /// Its score as a multiple of the best one's, run by run; `None` with fewer than two rounds in common.
    pub of_best: Option<Interval>,
}

/// Ranks the cells of each setting, in the order of the settings' first cells.
#[must_use]
pub fn rank(cells: &[CellOutcome]) -> Vec<Ranking> {
    let mut settings: Vec<Setting> = Vec::new();
    for outcome in cells {
        if !settings.contains(&outcome.cell.setting) {
            settings.push(outcome.cell.setting);
        }
    }
    let members = |setting: &Setting| {
        let of_setting = cells.iter().enumerate().filter(|(_, outcome)| outcome.cell.setting == *setting);
        of_setting.map(|(cell, outcome)| (cell, scores(outcome))).collect()
    };
    settings
        .into_iter()
        .map(|setting| Ranking { setting, ranked: rank_one(members(&setting), less_is_better(&setting)) })
        .collect()
}

/// Of a plan that runs each cell twice ([`crate::Plan::against_itself`]): the indexes of the cells that differ from their own twin,
/// and how many could be compared. Every one of them is an error.
#[must_use]
pub fn differences(cells: &[CellOutcome]) -> (Vec<usize>, usize) {
    let pairs = cells.chunks_exact(2).enumerate();
    let scored = pairs.filter_map(|(pair, twins)| {
        let [one, other] = twins else { return None };
        let (one, other) = (scores(one), scores(other));
        ratio(&one, &other).map(|_| (2 * pair, distinguishable(&one, &other)))
    });
    let scored: Vec<(usize, bool)> = scored.collect();
    (scored.iter().filter(|(_, differ)| *differ).map(|(cell, _)| *cell).collect(), scored.len())
}

/// What a cell is ranked by, round by round; NaN where a run is missing, so that rounds stay paired.
pub(crate) fn scores(outcome: &CellOutcome) -> Vec<f64> {
    let setting = &outcome.cell.setting;
    let score = |sample: &crate::Sample| match setting {
        _ if less_is_better(setting) => sample.latencies.percentile_ms(50.0).map_or(f64::NAN, |ms| ms * 1e3),
        Setting::Write(_) | Setting::Transfer(_) => sample.mb_per_s(),
        Setting::Serve(_) => sample.per_s(),
    };
    outcome.samples.iter().map(|sample| sample.as_ref().map_or(f64::NAN, score)).collect()
}

/// At a given rate everybody moves the same: what differs is how long it takes.
fn less_is_better(setting: &Setting) -> bool {
    matches!(setting.load(), Load::PerSecond(_))
}

fn rank_one(members: Vec<(usize, Vec<f64>)>, less_is_better: bool) -> Vec<Ranked> {
    let interval = |runs: &[f64]| Interval::of(&runs.iter().copied().filter(|run| run.is_finite()).collect::<Vec<_>>());
    let mut members: Vec<_> =
        members.into_iter().filter_map(|(cell, runs)| Some((cell, interval(&runs)?, runs))).collect();
    members.sort_by(|(_, a, _), (_, b, _)| {
        let ascending = a.median.total_cmp(&b.median);
        if less_is_better { ascending } else { ascending.reverse() }
    });
    let mut ranked: Vec<Ranked> = Vec::with_capacity(members.len());
    for (place, (cell, score, runs)) in members.iter().enumerate() {
        let of = |other: usize| members.get(other).map(|(.., others)| others.as_slice()).unwrap_or_default();
        let equal = (0..place).find(|&other| !distinguishable(runs, of(other))).unwrap_or(place);
        let of_best = ratio(runs, of(0)).filter(|ratio| ratio.runs > 1);
        ranked.push(Ranked { cell: *cell, rank: equal + 1, score: *score, of_best });
    }
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_not_be_told_apart_shares_a_rank() {
        let members = vec![
            (7, vec![50.0, 52.0, 51.0, 49.0, 50.0]),
            (8, vec![100.0, 104.0, 98.0, 101.0, 99.0]),
            (9, vec![101.0, 99.0, 102.0, 97.0, 103.0]),
        ];
        let ranks = |less| rank_one(members.clone(), less).iter().map(|r| (r.cell, r.rank)).collect::<Vec<_>>();
        assert_eq!(ranks(false), [(9, 1), (8, 1), (7, 3)]);
        assert_eq!(ranks(true), [(7, 1), (8, 2), (9, 2)]);
    }

    #[test]
    fn who_can_not_be_told_from_the_best_is_no_worse_for_what_stands_between_them() {
        let members = vec![
            (0, vec![100.0, 104.0, 98.0, 101.0, 99.0]),
            (1, vec![80.0, 82.0, 79.0, 81.0, 80.0]),
            (2, vec![79.0, 130.0, 60.0, 110.0, 40.0]),
        ];
        let ranks: Vec<_> = rank_one(members, false).iter().map(|r| (r.cell, r.rank)).collect();
        assert_eq!(ranks, [(0, 1), (1, 2), (2, 1)]);
    }

    #[test]
    fn who_never_ran_is_not_ranked() {
        let ranked = rank_one(vec![(0, vec![f64::NAN; 3]), (1, vec![5.0, f64::NAN, 5.0])], false);
        assert_eq!(ranked.iter().map(|r| (r.cell, r.rank, r.score.runs)).collect::<Vec<_>>(), [(1, 1, 2)]);
    }
}
