//! `ringbench max-rate`: the highest rate that keeps an objective.

use std::process::ExitCode;

use clap::Args;
use ringbench_load::workload::CellSpec;
use ringbench_report::digits;
use ringbench_report::results::{Kind, MaxRate as Found, Objective, Repeat, RunCell};

use crate::curve::{at_rate, maxima};
use crate::fresh::objective;
use crate::measurement::Measurement;
use crate::run::{Load, in_turns, line};

/// The search by halves ends when the lowest rate that fails is so close to the highest that keeps the objective. Its steps after that
/// are as large.
const CLOSE: f64 = 1.05;
/// Where a rate that was to fail is kept, the search begins again below so many times this rate.
const WIDER: f64 = 1.5;
/// So many runs in a row must fail at the rate that bounds the highest one from above: a single one may be a hiccup of the host.
const REFUTED_BY: u32 = 2;
/// One run that keeps a rate may be luck, too.
const FEWEST: u32 = 2;
/// More runs than a search needs: then the target is not the same from one minute to the next.
const MOST_RUNS: usize = 60;

/// Options of `ringbench max-rate`.
#[derive(Debug, Args)]
pub(crate) struct MaxRate {
    #[command(flatten)]
    load: Load,
    /// What a rate must keep, such as 'p99<10ms'; p50, p90 and p99.9 likewise [default: the workload's]
    #[arg(long, value_name = "OBJECTIVE")]
    slo: Option<String>,
}

impl MaxRate {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let (mut workload, workload_yaml) = self.load.workload()?;
        if let Some(slo) = &self.slo {
            workload = workload.with("slo", slo).map_err(|error| format!("--slo {slo}: {error}"))?;
        }
        let slo = workload.slo.ok_or("there is no objective: say one with --slo 'p99<10ms'")?;
        let objective = objective(slo);
        let mut measurement = self.load.begin(Kind::MaxRate, &workload, workload_yaml)?;
        for cell in &workload.cells {
            let maxima = maxima(&mut measurement, cell, 1)?;
            for (target, maximum) in maxima.iter().enumerate() {
                if let Some(why) = maximum.as_ref().and_then(|maximum| maximum.void.as_ref()) {
                    let (name, target) = (&cell.name, measurement.target_name(target));
                    eprintln!(
                        "{name} on {target}: its maximum is void: {why}; the search begins there all the same: it ends where it \
                         ends, and each rate has books of its own"
                    );
                }
            }
            // Who offers nothing of the cell is not searched.
            let mut searches: Vec<Option<Search>> =
                maxima.into_iter().map(|maximum| Some(Search::from(maximum?.per_s))).collect();
            let is_open = |search: &Search| search.outcome.is_none();
            let mut round = 0;
            // In turns: what the host does meanwhile weighs on all targets alike.
            while searches.iter().flatten().any(is_open) && !measurement.is_stopped() {
                for target in in_turns(measurement.targets(), round) {
                    let search = searches.get_mut(target).and_then(Option::as_mut);
                    if let Some(search) = search.filter(|search| is_open(search)) {
                        search.step(&mut measurement, target, cell, &objective, workload.repeats)?;
                    }
                }
                round += 1;
            }
            let ended = searches.into_iter().enumerate().filter_map(|(target, search)| Some((target, search?)));
            for (target, search) in ended.filter(|(_, search)| !is_open(search)) {
                let found = search.found(measurement.target_name(target), cell);
                match found.rate_per_s {
                    Some(rate) => {
                        say!("{} on {}: {} records/s; {}", cell.name, found.target, digits(rate), found.why)
                    }
                    None => say!("{} on {}: no rate; {}", cell.name, found.target, found.why),
                }
                measurement.found(found);
            }
        }
        measurement.finish()
    }
}

/// Looks for two rates: one at which run after run fails, and close below it one that is kept by every repeat. What lies between them
/// is what noise leaves open: a host whose runs scatter gets bounds that are further apart, and no figure that was luck.
#[derive(Debug)]
struct Search {
    stage: Stage,
    /// The highest that was kept, or is to be confirmed; 0 is always kept.
    kept: f64,
    /// The lowest that was not, or that nobody has tried, and why.
    failed: f64,
    why: String,
    /// Whether the rate that is to fail was kept once.
    raised: bool,
    /// The highest that was ever kept, if only once.
    kept_once: f64,
    /// Runs in a row that went as the stage wants it.
    in_a_row: u32,
    runs: usize,
    outcome: Option<Option<String>>,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The middle of what is left is tried.
    Halve,
    /// The rate above has to fail again.
    Refute,
    /// The rate below has to be kept again.
    Confirm,
}

impl Search {
    /// Rates around what a target did as fast as it went.
    fn from(maximum: f64) -> Search {
        let (stage, why) = (Stage::Halve, String::new());
        let failed = maximum * 1.1;
        Search { stage, kept: 0.0, failed, why, raised: false, kept_once: 0.0, in_a_row: 0, runs: 0, outcome: None }
    }

