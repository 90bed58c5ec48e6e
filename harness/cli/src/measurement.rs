//! Cells run on several targets in turns, each repeat on disk as soon as it is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringbench_load::workload::{CellSpec, Workload};
use ringbench_load::{Described, LoadError, Stop, Subject, Target};
use ringbench_report::results::{self, Kind, MaxRate, RunCell};
use ringbench_stats::{HdrLog, resident_bytes};

use crate::fresh::{self, Fresh, unix_ms};
use crate::generator::{Generator, usual_threads};
use crate::kept_run::KeptRun;
use crate::room::room_for;
use crate::{recorded, signals};

/// What a run is of.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: Kind,
    pub(crate) workload: &'a Workload,
    /// Its file's text.
    pub(crate) workload_yaml: Option<String>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) out: &'a Path,
    /// Load threads; without it half as many as there are processors.
    pub(crate) threads: Option<usize>,
}

/// One who has answered.
#[derive(Debug, Clone)]
struct Reached {
    subject: Subject,
    /// As it was when it was asked.
    target: Target,
    /// Where its files are, where that is known.
    data: Option<PathBuf>,
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Measurement {
    kept: KeptRun,
    out: PathBuf,
    targets: Vec<Reached>,
    generator: Generator,
    stop: Stop,
    order: usize,
}

impl Measurement {
    /// Asks the targets what they are, makes the directory and measures the host. From here on Ctrl-C is a wish to stop.
    ///
    /// # Errors
    /// A sentence, when a target is not there or can't do what the workload asks, or the directory holds something already.
    pub(crate) fn begin(asked: Asked<'_>) -> Result<Measurement, String> {
        if asked.out.join("results.json").exists() {
            let out = asked.out.display();
            return Err(format!(
                "--out {out}: it holds a run already, and nothing is overwritten: name another directory"
            ));
        }
        let stop = Stop::default();
        let wish = stop.clone();
        signals::on_first(move || {
            eprintln!("stopping: what was measured is kept; once more to leave at once");
            wish.stop();
        })?;
        let (mut targets, mut reached): (Vec<results::Target>, Vec<_>) = Default::default();
        let (kind, workload) = (asked.kind, asked.workload);
        for subject in asked.subjects {
            let (target, described) = describe(&subject, workload)?;
            let data = described.data.clone();
            targets.push(fresh::target(described, subject.to_string(), &targets));
            reached.push(Reached { subject, target, data });
        }
        let theirs = reached.iter().find_map(|reached| reached.data.clone());
        let data = theirs.as_deref().or_else(|| asked.out.ancestors().find(|path| path.is_dir())).unwrap_or(asked.out);
        let (workload_yaml, command) = (asked.workload_yaml, command(Some(workload.seed)));
        let fresh = Fresh { kind, workload, workload_yaml, command, data, targets, cells: Vec::new() };
        let mut kept = KeptRun::open(asked.out, fresh.run())?;
        let is_null = reached.iter().all(|reached| reached.target == Target::Null);
        let threads = asked.threads.unwrap_or_else(usual_threads);
        fresh::measure_floor(&mut kept, workload, threads, is_null, data, &stop).inspect_err(|_| kept.discard())?;
        let generator = Generator::new(workload.seed, threads, stop.clone());
        Ok(Measurement { kept, out: asked.out.to_owned(), targets: reached, generator, stop, order: 0 })
    }

    /// Runs a cell once on a target, and adds it to what is on disk. `load` is its rate as a share of a measured maximum. A cell that the
    /// target does not offer stays without a repeat, and says why. `None`: somebody wished to stop. A repeat that this cut short is kept,
    /// and void, where the cell has no whole one.
    ///
    /// # Errors
    /// A sentence, when the cell could not begin, or can't be kept; what went wrong after that is in the repeat.
    pub(crate) fn repeat(
        &mut self,
        target: usize,
        cell: &CellSpec,
        load: Option<f64>,
    ) -> Result<Option<&RunCell>, String> {
        if self.is_stopped() {
            return Ok(None);
        }
        let reached = self.targets.get(target).cloned().ok_or("there is no such target")?;
        let Reached { subject, data, .. } = &reached;
        if let Some(why) = data.as_ref().and_then(|data| room_for(cell, data).err()) {
            return Err(self.fail(&why));
        }
        let (order, started_unix_ms) = (self.order, unix_ms());
        self.order += 1;
        let mut outcome = subject.ready(&cell.broker_settings).and_then(|ready| {
            let (outcome, pool) = self.generator.run(cell, order, &ready)?;
            Ok((outcome, pool, ready.described.pid.and_then(resident_bytes)))
        });
        let at = self.place(&self.target_name(target), &reached.target, cell, load);
        let is_whole = |row: &RunCell| row.whole().next().is_some();
        if self.is_stopped() && (outcome.is_err() || self.kept.run().cells.get(at).is_some_and(is_whole)) {
            return Ok(None);
        }
        match &mut outcome {
            Ok((outcome, pool, resident)) => {
                let run = self.kept.run_mut();
                if let Some(row) = run.cells.get_mut(at) {
                    recorded::learn(row, outcome, pool);
                }
                if let Some(row) = run.targets.get_mut(target) {
                    row.resident_bytes = resident.or(row.resident_bytes);
                }
                let (repeat, histograms) = recorded::repeat(outcome, cell.message_bytes, order, started_unix_ms);
                self.kept.add(at, repeat, &histograms)?;
            }
            Err(error) if error.is_refusal() => self.kept.refuse(at, error.to_string())?,
            Err(error) => {
                let failed = recorded::failed(error.to_string(), order, started_unix_ms);
                self.kept.add(at, failed, &HdrLog::default())?;
            }
        }
        if let Some(error) = outcome.err().filter(|error| !error.is_refusal()) {
            return Err(self.fail(&format!("{subject}: {error}")));
        }
        if self.is_stopped() {
            return Ok(None);
        }
        Ok(self.kept.run().cells.get(at))
    }

