//! The lab's report: `report.html`, `report.md` and its charts.

use std::path::{Path, PathBuf};

use super::condition::{Condition, family};
use super::{LabResults, shown, verdict};
use crate::document::{self, Block, Document, Figure, Table};
use crate::environment;
use crate::error::ReportError;
use crate::numbers::{bytes, digits, grouped};
use crate::utc;

/// Writes `report.html`, `report.md` and its charts (`*.svg`) into a directory; gives the path of the page.
///
/// # Errors
/// [`ReportError::Write`].
pub fn write_lab_report(results: &LabResults, directory: &Path) -> Result<PathBuf, ReportError> {
    document::write(&document(results), directory)
}

fn document(results: &LabResults) -> Document {
    let conditions = Condition::all(results);
    let section = |title: &str| Block::Section(title.to_owned());
    let mut blocks = vec![section("Environment"), Block::Table(surroundings(results))];
    blocks.push(Block::Command("Repeat".to_owned(), results.command.clone()));
    blocks.extend([section("Best in every setting"), Block::Text(BEST.to_owned())]);
    blocks.extend(families(&conditions, shown::best, |rows| Block::Table(shown::best_table(rows))));
    blocks.extend([section("Rankings"), Block::Text(intervals(results))]);
    blocks.extend(charts(&conditions, |condition| shown::rankings(results, condition)));
    let mut add = |title: &str, text: &str, parts: Vec<Block>| {
        if !parts.is_empty() {
            blocks.extend([section(title), Block::Text(text.to_owned())]);
            blocks.extend(parts);
        }
    };
    add("Size", SIZE, charts(&conditions, shown::by_size));
    add("Latency under load", LOAD, charts(&conditions, |condition| shown::under_load(results, condition)));
    add("Processor cost", COST, charts(&conditions, |condition| shown::cost(condition).into_iter().collect()));
    add(
        "Run order",
        "Every cell ran once in each round; rounds are shuffled.",
        shown::run_order(results).map(|figure| Block::Figures(vec![figure])).into_iter().collect(),
    );
    blocks.push(section("What this host does alone"));
    blocks.extend(roofline(results));
    if !results.overhead.is_empty() {
        blocks.extend([section("What the lab itself costs"), Block::Text(OVERHEAD.to_owned())]);
        blocks.push(Block::Table(overhead(results)));
    }
    blocks.push(section("What did not run"));
    blocks.extend(missing(results));
    Document {
        title: "I/O lab".to_owned(),
        about: format!(
            "{} · kernel {} · {} cells, {} runs each · took {} s",
            utc::text(results.started_unix_ms),
            results.host.kernel,
            results.cells.len(),
            results.repeats,
            digits(results.took_seconds)
        ),
        verdict: verdict::verdict(results, &conditions),
        blocks,
    }
}

fn charts(conditions: &[Condition<'_>], shown: impl Fn(&Condition<'_>) -> Vec<Figure>) -> Vec<Block> {
    families(conditions, shown, Block::Figures)
}

