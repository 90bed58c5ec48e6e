//! What a run was measured on and with, and what it takes to repeat it.

use std::collections::BTreeMap;

use ringbench_stats::Roofline;

use super::shown::{Shown, behind, whose};
use crate::document::{Block, Table};
use crate::environment::{self, FloorPart};
use crate::numbers::{DASH, digits, grouped, time};
use crate::results::{Run, Target};

const KNOWN_BY: &str = "durability and copies known by";

/// The environment card, who was measured, and what each driver says that it does.
pub(super) fn environment(shown: &Shown<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let several = shown.runs.len() > 1;
    for (run, directory) in &shown.runs {
        if several {
            blocks.push(Block::Part(directory.display().to_string()));
        }
        blocks.push(Block::Table(card(run)));
    }
    let targets = shown.runs.iter().flat_map(|(run, _)| run.targets.iter());
    let row = |target: &Target| {
        vec![
            target.name.clone(),
            target.product.clone(),
            target.url.clone(),
            if target.is_fresh_each_run() { "one run" } else { "all runs" }.to_owned(),
            target.ready_ms.map_or_else(|| DASH.to_owned(), |ms| time(Some(ms * 1e3))),
            target.resident_bytes.map_or_else(|| DASH.to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
        ]
    };
    let head = ["target", "what it is", "where", "lives for", "ready after", "resident at the end"];
    blocks.push(Block::Table(Table::new(&head, targets.map(row).collect()).with_words(&["what it is", "where"])));
    let old: Vec<&str> = shown.runs.iter().flat_map(|(run, _)| run.outliving()).collect();
    if !old.is_empty() {
        blocks.push(Block::Text(format!(
            "Of {} one process lived through all runs: what is peculiar to it, and to its files, is in every repeat, and no interval \
             shows it. A target of `serve` or start://NAME is a fresh one for each run.",
            old.join(" and of ")
        )));
    }
    blocks.push(Block::Table(drivers(shown)));
    let copies = shown.cells.iter().map(|cell| cell.of.declared.replication).max().unwrap_or(1);
    if copies <= 1 {
        let cpus = shown.runs.iter().map(|(run, _)| run.host.cpus).max().unwrap_or(1);
        blocks.push(Block::Text(format!(
            "One host, one copy of each record; target and client share {cpus} processors: not comparable with published figures of clusters with three copies."
        )));
    }
    blocks
}

fn card(run: &Run) -> Table {
    let mut rows = environment::rows(&run.host, "data on");
    let limits = &run.dirty_limits;
    if let (Some(background), Some(throttle)) = (limits.background_bytes, limits.throttle_bytes) {
        let (background, throttle) = (grouped(background >> 20), grouped(throttle >> 20));
        rows.push((
            "dirty limits",
            format!("written back from {background} MiB on, writers wait from {throttle} MiB on"),
        ));
    }
    let mut regimes: BTreeMap<&str, usize> = BTreeMap::new();
    for repeat in run.cells.iter().flat_map(|cell| &cell.repeats) {
        *regimes.entry(repeat.regime.as_deref().unwrap_or("unknown")).or_default() += 1;
    }
    let regimes: Vec<String> = regimes.into_iter().map(|(regime, count)| format!("{regime}: {count}")).collect();
    rows.push(("repeats by regime", regimes.join(", ")));
    let mut payloads: Vec<String> = run
        .cells
        .iter()
        .filter(|cell| cell.ran())
        .map(|cell| {
            let payload = &cell.payload;
            format!(
                "{}, {} bytes a record, from {} bytes with CRC-32C {:08x}",
                payload.source,
                digits(payload.record_bytes),
                grouped(payload.pool_bytes),
                payload.pool_crc32c
            )
        })
        .collect();
    payloads.dedup();
    rows.push(("payload", payloads.join("; ")));
    if let Some(calibration) = &run.calibration {
        rows.push((
            "generator alone",
            format!(
                "{} records/s of {} bytes, {} MB/s, on one core to a null sink",
                digits(calibration.records_per_s),
                digits(calibration.record_bytes),
                digits(calibration.mb_per_s)
            ),
        ));
    }
    if let Some(why) = &run.system_calls_uncounted {
        rows.push(("system calls", why.clone()));
    }
    rows.push(("seed", run.seed.to_string()));
    Table::card(rows)
}

fn drivers(shown: &Shown<'_>) -> Table {
    let mut rows: Vec<Vec<String>> = Vec::new();
    // Runs of before it was asked have none.
    let is_known = shown.cells.iter().any(|cell| cell.of.declared.evidence.is_some());
    for cell in &shown.cells {
        let declared = &cell.of.declared;
        let evidence = is_known.then(|| declared.evidence.clone().unwrap_or_else(|| DASH.to_owned()));
        let mut row = vec![
            cell.target.clone(),
            declared.driver.clone(),
            behind(declared.durability, declared.sync_every_ms),
            declared.replication.to_string(),
            whose(declared.ack).to_owned(),
            declared.pipelining.map_or_else(|| "as the buffer allows".to_owned(), |count| count.to_string()),
            declared.connections.to_string(),
        ];
        row.extend(evidence);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let head = [
        "target",
        "driver",
        "an acknowledged record is",
        "copies",
        "whose answer counts",
        "pipelined",
        "connections",
        KNOWN_BY,
    ];
    let head = &head[..head.len() - usize::from(!is_known)];
    Table::new(head, rows)
        .with_words(&["driver", "an acknowledged record is", "whose answer counts"])
        .with_remarks(KNOWN_BY)
}

/// What the host's parts do alone.
pub(super) fn roofline(shown: &Shown<'_>) -> Vec<Block> {
    let measured = shown.runs.iter().filter_map(|(run, directory)| Some((run.roofline.as_ref()?, directory)));
    let several = shown.runs.len() > 1;
    let block = |(roofline, directory): (&Roofline, &&std::path::Path)| {
        let table = Block::Table(environment::floor(&FloorPart::all(roofline)));
        if several { vec![Block::Part(directory.display().to_string()), table] } else { vec![table] }
    };
    measured.flat_map(block).collect()
}

/// Commands, configurations and the files of raw histograms.
pub(super) fn repeat(shown: &Shown<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (run, directory) in &shown.runs {
        if shown.runs.len() > 1 {
            blocks.push(Block::Part(directory.display().to_string()));
        }
        blocks.push(Block::Command("Measure again".to_owned(), run.command.clone()));
        blocks.push(Block::Command("Check".to_owned(), format!("ringbench verify {}", directory.display())));
        if let Some(yaml) = &run.workload_yaml {
            let rows = yaml.lines().map(|line| vec![line.to_owned()]).collect();
            blocks.push(Block::Fold(format!("Workload {}", run.workload), Table::new(&[""], rows)));
        }
        for target in &run.targets {
            if let Some(command) = &target.command {
                blocks.push(Block::Command(format!("Start of {}", target.name), command.clone()));
            }
            if !target.config.is_empty() {
                blocks.push(Block::Fold(format!("Configuration of {}", target.name), named(&target.config)));
            }
        }
        blocks.extend(clients(run));
        let rows = run.cells.iter().flat_map(|cell| &cell.repeats).filter_map(|repeat| repeat.histograms.as_ref());
        let rows: Vec<_> = rows.map(|log| vec![log.file.clone(), log.sha256.clone()]).collect();
        if !rows.is_empty() {
            let table = Table::new(&["file", "SHA-256"], rows).with_words(&["SHA-256"]);
            blocks.push(Block::Fold("Raw histograms (HdrHistogram's log format 1.3, nanoseconds)".to_owned(), table));
        }
    }
    blocks
}

/// What all clients of a run have in common, and what is one's own.
fn clients(run: &Run) -> Vec<Block> {
    let Some(first) = run.cells.first() else { return Vec::new() };
    let is_common = |name: &str, value: &str| {
        run.cells.iter().all(|cell| cell.client_config.get(name).is_some_and(|own| own == value))
    };
    let common: BTreeMap<String, String> = first
        .client_config
        .iter()
        .filter(|(name, value)| is_common(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let own = |cell: &crate::results::RunCell| {
        let own = cell.client_config.iter().filter(|(name, _)| !common.contains_key(*name));
        let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        vec![cell.key.clone(), cell.target.clone(), own.join(" ")]
    };
    let mut blocks = Vec::new();
    if !common.is_empty() {
        blocks.push(Block::Fold("Configuration of every client".to_owned(), named(&common)));
    }
    let rows: Vec<_> = run.cells.iter().map(own).collect();
    let table = Table::new(&["cell", "target", "settings of its own"], rows);
    blocks.push(Block::Fold("Keys of the cells".to_owned(), table.with_words(&["target", "settings of its own"])));
    blocks
}

fn named(config: &BTreeMap<String, String>) -> Table {
    Table::card(config.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())
}