    fn step(
        &mut self,
        measurement: &mut Measurement,
        target: usize,
        cell: &CellSpec,
        objective: &Objective,
        repeats: u32,
    ) -> Result<(), String> {
        let cell = at_rate(cell, self.rate());
        let Some(row) = measurement.repeat(target, &cell, None)? else { return Ok(()) };
        let Some(last) = row.repeats.last() else {
            (self.why, self.outcome) = (row.why.clone().unwrap_or_default(), Some(None));
            return Ok(());
        };
        let keeps = objective.is_kept_in(row, last);
        let why = if keeps { String::new() } else { reason(objective, row, last) };
        let so = match (self.stage, keeps) {
            (Stage::Confirm, true) => "confirms",
            (_, true) => "keeps",
            (_, false) => "fails",
        };
        let because = if keeps || last.failure.is_some() { String::new() } else { format!("; {why}") };
        eprintln!("{so:<8} {}/s: {}{because}", digits(self.rate()), line(&cell.name, row));
        let is_quoted = last.latency_us.percentile(objective.percentile).is_some();
        if !keeps && !is_quoted && self.rate() * row.seconds < fewest_records(objective.percentile) {
            // A lower rate has fewer records still.
            (self.failed, self.why, self.outcome) = (self.rate(), too_few(objective), Some(None));
            return Ok(());
        }
        self.note(keeps, repeats, &row.key, || why);
        Ok(())
    }

    /// That of the next run.
    fn rate(&self) -> f64 {
        match self.stage {
            Stage::Halve => f64::midpoint(self.kept, self.failed),
            Stage::Refute => self.failed,
            Stage::Confirm => self.kept,
        }
    }

    /// What came of a run at [`Self::rate`].
    fn note(&mut self, keeps: bool, repeats: u32, key: &str, why: impl FnOnce() -> String) {
        let rate = self.rate();
        if keeps {
            self.kept_once = self.kept_once.max(rate);
        }
        self.runs += 1;
        self.in_a_row += 1;
        match (self.stage, keeps) {
            (Stage::Halve, true) => self.kept = rate,
            (Stage::Halve, false) => (self.failed, self.why) = (rate, why()),
            (Stage::Refute, true) if self.raised => {
                (self.stage, self.kept, self.failed) = (Stage::Halve, rate, rate * WIDER);
            }
            (Stage::Refute, true) => (self.failed, self.raised, self.in_a_row) = (rate * CLOSE, true, 0),
            (Stage::Refute, false) => {
                self.why = why();
                if self.in_a_row >= REFUTED_BY {
                    (self.stage, self.kept, self.in_a_row) = (Stage::Confirm, rate / CLOSE, 0);
                }
            }
            (Stage::Confirm, true) if self.in_a_row >= repeats.max(FEWEST) => self.outcome = Some(Some(key.to_owned())),
            (Stage::Confirm, true) => {}
            (Stage::Confirm, false) => (self.kept, self.in_a_row) = (rate / CLOSE, 0),
        }
        if self.stage == Stage::Halve && self.failed <= self.kept * CLOSE {
            (self.stage, self.raised, self.in_a_row) = (Stage::Refute, false, 0);
        }
        if self.outcome.is_none() && (self.runs >= MOST_RUNS || self.rate() < 1.0) {
            self.outcome = Some(None);
        }
    }

    fn found(self, target: String, cell: &CellSpec) -> Found {
        let confirmed_by = self.outcome.flatten();
        let mut why = format!("at {}/s {}", digits(self.failed), self.why);
        if confirmed_by.is_none() && self.kept_once > 0.0 {
            why += &format!("; {}/s was kept, but not run after run", digits(self.kept_once));
        }
        let if_confirmed = |rate: f64| confirmed_by.as_ref().map(|_| rate.round());
        Found {
            target,
            settings: cell.varied.clone(),
            rate_per_s: if_confirmed(self.kept),
            failed_per_s: if_confirmed(self.failed),
            confirmed_by,
            why,
        }
    }
}

/// Records that a percentile takes: ten beyond it.
fn fewest_records(percentile: f64) -> f64 {
    10.0 / (1.0 - percentile / 100.0)
}

/// Why a rate is too high.
fn reason(objective: &Objective, row: &RunCell, last: &Repeat) -> String {
    let faults = Some(last.ledger.faults()).filter(|faults| !faults.is_empty());
    if let Some(why) = last.failure.clone().or(faults) {
        return why;
    }
    let offered = row.offered_per_s.unwrap_or(0.0);
    if !last.kept_rate(offered) {
        return format!("{}/s were achieved", digits(last.achieved_per_s()));
    }
    if last.backlog_grew(offered) {
        return "records piled up".to_owned();
    }
    match last.latency_us.percentile(objective.percentile) {
        Some(us) => format!("p{} was {:.1} ms", objective.percentile, us / 1e3),
        None => too_few(objective),
    }
}

