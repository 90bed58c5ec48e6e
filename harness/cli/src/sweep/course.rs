//! The runs of a sweep, one after the other.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ringbench_load::workload::{CellSpec, Turn, Workload};
use ringbench_load::{LoadError, Outcome, Pool, Stop, Subject};

use crate::fresh::unix_ms;
use crate::generator::{Generator, usual_threads};
use crate::kept_run::KeptRun;
use crate::room::room_for;
use crate::{duration, recorded};

const KEPT: &str = "what was measured is kept, and the same command goes on from here";
/// After so many runs in a row that failed, nothing is to be expected of the next one.
const MOST_FAILURES: usize = 3;

/// The way through a sweep.
pub(super) struct Course<'a> {
    workload: &'a Workload,
    subject: &'a Subject,
    /// Where the target has its files, where that is known.
    room: Option<&'a Path>,
    stop: &'a Stop,
    progress: Progress,
    generator: Generator,
}

/// A run that has to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Its place in the order of all runs, those that are done included.
    pub(super) order: usize,
    pub(super) turn: Turn,
}

/// What is missing, in its order.
pub(super) fn due(workload: &Workload, kept: &KeptRun) -> Vec<Due> {
    let all = workload.schedule().into_iter().enumerate().map(|(order, turn)| Due { order, turn });
    all.filter(|due| !kept.has(due.turn.cell, due.order)).collect()
}

impl<'a> Course<'a> {
    pub(super) fn new(
        workload: &'a Workload,
        subject: &'a Subject,
        room: Option<&'a Path>,
        stop: &'a Stop,
    ) -> Course<'a> {
        let generator = Generator::new(workload.seed, usual_threads(), stop.clone());
        Course { workload, subject, room, stop, progress: Progress::default(), generator }
    }

    /// Makes every run that is missing; `false`: somebody ended it before.
    pub(super) fn run(mut self, kept: &mut KeptRun) -> Result<bool, String> {
        let due = due(self.workload, kept);
        let all = self.workload.schedule().len();
        if due.len() < all {
            eprintln!("{} of {all} runs are there already", all - due.len());
        }
        let seconds = |due: &[Due]| -> f64 {
            due.iter()
                .filter_map(|due| self.workload.cells.get(due.turn.cell))
                .map(|cell| cell.estimate().time.as_secs_f64())
                .sum()
        };
        self.progress.begin(all, all - due.len(), seconds(&due));
        let mut failures = 0;
        for Due { order, turn } in due {
            let Some(cell) = self.workload.cells.get(turn.cell) else { continue };
            self.progress.at(cell);
            if let Some(room) = self.room {
                room_for(cell, room).map_err(|why| format!("{why}; {KEPT}"))?;
            }
            let started = unix_ms();
            let outcome = self.one(cell, order, kept);
            if self.stop.is_wished() {
                self.progress.end();
                return Ok(false);
            }
            let failure = match outcome {
                Ok((mut outcome, pool)) => {
                    if let Some(there) = kept.run_mut().cells.get_mut(turn.cell) {
                        recorded::learn(there, &mut outcome, &pool);
                    }
                    let (repeat, histograms) = recorded::repeat(&outcome, cell.message_bytes, order, started);
                    kept.add(turn.cell, repeat, &histograms)?;
                    self.progress.done(cell, &said(&outcome));
                    outcome.failure
                }
                Err(error) if error.is_refusal() => {
                    self.progress.done(cell, &format!("not offered: {error}"));
                    kept.refuse(turn.cell, error.to_string())?;
                    continue;
                }
                Err(error) => {
                    kept.add(turn.cell, recorded::failed(error.to_string(), order, started), &Default::default())?;
                    self.progress.done(cell, &format!("FAILED: {error}"));
                    Some(error.to_string())
                }
            };
            failures = if failure.is_some() { failures + 1 } else { 0 };
            if let Some(why) = failure {
                self.goes_on(failures, &why)?;
            }
        }
        self.progress.end();
        Ok(true)
    }

    /// One run of a cell, on a broker of its own where that is asked for.
    fn one(&mut self, cell: &CellSpec, order: usize, kept: &mut KeptRun) -> Result<(Outcome, Arc<Pool>), LoadError> {
        let ready = self.subject.ready(&cell.broker_settings)?;
        let outcome = self.generator.run(cell, order, &ready)?;
        let resident = ready.described.pid.and_then(ringbench_stats::resident_bytes);
        if let Some(target) = kept.run_mut().targets.first_mut() {
            target.resident_bytes = resident.or(target.resident_bytes);
        }
        Ok(outcome)
    }

    /// Ends a sweep whose target is gone, or fails again and again.
    fn goes_on(&self, failures: usize, why: &str) -> Result<(), String> {
        if let Subject::There(target) = self.subject
            && target.describe().is_err()
        {
            return Err(format!("{target} is gone: {why}: start it again; {KEPT}"));
        }
        match failures {
            MOST_FAILURES.. => Err(format!("{failures} runs in a row failed, the last one so: {why}; {KEPT}")),
            _ => Ok(()),
        }
    }
}

/// A line for a run.
fn said(outcome: &Outcome) -> String {
    let latency = outcome.latency.percentile_ms(99.0).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}"));
    let mb_per_s = outcome.acked_bytes as f64 / 1e6 / outcome.seconds.max(f64::MIN_POSITIVE);
    let failure = match (&outcome.failure, outcome.verdict.is_clean()) {
        (Some(why), _) => format!("  FAILED: {why}"),
        (None, false) => {
            format!("  VOID: {}", outcome.trouble.as_deref().unwrap_or("records are missing, or were changed"))
        }
        (None, true) => String::new(),
    };
    format!("{mb_per_s:>6.0} MB/s  p99 {latency} ms{failure}")
}

/// How far it is, and how long it takes: a bar on a terminal, a line for each run.
#[derive(Default)]
struct Progress {
    bar: Option<ProgressBar>,
    all: usize,
    done: usize,
    begun: Option<Instant>,
    /// Of what is still due, and of what was done here, as estimated.
    seconds_due: f64,
    seconds_done: f64,
}

impl Progress {
    fn begin(&mut self, all: usize, done: usize, seconds_due: f64) {
        (self.all, self.done, self.seconds_due, self.begun) = (all, done, seconds_due, Some(Instant::now()));
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(all as u64).with_position(done as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
    }

    fn at(&self, cell: &CellSpec) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}  {} left", cell.name, self.left()));
        }
    }

    fn done(&mut self, cell: &CellSpec, said: &str) {
        let seconds = cell.estimate().time.as_secs_f64();
        self.done += 1;
        self.seconds_done += seconds;
        self.seconds_due -= seconds;
        let line = format!("{:>4}/{} {}  {said}", self.done, self.all, cell.name);
        match &self.bar {
            Some(bar) => {
                bar.println(line);
                bar.inc(1);
            }
            None => eprintln!("{line}  {} left", self.left()),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The estimate, corrected by how long what is done took.
    fn left(&self) -> String {
        let took = self.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
        let factor = if self.done > 0 && self.seconds_done > 0.0 { took / self.seconds_done } else { 1.0 };
        duration::words(Duration::from_secs_f64((self.seconds_due * factor).max(0.0)))
    }
}
