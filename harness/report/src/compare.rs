//! Two runs held against each other, as a gate against regressions: the same cells, figure by figure, and all of them together.
//!
//! What no cell shows by itself all of them may: a loss of 5 % is lost in the noise of each. So one more question is asked of each
//! measure: whether the geometric mean over the cells changed, one value for each round, with bounds and a floor of its own. In 2 % of
//! comparisons where nothing changed a cell's bounds miss, in 2 % those of a mean: together a false alarm in at most 4 %.

mod said;

use std::borrow::Cow;
use std::path::Path;

use ringbench_stats::{Floor, Interval, halves, ratio_among};

use crate::error::ReportError;
use crate::results::{MaxRate, NoiseFloor, Repeat, Run, RunCell};
use crate::run::names_of;

/// Fewer rounds than this can't tell a mean from chance.
const FEW_ROUNDS: usize = 3;

/// Every figure that two runs have in common.
#[derive(Debug)]
pub struct Comparison {
    /// In the order of the first run's plan.
    pub figures: Vec<Compared>,
    /// How all cells that count in both runs changed together, in each measure that several of them have.
    pub overall: Vec<Compared>,
    /// How far equals lie apart in both runs: no smaller difference counts.
    pub noise_floor: NoiseFloor,
    /// What is in one of the runs only: nothing is said of it.
    pub missing: Missing,
}

/// What is in one of two runs only, each as in the first and in the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missing {
    /// Whether it ended before its end.
    pub interrupted: (bool, bool),
    /// Cells that the other one's plan lacks.
    pub alone: (usize, usize),
    /// Cells of both plans that ran in the other one only.
    pub not_run: (usize, usize),
    /// Cells of both that have fewer repeats in it: as many as both have are compared.
    pub shorter: (usize, usize),
    /// Searches for a highest rate that the other one lacks.
    pub searches: (usize, usize),
}

/// One figure of one cell in both runs.
#[derive(Debug)]
pub struct Compared {
    /// Which cell.
    pub name: String,
    /// Which figure of it.
    pub measure: Measure,
    /// The medians; of all cells together there are none.
    pub medians: (f64, f64),
    /// The second as a multiple of the first, with bounds that hold in 98 % of cases for all figures of cells together and leave room
    /// for the noise floor; of highest rates see [`MaxRate::times`].
    pub times: Option<Interval>,
    /// What that says.
    pub outcome: Outcome,
}

/// Which figure of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Acknowledged records a second, as fast as it goes.
    RecordsPerS,
    /// Megabytes a second that consumers got.
    ReceivedMbPerS,
    /// 99th percentile of the latency, at a rate.
    P99,
    /// The highest rate that keeps the objective.
    HighestRate,
}

/// What came of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The second run is better beyond the interval and the noise floor.
    Better,
    /// It is within one of the two, or there are too few repeats to have them.
    NotDistinguishable,
    /// The second run is worse beyond both.
    Worse,
    /// The first run's cell counts and the second's does not, or its rate was not achieved any more, or none was found.
    Broken,
    /// The first run's cell does not count: nothing to compare with.
    NoBase,
}

