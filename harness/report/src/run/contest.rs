//! Targets against each other: cells of one tier that were asked for the same, best first.

use ringbench_stats::Interval;

use super::shown::Cell;

/// What several targets were asked for.
pub(super) struct Contest<'a, 'b> {
    /// Settings and rate.
    pub(super) name: String,
    /// Whether they had a rate: then the 99th percentile decides, and less is better.
    pub(super) is_latency: bool,
    /// Best first, those that don't count last.
    pub(super) cells: Vec<&'b Cell<'a>>,
}

impl<'a, 'b> Contest<'a, 'b> {
    /// Those of a tier, in the order of the plan.
    pub(super) fn all(cells: &[&'b Cell<'a>]) -> Vec<Contest<'a, 'b>> {
        let mut contests: Vec<Contest<'a, 'b>> = Vec::new();
        for &cell in cells {
            match contests.iter_mut().find(|contest| contest.cells[0].of.key == cell.of.key) {
                Some(contest) => contest.cells.push(cell),
                None => contests.push(Contest {
                    name: cell.asked(),
                    is_latency: cell.of.offered_per_s.is_some(),
                    cells: vec![cell],
                }),
            }
        }
        contests.retain(|contest| contest.cells.iter().any(|cell| cell.target != contest.cells[0].target));
        for contest in &mut contests {
            contest.cells.sort_by(|a, b| a.merit().total_cmp(&b.merit()));
        }
        contests
    }

    /// Of a target.
    pub(super) fn cell(&self, target: &str) -> Option<&'b Cell<'a>> {
        self.cells.iter().copied().find(|cell| cell.target == target)
    }

    /// Its score as a multiple of the best one's; `None` of the best one, and where one of them does not count.
    pub(super) fn of_best(&self, cell: &Cell<'_>) -> Option<Interval> {
        let best = self.cells[0];
        let both = best.of.valid && cell.of.valid && !std::ptr::eq(best.of, cell.of);
        cell.times(best).filter(|_| both)
    }

    /// Whether nobody is certainly better.
    pub(super) fn is_among_best(&self, cell: &Cell<'_>) -> bool {
        cell.of.valid && !self.of_best(cell).is_some_and(|times| times.excludes(1.0))
    }

    /// From 1: the place of the first that it can't be told from, its own if there is none; `None` of one that does not count.
    pub(super) fn rank(&self, place: usize) -> Option<usize> {
        let cell = self.cells.get(place).filter(|cell| cell.of.valid)?;
        let alike = |other: &&Cell<'_>| !cell.times(other).is_some_and(|times| times.excludes(1.0));
        Some(self.cells[..place].iter().position(alike).unwrap_or(place) + 1)
    }
}
