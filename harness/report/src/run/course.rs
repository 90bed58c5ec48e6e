//! What is drawn from raw histograms: percentiles on an axis of nines, and latency in the course of time.

use ringbench_stats::{HdrLog, Latencies};

use super::contest::Contest;
use super::figure;
use super::shown::Cell;
use crate::chart::{Course, Curves, Line, Moment, Point, course, curves};
use crate::document::{Block, Figure, Table, slug};
use crate::error::ReportError;
use crate::numbers::{due_and_sent, grouped, time, time_mark};
use crate::results::Repeat;

/// Points for each nine.
const STEPS: u32 = 8;
/// What is marked on the axis of nines: one in so many records lies beyond.
const NINES: [(f64, &str); 8] = [
    (1.0, "0"),
    (2.0, "50 %"),
    (10.0, "90 %"),
    (100.0, "99 %"),
    (1e3, "99.9 %"),
    (1e4, "99.99 %"),
    (1e5, "99.999 %"),
    (1e6, "99.9999 %"),
];
/// Percentiles of so many cells are drawn; of more targets than that, one cell of each.
const FEW: usize = 5;
/// Courses of so many cells are drawn.
const COURSES: usize = 3;

/// Some cells that stand for all: those at a rate where there are any, from the lowest 99th percentile to the highest.
fn chosen<'a, 'b>(cells: &[&'b Cell<'a>], most: usize) -> Vec<&'b Cell<'a>> {
    let counts = |cell: &&&Cell<'_>| cell.of.valid && cell.of.whole().any(|repeat| repeat.histograms.is_some());
    let at_a_rate = cells.iter().any(|cell| cell.of.valid && cell.of.offered_per_s.is_some());
    let mut found: Vec<&Cell<'_>> =
        cells.iter().filter(counts).filter(|cell| cell.of.offered_per_s.is_some() == at_a_rate).copied().collect();
    found.sort_by(|a, b| a.of.latency_us.p99.unwrap_or(f64::MAX).total_cmp(&b.of.latency_us.p99.unwrap_or(f64::MAX)));
    if found.len() <= most {
        return found;
    }
    (0..most).map(|at| found[at * (found.len() - 1) / (most - 1)]).collect()
}

/// Of many targets those that were asked for the same; where that were several things, the one in the middle.
fn one_each<'a, 'b>(cells: &[&'b Cell<'a>]) -> Option<Vec<&'b Cell<'a>>> {
    let mut contests = Contest::all(cells);
    let at_a_rate = contests.iter().any(|contest| contest.is_latency);
    contests.retain(|contest| contest.is_latency == at_a_rate && contest.cells.len() > FEW);
    let middle = contests.len() / 2;
    let cells = contests.into_iter().nth(middle)?.cells.into_iter();
    Some(cells.filter(|cell| cell.of.valid && cell.of.whole().any(|repeat| repeat.histograms.is_some())).collect())
}