/// Holds cells of the same key against each other. Where both runs have one target its name does not matter. Of a run that was
/// interrupted it is what both have that is compared: what did not run is missing, neither better nor worse.
///
/// # Errors
/// [`ReportError::NothingInCommon`]; [`ReportError::NothingRan`] where no cell of both plans has run in both;
/// [`ReportError::Tiers`] where records of one run are more durable than the other's; and those of [`RunCell::derive`].
pub fn compare(a: (&Run, &Path), b: (&Run, &Path)) -> Result<Comparison, ReportError> {
    let (whole_a, whole_b) = (without_cut_repeats(a.0, a.1)?, without_cut_repeats(b.0, b.1)?);
    let (a, b) = ((&*whole_a, a.1), (&*whole_b, b.1));
    let one_each = a.0.targets.len() == 1 && b.0.targets.len() == 1;
    let same = |left: &str, right: &str| one_each || left == right;
    let (pairs, mut missing) = pairs_of(a, b, same)?;
    let rates = searches((a.0, b.0), same);
    let in_both_plans = a.0.cells.len() - missing.alone.0;
    if pairs.is_empty() && rates.is_empty() {
        let (first, second) = (a.1.to_owned(), b.1.to_owned());
        return Err(match in_both_plans {
            0 => ReportError::NothingInCommon { first, second },
            cells => ReportError::NothingRan { first, second, cells },
        });
    }
    missing.searches = (a.0.max_rates.len() - rates.len(), b.0.max_rates.len().saturating_sub(rates.len()));
    let noise_floor = NoiseFloor::of(&[a.0, b.0]);
    let names = names_of(a.0);
    let name = |cell: &RunCell| {
        let found = a.0.cells.iter().zip(&names).find(|(named, _)| std::ptr::eq(*named, cell));
        found.map_or_else(|| cell.key.clone(), |(_, name)| name.clone())
    };
    let count = pairs.iter().map(|(cell, _)| Measure::of(cell).len()).sum::<usize>();
    let mut figures = Vec::new();
    for &(cell, other) in &pairs {
        let of = |measure: Measure| {
            let floor = measure.floor(&noise_floor);
            Compared::of(name(cell), measure, (cell, other), count, floor.as_ref())
        };
        figures.extend(Measure::of(cell).into_iter().map(of));
    }
    figures.extend(rates.into_iter().map(|(search, other)| Compared::of_searches(search, other, name)));
    Ok(Comparison { figures, overall: overall(&pairs), noise_floor, missing })
}

/// The same cell in both runs.
type Pair<'a> = (&'a RunCell, &'a RunCell);

/// Cells of both plans that ran in both, and what is in one run only, searches left aside.
fn pairs_of<'a>(
    a: (&'a Run, &Path),
    b: (&'a Run, &Path),
    same: impl Fn(&str, &str) -> bool,
) -> Result<(Vec<Pair<'a>>, Missing), ReportError> {
    let mut missing = Missing { interrupted: (a.0.interrupted, b.0.interrupted), ..Missing::default() };
    let (mut pairs, mut in_both_plans) = (Vec::new(), 0);
    for (at, cell) in a.0.cells.iter().enumerate() {
        let other = b.0.cells.iter().find(|other| other.key == cell.key && same(&cell.target, &other.target));
        let Some(other) = other else { continue };
        in_both_plans += 1;
        missing.not_run.0 += usize::from(!cell.ran() && other.ran());
        missing.not_run.1 += usize::from(cell.ran() && !other.ran());
        if !cell.ran() || !other.ran() {
            continue;
        }
        missing.shorter.0 += usize::from(cell.repeats.len() < other.repeats.len());
        missing.shorter.1 += usize::from(other.repeats.len() < cell.repeats.len());
        if cell.tier() != other.tier() {
            return Err(ReportError::Tiers {
                first: a.1.to_owned(),
                second: b.1.to_owned(),
                cell: names_of(a.0).swap_remove(at),
                durability: format!("{:?} against {:?}", cell.declared, other.declared),
            });
        }
        pairs.push((cell, other));
    }
    missing.alone = (a.0.cells.len() - in_both_plans, b.0.cells.len() - in_both_plans);
    Ok((pairs, missing))
}

/// A run that was interrupted without the repeat in which that happened: it voids its cell, and is no fault of the target.
fn without_cut_repeats<'a>(run: &'a Run, directory: &Path) -> Result<Cow<'a, Run>, ReportError> {
    let mut whole = Cow::Borrowed(run);
    for (at, cell) in run.cells.iter().enumerate().filter(|(_, cell)| cell.repeats.iter().any(Repeat::was_cut)) {
        let mut cell = cell.clone();
        cell.repeats.retain(|repeat| !repeat.was_cut());
        cell.derive(run.roofline.as_ref(), directory)?;
        whole.to_mut().cells[at] = cell;
    }
    Ok(whole)
}

