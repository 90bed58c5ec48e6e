//! The report of `run`, `sweep`, `curve`, `max-rate` and `quick`: of one run, or of several that are shown together.

mod course;
mod csv;
mod curve;
mod heatmaps;
mod shown;
mod surroundings;
mod tables;
mod verdict;

use std::path::{Path, PathBuf};

use crate::document::{self, Block, Document, Figure};
use crate::error::ReportError;
use crate::numbers::digits;
use crate::results::{Run, RunCell};
use crate::utc;
use shown::{Cell, Shown};

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
    verdict::verdict(&Shown::of(vec![(run, directory)])).summary
}

/// What a cell of a run is called, by what varies in it.
pub(crate) fn name_of(run: &Run, cell: &RunCell) -> String {
    let shown = Shown::of(vec![(run, Path::new(""))]);
    let found = shown.cells.iter().find(|shown| std::ptr::eq(shown.of, cell));
    found.map_or_else(|| cell.key.clone(), Cell::label)
}

fn document(shown: &Shown<'_>) -> Document {
    let mut blocks = vec![Block::Section("Environment".to_owned())];
    blocks.extend(surroundings::environment(shown));
    let mut add = |title: &str, text: &str, parts: Vec<Block>| {
        if !parts.is_empty() {
            blocks.extend([Block::Section(title.to_owned()), Block::Text(text.to_owned())]);
            blocks.extend(parts);
        }
    };
    add("Side by side", SIDE_BY_SIDE, by_tier(shown, tables::side_by_side));
    add("Throughput", THROUGHPUT, by_tier(shown, tables::throughput));
    add("Latency at a rate", LATENCY, by_tier(shown, tables::latency));
    add("Throughput and latency", CURVE, by_tier(shown, curve::figures));
    add("Batch size and linger", HEAT, by_tier(shown, heatmaps::figures));
    add("Percentiles", PERCENTILES, by_tier(shown, course::percentiles));
    add("Course in time", COURSE, by_tier(shown, course::figures));
    add("Cost", COST, by_tier(shown, tables::cost));
    add("Run order", RUN_ORDER, tables::run_order(shown));
    add("Ledger", LEDGER, by_tier(shown, tables::ledger));
    add("What this host does alone", ROOFLINE, surroundings::roofline(shown));
    blocks.push(Block::Section("Repeat it".to_owned()));
    blocks.extend(surroundings::repeat(shown));
    Document { title: title(shown), about: about(shown), verdict: verdict::verdict(shown), blocks }
}

fn title(shown: &Shown<'_>) -> String {
    let mut names: Vec<String> = shown.runs.iter().map(|(run, _)| run.workload.clone()).collect();
    names.dedup();
    format!("{}: {}", names.join(" and "), shown.targets().join(" and "))
}

fn about(shown: &Shown<'_>) -> String {
    let of = |(run, _): &(&Run, &Path)| {
        format!(
            "{} · {} cells, {} repeats each · took {} s · ringbench {}, commit {}",
            utc::text(run.started_unix_ms),
            run.cells.len(),
            run.repeats,
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

const SIDE_BY_SIDE: &str = "The same settings against each target, in turns. The ratio is taken repeat by repeat, with bounds at 98 %: grey rows are not distinguishable.";

const THROUGHPUT: &str = "Acknowledged records, as fast as the producers go. Grey rows are not distinguishable from the first one, which is the fastest of its table. This is no headline: what a target does at a latency that one can live with stands below.";

const LATENCY: &str = "Records are due at given times, whatever the target does (open loop): a stall counts for every record that was due during it. In brackets: from when the record was sent, which forgives. Lowest 99th percentile first; grey rows are not distinguishable from the first.";

const CURVE: &str = "What latency becomes as the rate grows. Line: 99th percentile, dashed: median; both axes are logarithmic. A hollow point: less than 99 % of the rate was achieved. The knee is where the curve bends most.";

const HEAT: &str = "Rows: batch.size, columns: linger.ms in milliseconds. Yellow is at least 95 % of the best of all maps of a figure, dark blue less than a tenth; bold: nobody is certainly better. An empty square was not in the plan.";

const PERCENTILES: &str = "One record in ten lies right of 90 %, one in a thousand right of 99.9 %. Grey, dashed: the same cell from when its records were sent; where it lies far below, records waited before they were sent. Curves end where fewer than ten samples lie beyond.";

const COURSE: &str = "The first repeat of a cell, slice by slice.";

const COST: &str = "Processor seconds for a million acknowledged records, in the kernel (blue) and in the program (orange); medians of the repeats.";

const RUN_ORDER: &str = "Every repeat at its place in the order, as a multiple of its cell's mean: of records a second or, at a rate, of the median latency. A slope or a step is a host that changed meanwhile.";

const LEDGER: &str = "Every record carries its producer, partition, sequence number and checksum, and is read back. A single loss, duplicate, change of order or flipped bit voids its cell.";

const ROOFLINE: &str = "What the parts that every broker is made of do by themselves; “of floor” above is what a cell has on the wire as a share of receive, CRC and append.";
