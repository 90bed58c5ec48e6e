//! Two runs held against each other: the same cells, figure by figure, as a gate against regressions.

use std::fmt;
use std::path::Path;

use ringbench_stats::{Interval, ratio_among};

use crate::error::ReportError;
use crate::numbers::{digits, time, with_bounds};
use crate::results::{MaxRate, Run, RunCell};
use crate::run::name_of;

/// Every figure that two runs have in common.
#[derive(Debug)]
pub struct Comparison {
    /// In the order of the first run's plan.
    pub figures: Vec<Compared>,
    /// Cells of the first run that the second lacks, and the other way round.
    pub alone: (usize, usize),
}

/// One figure of one cell in both runs.
#[derive(Debug)]
pub struct Compared {
    /// Which cell.
    pub name: String,
    /// Which figure of it.
    pub measure: Measure,
    /// The medians.
    pub medians: (f64, f64),
    /// The second as a multiple of the first, with bounds that hold in 98 % of cases for all figures of cells together; of highest
    /// rates see [`MaxRate::times`].
    pub times: Option<Interval>,
    /// What that says.
    pub outcome: Outcome,
}

/// Which figure of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The second run is better beyond the interval.
    Better,
    /// The interval holds 1, or there are too few repeats to have one.
    NotDistinguishable,
    /// The second run is worse beyond the interval.
    Worse,
    /// The first run's cell counts and the second's does not, or its rate was not achieved any more, or none was found.
    Broken,
    /// The first run's cell does not count: nothing to compare with.
    NoBase,
}

/// Holds cells of the same key against each other. Where both runs have one target its name does not matter.
///
/// # Errors
/// [`ReportError::NothingInCommon`]; [`ReportError::Tiers`] where records of one run are more durable than the other's.
pub fn compare(a: (&Run, &Path), b: (&Run, &Path)) -> Result<Comparison, ReportError> {
    let one_each = a.0.targets.len() == 1 && b.0.targets.len() == 1;
    let same = |left: &str, right: &str| one_each || left == right;
    let mut pairs = Vec::new();
    for cell in &a.0.cells {
        let other = b.0.cells.iter().find(|other| other.key == cell.key && same(&cell.target, &other.target));
        let Some(other) = other else { continue };
        if cell.tier() != other.tier() {
            return Err(ReportError::Tiers {
                first: a.1.to_owned(),
                second: b.1.to_owned(),
                cell: name_of(a.0, cell),
                durability: format!("{:?} against {:?}", cell.declared, other.declared),
            });
        }
        pairs.push((cell, other));
    }
    let rates = searches((a.0, b.0), same);
    if pairs.is_empty() && rates.is_empty() {
        return Err(ReportError::NothingInCommon { first: a.1.to_owned(), second: b.1.to_owned() });
    }
    let alone = (a.0.cells.len() - pairs.len(), b.0.cells.len() - pairs.len());
    let measures = |cell: &RunCell| match cell.offered_per_s {
        Some(_) => vec![Measure::P99],
        None if cell.received_mb_per_s.is_some() => vec![Measure::RecordsPerS, Measure::ReceivedMbPerS],
        None => vec![Measure::RecordsPerS],
    };
    let count = pairs.iter().map(|(cell, _)| measures(cell).len()).sum::<usize>();
    let of_cells = pairs.iter().flat_map(|&(cell, other)| {
        measures(cell).into_iter().map(move |measure| Compared::of(name_of(a.0, cell), measure, cell, other, count))
    });
    let of_rates = rates.into_iter().map(|(search, other)| Compared::of_searches(search, other));
    Ok(Comparison { figures: of_cells.chain(of_rates).collect(), alone })
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
    fn of(name: String, measure: Measure, a: &RunCell, b: &RunCell, count: usize) -> Compared {
        let values = |cell: &RunCell| -> Vec<f64> {
            let value = |repeat: &crate::results::Repeat| match measure {
                Measure::ReceivedMbPerS => repeat.received_mb_per_s(),
                Measure::P99 => repeat.latency_us.p99,
                _ => Some(repeat.achieved_per_s()),
            };
            cell.whole().map(|repeat| value(repeat).unwrap_or(f64::NAN)).collect()
        };
        let (first, second) = (values(a), values(b));
        let times = ratio_among(&second, &first, count);
        let median = |values: &[f64]| {
            let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            Interval::of(&finite).map_or(f64::NAN, |all| all.median)
        };
        let less_is_better = measure == Measure::P99;
        let kept = measure != Measure::P99 || b.kept_rate() || !a.kept_rate();
        let outcome = match times {
            _ if !a.valid => Outcome::NoBase,
            _ if !b.valid || !kept => Outcome::Broken,
            times => Outcome::of(times, less_is_better),
        };
        Compared { name, measure, medians: (median(&first), median(&second)), times, outcome }
    }

    /// Rates that achieve what they are have no scatter: it is their searches' bounds that are compared.
    fn of_searches((a, first): Search<'_>, (b, second): Search<'_>) -> Compared {
        let (cell, other) = (a.confirming(first), b.confirming(second));
        let repeats = |cell: Option<&RunCell>| cell.map_or(0, |cell| cell.whole().count());
        let times = second.times(first, repeats(cell).min(repeats(other)));
        let outcome = match (first.rate_per_s, second.rate_per_s) {
            (None, _) => Outcome::NoBase,
            (_, None) => Outcome::Broken,
            _ => Outcome::of(times, false),
        };
        let settings = || first.settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let what = cell.map_or_else(|| settings().join(" · "), |cell| name_of(a, cell));
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
    /// How many figures had that outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.figures.iter().filter(|figure| figure.outcome == outcome).count()
    }

    /// Whether the second run is worse in anything.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.count(Outcome::Worse) + self.count(Outcome::Broken) > 0
    }

    /// Whether no figure has the three repeats that it takes to tell a difference from chance.
    #[must_use]
    pub fn has_too_few_repeats(&self) -> bool {
        self.figures.iter().all(|figure| figure.times.is_none_or(|times| times.confidence < 0.9))
    }
}