/// Of each measure that several cells have in both runs: how it changed over all of them.
fn overall(pairs: &[Pair<'_>]) -> Vec<Compared> {
    let cells_of = |measure: Measure| -> Vec<[Vec<f64>; 2]> {
        let both = |(a, b): &Pair<'_>| {
            let values = [a, b].map(|cell| measure.values(cell));
            let is_whole = |values: &Vec<f64>| values.len() >= FEW_ROUNDS && values.iter().all(|value| *value > 0.0);
            (a.valid && b.valid && Measure::of(a).contains(&measure) && values.iter().all(is_whole)).then_some(values)
        };
        pairs.iter().filter_map(both).collect()
    };
    let measures = [Measure::RecordsPerS, Measure::ReceivedMbPerS, Measure::P99];
    let all: Vec<_> = measures.map(|measure| (measure, cells_of(measure))).into();
    let several = all.iter().filter(|(_, cells)| cells.len() > 1);
    let count = several.clone().count();
    let compared = |(measure, cells): &(Measure, Vec<[Vec<f64>; 2]>)| {
        let [first, second] = means(cells);
        let of_halves: Vec<f64> = [&first, &second].into_iter().filter_map(|means| halves(means)).collect();
        let floor = Floor::of(&of_halves, &[], first.len());
        let times = ratio_among(&second, &first, count).map(|times| times.beyond(floor.as_ref()));
        let outcome = Outcome::of(times, measure.less_is_better());
        let name = format!("all {} cells together", cells.len());
        Compared { name, measure: *measure, medians: (f64::NAN, f64::NAN), times, outcome }
    };
    several.map(compared).collect()
}

/// Of each run one value for each round: the geometric mean over its cells, each as a multiple of its own middle in both runs,
/// without the highest and the lowest fifth: where one repeat in ten is three times slower, no mean of all would find anything.
fn means(cells: &[[Vec<f64>; 2]]) -> [Vec<f64>; 2] {
    // So many rounds has every cell in both runs: one that is missing would move their mean.
    let rounds = cells.iter().flatten().map(Vec::len).min().unwrap_or(0);
    let middles: Vec<f64> = cells.iter().map(|cell| median(&cell.concat())).collect();
    [0, 1].map(|run: usize| {
        let mean = |round: usize| {
            let ratios = cells.iter().zip(&middles).map(|(cell, middle)| (cell[run][round] / middle).ln());
            let mut ratios: Vec<f64> = ratios.collect();
            ratios.sort_by(f64::total_cmp);
            let outermost = ratios.len() / 5;
            let inner = &ratios[outermost..ratios.len() - outermost];
            (inner.iter().sum::<f64>() / inner.len() as f64).exp()
        };
        (0..rounds).map(mean).collect()
    })
}

fn median(values: &[f64]) -> f64 {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    Interval::of(&finite).map_or(f64::NAN, |all| all.median)
}

/// A search, and the run that it is of.
type Search<'a> = (&'a Run, &'a MaxRate);

/// Searches of the same workload, settings and objective.
fn searches<'a>((a, b): (&'a Run, &'a Run), same: impl Fn(&str, &str) -> bool) -> Vec<(Search<'a>, Search<'a>)> {
    let pair = |search: &'a MaxRate| {
        let is_same = |other: &&MaxRate| other.settings == search.settings && same(&search.target, &other.target);
        let other = b.max_rates.iter().find(is_same)?;
        let cells = a.confirming(search).zip(b.confirming(other));
        let alike = cells.is_none_or(|(cell, other)| cell.is_like(other));
        (alike && a.workload == b.workload && a.objective == b.objective).then_some(((a, search), (b, other)))
    };
    a.max_rates.iter().filter_map(pair).collect()
}

