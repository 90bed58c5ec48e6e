//! The report of `run`, `sweep`, `curve`, `max-rate` and `quick`: of one run, or of several that are shown together.

mod contest;
mod cost;
mod course;
mod csv;
mod curve;
mod heatmaps;
mod noise_floor;
mod order;
mod rivals;
mod shown;
mod surroundings;
mod tables;
mod verdict;

use std::path::{Path, PathBuf};

use crate::document::{self, Block, Document, Figure, Table};
use crate::error::ReportError;
use crate::numbers::digits;
use crate::results::{Run, RunCell};
use crate::utc;
use shown::{Cell, Shown};

pub(crate) use noise_floor::percent as floor_percent;

/// Writes `report.html`, `report.md`, its charts (`*.svg`) and `cells.csv` of one or several runs, each with the directory that it is
/// in, into a directory; gives the path of the page. Charts that an earlier report left there are removed.
///
/// # Errors
/// [`ReportError::Write`]. Histograms that are not there, or were changed, are no error: the report says that it lacks them.
pub fn write_report(runs: &[(Run, PathBuf)], directory: &Path) -> Result<PathBuf, ReportError> {
    let shown = Shown::of(runs.iter().map(|(run, directory)| (run, &**directory)).collect());
    csv::write(&shown, directory)?;
    document::write(&document(&shown), directory)
}

/// What it comes to, for a terminal.
#[must_use]
pub fn verdict(run: &Run, directory: &Path) -> String {
    let verdict = verdict::verdict(&Shown::of(vec![(run, directory)]));
    let partial = verdict.warnings.into_iter().filter(|_| run.interrupted).take(1);
    partial.chain([verdict.summary]).collect::<Vec<_>>().join(" ")
}

/// What the cells of a run are called, by what varies in them, in their order.
pub(crate) fn names_of(run: &Run) -> Vec<String> {
    let shown = Shown::of(vec![(run, Path::new(""))]);
    let name = |cell: &RunCell| {
        let found = shown.all().find(|shown| std::ptr::eq(shown.of, cell));
        found.map_or_else(|| cell.key.clone(), Cell::label)
    };
    run.cells.iter().map(name).collect()
}

fn document(shown: &Shown<'_>) -> Document {
    let mut blocks = vec![Block::Section("Environment".to_owned())];
    blocks.extend(surroundings::environment(shown));
    let mut lacking: Vec<(String, String)> = Vec::new();
    let mut add = |title: &str, text: &str, parts: Vec<Block>, why_not: &str| {
        if parts.is_empty() {
            lacking.push((title.to_owned(), why_not.to_owned()));
        } else {
            blocks.extend([Block::Section(title.to_owned()), Block::Text(text.to_owned())]);
            blocks.extend(parts);
        }
    };
    add("Side by side", SIDE_BY_SIDE, by_tier(shown, tables::side_by_side), NO_RIVALS);
    add("Throughput", THROUGHPUT, by_tier(shown, tables::throughput), NO_THROUGHPUT);
    add("Latency at a rate", LATENCY, by_tier(shown, tables::latency), NO_RATES);
    add("Throughput and latency", CURVE, by_tier(shown, curve::figures), NO_CURVE);
    add("Batch size and linger", HEAT, by_tier(shown, heatmaps::figures), NO_HEAT);
    add("Percentiles", PERCENTILES, by_tier(shown, course::percentiles), NO_HISTOGRAMS);
    add("Course in time", COURSE, by_tier(shown, course::figures), NO_COURSE);
    add("Cost", COST, by_tier(shown, cost::figures), NO_COST);
    let mut order = order::figures(shown);
    order.extend(noise_floor::blocks(shown));
    add("Run order", RUN_ORDER, order, NO_ORDER);
    add("Ledger", LEDGER, by_tier(shown, tables::ledger), NOTHING_RAN);
    add("What this host does alone", ROOFLINE, surroundings::roofline(shown), NO_ROOFLINE);
    lacking.extend(cost::lacking(shown));
    if shown.runs.iter().all(|(run, _)| run.objective.is_none()) {
        lacking.push(("An objective".to_owned(), NO_OBJECTIVE.to_owned()));
    }
    let not_run = shown.not_run.iter().map(|cell| (cell.label(), cell.of.why.clone().unwrap_or_default()));
    let rows: Vec<_> = lacking.into_iter().chain(not_run).map(|(what, why)| vec![what, why]).collect();
    if !rows.is_empty() {
        blocks.push(Block::Section("Not in this report".to_owned()));
        blocks.push(Block::Table(Table::new(&["what", "why"], rows).with_words(&["why"])));
    }
    blocks.push(Block::Section("Repeat it".to_owned()));
    blocks.extend(surroundings::repeat(shown));
    Document { title: title(shown), about: about(shown), verdict: verdict::verdict(shown), blocks }
}

fn title(shown: &Shown<'_>) -> String {
    let mut names: Vec<String> = shown.runs.iter().map(|(run, _)| run.workload.clone()).collect();
    names.dedup();
    let targets = match &shown.targets()[..] {
        [] => "nothing was measured".to_owned(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, other, third] => format!("{one}, {other} and {third}"),
        all => format!("{} targets", all.len()),
    };
    let partial = if shown.runs.iter().any(|(run, _)| run.interrupted) { " (partial)" } else { "" };
    format!("{}: {targets}{partial}", names.join(" and "))
}

