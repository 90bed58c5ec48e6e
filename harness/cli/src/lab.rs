//! `ringbench lab`: which way of doing I/O is best on this host.

mod live;
mod profile;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use live::Live;
use profile::Profile;
use ringbench_lab::{
    Availability, CellOutcome, Contestant, Load, Outcome, Overhead, Plan, PlanOptions, Setting, differences, rank,
    roofline_share,
};
use ringbench_report::{
    FloorPart, LAB_SCHEMA, LabCell, LabLatency, LabOverhead, LabResults, LabUnavailable, lab_ranking, write_lab_report,
};
use ringbench_stats::{Depth, DirtyLimits, Host, Interval, Latencies, Regime, Roofline};
use serde::Serialize;

use crate::signals;

/// `ringbench lab …`
#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Names the contestants, and says which of them this host can run
    List(List),
    /// Runs them against each other and writes lab.json and a report
    Run(Run),
    /// Makes the report again from lab.json
    Report(Report),
    /// Measures what the broker can choose between, and writes a profile for its io.profile
    Profile(Profile),
}

/// Options of `ringbench lab list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Where files would be written [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Prints JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Options of `ringbench lab run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The directory to measure; what is made there is removed again
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where lab.json and the report go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Two sizes and short runs: under a minute
    #[arg(long)]
    quick: bool,
    /// Only these contestants
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Only these sizes, such as 4KiB,64KiB
    #[arg(long, value_name = "SIZE", value_delimiter = ',', value_parser = size)]
    sizes: Vec<usize>,
    /// How often each cell runs
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: Option<u16>,
    /// Decides the order of the runs
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Also writes a quarter more than the host's memory with each contestant, which takes minutes each
    #[arg(long)]
    larger_than_memory: bool,
    /// Only writes, as fast as it goes, and so much in each run, such as 256MiB
    #[arg(long, value_name = "SIZE", value_parser = bytes, conflicts_with = "larger_than_memory")]
    bytes: Option<u64>,
    /// Writes the same memory again and again, as fio does, instead of walking through 4 MiB of it
    #[arg(long)]
    same_block: bool,
    /// Measures no roofline, which takes seconds: no cell is a share of it
    #[arg(long)]
    no_roofline: bool,
    /// Runs every contestant against itself and says where a difference is seen: each is an error of the lab. Writes no results
    #[arg(long)]
    aa: bool,
}

/// Options of `ringbench lab report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The directory that --out named, which holds lab.json
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

/// Bytes of one append: the contestants' buffers take powers of two from 512 B to 1 MiB.
fn size(text: &str) -> Result<usize, String> {
    usize::try_from(bytes(text)?)
        .ok()
        .filter(|bytes| bytes.is_power_of_two() && (512..=1 << 20).contains(bytes))
        .ok_or_else(|| "powers of two from 512 B to 1 MiB are allowed, such as 4KiB".to_owned())
}

/// Bytes, with or without a binary unit.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        other => return Err(format!("{other} is no unit: B, KiB and MiB are")),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "a number of bytes is needed, such as 256MiB".to_owned())
}

impl Lab {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        match self {
            Lab::List(list) => list.run(),
            Lab::Run(run) => run.run(),
            Lab::Report(report) => report.run(),
            Lab::Profile(profile) => profile.run(),
        }
    }
}

/// A line of the list.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    family: String,
    about: &'static str,
    available: bool,
    /// Why not, and what to change.
    reason: Option<String>,
}

