//! The lab: runs a plan, interleaved and in a random order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringbench_stats::SystemCalls;

use crate::bench::{Bench, Budget};
use crate::contestant::{Availability, Contestant, Family};
use crate::error::LabError;
use crate::plan::{Cell, Plan};
use crate::rates;
use crate::sample::Sample;
use crate::setting::{Load, Setting, WriteSetting};
use crate::write;

/// How long a contestant is tried to find out what the host can do.
const CALIBRATED: Duration = Duration::from_millis(30);
/// How long the bench runs with nobody on it, in each round and at each size.
const EMPTY: Duration = Duration::from_millis(5);
/// For how many appends system calls are counted, and how long at most. The few that begin and end the run are counted with them.
const COUNTED: u64 = 1000;
const COUNTED_FOR: Duration = Duration::from_millis(30);

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
        /// All cells of its setting, itself among them: what [`crate::rank()`] ranks.
        peers: &'a [CellOutcome],
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
    /// System calls for each append, transfer or request; counted in a run that was not timed.
    pub calls_each: Option<f64>,
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
    /// Processor nanoseconds of the bench for each append: by rounds, and in each by the size of an append in bytes.
    pub bench_ns: Vec<(usize, f64)>,
    /// Why system calls were not counted.
    pub calls_uncounted: Option<String>,
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
        let cells = rates::resolve(cells, |contestant, setting| self.speed(contestant, setting, stop));
        let rounds = self.plan.repeats;
        let of = cells.len() * rounds;
        let begin = |cell| CellOutcome { cell, samples: vec![None; rounds], failure: None, calls_each: None };
        let cells = cells.into_iter().map(begin).collect();
        let (order, bench_ns) = (Vec::with_capacity(of), Vec::new());
        let mut outcome = Outcome { cells, unavailable, order, bench_ns, calls_uncounted: None, interrupted: false };
        let mut random = fastrand::Rng::with_seed(self.plan.seed);
        for round in 0..rounds {
            outcome.bench_ns.extend(self.bench_ns(stop));
            let mut turns: Vec<usize> = (0..outcome.cells.len()).collect();
            random.shuffle(&mut turns);
            for turn in turns {
                if stop.load(Ordering::Relaxed) {
                    return Outcome { interrupted: true, ..outcome };
                }
                outcome.order.push(turn);
                if let Some(cell) = outcome.cells.get_mut(turn) {
                    self.run_once(cell, round, stop);
                }
                let Some(cell) = outcome.cells.get(turn) else { continue };
                let peers = peers(&outcome.cells, cell);
                on_event(Event::Ran { done: outcome.order.len(), of, outcome: cell, peers });
            }
        }
        outcome.calls_uncounted = self.count_calls(&mut outcome.cells, stop);
        outcome.interrupted = stop.load(Ordering::Relaxed);
        outcome
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
        let Cell { contestant, setting } = outcome.cell;
        if setting.fills_memory() {
            self.touch_memory(&setting, stop);
        }
        match contestant.run(&setting, &self.bench(self.plan.budget_of(&setting), stop)) {
            // A run that was cut short says nothing.
            Ok(_) if stop.load(Ordering::Relaxed) => {}
            Ok(sample) => outcome.samples.get_mut(round).into_iter().for_each(|place| *place = Some(sample.clone())),
            Err(error) => outcome.failure = Some(error.to_string()),
        }
    }

    /// System calls of every cell that goes as fast as it can, in a short run of its own. Or why they can't be counted.
    fn count_calls(&self, cells: &mut [CellOutcome], stop: &AtomicBool) -> Option<String> {
        if let Err(refused) = SystemCalls::count() {
            return Some(refused);
        }
        for outcome in cells {
            let Cell { contestant, setting } = outcome.cell;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let budget = self.plan.budget_of(&setting);
            if setting.load() != Load::Saturated || outcome.failure.is_some() || budget.duration == Duration::MAX {
                continue;
            }
            let bytes = budget.bytes.min(COUNTED * setting.size_bytes() as u64);
            let bench = self.bench(Budget { duration: COUNTED_FOR, bytes }, stop);
            let counted = contestant.run(&setting, &Bench { counts_calls: true, ..bench });
            outcome.calls_each = counted.ok().and_then(|sample| {
                Some(sample.system_calls? as f64 * setting.size_bytes() as f64 / sample.bytes.max(1) as f64)
            });
        }
        None
    }

    /// How many times a second a contestant does what the setting asks.
    fn speed(&self, contestant: Contestant, setting: &Setting, stop: &AtomicBool) -> Option<f64> {
        let budget = Budget { duration: CALIBRATED, ..self.plan.budget_of(setting) };
        let sample = contestant.run(setting, &self.bench(budget, stop)).ok()?;
        let speed = sample.bytes as f64 / setting.size_bytes() as f64 / sample.elapsed.as_secs_f64();
        (speed > 0.0 && speed.is_finite()).then_some(speed)
    }

    /// What an append costs the bench, at every size that is written.
    fn bench_ns(&self, stop: &AtomicBool) -> Vec<(usize, f64)> {
        let writes = self.plan.cells.iter().filter(|cell| cell.contestant.family() == Family::Write);
        let mut sizes: Vec<usize> = writes.map(|cell| cell.setting.size_bytes()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let budget = Budget { duration: EMPTY, bytes: u64::MAX / 2 };
        let empty = |size_bytes| {
            let setting = WriteSetting { size_bytes, ..write::PLAIN };
            let sample = write::run(&write::Null, &setting, &self.bench(budget, stop)).ok()?;
            Some((size_bytes, sample.cpu_ns(size_bytes)))
        };
        sizes.into_iter().filter_map(empty).collect()
    }

    /// The first use of fresh memory is several times slower than any other, on a virtual machine above all, which gives what is
    /// free for two seconds back to its host: who runs next must not pay for that. So what the run may write is written and
    /// forgotten, in appends of the same size, which take the same blocks of memory. Without it a contestant that appends 256 KiB at
    /// a time showed 0.3 to 5 GB/s, as its turn came.
    fn touch_memory(&self, setting: &Setting, stop: &AtomicBool) {
        let setting = WriteSetting { size_bytes: setting.size_bytes(), ..write::PLAIN };
        let budget = Budget { duration: Duration::from_secs(60), ..self.plan.budget };
        let _ = write::run(write::PLAINEST, &setting, &self.bench(budget, stop));
    }

    fn bench<'a>(&'a self, budget: Budget, stop: &'a AtomicBool) -> Bench<'a> {
        Bench { directory: &self.directory.path, budget, stop, counts_calls: false }
    }
}

