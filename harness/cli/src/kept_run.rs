//! A run's directory: its results so far, each on disk as soon as it is there, held by one process at a time.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ringbench_report::results::{Repeat, Run, RunCell};
use ringbench_report::{ReportError, write_report};
use ringbench_stats::HdrLog;

const LOCK: &str = ".ringbench.lock";
const RESULTS: &str = "results.json";
/// A file that is being written.
const PART: &str = "results.part";

/// What was measured of a run, and where it is kept.
#[derive(Debug)]
pub(crate) struct KeptRun {
    directory: PathBuf,
    run: Run,
    begun: Instant,
    seconds_before: f64,
    /// Released with the process, however it ends.
    _lock: File,
}

impl KeptRun {
    /// Begins `fresh` in a directory that is empty or not there, or takes up what was measured of the same run there.
    ///
    /// # Errors
    /// A sentence, where another process writes there, or where something else is: nothing is overwritten.
    pub(crate) fn open(directory: &Path, fresh: Run) -> Result<KeptRun, String> {
        let refuse = |why: String| format!("--out {}: {why}", directory.display());
        let unusable = |e: std::io::Error| refuse(format!("{e}: name a directory that can be made and written to"));
        std::fs::create_dir_all(directory).map_err(unusable)?;
        let lock = File::create(directory.join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                refuse("another ringbench writes into it: wait for it, or name another directory".to_owned())
            }
            TryLockError::Error(error) => refuse(error.to_string()),
        })?;
        let run = match directory.join(RESULTS).exists() {
            true => resumed(Run::read(directory).map_err(|e| e.to_string())?, fresh).map_err(refuse)?,
            false => {
                let entries = std::fs::read_dir(directory).map_err(|e| refuse(e.to_string()))?;
                let ours = |name: &std::ffi::OsStr| name == LOCK || name == PART;
                if let Some(other) = entries.flatten().map(|entry| entry.file_name()).find(|name| !ours(name)) {
                    let holds = other.display();
                    return Err(refuse(format!("it holds {holds} and no {RESULTS}: name an empty directory")));
                }
                fresh
            }
        };
        let seconds_before = run.took_seconds;
        let mut kept =
            KeptRun { directory: directory.to_owned(), run, begun: Instant::now(), seconds_before, _lock: lock };
        kept.run.interrupted = true;
        match kept.write() {
            Ok(()) => Ok(kept),
            Err(error) if kept.has_run() => Err(not_kept(error)),
            Err(error) => {
                kept.discard();
                Err(format!("{error}: nothing was measured: {}", remedy(&error)))
            }
        }
    }

    /// What is there.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// To add what is said of the run as a whole; [`KeptRun::add`] and [`KeptRun::finish`] write it.
    pub(crate) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Whether there is anything to keep; what failed is.
    pub(crate) fn has_run(&self) -> bool {
        self.run.cells.iter().any(RunCell::ran)
    }

    /// Whether this cell ran to its end at this place of the order.
    pub(crate) fn has(&self, cell: usize, order: usize) -> bool {
        let repeats = self.run.cells.get(cell).map_or(&[][..], |cell| &cell.repeats);
        repeats.iter().any(|repeat| repeat.order == order && repeat.failure.is_none())
    }

    /// Adds a repeat of a cell, with its histograms where it ran to its end; one that failed at the same place gives way. On return
    /// it is on disk.
    ///
    /// # Errors
    /// A sentence, where it can't be written.
    pub(crate) fn add(&mut self, cell: usize, mut repeat: Repeat, histograms: &HdrLog) -> Result<(), String> {
        let Some(cell) = self.run.cells.get_mut(cell) else { return Ok(()) };
        if repeat.failure.is_none() {
            repeat.keep(histograms, cell, &self.directory).map_err(not_kept)?;
        }
        cell.repeats.retain(|earlier| earlier.order != repeat.order);
        cell.repeats.push(repeat);
        cell.derive(self.run.roofline.as_ref(), &self.directory).map_err(not_kept)?;
        self.write().map_err(not_kept)
    }

    /// Says of a cell why it has no repeats. On return it is on disk.
    ///
    /// # Errors
    /// A sentence, where it can't be written.
    pub(crate) fn refuse(&mut self, cell: usize, why: String) -> Result<(), String> {
        if let Some(cell) = self.run.cells.get_mut(cell) {
            cell.why = Some(why);
        }
        self.write().map_err(not_kept)
    }

    /// Takes away what was made for a run of which nothing ran: the same command may begin again.
    pub(crate) fn discard(&self) {
        for made in [RESULTS, PART, LOCK] {
            // What can't be removed is refused by the next run, which says so.
            let _ = std::fs::remove_file(self.directory.join(made));
        }
        let _ = std::fs::remove_dir(&self.directory);
    }

    /// Writes the report; gives its path.
    ///
    /// # Errors
    /// A sentence, where it can't be written.
    pub(crate) fn finish(&mut self, interrupted: bool) -> Result<PathBuf, String> {
        self.run.interrupted = interrupted;
        self.write().map_err(not_kept)?;
        write_report(&[(self.run.clone(), self.directory.clone())], &self.directory).map_err(not_kept)
    }

    fn write(&mut self) -> Result<(), ReportError> {
        self.run.took_seconds = self.seconds_before + self.begun.elapsed().as_secs_f64();
        self.run.write(&self.directory).map(drop)
    }
}

fn not_kept(error: ReportError) -> String {
    format!("{error}: what was measured before is kept: {}", remedy(&error))
}

/// A full disk is the usual reason; the shell's limit is the other one.
fn remedy(error: &ReportError) -> &'static str {
    match error {
        ReportError::Write { source, .. } if source.kind() == ErrorKind::FileTooLarge => {
            "raise the limit of file sizes (ulimit -f)"
        }
        _ => "make room, or name another directory",
    }
}

/// What is there of the same run; a sentence, where it is another one.
fn resumed(there: Run, fresh: Run) -> Result<Run, String> {
    let keys = |run: &Run| run.cells.iter().map(|cell| (cell.target.clone(), cell.key.clone())).collect::<Vec<_>>();
    let targets = |run: &Run| {
        run.targets.iter().map(|target| format!("{} ({})", target.name, target.product)).collect::<Vec<_>>().join(", ")
    };
    let host =
        |run: &Run| format!("{}, {}, kernel {}, {}", run.host.cpu, run.host.mount, run.host.kernel, run.host.commit);
    let differs = |what: &str, there: &str, wanted: &str| {
        (there != wanted).then(|| format!("it holds results of another {what}: {there}, not {wanted}"))
    };
    let kinds = (format!("{:?}", there.kind), format!("{:?}", fresh.kind));
    let difference = differs("command", &kinds.0, &kinds.1)
        .or_else(|| differs("workload", &there.workload, &fresh.workload))
        .or_else(|| differs("target", &targets(&there), &targets(&fresh)))
        .or_else(|| differs("host or commit", &host(&there), &host(&fresh)))
        .or_else(|| {
            (keys(&there) != keys(&fresh))
                .then(|| format!("the cells of `{}` have changed since it began", fresh.workload))
        })
        .or_else(|| differs("order, by its seed", &there.seed.to_string(), &fresh.seed.to_string()))
        .or_else(|| {
            let most = there.cells.iter().map(|cell: &RunCell| cell.repeats.len()).max().unwrap_or(0);
            (most > fresh.repeats).then(|| format!("it holds {most} repeats, not {}", fresh.repeats))
        });
    match difference {
        Some(difference) => Err(format!("{difference}: name another directory")),
        None => Ok(Run { repeats: fresh.repeats, command: fresh.command, ..there }),
    }
}
