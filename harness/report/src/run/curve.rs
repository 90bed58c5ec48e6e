//! Throughput–latency curves: one cell at several rates.

use super::figure;
use super::shown::Cell;
use crate::chart::{Curves, Line, Point, curves, named};
use crate::document::{Block, Figure, Table, slug};
use crate::numbers::{DASH, digits, grouped, time, time_mark};

/// Fewer rates are no curve.
const FEW: usize = 3;
/// So many curves are named in the chart; whatever comes later is grey, and in the table.
const NAMED: usize = 12;
/// With more curves than these, medians would hide the 99th percentiles.
const WITH_MEDIANS: usize = 3;
/// A curve that bends less than this, of its height and width, has no knee.
const BEND: f64 = 0.1;

/// One cell at all its rates, from the lowest.
struct Curve<'a, 'b> {
    name: String,
    cells: Vec<&'b Cell<'a>>,
}

/// The curves of a tier in one figure.
pub(super) fn figures(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let found = collect(cells);
    if found.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (index, curve) in found.iter().enumerate() {
        let colour = if index < NAMED { index + 1 } else { 0 };
        lines.push(line(curve, colour, false));
        if found.len() <= WITH_MEDIANS {
            lines.push(line(curve, colour, true));
        }
    }
    let objective = cells.iter().find_map(|cell| cell.run.objective);
    let limit = objective.map(|objective| {
        (objective.limit_us, format!("objective: p{} < {}", objective.percentile, time_mark(objective.limit_us)))
    });
    let axes = Curves {
        title: "Latency by rate".to_owned(),
        x: "achieved, records/s",
        y: "latency",
        y_named: time_mark,
        marks: marks(&lines),
        limit,
        wide: true,
    };
    let table = table(&found);
    vec![figure(Figure {
        name: slug(&format!("throughput latency {tier}")),
        title: "Latency by rate".to_owned(),
        chart: curves(&axes, &lines),
        caption: String::new(),
        table,
    })]
}

fn collect<'a, 'b>(cells: &[&'b Cell<'a>]) -> Vec<Curve<'a, 'b>> {
    let mut curves: Vec<Curve<'a, 'b>> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.of.offered_per_s.is_some() && cell.of.valid) {
        let name = cell.without_rate();
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.cells.push(cell),
            None => curves.push(Curve { name, cells: vec![cell] }),
        }
    }
    for curve in &mut curves {
        curve.cells.sort_by(|a, b| a.of.offered_per_s.unwrap_or(0.0).total_cmp(&b.of.offered_per_s.unwrap_or(0.0)));
    }
    curves.retain(|curve| curve.cells.len() >= FEW);
    curves
}

fn line(curve: &Curve<'_, '_>, colour: usize, median: bool) -> Line {
    let knee = if median { None } else { knee(curve) };
    let point = |(index, cell): (usize, &&Cell<'_>)| {
        let us = if median { cell.of.latency_us.p50 } else { cell.of.latency_us.p99 }?;
        let achieved = cell.of.achieved_per_s?;
        let percentile = if median { "p50" } else { "p99" };
        Some(Point {
            x: achieved,
            y: us,
            hollow: !cell.of.kept_rate(),
            label: if knee == Some(index) { "knee" } else { "" },
            note: format!("{percentile} {} at {}/s", time(Some(us)), grouped(achieved.round() as u64)),
        })
    };
    let points = curve.cells.iter().enumerate().filter_map(point).collect();
    let name = if curve.name.is_empty() { "p99".to_owned() } else { curve.name.clone() };
    Line { name, colour, dashed: median, points }
}

/// Where the 99th percentile bends most: the point that lies furthest below the line from the first to the last, on a logarithmic
/// axis of latency (Satopää et al., "Finding a Kneedle in a Haystack", 2011).
fn knee(curve: &Curve<'_, '_>) -> Option<usize> {
    let point = |cell: &&Cell<'_>| Some((cell.of.offered_per_s?, cell.of.latency_us.p99?.ln()));
    let points: Vec<(f64, f64)> = curve.cells.iter().map(point).collect::<Option<_>>()?;
    let ((left, low), (right, high)) = (*points.first()?, *points.last()?);
    let below = |&(x, y): &(f64, f64)| (x - left) / (right - left) - (y - low) / (high - low);
    let (index, bend) = points.iter().map(below).enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (points.len() > FEW && high > low && bend > BEND).then_some(index)
}

/// Round numbers along the horizontal axis.
fn marks(lines: &[Line]) -> Vec<(f64, String)> {
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.x);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let all = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power)));
    all.filter(|mark| (low * 0.95..=high * 1.05).contains(mark)).map(|mark| (mark, named(mark))).collect()
}

fn table(curves: &[Curve<'_, '_>]) -> Table {
    let row = |curve: &Curve<'_, '_>, index: usize, cell: &Cell<'_>| {
        let us = &cell.of.latency_us;
        let number = |value: Option<f64>| value.map_or_else(|| DASH.to_owned(), |rate| grouped(rate.round() as u64));
        let share = cell.of.share_of_due();
        let objective =
            cell.run.objective.map(|objective| if objective.is_kept_by(cell.of) { "kept" } else { "missed" });
        let knee = if knee(curve) == Some(index) { "knee" } else { "" };
        vec![
            if curve.name.is_empty() { cell.target.clone() } else { curve.name.clone() },
            number(cell.of.offered_per_s),
            number(cell.of.achieved_per_s),
            share.map_or_else(|| DASH.to_owned(), |share| format!("{:.1} %", share * 100.0)),
            cell.of.mb_per_s.map_or_else(|| DASH.to_owned(), digits),
            time(us.p50),
            time(us.p90),
            time(us.p99),
            time(us.p999),
            time(us.max),
            time(cell.of.service_us.p99),
            objective.unwrap_or_default().to_owned(),
            knee.to_owned(),
        ]
    };
    let rows =
        curves.iter().flat_map(|curve| curve.cells.iter().enumerate().map(move |(at, cell)| row(curve, at, cell)));
    let head = [
        "curve",
        "offered/s",
        "achieved/s",
        "of it",
        "MB/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "service p99",
        "objective",
        "",
    ];
    Table::new(&head, rows.collect())
}
