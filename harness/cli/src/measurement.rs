//! Cells run on several targets in turns, each repeat on disk as soon as it is there.

use std::path::{Path, PathBuf};

use ringbench_load::workload::{CellSpec, Workload};
use ringbench_load::{BrokerProcess, LoadError, Stop, Target};
use ringbench_report::results::{self, Kind, MaxRate, RunCell};
use ringbench_stats::{HdrLog, resident_bytes};

use crate::fresh::{self, Fresh, unix_ms};
use crate::generator::Generator;
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
    pub(crate) targets: &'a [Target],
    /// The one target where it is a broker of this run's own.
    pub(crate) own: Option<&'a BrokerProcess>,
    pub(crate) out: &'a Path,
    /// Where the target has its files, where that is known: the host is looked at from there.
    pub(crate) data: Option<&'a Path>,
    /// Load threads; without it half as many as there are processors.
    pub(crate) threads: Option<usize>,
}

/// A target that has answered.
#[derive(Debug, Clone)]
struct Reached {
    target: Target,
    pid: Option<u32>,
    /// Where its files are.
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
    pub(crate) fn begin(asked: &Asked<'_>) -> Result<Measurement, String> {
        for target in asked.targets {
            target.honours(asked.workload).map_err(|error| error.to_string())?;
        }
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
        for target in asked.targets {
            let described = match asked.own {
                Some(broker) => broker.describe(),
                None => target.describe(),
            };
            let described = described.map_err(|error| match error {
                LoadError::Peer { .. } => {
                    format!("--target {error}: start it (scripts/peers.sh start NAME), or name another one")
                }
                _ => format!("--target {target}: {error}"),
            })?;
            reached.push(Reached { target: target.clone(), pid: described.pid, data: described.data.clone() });
            targets.push(fresh::target(described, target.to_string(), &targets));
        }
        let (kind, workload) = (asked.kind, asked.workload);
        let theirs = reached.iter().find_map(|reached| reached.data.clone());
        let data = asked.data.or(theirs.as_deref());
        let data = data.or_else(|| asked.out.ancestors().find(|path| path.is_dir())).unwrap_or(asked.out);
        let (workload_yaml, command) = (asked.workload_yaml.clone(), command(workload.seed));
        let fresh = Fresh { kind, workload, workload_yaml, command, data, targets, cells: Vec::new() };
        let mut kept = KeptRun::open(asked.out, fresh.run())?;
        let is_null = asked.targets.iter().all(|target| *target == Target::Null);
        fresh::measure_floor(&mut kept, workload, is_null, data, &stop)?;
        let generator = Generator::new(workload.seed, asked.threads, stop.clone());
        Ok(Measurement { kept, out: asked.out.to_owned(), targets: reached, generator, stop, order: 0 })
    }

    /// Runs a cell once on a target, and adds it to what is on disk. `load` is its rate as a share of a measured maximum.
    ///
    /// # Errors
    /// A sentence, when the cell could not begin, or can't be kept; what went wrong after that is in the repeat.
    pub(crate) fn repeat(&mut self, target: usize, cell: &CellSpec, load: Option<f64>) -> Result<&RunCell, String> {
        let Reached { target: url, pid, data } = self.targets.get(target).cloned().ok_or("there is no such target")?;
        if let Some(why) = data.and_then(|data| room_for(cell, &data).err()) {
            self.kept.finish(true)?;
            return Err(format!("{why}; what was measured before is in {}", self.out.display()));
        }
        let (order, started_unix_ms) = (self.order, unix_ms());
        self.order += 1;
        let outcome = self.generator.run(cell, order, &url, pid);
        let at = self.place(target, cell, load);
        match &outcome {
            Ok((outcome, pool)) => {
                let (repeat, histograms) = recorded::repeat(outcome, cell.message_bytes, order, started_unix_ms);
                let run = self.kept.run_mut();
                if let Some(row) = run.cells.get_mut(at) {
                    recorded::learn(row, outcome, pool);
                }
                if let (Some(row), Some(pid)) = (run.targets.get_mut(target), pid) {
                    row.resident_bytes = resident_bytes(pid).or(row.resident_bytes);
                }
                self.kept.add(at, repeat, &histograms)?;
            }
            Err(error) => {
                let failed = recorded::failed(error.to_string(), order, started_unix_ms);
                self.kept.add(at, failed, &HdrLog::default())?;
            }
        }
        if let Err(error) = outcome {
            self.kept.finish(true)?;
            return Err(format!("{url}: {error}: what was measured before is in {}", self.out.display()));
        }
        self.kept.run().cells.get(at).ok_or_else(|| "there is no such cell".to_owned())
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

    /// Writes the report and says what it comes to; whether all cells count.
    ///
    /// # Errors
    /// A sentence, when it can't be written, or somebody wished to stop.
    pub(crate) fn finish(mut self) -> Result<bool, String> {
        let page = self.kept.finish(self.is_stopped())?;
        say!("{}\nreport: {}", ringbench_report::verdict(self.kept.run(), &self.out), page.display());
        if self.is_stopped() {
            return Err(format!("interrupted: what was measured is in {}", self.out.display()));
        }
        Ok(self.kept.run().void_cells().next().is_none())
    }

    /// The row of a cell on a target, made when it has none.
    fn place(&mut self, target: usize, cell: &CellSpec, load: Option<f64>) -> usize {
        let (key, name) = (cell.key(), self.target_name(target));
        let cells = &mut self.kept.run_mut().cells;
        cells.iter().position(|row| row.key == key && row.target == name).unwrap_or_else(|| {
            cells.push(RunCell { load, ..recorded::planned(cell, &name) });
            cells.len() - 1
        })
    }
}

/// The command that repeats this one.
fn command(seed: u64) -> String {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--seed" || word.starts_with("--seed=")) {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,%+@".contains(c));
    let quoted = words.iter().map(|word| match is_plain(word) && !word.is_empty() {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    format!("ringbench {}", quoted.collect::<Vec<_>>().join(" "))
}