fn about(shown: &Shown<'_>) -> String {
    let of = |(run, _): &(&Run, &Path)| {
        format!(
            "{} · {}, {} each · took {} s · ringbench {}, commit {}",
            utc::text(run.started_unix_ms),
            if run.cells.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", run.cells.len()) },
            if run.repeats == 1 { "one repeat".to_owned() } else { format!("{} repeats", run.repeats) },
            digits(run.took_seconds),
            run.version,
            run.host.commit
        )
    };
    let tiers = shown.tiers();
    let tier = if let [(tier, _)] = &*tiers { Some(tier.title()) } else { None };
    shown.runs.iter().map(of).chain(tier).collect::<Vec<_>>().join(" · ")
}

/// What each tier has to show, under its name where there are several. `of` is also given what names of files have of it.
fn by_tier<'a>(shown: &Shown<'a>, of: impl Fn(&[&Cell<'a>], &str) -> Vec<Block>) -> Vec<Block> {
    match &*shown.tiers() {
        [(_, only)] => of(only, ""),
        tiers => {
            let blocks = tiers.iter().map(|(tier, cells)| (tier, of(cells, &tier.file())));
            let blocks = blocks.filter(|(_, blocks)| !blocks.is_empty());
            blocks.flat_map(|(tier, blocks)| std::iter::once(Block::Part(tier.title())).chain(blocks)).collect()
        }
    }
}

/// A figure alone.
fn figure(figure: Figure) -> Block {
    Block::Figures(vec![figure])
}

const SIDE_BY_SIDE: &str = "The same settings against each target, in turns. The ratio is taken repeat by repeat, with bounds at 98 % that are never narrower than the noise floor (behind Run order): grey rows are not distinguishable.";

const THROUGHPUT: &str = "Acknowledged records, as fast as the producers go. Grey rows, and ≈, are not distinguishable from the first one, which is the fastest of its table. This is no headline: what a target does at a latency that one can live with stands below.";

const LATENCY: &str = "Records are due at given times, whatever the target does (open loop): a stall counts for every record that was due during it. In brackets: from when the record was sent, which forgives. Lowest 99th percentile first; grey rows, and ≈, are not distinguishable from the first. A dash: fewer than ten records lie beyond that percentile.";

const CURVE: &str = "What latency becomes as the rate grows. Line: 99th percentile, dashed (of up to three curves): median; both axes are logarithmic. A hollow point: less than 99 % of the rate was achieved. The knee is where the curve bends most.";

const HEAT: &str = "Rows: batch.size, columns: linger.ms in milliseconds. Yellow is at least 95 % of the best of all maps of a figure, dark blue less than a tenth; bold: nobody is certainly better. An empty square was not in the plan.";

const PERCENTILES: &str = "One record in ten lies right of 90 %, one in a thousand right of 99.9 %. Grey, dashed: the same cell from when its records were sent; where it lies far below, records waited before they were sent. Curves end where fewer than ten samples lie beyond.";

const COURSE: &str = "The first repeat of a cell, slice by slice.";

const COST: &str = "Processor seconds for a million acknowledged records, in the kernel (blue, first) and in the program (orange, behind it); medians of the repeats.";

const RUN_ORDER: &str = "Every repeat at its place in the order, as a multiple of its cell's mean: of records a second or, at a rate, of the median latency. A slope or a step is a host that changed meanwhile.";

const LEDGER: &str = "Every record carries its producer, partition, sequence number and checksum, and is read back, where nothing else is said. A single loss, duplicate, change of order or flipped bit voids its cell.";

const ROOFLINE: &str = "What the parts that every broker is made of do by themselves; “of floor” above is what a cell has on the wire as a share of receive, CRC and append.";

const NO_RIVALS: &str = "No settings ran against two targets of one durability: name several with --target.";

const NO_THROUGHPUT: &str = "Every cell had a rate.";

const NO_RATES: &str = "Every cell went as fast as it goes: `ringbench curve` loads a target at rates.";

const NO_CURVE: &str = "No cell ran at three rates: `ringbench curve` does that.";

const NO_HEAT: &str = "batch.size and linger.ms did not both vary in cells that count: `ringbench sweep workloads/sweep-core.yaml` varies them.";

const NO_HISTOGRAMS: &str = "No cell that counts kept its raw histograms.";

const NO_COURSE: &str = "No cell that counts was watched for two slices of time.";

const NO_COST: &str = "Nothing was acknowledged in a repeat that ran to its end.";

const NO_ORDER: &str = "Each cell ran once: --repeats 5 shows whether the host changed meanwhile.";

const NO_OBJECTIVE: &str =
    "None was set, so nothing says which rate is high enough at which latency: `ringbench max-rate --slo 'p99<10ms'`.";

const NOTHING_RAN: &str = "Nothing ran.";

const NO_ROOFLINE: &str = "It was not measured.";