/// What all conditions of a family have to show, under its name.
fn families<T>(
    conditions: &[Condition<'_>],
    shown: impl Fn(&Condition<'_>) -> Vec<T>,
    block: impl Fn(Vec<T>) -> Block,
) -> Vec<Block> {
    let mut families: Vec<(&str, Vec<T>)> = Vec::new();
    for condition in conditions {
        let found = shown(condition);
        match families.iter_mut().find(|known| known.0 == condition.family) {
            _ if found.is_empty() => {}
            Some(known) => known.1.extend(found),
            None => families.push((condition.family, found)),
        }
    }
    families.into_iter().flat_map(|(name, shown)| [Block::Part(family(name)), block(shown)]).collect()
}

fn surroundings(results: &LabResults) -> Table {
    let mut rows = environment::rows(&results.host, "directory on");
    let LabResults { dirty_limits, .. } = results;
    if let (Some(background), Some(throttle)) = (dirty_limits.background_bytes, dirty_limits.throttle_bytes) {
        let (background, throttle) = (grouped(background >> 20), grouped(throttle >> 20));
        rows.push((
            "dirty limits",
            format!("written back from {background} MiB on, writers wait from {throttle} MiB on"),
        ));
    }
    rows.push(("seed of the order", results.seed.to_string()));
    Table::card(rows)
}

/// How to read an interval.
fn intervals(results: &LabResults) -> String {
    let intervals = results.cells.iter().filter_map(|cell| cell.mb_per_s);
    let reach = intervals.max_by_key(|interval| interval.runs).map_or_else(String::new, |interval| {
        format!(
            ", the line what else the true one may be (holds it in {:.0} % of cases with {} runs)",
            interval.confidence * 100.0,
            interval.runs
        )
    });
    format!(
        "The dot is the median of the runs{reach}. Ranks are decided run by run against the first of the rank, at 98 %: those on one grey band are not distinguishable."
    )
}

fn roofline(results: &LabResults) -> Vec<Block> {
    if results.roofline.is_empty() {
        return vec![Block::Text("This run did not measure it: cells have no share of it.".to_owned())];
    }
    let explained = "What the parts that every way of I/O is made of do by themselves; “of roofline” in the tables above is a cell's share of the one that bounds it.";
    vec![Block::Text(explained.to_owned()), Block::Table(environment::floor(&results.roofline))]
}

const BEST: &str = "Where several share the first place they are not distinguishable, and it is said how many of those that ran share it; the figure is that of the one named first, and the next is the first one that is certainly behind it.";

const SIZE: &str = "How the size of one append, transfer or request decides. Curves: both axes are logarithmic, the best are coloured, all others grey. Squares: yellow is at least 95 % of the best at this size, dark blue less than a tenth; bold: nobody is certainly better.";

const LOAD: &str = "At rates that are given, whatever the contestant does (open loop). Line: median, dashed: 99th percentile, from when each was due; both axes are logarithmic. A ring: less than 95 % of the rate was done by the end of the run.";

const COST: &str = "Seconds of processor time of the whole process, cheapest first: for each gigabyte, system (blue) and user (orange); for each million requests, server (blue) and client (orange).";

const OVERHEAD: &str = "Processor time of the bench's own loop for each append, in that of the contestant that spends least: for every other one the share is smaller.";

fn overhead(results: &LabResults) -> Table {
    let rows = results.overhead.iter().map(|one| {
        let (bench, append) = (format!("{} ns", digits(one.bench_ns)), format!("{} ns", digits(one.append_ns)));
        vec![bytes(one.size_bytes), one.name.clone(), bench, append, format!("{:.1} %", one.share * 100.0)]
    });
    Table::new(&["size", "fastest", "the lab's", "in all", "share"], rows.collect()).with_words(&["fastest"])
}

fn missing(results: &LabResults) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !results.unavailable.is_empty() {
        let rows = results.unavailable.iter();
        let rows = rows.map(|one| vec![one.name.clone(), one.reason.clone(), one.remedy.clone()]);
        let table = Table::new(&["not available", "why", "what to change"], rows.collect());
        blocks.push(Block::Table(table.with_words(&["why", "what to change"])));
    }
    let failed = results.cells.iter().filter_map(|cell| Some((cell, cell.failure.as_ref()?)));
    let failed: Vec<_> = failed
        .map(|(cell, reason)| vec![cell.name.clone(), cell.setting.clone(), cell.runs.to_string(), reason.clone()])
        .collect();
    if !failed.is_empty() {
        let table = Table::new(&["failed", "setting", "runs that counted", "why"], failed);
        blocks.push(Block::Table(table.with_words(&["setting", "why"])));
    }
    let cut_short = results.cells.iter().filter(|cell| cell.failure.is_none() && cell.runs < results.repeats);
    let cut_short: Vec<_> = cut_short
        .map(|cell| vec![cell.name.clone(), cell.setting.clone(), format!("{} of {}", cell.runs, results.repeats)])
        .collect();
    if !cut_short.is_empty() {
        let table = Table::new(&["cut short", "setting", "runs that counted"], cut_short);
        blocks.push(Block::Table(table.with_words(&["setting"])));
    }
    if let Some(reason) = &results.system_calls_uncounted {
        blocks.push(Block::Text(format!("System calls were not counted: {reason}.")));
    }
    if blocks.is_empty() {
        blocks.push(Block::Text("Every contestant of the plan is available here and ran to the end.".to_owned()));
    }
    blocks
}
