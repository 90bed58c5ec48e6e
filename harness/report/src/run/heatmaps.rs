//! Heat maps of batch.size and linger.ms, side by side for each compression, a figure for whatever else varies.

use super::figure;
use super::shown::{Cell, said};
use crate::chart::{Facets, Square, facets};
use crate::document::{Block, Figure, Table, slug};
use crate::numbers::{DASH, digits, time, with_bounds};

const ROWS: &str = "batch.size";
const COLUMNS: &str = "linger.ms";
const FACETS: &str = "compression.type";
/// In the order in which Kafka numbers them.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// The maps of a tier: of megabytes a second where cells went as fast as they go, and of the 99th percentile where they had a rate.
pub(super) fn figures(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let mapped: Vec<&Cell<'_>> = cells
        .iter()
        .copied()
        .filter(|cell| cell.of.valid && [ROWS, COLUMNS].iter().all(|name| has(cell, name)))
        .collect();
    if values(&mapped, ROWS).len() < 2 || values(&mapped, COLUMNS).len() < 2 {
        return Vec::new();
    }
    let shaped = mapped.iter().any(|cell| cell.of.shape != mapped[0].of.shape);
    let mut groups: Vec<(String, Vec<&Cell<'_>>)> = Vec::new();
    for cell in mapped {
        let name = group(cell, shaped);
        match groups.iter_mut().find(|group| group.0 == name) {
            Some(group) => group.1.push(cell),
            None => groups.push((name, vec![cell])),
        }
    }
    // One square is no map: its figure stands in the tables.
    groups.retain(|(_, cells)| cells.len() > 1);
    groups.iter().map(|(name, cells)| figure(map(name, cells, tier))).collect()
}

fn has(cell: &Cell<'_>, name: &str) -> bool {
    cell.of.settings.contains_key(name)
}

/// What all cells of a figure have in common; numbers of partitions and producers where they differ elsewhere.
fn group(cell: &Cell<'_>, shaped: bool) -> String {
    let kind = match cell.of.offered_per_s {
        None => "MB/s".to_owned(),
        // Where each cell has a rate of its own, it is a share of what the cell can do.
        Some(_) => match cell.of.load {
            Some(load) => format!("99th percentile in ms at {:.0} % of each cell's own maximum", load * 100.0),
            None => {
                format!(
                    "99th percentile in ms at {}/s",
                    crate::numbers::grouped(cell.of.offered_per_s.unwrap_or(0.0) as u64)
                )
            }
        },
    };
    let axes = [ROWS, COLUMNS, FACETS];
    let others = cell.of.settings.iter().filter(|(name, _)| !axes.contains(&name.as_str()));
    let others = others.map(|(name, value)| said(name, value));
    let shape = &cell.of.shape;
    let shape =
        shaped.then(|| format!("{} partitions, {} producers", shape.partitions * shape.topics, shape.producers));
    std::iter::once(kind).chain([cell.target.clone()]).chain(others).chain(shape).collect::<Vec<_>>().join(" · ")
}

/// Values of a setting: numbers by size, words in the order of the plan.
fn values(cells: &[&Cell<'_>], name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in cells.iter().filter_map(|cell| cell.of.settings.get(name)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    let number = |value: &String| value.parse().unwrap_or(f64::MAX);
    if values.iter().all(|value| value.parse::<f64>().is_ok()) {
        values.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    values.sort_by_key(|value| CODECS.iter().position(|codec| codec == value));
    values
}

fn map(name: &str, cells: &[&Cell<'_>], tier: &str) -> Figure {
    let is_latency = cells.iter().any(|cell| cell.of.offered_per_s.is_some());
    let value = |cell: &Cell<'_>| if is_latency { cell.of.latency_us.p99 } else { cell.of.mb_per_s };
    let better = |a: f64, b: f64| if is_latency { a < b } else { a > b };
    let best =
        cells.iter().copied().filter(|cell| value(cell).is_some()).reduce(|best, cell| {
            if better(value(cell).unwrap_or(0.0), value(best).unwrap_or(0.0)) { cell } else { best }
        });
    let (rows, columns, facet_names) = (values(cells, ROWS), values(cells, COLUMNS), values(cells, FACETS));
    let facet_names = if facet_names.is_empty() { vec![String::new()] } else { facet_names };
    let find = |facet: &str, row: &str, column: &str| {
        let is =
            |cell: &&&Cell<'_>, name: &str, value: &str| cell.of.settings.get(name).map_or("", String::as_str) == value;
        cells.iter().find(|cell| is(cell, FACETS, facet) && is(cell, ROWS, row) && is(cell, COLUMNS, column)).copied()
    };
    let square = |cell: &Cell<'_>| {
        let (value, best) = (value(cell)?, best?);
        let top = if is_latency { best.of.latency_us.p99? } else { best.of.mb_per_s? };
        let differs = cell.times(best).is_some_and(|times| times.excludes(1.0));
        Some(Square {
            share: if is_latency { top / value } else { value / top },
            best: std::ptr::eq(cell, best) || (cell.times(best).is_some_and(|times| times.runs >= 3) && !differs),
            text: digits(if is_latency { value / 1e3 } else { value }),
        })
    };
    let maps = facet_names.iter().map(|facet| {
        let row = |row: &String| columns.iter().map(|column| find(facet, row, column).and_then(square)).collect();
        (facet.clone(), rows.iter().map(row).collect())
    });
    let title = name.to_owned();
    let chart = facets(&Facets {
        title: title.clone(),
        x: COLUMNS.to_owned(),
        columns: columns.clone(),
        rows: rows.iter().map(|value| said(ROWS, value)).collect(),
        maps: maps.collect(),
    });
    let mut lines = Vec::new();
    for facet in &facet_names {
        for row in rows.iter().filter(|row| columns.iter().any(|column| find(facet, row, column).is_some())) {
            let text = |column: &String| match find(facet, row, column) {
                Some(cell) if is_latency => time(cell.of.latency_us.p99),
                Some(cell) => cell.of.intervals.mb_per_s.map_or_else(|| DASH.to_owned(), |rate| with_bounds(&rate)),
                None => DASH.to_owned(),
            };
            let first = if facet.is_empty() { said(ROWS, row) } else { format!("{facet} · {}", said(ROWS, row)) };
            lines.push(std::iter::once(first).chain(columns.iter().map(text)).collect());
        }
    }
    let names: Vec<String> = columns.iter().map(|column| said(COLUMNS, column)).collect();
    let head: Vec<&str> = std::iter::once("batch.size \\ linger.ms").chain(names.iter().map(String::as_str)).collect();
    Figure {
        name: slug(&format!("heat {tier} {name}")),
        title,
        chart,
        caption: String::new(),
        table: Table::new(&head, lines),
    }
}
