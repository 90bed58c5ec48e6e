//! `ringbench max-rate`: the highest rate that keeps an objective.

use std::process::ExitCode;

use clap::Args;
use ringbench_load::workload::CellSpec;
use ringbench_report::results::{Kind, MaxRate as Found, Objective, RunCell};

use crate::curve::{at_rate, maxima};
use crate::measurement::{Asked, Measurement};
use crate::run::{Load, ended, in_turns, line};
use crate::sweep::objective;

/// The search ends when the lowest rate that fails is so close to the highest that keeps the objective.
const CLOSE: f64 = 1.05;
/// After a rate that was not confirmed, the next one is lower by this.
const STEP_DOWN: f64 = 0.95;
/// More rates than a search needs: then the target is not the same from one minute to the next.
const MOST_PROBES: usize = 40;

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
        let targets = self.load.targets()?;
        let mut measurement = Measurement::begin(&Asked {
            kind: Kind::MaxRate,
            workload: &workload,
            workload_yaml,
            targets: &targets,
            out: &self.load.out,
            data: None,
            threads: self.load.threads,
        })?;
        for cell in &workload.cells {
            let maxima = maxima(&mut measurement, cell, targets.len(), 1)?;
            let mut searches: Vec<Search> = maxima.into_iter().map(Search::below).collect();
            let mut round = 0;
            // In turns: what the host does meanwhile weighs on all targets alike.
            while searches.iter().any(|search| search.outcome.is_none()) && !measurement.is_stopped() {
                for target in in_turns(targets.len(), round) {
                    let Some(search) = searches.get_mut(target).filter(|search| search.outcome.is_none()) else {
                        continue;
                    };
                    if !measurement.is_stopped() {
                        search.step(&mut measurement, target, cell, &objective, workload.repeats)?;
                    }
                }
                round += 1;
            }
            for (target, search) in searches.into_iter().enumerate() {
                let found = search.found(measurement.target_name(target), cell);
                match found.rate_per_s {
                    Some(rate) => say!("{} on {}: {rate:.0} records/s; {}", cell.name, found.target, found.why),
                    None => say!("{} on {}: no rate; {}", cell.name, found.target, found.why),
                }
                measurement.found(found);
            }
        }
        ended(measurement)
    }
}

/// Between a rate that keeps the objective and one that does not.
#[derive(Debug)]
struct Search {
    /// The highest that was kept; 0 is always kept.
    kept: f64,
    /// The lowest that was not, and why.
    failed: f64,
    why: String,
    probes: usize,
    /// Runs that have confirmed `kept`, and the cell that they are of.
    confirmed: u32,
    outcome: Option<Option<String>>,
}

impl Search {
    /// Rates up to a little more than what a target did as fast as it went.
    fn below(maximum: f64) -> Search {
        let why = "it is more than was reached as fast as it goes".to_owned();
        Search { kept: 0.0, failed: maximum * 1.1, why, probes: 0, confirmed: 0, outcome: None }
    }

    /// One run: of the rate in the middle, or of the one that is to be confirmed.
    fn step(
        &mut self,
        measurement: &mut Measurement,
        target: usize,
        cell: &CellSpec,
        objective: &Objective,
        repeats: u32,
    ) -> Result<(), String> {
        self.probes += 1;
        let confirms = self.is_narrow();
        let rate = if confirms { self.kept } else { (self.kept + self.failed) / 2.0 };
        let cell = at_rate(cell, rate);
        let row = measurement.repeat(target, &cell, None)?;
        let keeps = objective.is_kept_by(row);
        eprintln!(
            "{} {}",
            if confirms {
                "confirm"
            } else if keeps {
                "keeps  "
            } else {
                "fails  "
            },
            line(&cell.name, row)
        );
        self.note(rate, keeps, confirms, repeats, &row.key, || reason(objective, row));
        Ok(())
    }

    fn is_narrow(&self) -> bool {
        self.failed <= self.kept * CLOSE
    }

    fn note(&mut self, rate: f64, keeps: bool, confirms: bool, repeats: u32, key: &str, why: impl FnOnce() -> String) {
        match (keeps, confirms) {
            (true, true) => {
                self.confirmed += 1;
                if self.confirmed >= repeats.max(1) {
                    self.outcome = Some(Some(key.to_owned()));
                }
            }
            (true, false) => self.kept = rate,
            (false, true) => {
                (self.failed, self.kept, self.confirmed) = (rate, rate * STEP_DOWN, 0);
                self.why = why();
            }
            (false, false) => {
                self.failed = rate;
                self.why = why();
            }
        }
        if self.outcome.is_none() && (self.probes >= MOST_PROBES || self.failed < 2.0) {
            self.outcome = Some(None);
        }
    }

    fn found(self, target: String, cell: &CellSpec) -> Found {
        let confirmed_by = self.outcome.flatten();
        Found {
            target,
            settings: cell.varied.clone(),
            rate_per_s: confirmed_by.as_ref().map(|_| self.kept.round()),
            confirmed_by,
            why: format!("at {:.0}/s {}", self.failed, self.why),
        }
    }
}

/// Why a rate is too high.
fn reason(objective: &Objective, row: &RunCell) -> String {
    if let Some(why) = &row.why {
        return why.clone();
    }
    if !row.kept_rate() {
        return format!("{:.0}/s were achieved", row.achieved_per_s.unwrap_or(0.0));
    }
    if row.backlog_grew() {
        return "records piled up".to_owned();
    }
    match row.latency_us.percentile(objective.percentile) {
        Some(us) => format!("p{} was {:.1} ms", objective.percentile, us / 1e3),
        None => format!("there were too few records for p{}: measure for longer", objective.percentile),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches on a target that keeps the objective up to a rate.
    fn search(maximum: f64, mut keeps: impl FnMut(f64, usize) -> bool) -> Search {
        let mut search = Search::below(maximum);
        while search.outcome.is_none() {
            search.probes += 1;
            let confirms = search.is_narrow();
            let rate = if confirms { search.kept } else { (search.kept + search.failed) / 2.0 };
            let probe = search.probes;
            search.note(rate, keeps(rate, probe), confirms, 3, "key", || "too slow".to_owned());
        }
        search
    }

    #[test]
    fn the_highest_rate_is_found_within_a_twentieth_and_confirmed_by_every_repeat() {
        for highest in [100.0, 5_000.0, 99_000.0] {
            let found = search(100_000.0, |rate, _| rate <= highest);
            assert_eq!(found.outcome, Some(Some("key".to_owned())));
            assert!(found.kept <= highest && found.kept * CLOSE >= highest, "{highest}: {found:?}");
            assert_eq!(found.confirmed, 3);
        }
    }

    #[test]
    fn a_rate_that_was_luck_is_not_confirmed_and_a_lower_one_is() {
        // Until the first run that confirms it seems to keep twice as much as it does.
        let found = search(100_000.0, |rate, probe| rate <= if probe <= 6 { 60_000.0 } else { 30_000.0 });
        assert!(found.kept <= 30_000.0 && found.kept > 25_000.0, "{found:?}");
        assert!(matches!(found.outcome, Some(Some(_))));
    }

    #[test]
    fn a_target_that_never_keeps_it_has_no_rate_and_the_search_ends() {
        let found = search(100_000.0, |_, _| false);
        assert_eq!(found.outcome, Some(None));
    }
}
