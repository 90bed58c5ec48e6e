//! `ringbench run`: one workload on one target or several in turns.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringbench_load::LoadError;
use ringbench_load::workload::Workload;
use ringbench_report::digits;
use ringbench_report::results::{Kind, RunCell};

use crate::measurement::{Asked, Measurement};
use crate::subjects::Own;

/// What is run without a workload.
const PLAIN: &str = "name: run\npartitionsPerTopic: 3\nwarmupDuration: 3s\ntestDuration: 15s\n";

/// What a workload is, and where it goes: options that commands share.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// A workload file [default: one producer and one consumer of 1 KiB records, 3 partitions, as fast as they go, 15 s]
    #[arg(value_name = "WORKLOAD")]
    pub(crate) workload: Option<PathBuf>,
    /// Who is measured: kafka://HOST:PORT and the like, `serve` for a ringlog of its own for each run, start://kafka and the like for
    /// a peer so; several take turns
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) target: Vec<String>,
    /// Where results.json and the report go: a directory that holds nothing yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// A key of the workload, with another value
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// How long is recorded, such as 30s [default: the workload's]
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// How often each cell runs [default: the workload's]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) repeats: Option<u32>,
    /// Load threads [default: half as many as there are processors]
    #[arg(long, value_name = "NUMBER", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Decides order, payload and random arrival
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u32>,
    #[command(flatten)]
    own: Own,
}

/// Options of `ringbench run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    load: Load,
    /// Records a second of all producers together [default: the workload's]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    rate: Option<f64>,
}

impl Load {
    /// The workload, with what the command line sets; and the text of its file.
    pub(crate) fn workload(&self) -> Result<(Workload, Option<String>), String> {
        let (path, text) = match &self.workload {
            Some(path) => {
                (path.as_path(), Some(std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?))
            }
            None => (Path::new("the built-in workload"), None),
        };
        let mut workload = match &self.workload {
            Some(path) => Workload::read(path),
            None => Workload::parse(path, PLAIN),
        }
        .map_err(|error| error.to_string())?;
        let mut changes: Vec<(&str, String)> = Vec::new();
        for set in &self.set {
            let (key, value) = set.split_once('=').ok_or_else(|| format!("--set {set}: write KEY=VALUE"))?;
            changes.push((key, value.to_owned()));
        }
        changes.extend(self.duration.as_ref().map(|time| ("testDuration", with_unit(time))));
        changes.extend(self.repeats.map(|repeats| ("repeats", repeats.to_string())));
        changes.extend(self.seed.map(|seed| ("seed", seed.to_string())));
        for (key, value) in changes {
            workload = workload.with(key, &value).map_err(|error: LoadError| error.to_string())?;
        }
        for note in &workload.notes {
            eprintln!("{}:{note}", path.display());
        }
        Ok((workload, text))
    }

    /// Begins to measure a workload, which the command may have changed.
    pub(crate) fn begin(
        &self,
        kind: Kind,
        workload: &Workload,
        workload_yaml: Option<String>,
    ) -> Result<Measurement, String> {
        let subjects = self.own.subjects(&self.target, workload)?;
        let (out, threads) = (&*self.out, self.threads);
        Measurement::begin(Asked { kind, workload, workload_yaml, subjects, out, threads })
    }
}

fn threads(text: &str) -> Result<usize, String> {
    let allowed = 1..=1024;
    text.parse().ok().filter(|threads| allowed.contains(threads)).ok_or_else(|| "1 to 1024 are allowed".to_owned())
}

/// A number without a unit is seconds.
fn with_unit(time: &str) -> String {
    if time.parse::<f64>().is_ok() { format!("{time}s") } else { time.to_owned() }
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let (mut workload, yaml) = self.load.workload()?;
        if let Some(rate) = self.rate {
            workload = with_rate(workload, rate)?;
        }
        let mut measurement = self.load.begin(Kind::Run, &workload, yaml)?;
        let turns = workload.schedule();
        'turns: for turn in &turns {
            let Some(cell) = workload.cells.get(turn.cell) else { continue };
            for target in in_turns(measurement.targets(), turn.repeat) {
                let Some(row) = measurement.repeat(target, cell, None)? else { break 'turns };
                eprintln!("{:>2}/{} {}", turn.repeat + 1, workload.repeats, line(&cell.name, row));
            }
        }
        measurement.finish()
    }
}

/// There and back: what slows down or speeds up in time does so for all targets.
pub(crate) fn in_turns(targets: usize, repeat: u32) -> Vec<usize> {
    let forth = 0..targets;
    if repeat.is_multiple_of(2) { forth.collect() } else { forth.rev().collect() }
}

/// The same workload at a rate, uniform where it did not have one.
pub(crate) fn with_rate(workload: Workload, rate: f64) -> Result<Workload, String> {
    let rated = || {
        let plain = workload.clone().with("producerRate", &rate.to_string())?;
        match plain.cells.iter().all(|cell| cell.arrival.per_second().is_some()) {
            true => Ok(plain),
            false => plain.with("arrival", "uniform"),
        }
    };
    rated().map_err(|error: LoadError| format!("--rate {rate}: {error}"))
}

/// A repeat, for the terminal.
pub(crate) fn line(name: &str, row: &RunCell) -> String {
    let Some(last) = row.repeats.last() else {
        return format!("{name} on {}: {}", row.target, row.why.as_deref().unwrap_or("it did not run"));
    };
    let behind = row
        .offered_per_s
        .filter(|offered| !last.kept_rate(*offered))
        .map_or_else(String::new, |offered| format!(" of {} that were due", digits(offered)));
    let p99 = last.latency_us.p99.map_or_else(|| "–".to_owned(), |us| format!("{:.2}", us / 1e3));
    let said = last.failure.clone().or_else(|| Some(last.ledger.faults()).filter(|faults| !faults.is_empty()));
    let said = said.map_or_else(String::new, |why| format!("  VOID: {why}"));
    format!(
        "{name} on {}: {} records/s{behind}, {:.1} MB/s, p99 {p99} ms{said}",
        row.target,
        digits(last.achieved_per_s()),
        last.mb_per_s()
    )
}