/// A table, and a line that counts.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0).max(4);
        writeln!(
            f,
            "{:<width$}  {:<14} {:>12} {:>12}  {:<22} so",
            "cell", "figure", "first", "second", "second ÷ first"
        )?;
        for Compared { name, measure, medians, times, outcome } in &self.figures {
            let value = |value: f64| match measure {
                Measure::P99 => time(Some(value).filter(|value| value.is_finite())),
                _ => digits(value),
            };
            let times = times.map_or_else(|| "–".to_owned(), |times| with_bounds(&times));
            let (first, second) = (value(medians.0), value(medians.1));
            writeln!(f, "{name:<width$}  {:<14} {first:>12} {second:>12}  {times:<22} {outcome}", measure.to_string())?;
        }
        let [better, same, worse, broken] =
            [Outcome::Better, Outcome::NotDistinguishable, Outcome::Worse, Outcome::Broken].map(|one| self.count(one));
        write!(f, "{} figures: {better} better, {same} not distinguishable, {worse} worse", self.figures.len())?;
        if broken > 0 {
            write!(f, ", {broken} void or not achieved in the second run alone")?;
        }
        let no_base = self.count(Outcome::NoBase);
        if no_base > 0 {
            write!(f, ", {no_base} void in the first")?;
        }
        let (first, second) = self.alone;
        if first + second > 0 {
            write!(f, "; {first} cells are in the first run only, {second} in the second")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::RecordsPerS => "records/s",
            Measure::ReceivedMbPerS => "received MB/s",
            Measure::P99 => "p99",
            Measure::HighestRate => "highest rate/s",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Better => "better",
            Outcome::NotDistinguishable => "not distinguishable",
            Outcome::Worse => "WORSE",
            Outcome::Broken => "WORSE: void, or no rate was achieved",
            Outcome::NoBase => "void in the first run",
        })
    }
}