fn too_few(objective: &Objective) -> String {
    format!("there were too few records for p{}: measure for longer (--duration)", objective.percentile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringbench_load::workload::Workload;

    /// Searches on a target that keeps the objective or not: what it says of a rate, and of the how-manieth run.
    fn search(maximum: f64, repeats: u32, mut keeps: impl FnMut(f64, usize) -> bool) -> Search {
        let mut search = Search::from(maximum);
        while search.outcome.is_none() {
            let keeps = keeps(search.rate(), search.runs);
            search.note(keeps, repeats, "key", || "too slow".to_owned());
        }
        search
    }

    fn found(search: Search) -> Found {
        let cell = Workload::parse("test.yaml".as_ref(), "testDuration: 1s\n").unwrap().cells.remove(0);
        search.found("target".to_owned(), &cell)
    }

    /// A target whose runs scatter, log-normally, about what it can do.
    fn scattering(random: &mut fastrand::Rng, able: f64, spread: f64) -> f64 {
        // Box and Muller.
        let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
        able * (spread * radius * (std::f64::consts::TAU * random.f64()).cos()).exp()
    }

    #[test]
    fn the_highest_rate_is_found_within_a_twentieth_and_confirmed_by_every_repeat() {
        for highest in [100.0, 5_000.0, 99_000.0] {
            let mut at_last = Vec::new();
            let search = search(100_000.0, 3, |rate, _| {
                at_last.push(rate);
                rate <= highest
            });
            assert_eq!(search.outcome, Some(Some("key".to_owned())));
            assert!(search.kept <= highest && search.kept * CLOSE >= highest, "{highest}: {search:?}");
            assert!(search.failed > highest, "{highest}: {search:?}");
            assert_eq!(at_last[at_last.len() - 3..], [search.kept; 3]);
            assert_eq!(at_last.iter().filter(|rate| **rate == search.failed).count(), 1 + REFUTED_BY as usize);
        }
    }

    #[test]
    fn a_rate_that_was_luck_is_not_confirmed_and_a_lower_one_is() {
        // For some runs it seems to keep twice as much as it does.
        let search = search(100_000.0, 3, |rate, run| rate <= if run < 8 { 60_000.0 } else { 30_000.0 });
        assert!(search.kept <= 30_000.0 && search.kept > 28_000.0, "{search:?}");
        assert!(matches!(search.outcome, Some(Some(_))));
    }

    #[test]
    fn a_hiccup_of_the_host_bounds_nothing() {
        for hiccup in 0..12 {
            let search = search(100_000.0, 3, |rate, run| rate <= 80_000.0 && run != hiccup);
            assert!(search.kept * CLOSE * CLOSE >= 80_000.0 && search.kept <= 80_000.0, "{hiccup}: {search:?}");
            assert!(search.failed > 80_000.0, "{hiccup}: {search:?}");
        }
    }

    #[test]
    fn a_maximum_that_was_measured_too_low_bounds_nothing() {
        let search = search(10_000.0, 3, |rate, _| rate <= 37_000.0);
        assert!(search.kept * CLOSE >= 37_000.0 && search.failed > 37_000.0, "{search:?}");
    }

    #[test]
    fn a_rate_in_the_reason_is_written_as_the_report_writes_rates() {
        let found = found(search(188_986.0, 3, |rate, _| rate <= 90_000.0));
        let why = format!("at {}/s ", digits(found.failed_per_s.unwrap()));
        assert!(found.why.starts_with(&why) && why.contains(','), "{}", found.why);
    }

    #[test]
    fn a_target_that_never_keeps_it_has_no_rate_and_the_search_ends() {
        assert_eq!(search(100_000.0, 3, |_, _| false).outcome, Some(None));
    }

    #[test]
    fn of_a_hundred_searches_on_equal_targets_at_most_five_seem_to_differ_and_a_fifth_more_is_found() {
        let seed = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
        println!("RINGLOG_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rate = |able: f64, spread: f64, repeats: u32| {
            let maximum = scattering(&mut random, able, spread);
            found(search(maximum, repeats, |rate, _| rate <= scattering(&mut random, able, spread)))
        };
        for (spread, repeats) in [(0.01, 3), (0.03, 3), (0.05, 3), (0.05, 5), (0.1, 5)] {
            let mut differs = |able: f64| {
                let (a, b) = (rate(100_000.0, spread, repeats), rate(able, spread, repeats));
                b.times(&a, repeats as usize).is_some_and(|times| times.excludes(1.0))
            };
            let called = (0..1_000).filter(|_| differs(100_000.0)).count();
            assert!(called <= 50, "runs scatter by {spread}, {repeats} repeats: {called} of 1,000");
            let seen = (0..200).filter(|_| differs(120_000.0)).count();
            assert!(spread > 0.05 || seen >= 150, "runs scatter by {spread}, {repeats} repeats: {seen} of 200");
        }
    }
}
