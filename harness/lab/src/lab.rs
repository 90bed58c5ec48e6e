//! The lab: runs a plan, interleaved and in a random order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::contestant::{Availability, Contestant, Strategy};
use crate::error::LabError;
use crate::plan::{Cell, Plan};
use crate::sample::Sample;
use crate::setting::Setting;
use crate::write;

/// What a run of a cell may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Budget {
    pub(crate) duration: Duration,
    pub(crate) bytes: u64,
}

/// Where and how long a cell runs.
pub(crate) struct Bench<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) budget: Budget,
    /// Set when somebody wants the end.
    pub(crate) stop: &'a AtomicBool,
}

/// A plan in the directory that it is measured in.
#[derive(Debug)]
pub struct Lab {
    plan: Plan,
    directory: Own,
}

/// What the lab tells while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A cell has run once more.
    Ran {
        /// Runs that are done, failed ones included.
        done: usize,
        /// Runs of the whole plan.
        of: usize,
        /// The cell with what it has shown up to here.
        outcome: &'a CellOutcome,
    },
}

/// A cell and what its runs showed.
#[derive(Debug, Clone)]
pub struct CellOutcome {
    /// What was run.
    pub cell: Cell,
    /// By rounds; `None` where a run failed or was not reached.
    pub samples: Vec<Option<Sample>>,
    /// Why a run failed; the cell is not run again.
    pub failure: Option<String>,
}

/// What a plan showed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// In the plan's order.
    pub cells: Vec<CellOutcome>,
    /// Contestants of the plan that this host can't run, with the reason and the remedy.
    pub unavailable: Vec<(Contestant, String, String)>,
    /// The order in which the cells ran: indexes into `cells`.
    pub order: Vec<usize>,
    /// Somebody wanted the end before it came.
    pub interrupted: bool,
}

impl Lab {
    /// Makes a directory of the lab's own in `parent`, which is removed when the lab is dropped.
    ///
    /// # Errors
    /// [`LabError::Directory`] when that can't be done, [`LabError::Room`] when the device has no room for the plan.
    pub fn new(parent: &Path, plan: Plan) -> Result<Lab, LabError> {
        let error = |source| LabError::Directory { path: parent.to_owned(), source };
        let needed = plan.needed_bytes();
        let free = rustix::fs::statvfs(parent).map_err(|e| error(e.into()))?;
        let free = free.f_bavail * free.f_frsize;
        if free < needed {
            return Err(LabError::Room { path: parent.to_owned(), free_mib: free >> 20, needed_mib: needed >> 20 });
        }
        Ok(Lab { plan, directory: Own::create(parent).map_err(error)? })
    }

    /// Runs the plan until its end, or until `stop` is set: what was measured by then is kept.
    pub fn run(&self, stop: &AtomicBool, on_event: &mut dyn FnMut(Event<'_>)) -> Outcome {
        let (cells, unavailable) = self.available();
        let rounds = self.plan.repeats;
        let of = cells.len() * rounds;
        let mut cells: Vec<CellOutcome> =
            cells.into_iter().map(|cell| CellOutcome { cell, samples: vec![None; rounds], failure: None }).collect();
        let mut random = fastrand::Rng::with_seed(self.plan.seed);
        let mut order = Vec::with_capacity(of);
        self.touch_memory(stop);
        for round in 0..rounds {
            let mut turns: Vec<usize> = (0..cells.len()).collect();
            random.shuffle(&mut turns);
            for turn in turns {
                if stop.load(Ordering::Relaxed) {
                    return Outcome { cells, unavailable, order, interrupted: true };
                }
                order.push(turn);
                let Some(outcome) = cells.get_mut(turn) else { continue };
                self.run_once(outcome, round, stop);
                on_event(Event::Ran { done: order.len(), of, outcome });
            }
        }
        Outcome { cells, unavailable, order, interrupted: stop.load(Ordering::Relaxed) }
    }

    /// The cells whose contestants can run here.
    fn available(&self) -> (Vec<Cell>, Vec<(Contestant, String, String)>) {
        let mut unavailable = Vec::new();
        for contestant in self.plan.contestants() {
            if let Availability::Unavailable { reason, remedy } = contestant.availability(&self.directory.path) {
                unavailable.push((contestant, reason, remedy));
            }
        }
        let is_available =
            |cell: &Cell| !unavailable.iter().any(|(missing, ..)| missing.name() == cell.contestant.name());
        (self.plan.cells.iter().copied().filter(is_available).collect(), unavailable)
    }

    fn run_once(&self, outcome: &mut CellOutcome, round: usize, stop: &AtomicBool) {
        if outcome.failure.is_some() {
            return;
        }
        let bench = Bench { directory: &self.directory.path, budget: self.plan.budget, stop };
        let (Strategy::Write(strategy), Setting::Write(setting)) =
            (outcome.cell.contestant.strategy, outcome.cell.setting);
        match write::run(strategy, &setting, &bench) {
            // A run that was cut short says nothing.
            Ok(_) if stop.load(Ordering::Relaxed) => {}
            Ok(sample) => outcome.samples.get_mut(round).into_iter().for_each(|place| *place = Some(sample.clone())),
            Err(error) => outcome.failure = Some(error.to_string()),
        }
    }

    /// The first use of fresh memory is several times slower than any other, on a virtual machine above all: whoever runs first
    /// must not pay for it.
    fn touch_memory(&self, stop: &AtomicBool) {
        let bench = Bench { directory: &self.directory.path, budget: self.plan.budget, stop };
        let _ = write::run_untimed(&bench);
    }
}

/// A directory that goes with its owner.
#[derive(Debug)]
struct Own {
    path: PathBuf,
}

impl Own {
    fn create(parent: &Path) -> std::io::Result<Own> {
        let path = parent.join(format!("ringbench-lab-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Own { path })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
