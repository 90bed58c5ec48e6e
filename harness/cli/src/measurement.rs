//! Cells run on several targets in turns, each repeat on disk as soon as it is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringbench_load::workload::CellSpec;
use ringbench_load::workload::{Durability, Workload};
use ringbench_load::{Conditions, Pool, STAMP_BYTES, Stop, Target};
use ringbench_report::results::{self, Calibration, Kind, MaxRate, Run, RunCell, SCHEMA};
use ringbench_stats::{Depth, DirtyLimits, HdrLog, Host, Roofline, WriteBack, resident_bytes};

use crate::calibrate::to_nowhere;
use crate::kept_run::KeptRun;
use crate::sweep::{objective, unix_ms};
use crate::{recorded, signals};

/// How long after the load what is missing may still come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the generator is measured without a target.
const CALIBRATED: Duration = Duration::from_millis(500);

/// What a run is of.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: Kind,
    pub(crate) workload: &'a Workload,
    /// Its file's text.
    pub(crate) workload_yaml: Option<String>,
    pub(crate) targets: &'a [Target],
    pub(crate) out: &'a Path,
    /// Where the target has its files, where that is known: the host is looked at from there.
    pub(crate) data: Option<&'a Path>,
    /// Load threads; without it half as many as there are processors.
    pub(crate) threads: Option<usize>,
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Measurement {
    kept: KeptRun,
    out: PathBuf,
    targets: Vec<(Target, Option<u32>)>,
    /// The last cell's, which the next one often shares.
    pool: Option<(CellSpec, Arc<Pool>)>,
    threads: usize,
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
            let described = target.describe().map_err(|error| format!("--target {target}: {error}"))?;
            targets.push(results::Target {
                name: free_name(&described.product, &targets),
                url: target.to_string(),
                product: described.product,
                command: described.command,
                config: described.config,
                ready_ms: None,
                resident_bytes: None,
            });
            reached.push((target.clone(), described.pid));
        }
        let workload = asked.workload;
        let data = asked.data.or_else(|| asked.out.ancestors().find(|path| path.is_dir())).unwrap_or(asked.out);
        let fresh = Run {
            schema: SCHEMA.to_owned(),
            kind: asked.kind,
            workload: workload.name.clone(),
            workload_yaml: asked.workload_yaml.clone(),
            command: command(workload.seed),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: unix_ms(),
            took_seconds: 0.0,
            seed: workload.seed,
            repeats: workload.repeats as usize,
            interrupted: true,
            objective: workload.slo.map(objective),
            host: Host::here(data),
            roofline: None,
            dirty_limits: DirtyLimits::here(),
            calibration: calibrated(workload, &stop)?,
            targets,
            cells: Vec::new(),
            max_rates: Vec::new(),
        };
        let mut kept = KeptRun::open(asked.out, fresh)?;
        kept.run_mut().roofline = Some(Roofline::measure(data, Depth::Full).map_err(|error| error.to_string())?);
        // The target needs the other half.
        let half = std::thread::available_parallelism().map_or(1, usize::from) / 2;
        let (out, threads) = (asked.out.to_owned(), asked.threads.unwrap_or(half.max(1)));
        Ok(Measurement { kept, out, targets: reached, pool: None, threads, stop, order: 0 })
    }

    /// Runs a cell once on a target, and adds it to what is on disk. `load` is its rate as a share of a measured maximum.
    ///
    /// # Errors
    /// A sentence, when the cell could not begin, or can't be kept; what went wrong after that is in the repeat.
    pub(crate) fn repeat(&mut self, target: usize, cell: &CellSpec, load: Option<f64>) -> Result<&RunCell, String> {
        let (url, pid) = self.targets.get(target).cloned().ok_or("there is no such target")?;
        let pool = self.pool(cell)?;
        let (order, started_unix_ms, seed) = (self.order, unix_ms(), self.kept.run().seed);
        self.order += 1;
        let conditions = Conditions {
            run: (started_unix_ms as u32).wrapping_mul(31).wrapping_add(order as u32),
            seed: seed.wrapping_add(order as u64),
            threads: self.threads,
            target_pid: pid,
            pool: Arc::clone(&pool),
            patience: PATIENCE,
            reads_back: cell.verify && cell.durability > Durability::Memory && url != Target::Null,
            stop: self.stop.clone(),
        };
        if url != Target::Null {
            WriteBack::settle();
        }
        let outcome = url.run(cell, &conditions);
        let at = self.place(target, cell, load);
        match &outcome {
            Ok(outcome) => {
                let (repeat, histograms) = recorded::repeat(outcome, cell.message_bytes, order, started_unix_ms);
                let run = self.kept.run_mut();
                if let Some(row) = run.cells.get_mut(at) {
                    recorded::learn(row, outcome, &pool);
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

    /// Cells of one payload share its text.
    fn pool(&mut self, cell: &CellSpec) -> Result<Arc<Pool>, String> {
        if let Some((of, pool)) = &self.pool
            && (&of.payload, of.message_bytes) == (&cell.payload, cell.message_bytes)
        {
            return Ok(Arc::clone(pool));
        }
        let pool =
            Pool::new(&cell.payload, cell.message_bytes, self.kept.run().seed).map_err(|error| error.to_string())?;
        let pool = Arc::new(pool);
        self.pool = Some((cell.clone(), Arc::clone(&pool)));
        Ok(pool)
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

/// What the generator does without a target, with values as large as the smallest of the workload.
fn calibrated(workload: &Workload, stop: &Stop) -> Result<Option<Calibration>, String> {
    let bytes = workload.cells.iter().map(|cell| cell.message_bytes).min().unwrap_or(0);
    if bytes < STAMP_BYTES {
        return Ok(None);
    }
    let records_per_s = to_nowhere(bytes, None, CALIBRATED, stop)?.achieved_per_second();
    let record_bytes = bytes as f64;
    Ok(Some(Calibration { records_per_s, mb_per_s: records_per_s * record_bytes / 1e6, record_bytes }))
}

/// The product's name in small letters, with a number where another target has it already.
fn free_name(product: &str, taken: &[results::Target]) -> String {
    let words: Vec<String> = product.split_whitespace().map(str::to_lowercase).collect();
    let name = match &words[..] {
        [apache, product, ..] if apache == "apache" => product.clone(),
        [product] | [product, _] => product.clone(),
        _ => "target".to_owned(),
    };
    let is_free = |name: &String| taken.iter().all(|target| target.name != *name);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
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