/// Percentile curves of a tier.
pub(super) fn percentiles(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let chosen = one_each(cells).unwrap_or_else(|| chosen(cells, FEW));
    if chosen.is_empty() {
        return Vec::new();
    }
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for (index, cell) in chosen.iter().enumerate() {
        let logs = match cell.logs() {
            Ok(logs) => logs,
            Err(error) => return vec![lacking(&error)],
        };
        let (latency, service) = (merged(&logs, "latency"), merged(&logs, "service"));
        lines.push(Line {
            name: format!("{} as sent", cell.label()),
            colour: 0,
            dashed: true,
            points: nines(&service),
        });
        lines.push(Line { name: cell.label(), colour: index + 1, dashed: false, points: nines(&latency) });
        let both = |percent: f64| {
            let us = |of: &Latencies| of.percentile_ms(percent).map(|ms| ms * 1e3);
            due_and_sent(us(&latency), us(&service))
        };
        let quoted = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999].map(both);
        rows.push(std::iter::once(cell.label()).chain([grouped(latency.count())]).chain(quoted).collect());
    }
    let longest = lines.iter().flat_map(|line| &line.points).map(|point| point.x).fold(2.0, f64::max);
    let axes = Curves {
        title: "Percentiles".to_owned(),
        x: "of the records",
        y: "latency",
        y_named: time_mark,
        marks: NINES.iter().filter(|mark| mark.0 <= longest).map(|(at, name)| (*at, (*name).to_owned())).collect(),
        limit: None,
        wide: true,
    };
    let of = cells.iter().filter(|cell| cell.of.valid).count();
    vec![figure(Figure {
        name: slug(&format!("percentiles {tier}")),
        title: "Latency by percentile".to_owned(),
        chart: curves(&axes, &lines),
        caption: if chosen.len() < of {
            format!("{} of {of} cells, from the lowest 99th percentile to the highest.", chosen.len())
        } else {
            String::new()
        },
        table: Table::new(&["cell", "samples", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999"], rows),
    })]
}

fn lacking(error: &ReportError) -> Block {
    Block::Text(format!("Not shown: the raw histograms can't be read: {error}."))
}

fn merged(logs: &[(&Repeat, HdrLog)], series: &str) -> Latencies {
    let mut all = Latencies::default();
    logs.iter().for_each(|(_, log)| all.merge(&log.merged(series)));
    all
}

/// Points at equal distances on an axis of nines: 0, 1 − 10^(−1/8), …, as far as ten samples lie beyond.
fn nines(latencies: &Latencies) -> Vec<Point> {
    let point = |step: u32| {
        let beyond = 10f64.powf(f64::from(step) / f64::from(STEPS));
        let us = latencies.percentile_ms(100.0 * (1.0 - 1.0 / beyond))? * 1e3;
        Some(Point {
            x: beyond,
            y: us,
            hollow: false,
            label: "",
            note: format!("one in {}: {}", beyond.round(), time(Some(us))),
        })
    };
    (0..9 * STEPS).map_while(point).collect()
}

/// The course of some cells of a tier.
pub(super) fn figures(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (index, cell) in chosen(cells, COURSES).iter().enumerate() {
        let Some(repeat) = cell.of.whole().find(|repeat| repeat.histograms.is_some()) else { continue };
        let Some(file) = &repeat.histograms else { continue };
        let log = match file.read(cell.directory) {
            Ok(log) => log,
            Err(error) => return vec![lacking(&error)],
        };
        let moments = moments(repeat, &log);
        if moments.len() < 2 {
            continue;
        }
        let title = format!("Course of {}", cell.label());
        blocks.push(figure(Figure {
            name: slug(&format!("course {tier} {}", index + 1)),
            table: table(repeat, &log),
            chart: course(&Course { title: title.clone(), moments, named: time_mark }),
            title,
            caption: String::new(),
        }));
    }
    blocks
}

fn moments(repeat: &Repeat, log: &HdrLog) -> Vec<Moment> {
    let slices = log.series.get("latency").map(Vec::as_slice).unwrap_or_default();
    let moment = |(index, slice): (usize, &ringbench_stats::Slice)| {
        let tick = repeat.timeline.get(index);
        let length = slice.length.as_secs_f64().max(f64::MIN_POSITIVE);
        Moment {
            at_s: (slice.begin + slice.length).as_secs_f64(),
            latencies: slice.latencies.buckets().into_iter().map(|(ns, count)| (ns as f64 / 1e3, count)).collect(),
            per_s: tick.map_or(slice.latencies.count(), |tick| tick.acked) as f64 / length,
            backlog: tick.map_or(0, |tick| tick.backlog) as f64,
        }
    };
    slices.iter().enumerate().map(moment).collect()
}

fn table(repeat: &Repeat, log: &HdrLog) -> Table {
    let slices = log.series.get("latency").map(Vec::as_slice).unwrap_or_default();
    let row = |(index, slice): (usize, &ringbench_stats::Slice)| {
        let tick = repeat.timeline.get(index);
        let us = |percent: f64| time(slice.latencies.percentile_ms(percent).map(|ms| ms * 1e3));
        let count = |count: Option<u64>| count.map_or_else(String::new, grouped);
        vec![
            format!("{:.1} s", (slice.begin + slice.length).as_secs_f64()),
            count(tick.map(|tick| tick.acked)),
            us(50.0),
            us(99.0),
            time((slice.latencies.count() > 0).then(|| slice.latencies.max_ms() * 1e3)),
            count(tick.map(|tick| tick.backlog)),
            count(tick.and_then(|tick| tick.unread)),
        ]
    };
    let head = ["until", "acknowledged", "p50", "p99", "max", "backlog", "not yet received"];
    Table::new(&head, slices.iter().enumerate().map(row).collect())
}