impl List {
    fn run(&self) -> Result<ExitCode, String> {
        let directory = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        if !directory.is_dir() {
            return Err(format!("--dir {}: it is no directory", directory.display()));
        }
        let listed: Vec<Listed> = Contestant::all()
            .iter()
            .map(|contestant| {
                let reason = match contestant.availability(&directory) {
                    Availability::Available => None,
                    Availability::Unavailable { reason, remedy } => Some(format!("{reason}: {remedy}")),
                };
                let (name, about) = (contestant.name(), contestant.about());
                Listed { name, family: contestant.family().to_string(), about, available: reason.is_none(), reason }
            })
            .collect();
        if self.json {
            say!("{}", serde_json::to_string_pretty(&listed).map_err(|e| e.to_string())?);
            return Ok(ExitCode::SUCCESS);
        }
        for Listed { name, family, about, reason, .. } in &listed {
            say!("{family:<9} {name:<22} {about}");
            if let Some(reason) = reason {
                say!("{:<32} not available here: {reason}", "");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Run {
    fn run(&self) -> Result<ExitCode, String> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let begun = Instant::now();
        let seed = self.seed.unwrap_or(started.as_secs());
        let repeats = self.repeats.map(usize::from);
        let host = Host::here(&self.dir);
        let options = PlanOptions {
            quick: self.quick,
            only: self.only.clone(),
            sizes: self.sizes.clone(),
            repeats,
            seed,
            larger_than_memory: self.larger_than_memory.then_some(host.memory_mib << 20),
            bytes: self.bytes,
            same_block: self.same_block,
        };
        let mut plan = Plan::new(&options).map_err(|e| e.to_string())?;
        if self.aa {
            plan = plan.against_itself();
        }
        let repeats = plan.repeats();
        // Found out before minutes are spent.
        std::fs::create_dir_all(&self.out).map_err(|e| format!("--out {}: {e}", self.out.display()))?;
        let stop = stop_on_signals()?;
        let expected = plan.expected().as_secs();
        eprintln!(
            "{} cells, {repeats} runs each, in a random order: {}:{:02} min; {}",
            plan.cells().len(),
            expected / 60,
            expected % 60,
            host.mount
        );
        let dirty_limits = DirtyLimits::here();
        let depth = if self.quick { Depth::Quick } else { Depth::Full };
        let lab = ringbench_lab::Lab::new(&self.dir, plan).map_err(|e| e.to_string())?;
        let wanted = (!self.no_roofline).then(|| Roofline::measure(&self.dir, depth));
        let roofline = wanted.transpose().map_err(|e| e.to_string())?;
        let mut live = Live::new();
        let outcome = lab.run(&stop, &mut |event| live.show(&event));
        live.finish();
        drop(lab);
        let overhead = overhead(&outcome);
        for LabOverhead { size_bytes, name, bench_ns, append_ns, share } in &overhead {
            let percent = share * 100.0;
            say!(
                "{size_bytes:>8} B: {bench_ns:.0} ns of the {append_ns:.0} that {name} takes are the lab's, {percent:.1} %"
            );
        }
        if self.aa {
            return Ok(say_differences(&outcome));
        }
        let results = LabResults {
            schema: LAB_SCHEMA.to_owned(),
            command: self.command(seed),
            started_unix_ms: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
            took_seconds: begun.elapsed().as_secs_f64(),
            seed,
            repeats,
            interrupted: outcome.interrupted,
            host,
            roofline: roofline.as_ref().map(FloorPart::all).unwrap_or_default(),
            dirty_limits,
            overhead,
            system_calls_uncounted: outcome.calls_uncounted.clone(),
            unavailable: unavailable(&outcome),
            cells: cells(&outcome.cells, &dirty_limits, roofline.as_ref()),
            order: outcome.order,
        };
        results.write(&self.out).map_err(|e| e.to_string())?;
        report(&results, &self.out)?;
        if results.interrupted {
            eprintln!("ringbench: interrupted: what was measured is in {}", self.out.display());
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn command(&self, seed: u64) -> String {
        let mut command = format!("ringbench lab run --dir {} --out {}", self.dir.display(), self.out.display());
        if self.quick {
            command.push_str(" --quick");
        }
        if !self.only.is_empty() {
            command.push_str(&format!(" --only {}", self.only.join(",")));
        }
        if !self.sizes.is_empty() {
            let sizes: Vec<String> = self.sizes.iter().map(usize::to_string).collect();
            command.push_str(&format!(" --sizes {}", sizes.join(",")));
        }
        if self.larger_than_memory {
            command.push_str(" --larger-than-memory");
        }
        if let Some(bytes) = self.bytes {
            command.push_str(&format!(" --bytes {bytes}"));
        }
        if self.same_block {
            command.push_str(" --same-block");
        }
        if self.no_roofline {
            command.push_str(" --no-roofline");
        }
        if let Some(repeats) = self.repeats {
            command.push_str(&format!(" --repeats {repeats}"));
        }
        format!("{command} --seed {seed}")
    }
}

impl Report {
    fn run(&self) -> Result<ExitCode, String> {
        report(&LabResults::read(&self.out).map_err(|e| e.to_string())?, &self.out)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Renders, and says what came of it and where it is.
fn report(results: &LabResults, out: &Path) -> Result<(), String> {
    let page = write_lab_report(results, out).map_err(|e| e.to_string())?;
    say!("{}\n\nreport: {}", lab_ranking(results), page.display());
    Ok(())
}

/// Set by the first SIGINT or SIGTERM: the lab then ends by itself, removes its files and keeps what it has.
fn stop_on_signals() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let wish = stop.clone();
    signals::on_first(move || wish.store(true, Ordering::Relaxed))?;
    Ok(stop)
}

fn unavailable(outcome: &Outcome) -> Vec<LabUnavailable> {
    let missing = outcome.unavailable.iter();
    missing
        .map(|(contestant, reason, remedy)| LabUnavailable {
            name: contestant.name().to_owned(),
            reason: reason.clone(),
            remedy: remedy.clone(),
        })
        .collect()
}

/// Where the same was taken for two.
fn say_differences(outcome: &Outcome) -> ExitCode {
    let (differ, of) = differences(&outcome.cells);
    for cell in differ.iter().filter_map(|&cell| outcome.cells.get(cell)) {
        say!("{} differs from itself: {}", cell.cell.contestant.name(), cell.cell.setting);
    }
    let percent = 100.0 * differ.len() as f64 / of.max(1) as f64;
    say!("a difference in {} of {of} cells, where there is none: {percent:.1} %", differ.len());
    if outcome.interrupted { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn overhead(outcome: &Outcome) -> Vec<LabOverhead> {
    let named = |overhead: &Overhead| LabOverhead {
        size_bytes: overhead.size_bytes,
        name: outcome.cells.get(overhead.cell).map_or("", |cell| cell.cell.contestant.name()).to_owned(),
        bench_ns: overhead.bench_ns,
        append_ns: overhead.append_ns,
        share: overhead.share(),
    };
    Overhead::of(outcome).iter().map(named).collect()
}

fn cells(outcomes: &[CellOutcome], limits: &DirtyLimits, roofline: Option<&Roofline>) -> Vec<LabCell> {
    let mut cells: Vec<LabCell> = outcomes.iter().map(|outcome| cell(outcome, limits, roofline)).collect();
    for ranked in rank(outcomes).into_iter().flat_map(|ranking| ranking.ranked) {
        if let Some(cell) = cells.get_mut(ranked.cell) {
            (cell.rank, cell.of_best) = (Some(ranked.rank), ranked.of_best);
        }
    }
    cells
}

fn cell(outcome: &CellOutcome, limits: &DirtyLimits, roofline: Option<&Roofline>) -> LabCell {
    let samples: Vec<_> = outcome.samples.iter().flatten().collect();
    let of = |value: &dyn Fn(&ringbench_lab::Sample) -> f64| {
        Interval::of(&samples.iter().map(|sample| value(sample)).collect::<Vec<_>>())
    };
    let median = |value: &dyn Fn(&ringbench_lab::Sample) -> f64| of(value).map(|interval| interval.median);
    let mut latencies = Latencies::default();
    samples.iter().for_each(|sample| latencies.merge(&sample.latencies));
    let us = |percent| latencies.percentile_ms(percent).map(|ms| ms * 1e3);
    let syncs: u64 = samples.iter().map(|sample| sample.syncs.count).sum();
    let sync_time: Duration = samples.iter().map(|sample| sample.syncs.time).sum();
    let gigabytes = |sample: &ringbench_lab::Sample| sample.bytes.max(1) as f64 / 1e9;
    let client_s_per_million = |sample: &ringbench_lab::Sample| {
        sample.client.unwrap_or_default().cpu_seconds() / (sample.latencies.count().max(1) as f64 / 1e6)
    };
    let setting = outcome.cell.setting;
    let writing = if let Setting::Write(writing) = setting { Some(writing) } else { None };
    let moving = if let Setting::Transfer(moving) = setting { Some(moving) } else { None };
    let serving = if let Setting::Serve(serving) = setting { Some(serving) } else { None };
    let moved = of(&ringbench_lab::Sample::mb_per_s);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    LabCell {
        name: outcome.cell.contestant.name().to_owned(),
        family: outcome.cell.contestant.family().to_string(),
        setting: setting.to_string(),
        size_bytes: setting.size_bytes(),
        sync: writing.map(|writing| writing.sync.to_string()),
        prepare: writing.map(|writing| writing.prepare.to_string()),
        writers: writing.map(|writing| writing.writers),
        queued: writing.map(|writing| writing.queued),
        offered_per_s: match setting.load() {
            Load::PerSecond(rate) => Some(rate),
            Load::Saturated | Load::OfFastest { .. } => None,
        },
        whole_bytes: writing.and_then(|writing| writing.bytes),
        pages: moving.map(|moving| moving.pages.to_string()),
        receiver: moving.map(|moving| moving.receiver.to_string()),
        connections: serving.map(|serving| serving.connections),
        pipelined: serving.map(|serving| serving.pipelined),
        runs: samples.len(),
        rank: None,
        of_best: None,
        mb_per_s: moved,
        mb_per_s_by_round: outcome
            .samples
            .iter()
            .map(|run| run.as_ref().map(ringbench_lab::Sample::mb_per_s))
            .collect(),
        requests_per_s: serving.and_then(|_| of(&ringbench_lab::Sample::per_s)),
        latency_us: LabLatency {
            p50: us(50.0),
            p99: us(99.0),
            p999: us(99.9),
            max: (latencies.count() > 0).then(|| latencies.max_ms() * 1e3),
        },
        cpu_s_per_gb: median(&ringbench_lab::Sample::cpu_s_per_gb),
        cpu_s_per_million_requests: serving.and_then(|_| median(&ringbench_lab::Sample::cpu_s_per_million)),
        client_cpu_s_per_million_requests: serving.and_then(|_| median(&client_s_per_million)),
        user_s_per_gb: median(&|sample| sample.cost.user_seconds / gigabytes(sample)),
        context_switches_per_mb: median(&|sample| {
            let cost = &sample.cost;
            (cost.voluntary_switches + cost.involuntary_switches) as f64 / gigabytes(sample) / 1e3
        }),
        system_calls_each: outcome.calls_each,
        ring_threads: samples.iter().map(|sample| sample.ring_threads).max(),
        dirty_bytes: samples.iter().map(|sample| sample.write_back.dirty_bytes).max(),
        write_back_bytes: samples.iter().map(|sample| sample.write_back.writing_bytes).max(),
        regime: samples.iter().filter_map(|run| Regime::of(&run.write_back, limits)).max().map(|one| one.to_string()),
        syncs,
        sync_us: (syncs > 0).then(|| sync_time.as_secs_f64() * 1e6 / syncs as f64),
        roofline_share: moved
            .zip(roofline)
            .and_then(|(moved, roofline)| roofline_share(&setting, moved.median * 1e6, roofline, cpus)),
        failure: outcome.failure.clone(),
    }
}