    /// How many targets there are.
    pub(crate) fn targets(&self) -> usize {
        self.targets.len()
    }

    /// What its results call a target.
    pub(crate) fn target_name(&self, target: usize) -> String {
        self.kept.run().targets.get(target).map_or_else(String::new, |target| target.name.clone())
    }

    /// What came of a search.
    pub(crate) fn found(&mut self, found: MaxRate) {
        self.kept.run_mut().max_rates.push(found);
    }

    /// Whether somebody wishes to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_wished()
    }

    /// Writes the report and says what it comes to; gives the status of the whole: a void cell is a failure.
    ///
    /// # Errors
    /// A sentence, when it can't be written, or nothing ran.
    pub(crate) fn finish(mut self) -> Result<ExitCode, String> {
        let is_stopped = self.is_stopped();
        if !self.kept.has_run() {
            let why = self.kept.run().cells.iter().find_map(|cell| cell.why.clone());
            self.kept.discard();
            if is_stopped {
                eprintln!("ringbench: interrupted: nothing was measured");
                return Ok(ExitCode::from(signals::INTERRUPTED));
            }
            return Err(why.unwrap_or_else(|| "nothing ran".to_owned()));
        }
        let page = self.kept.finish(is_stopped)?;
        say!("{}\nreport: {}", ringbench_report::verdict(self.kept.run(), &self.out), page.display());
        if is_stopped {
            eprintln!("ringbench: interrupted: what was measured is in {}", self.out.display());
            return Ok(ExitCode::from(signals::INTERRUPTED));
        }
        let is_sound = self.kept.run().void_cells().next().is_none();
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Ends with what went wrong; gives the sentence that says so.
    pub(crate) fn fail(&mut self, why: &str) -> String {
        if !self.kept.has_run() {
            self.kept.discard();
            return why.to_owned();
        }
        match self.kept.finish(true) {
            Ok(_) => format!("{why}; what was measured before is in {}", self.out.display()),
            Err(more) => format!("{why}; {more}"),
        }
    }

    /// The row of a cell on a target, made when it has none.
    fn place(&mut self, name: &str, target: &Target, cell: &CellSpec, load: Option<f64>) -> usize {
        let key = cell.key();
        let cells = &mut self.kept.run_mut().cells;
        cells.iter().position(|row| row.key == key && row.target == name).unwrap_or_else(|| {
            cells.push(RunCell { load, ..recorded::planned(cell, name, target) });
            cells.len() - 1
        })
    }
}

/// Where one is, and what it says of itself; a broker of the run's own is started for that, with the settings of the first cell.
///
/// # Errors
/// A sentence, when nobody is there, or it can't be started.
pub(crate) fn describe(subject: &Subject, workload: &Workload) -> Result<(Target, Described), String> {
    let nothing = BTreeMap::new();
    let settings = workload.cells.first().map_or(&nothing, |cell| &cell.broker_settings);
    let ready = subject.ready(settings).map_err(|error| match error {
        LoadError::Unanswered { .. } => format!("--target {error}"),
        LoadError::Start { .. } => error.to_string(),
        _ => format!("--target {subject}: {error}"),
    });
    let ready = ready?;
    let (target, described) = (ready.target.clone(), ready.described.clone());
    let described = match subject {
        Subject::There(_) => described,
        // Its directory is gone by then, and the next one's is made beside it.
        Subject::Own(launch) => Described { data: Some(launch.parent().to_owned()), ..described },
    };
    Ok((target, described))
}

/// The command that repeats this one, with the seed where it has that option.
pub(crate) fn command(seed: Option<u64>) -> String {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(seed) = seed
        && !words.iter().any(|word| word == "--seed" || word.starts_with("--seed="))
    {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,%+@".contains(c));
    let quoted = words.iter().map(|word| match is_plain(word) && !word.is_empty() {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    format!("ringbench {}", quoted.collect::<Vec<_>>().join(" "))
}