impl Compared {
    fn of(
        name: String,
        measure: Measure,
        (a, b): (&RunCell, &RunCell),
        count: usize,
        floor: Option<&Floor>,
    ) -> Compared {
        let (first, second) = (measure.values(a), measure.values(b));
        let times = ratio_among(&second, &first, count).map(|times| times.beyond(floor));
        let kept = measure != Measure::P99 || b.kept_rate() || !a.kept_rate();
        let outcome = match times {
            _ if !a.valid => Outcome::NoBase,
            _ if !b.valid || !kept => Outcome::Broken,
            times => Outcome::of(times, measure.less_is_better()),
        };
        Compared { name, measure, medians: (median(&first), median(&second)), times, outcome }
    }

    /// Rates that achieve what they are have no scatter: it is their searches' bounds that are compared.
    fn of_searches((a, first): Search<'_>, (b, second): Search<'_>, name: impl Fn(&RunCell) -> String) -> Compared {
        let (cell, other) = (a.confirming(first), b.confirming(second));
        let repeats = |cell: Option<&RunCell>| cell.map_or(0, |cell| cell.whole().count());
        let times = second.times(first, repeats(cell).min(repeats(other)));
        let outcome = match (first.rate_per_s, second.rate_per_s) {
            (None, _) => Outcome::NoBase,
            (_, None) => Outcome::Broken,
            _ => Outcome::of(times, false),
        };
        let settings = || first.settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let what = cell.map_or_else(|| settings().join(" · "), name);
        let rate = |found: &MaxRate| found.rate_per_s.unwrap_or(f64::NAN);
        Compared {
            name: format!("{} · {what}", first.target),
            measure: Measure::HighestRate,
            medians: (rate(first), rate(second)),
            times,
            outcome,
        }
    }
}

impl Measure {
    /// What is compared of a cell.
    fn of(cell: &RunCell) -> Vec<Measure> {
        match cell.offered_per_s {
            Some(_) => vec![Measure::P99],
            None if cell.received_mb_per_s.is_some() => vec![Measure::RecordsPerS, Measure::ReceivedMbPerS],
            None => vec![Measure::RecordsPerS],
        }
    }

    /// Of each repeat; what is not a number where it has none.
    fn values(self, cell: &RunCell) -> Vec<f64> {
        let value = |repeat: &Repeat| match self {
            Measure::ReceivedMbPerS => repeat.received_mb_per_s(),
            Measure::P99 => repeat.latency_us.p99,
            _ => Some(repeat.achieved_per_s()),
        };
        cell.whole().map(|repeat| value(repeat).unwrap_or(f64::NAN)).collect()
    }

    fn floor(self, floor: &NoiseFloor) -> Option<Floor> {
        match self {
            Measure::RecordsPerS => floor.achieved_per_s,
            Measure::ReceivedMbPerS => floor.received_mb_per_s,
            Measure::P99 => floor.p99_us,
            // Its searches' bounds have the noise in them.
            Measure::HighestRate => None,
        }
    }

    fn less_is_better(self) -> bool {
        self == Measure::P99
    }
}

impl Outcome {
    /// What a ratio says.
    fn of(times: Option<Interval>, less_is_better: bool) -> Outcome {
        match times.filter(|times| times.excludes(1.0)) {
            None => Outcome::NotDistinguishable,
            Some(times) if (times.median > 1.0) == less_is_better => Outcome::Worse,
            Some(_) => Outcome::Better,
        }
    }
}

impl Comparison {
    /// How many figures of cells and searches had that outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.figures.iter().filter(|figure| figure.outcome == outcome).count()
    }

    /// Whether the second run is worse in anything, or over all cells together.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let overall = self.overall.iter().any(|mean| mean.outcome == Outcome::Worse);
        overall || self.count(Outcome::Worse) + self.count(Outcome::Broken) > 0
    }

    /// Whether the second run lacks what the first one has of its plan: nothing can be said of that.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.missing.interrupted.1 || self.missing.not_run.1 > 0
    }

    /// Whether no figure has the three repeats that it takes to tell a difference from chance.
    #[must_use]
    pub fn has_too_few_repeats(&self) -> bool {
        self.figures.iter().all(|figure| figure.times.is_none_or(|times| times.confidence < 0.9))
    }
}
