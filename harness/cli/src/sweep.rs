//! `ringbench sweep`: every cell of a workload, several times, in an order that is fair to all; stopped and taken up again at will.

mod course;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringbench_load::workload::{Order, Workload};
use ringbench_load::{Described, Stop, Target};
use ringbench_report::results::{Kind, Run};

use crate::fresh::{self, Fresh};
use crate::generator::usual_threads;
use crate::kept_run::KeptRun;
use crate::measurement::{command, describe};
use crate::room::free_bytes;
use crate::subjects::Own;
use crate::{duration, recorded, signals};
use course::Course;

const GB: f64 = 1e9;

/// Options of `ringbench sweep`.
#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// A workload file, such as workloads/sweep-core.yaml, or one of OpenMessaging Benchmark
    #[arg(value_name = "WORKLOAD")]
    workload: PathBuf,
    /// Who is measured: kafka://HOST:PORT and the like, `serve` for a ringlog of its own for each run, or start://kafka and the like for
    /// a peer so
    #[arg(long, value_name = "URL", default_value = "serve")]
    target: String,
    /// Where the results go; the same command again goes on where this one stopped
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Another value for a key of the workload; instead of an axis of its sweep, this value alone
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How often each cell runs, instead of what the workload says
    #[arg(long, value_name = "NUMBER")]
    repeats: Option<u32>,
    #[command(flatten)]
    own: Own,
    /// Says what it would do, and ends
    #[arg(long)]
    plan: bool,
}

impl Sweep {
    pub(crate) fn run(&self) -> Result<ExitCode, String> {
        let workload = self.workload()?;
        for note in &workload.notes {
            eprintln!("{}:{note}", workload.file.display());
        }
        let mut subjects = self.own.subjects(&[&self.target], &workload)?;
        let subject = subjects.pop().ok_or("--target: nobody is named")?;
        say_plan(&workload, &self.own.data());
        if self.plan {
            return Ok(ExitCode::SUCCESS);
        }
        let stop = Stop::default();
        let wish = stop.clone();
        signals::on_first(move || wish.stop())?;
        let (target, described) = describe(&subject, &workload)?;
        // Where a broker that runs already has its files is known if it is on this host and tells.
        let room = described.data.clone();
        let data = room.clone().unwrap_or_else(|| self.own.data());
        let mut kept = KeptRun::open(&self.out, self.fresh(&workload, &target, described, &data)?)?;
        let is_null = target == Target::Null;
        fresh::measure_floor(&mut kept, &workload, usual_threads(), is_null, &data, &stop).inspect_err(|_| {
            if !kept.has_run() {
                kept.discard();
            }
        })?;
        let ended = Course::new(&workload, &subject, room.as_deref(), &stop).run(&mut kept);
        let page = kept.finish(!matches!(ended, Ok(true)))?;
        say!("{}\nreport: {}", ringbench_report::verdict(kept.run(), &self.out), page.display());
        for (cell, of) in kept.run().cells.iter().zip(&workload.cells).filter(|(cell, _)| cell.ran() && !cell.valid) {
            eprintln!("void: {}: {}", of.name, cell.why.as_deref().unwrap_or("its figures count for nothing"));
        }
        if !ended? {
            eprintln!("ringbench: interrupted: the same command goes on from here");
            return Ok(ExitCode::from(signals::INTERRUPTED));
        }
        if !kept.has_run() {
            return Err(kept.run().cells.iter().find_map(|cell| cell.why.clone()).unwrap_or_default());
        }
        Ok(if kept.run().void_cells().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn workload(&self) -> Result<Workload, String> {
        let mut workload = Workload::read(&self.workload).map_err(|e| e.to_string())?;
        let repeats = self.repeats.map(|repeats| format!("repeats={repeats}"));
        for assignment in self.set.iter().chain(&repeats) {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| format!("--set {assignment}: KEY=VALUE is needed, such as batch.size=64k"))?;
            workload = workload.with(key, value).map_err(|e| e.to_string())?;
        }
        Ok(workload)
    }

    /// What is known before anything ran.
    fn fresh(&self, workload: &Workload, target: &Target, described: Described, data: &Path) -> Result<Run, String> {
        let yaml = std::fs::read_to_string(&self.workload).map_err(|e| format!("{}: {e}", self.workload.display()))?;
        let targets = vec![fresh::target(described, self.target.clone(), &[])];
        let name = targets.first().map_or("", |target| &*target.name);
        let cells = workload.cells.iter().map(|cell| recorded::planned(cell, name, target)).collect();
        let kind = Kind::Sweep;
        Ok(Fresh { kind, workload, workload_yaml: Some(yaml), command: command(None), data, targets, cells }.run())
    }
}

/// Cells, time and disk.
fn say_plan(workload: &Workload, data: &Path) {
    let estimate = workload.estimate();
    let cells = workload.cells.len();
    eprintln!(
        "{}: {cells} cells × {} = {} runs, {}, seed {}",
        workload.name,
        workload.repeats,
        cells * workload.repeats as usize,
        match workload.order {
            Order::Abba => "in rounds, each second one the one before it backwards",
            Order::Random => "in rounds, each in an order of its own",
            Order::Listed => "in rounds, as they are listed",
        },
        workload.seed
    );
    let free = free_bytes(data)
        .map_or_else(String::new, |free| format!(" of {:.0} that are free in {}", free as f64 / GB, data.display()));
    eprintln!(
        "time: about {}; disk: up to {:.1} GB at a time{free}",
        duration::words(estimate.time),
        estimate.disk_bytes as f64 / GB
    );
}