/// The cells of one setting, which a plan keeps together.
fn peers<'a>(cells: &'a [CellOutcome], of: &CellOutcome) -> &'a [CellOutcome] {
    let same = |other: &CellOutcome| other.cell.setting == of.cell.setting;
    let first = cells.iter().position(same).unwrap_or(cells.len());
    let from_first = cells.get(first..).unwrap_or_default();
    from_first.split(|other| !same(other)).next().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanOptions;
    use crate::ranking::differences;

    fn measure(options: &PlanOptions, prepare: impl FnOnce(Plan) -> Plan) -> Outcome {
        let directory = tempfile::tempdir().unwrap();
        let only = vec!["pwrite".to_owned()];
        let options = PlanOptions { quick: true, only, sizes: vec![65536], repeats: Some(1), ..options.clone() };
        let lab = Lab::new(directory.path(), prepare(Plan::new(&options).unwrap())).unwrap();
        let outcome = lab.run(&AtomicBool::new(false), &mut |_| {});
        assert!(outcome.cells.iter().all(|cell| cell.failure.is_none()), "{:?}", outcome.cells);
        outcome
    }

    #[test]
    fn what_is_larger_than_memory_is_written_whole_and_the_others_are_not() {
        let memory = 400 << 20;
        let outcome = measure(&PlanOptions { larger_than_memory: Some(memory), ..PlanOptions::default() }, |plan| plan);
        let is_whole =
            |one: &&CellOutcome| matches!(one.cell.setting, Setting::Write(WriteSetting { bytes: Some(_), .. }));
        let (whole, timed): (Vec<_>, Vec<_>) = outcome.cells.iter().partition(is_whole);
        let bytes = |one: &CellOutcome| one.samples.iter().flatten().map(|sample| sample.bytes).max();
        assert_eq!(whole.iter().filter_map(|one| bytes(one)).collect::<Vec<_>>(), [memory + memory / 4]);
        assert!(!timed.is_empty() && timed.iter().all(|one| bytes(one) < Some(memory)));
    }

    #[test]
    fn a_rate_is_kept_and_what_the_bench_costs_is_known() {
        let outcome = measure(&PlanOptions::default(), |plan| plan);
        let rates = outcome.cells.iter().filter(|one| matches!(one.cell.setting.load(), Load::PerSecond(_)));
        assert!(rates.count() > 1);
        let overhead = crate::Overhead::of(&outcome);
        assert_eq!(overhead.iter().map(|one| one.size_bytes).collect::<Vec<_>>(), [65536]);
        assert!(overhead.iter().all(|one| one.bench_ns.is_finite() && one.share() >= 0.0), "{overhead:?}");
    }

    #[test]
    fn a_contestant_is_compared_with_itself_in_every_cell() {
        let outcome = measure(&PlanOptions::default(), Plan::against_itself);
        let (differ, of) = differences(&outcome.cells);
        assert_eq!((differ.len(), 2 * of), (0, outcome.cells.len()), "one pair of runs tells nothing");
    }
}
