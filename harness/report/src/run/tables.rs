//! Tables of cells, each of one tier, with their charts.

use std::path::Path;

use ringbench_stats::Interval;

use super::figure;
use super::shown::{Cell, Shown};
use crate::chart::{Bar, Turn, bars, drift, ranges};
use crate::document::{Block, Figure, Table, slug};
use crate::numbers::{DASH, digits, grouped, or_dash, time, with_bounds};
use crate::results::{Cost, LatencyUs, Repeat, Run};

/// More bars than these are no picture; the table has them all.
const BARS: usize = 16;

fn dash() -> String {
    DASH.to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Settings that ran against several targets: each figure, and how often it is the first target's.
pub(super) fn side_by_side(cells: &[&Cell<'_>], _: &str) -> Vec<Block> {
    let mut targets: Vec<&str> = Vec::new();
    cells.iter().for_each(|cell| {
        if !targets.contains(&&*cell.target) {
            targets.push(&cell.target)
        }
    });
    let Some((base, others)) = targets.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let mut blocks = Vec::new();
    for other in others {
        let (mut rows, mut grey) = (Vec::new(), Vec::new());
        for a in cells.iter().filter(|cell| cell.target == *base) {
            let same = |cell: &&&Cell<'_>| cell.target == *other && cell.of.key == a.of.key;
            let Some(b) = cells.iter().find(same) else { continue };
            let counts = a.of.valid && b.of.valid;
            let times = a.times(b).filter(|_| counts);
            if !times.is_some_and(|times| times.excludes(1.0)) {
                grey.push(rows.len());
            }
            let at = a.of.offered_per_s.map(|rate| format!("{}/s", grouped(rate.round() as u64)));
            let name = a.name.clone() + &at.map_or_else(String::new, |at| format!(" · {at}"));
            rows.push(vec![
                if counts { name } else { format!("VOID {name}") },
                score(a),
                score(b),
                times.map_or_else(dash, |times| with_bounds(&times)),
                times.map_or_else(String::new, |times| said(&times, a.of.offered_per_s.is_some(), base)),
            ]);
        }
        if !rows.is_empty() {
            let ratio = format!("{base} ÷ {other} (98 %)");
            let head = ["setting", base, other, &ratio, "so"];
            blocks.push(Block::Table(Table::new(&head, rows).with_words(&["so"]).with_grey(grey)));
        }
    }
    blocks
}

/// What a ratio says of the one above the line.
fn said(times: &Interval, is_latency: bool, who: &str) -> String {
    if !times.excludes(1.0) {
        return "not distinguishable".to_owned();
    }
    let more = times.median > 1.0;
    format!(
        "{who} {}",
        match (is_latency, more) {
            (false, true) => "does more",
            (false, false) => "does less",
            (true, true) => "is slower",
            (true, false) => "is faster",
        }
    )
}

fn score(cell: &Cell<'_>) -> String {
    match cell.of.offered_per_s {
        None => cell.of.intervals.achieved_per_s.map_or_else(dash, |rate| format!("{}/s", with_bounds(&rate))),
        Some(_) => format!("p99 {}", time(cell.of.latency_us.p99)),
    }
}

/// Cells as fast as they go, fastest first.
pub(super) fn throughput(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let mut cells: Vec<&Cell<'_>> = cells.iter().copied().filter(|cell| cell.of.offered_per_s.is_none()).collect();
    if cells.is_empty() {
        return Vec::new();
    }
    let rate = |cell: &Cell<'_>| cell.of.mb_per_s.filter(|_| cell.of.valid).unwrap_or(-1.0);
    cells.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    let bar = |cell: &&Cell<'_>| Bar {
        name: cell.label(),
        parts: vec![cell.of.mb_per_s.unwrap_or(0.0)],
        note: or_dash(cell.of.mb_per_s),
    };
    let row = |cell: &&Cell<'_>| {
        let of = cell.of;
        vec![
            cell.label(),
            of.intervals.achieved_per_s.map_or_else(dash, |rate| with_bounds(&rate)),
            of.intervals.mb_per_s.map_or_else(dash, |rate| with_bounds(&rate)),
            against(cell, cells[0]),
            of.received_mb_per_s.map_or_else(dash, digits),
            of.payload.wire_ratio.map_or_else(dash, digits),
            of.roofline_share.map_or_else(dash, percent),
            time(of.latency_us.p50),
            time(of.latency_us.p99),
            busy(cell),
            notes(cell),
        ]
    };
    let head = [
        "cell",
        "records/s (interval)",
        "MB/s (interval)",
        "× the first (98 %)",
        "received",
        "wire ratio",
        "of floor",
        "p50",
        "p99",
        "client",
        "to know",
    ];
    let table = Table::new(&head, cells.iter().map(row).collect()).with_words(&["to know"]);
    vec![figure(Figure {
        name: slug(&format!("throughput {tier}")),
        title: "Megabytes of records a second, before compression".to_owned(),
        chart: bars("Throughput", "MB/s", &cells.iter().take(BARS).map(bar).collect::<Vec<_>>(), false),
        caption: format!(
            "Received: MB/s that consumers got; wire ratio: bytes sent for each byte of records; of floor: those as a share of what receive, CRC and append do alone on this host; client: how busy its busiest thread was. {}",
            first(cells.len())
        ),
        table: table.with_grey(alike(&cells)),
    })]
}

/// Cells at a rate, lowest 99th percentile first.
pub(super) fn latency(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let mut cells: Vec<&Cell<'_>> = cells.iter().copied().filter(|cell| cell.of.offered_per_s.is_some()).collect();
    if cells.is_empty() {
        return Vec::new();
    }
    let p99 = |cell: &Cell<'_>| cell.of.latency_us.p99.filter(|_| cell.of.valid).unwrap_or(f64::MAX);
    cells.sort_by(|a, b| p99(a).total_cmp(&p99(b)));
    let range = |cell: &&Cell<'_>| {
        let LatencyUs { p50, p99, max, .. } = cell.of.latency_us;
        let ms = |us: f64| us / 1e3;
        (cell.label(), p50.map(ms), p99.map(ms), max.map_or(0.0, ms))
    };
    let row = |cell: &&Cell<'_>| {
        let of = cell.of;
        let both = |of_latency: fn(&LatencyUs) -> Option<f64>| {
            format!("{} ({})", time(of_latency(&of.latency_us)), time(of_latency(&of.service_us)))
        };
        let achieved = of.achieved_per_s.zip(of.offered_per_s).map(|(achieved, offered)| achieved / offered);
        vec![
            cell.label(),
            achieved.map_or_else(dash, |share| format!("{:.1} %", share * 100.0)),
            both(|us| us.p50),
            time(of.latency_us.p90),
            both(|us| us.p99),
            time(of.latency_us.p999),
            time(of.latency_us.max),
            of.intervals
                .p99_us
                .filter(|p99| p99.runs > 1)
                .map_or_else(dash, |p99| format!("{}–{}", time(Some(p99.low)), time(Some(p99.high)))),
            against(cell, cells[0]),
            time(of.end_to_end_us.p50),
            time(of.end_to_end_us.p99),
            time(of.generator_lag_us.p99),
            busy(cell),
            notes(cell),
        ]
    };
    let head = [
        "cell",
        "achieved",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "p99 of repeats",
        "p99 × the first (98 %)",
        "end to end p50",
        "p99",
        "generator late p99",
        "client",
        "to know",
    ];
    let table = Table::new(&head, cells.iter().map(row).collect()).with_words(&["to know"]);
    vec![figure(Figure {
        name: slug(&format!("latency {tier}")),
        title: "From when each record was due to its acknowledgement".to_owned(),
        chart: ranges("Latency", &cells.iter().take(BARS).map(range).collect::<Vec<_>>()),
        caption: format!("Median (blue) to 99th percentile (orange); the mark is the longest. {}", first(cells.len())),
        table: table.with_grey(alike(&cells)),
    })]
}

/// What is said where a chart does not show all.
fn first(cells: usize) -> String {
    if cells > BARS { format!("The first {BARS} of {cells}; the table has all.") } else { String::new() }
}

fn against(cell: &Cell<'_>, best: &Cell<'_>) -> String {
    if std::ptr::eq(cell, best) || !cell.of.valid {
        return dash();
    }
    // One or two pairs say nothing of a difference.
    cell.times(best).filter(|times| times.runs > 2).map_or_else(dash, |times| with_bounds(&times))
}

/// Rows that can't be told from the first one.
fn alike(cells: &[&Cell<'_>]) -> Vec<usize> {
    let differs = |cell: &Cell<'_>| cell.times(cells[0]).is_some_and(|times| times.excludes(1.0));
    (1..cells.len()).filter(|&at| !differs(cells[at])).collect()
}

fn busy(cell: &Cell<'_>) -> String {
    let busiest = cell.of.whole().map(|repeat| repeat.client_busy_share).fold(0.0, f64::max);
    if busiest > 0.0 { percent(busiest) } else { dash() }
}

fn notes(cell: &Cell<'_>) -> String {
    let few = (cell.of.repeats.len() < cell.run.repeats)
        .then(|| format!("{} of {} repeats", cell.of.repeats.len(), cell.run.repeats));
    cell.of.why.iter().cloned().chain(few).chain(cell.of.flags.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// What a million records cost the target and the generator.
pub(super) fn cost(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let figures = [("target", "The target"), ("client", "The client")].map(|(name, title)| {
        let side = |repeat: &Repeat| if name == "target" { repeat.broker_cost } else { Some(repeat.client_cost) };
        let mut found: Vec<(&Cell<'_>, PerMillion)> =
            cells.iter().filter_map(|cell| Some((*cell, PerMillion::of(cell, side)?))).collect();
        found.sort_by(|a, b| (a.1.system_s + a.1.user_s).total_cmp(&(b.1.system_s + b.1.user_s)));
        if found.is_empty() {
            return None;
        }
        let bar = |(cell, cost): &(&Cell<'_>, PerMillion)| Bar {
            name: cell.label(),
            parts: vec![cost.system_s, cost.user_s],
            note: digits(cost.system_s + cost.user_s),
        };
        let row = |(cell, cost): &(&Cell<'_>, PerMillion)| {
            let target = name == "target";
            let per_record = |bytes: fn(&Repeat) -> Option<u64>| {
                let per = median(cell.by_repeat(|repeat| Some(bytes(repeat)? as f64 / repeat.acked_records as f64)));
                per.filter(|_| target).map_or_else(dash, digits)
            };
            vec![
                cell.label(),
                digits(cost.system_s + cost.user_s),
                digits(cost.user_s),
                digits(cost.system_s),
                cost.context_switches.map_or_else(dash, |count| grouped(count.round() as u64)),
                cost.system_calls.map_or_else(dash, |count| grouped(count.round() as u64)),
                per_record(|repeat| repeat.wire_bytes),
                per_record(|repeat| repeat.disk_bytes),
            ]
        };
        let head =
            ["cell", "CPU s", "user", "system", "switches", "system calls", "bytes on the wire each", "on disk each"];
        Some(figure(Figure {
            name: slug(&format!("cost {name} {tier}")),
            title: format!("{title}: processor seconds for a million records"),
            chart: bars(title, "s", &found.iter().take(BARS).map(bar).collect::<Vec<_>>(), false),
            caption: first(found.len()),
            table: Table::new(&head, found.iter().map(row).collect()),
        }))
    });
    figures.into_iter().flatten().collect()
}

/// Medians of the repeats, for a million acknowledged records.
struct PerMillion {
    user_s: f64,
    system_s: f64,
    context_switches: Option<f64>,
    system_calls: Option<f64>,
}

impl PerMillion {
    fn of(cell: &Cell<'_>, side: impl Fn(&Repeat) -> Option<Cost>) -> Option<PerMillion> {
        let per = |of: &dyn Fn(&Cost) -> Option<f64>| {
            median(cell.by_repeat(|repeat| Some(of(&side(repeat)?)? / repeat.acked_records as f64 * 1e6)))
        };
        Some(PerMillion {
            user_s: per(&|cost| Some(cost.user_s))?,
            system_s: per(&|cost| Some(cost.system_s))?,
            context_switches: per(&|cost| Some(cost.context_switches? as f64)),
            system_calls: per(&|cost| Some(cost.system_calls? as f64)),
        })
    }
}

fn median(values: Vec<f64>) -> Option<f64> {
    let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    Interval::of(&finite).map(|interval| interval.median)
}

/// Every repeat at its place in the order, of all tiers: each is compared with its own cell only.
pub(super) fn run_order(shown: &Shown<'_>) -> Vec<Block> {
    let in_order = |run: &(&Run, &Path)| {
        let cells: Vec<&Cell<'_>> = shown.cells.iter().filter(|cell| std::ptr::eq(cell.run, run.0)).collect();
        let mut turns: Vec<(usize, usize, Option<Turn>)> = Vec::new();
        for cell in cells.iter().filter(|cell| cell.of.repeats.len() > 1) {
            let values = match cell.of.offered_per_s {
                None => cell.scores(),
                Some(_) => cell.by_repeat(|repeat| repeat.latency_us.p50),
            };
            let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
            for (round, (repeat, value)) in cell.of.repeats.iter().zip(values).enumerate() {
                let note = format!("{}, repeat {}: {} × its mean", cell.label(), round + 1, digits(value / mean));
                let turn = (value.is_finite() && mean > 0.0).then(|| Turn { of_mean: value / mean, note });
                turns.push((repeat.order, round, turn));
            }
        }
        turns.sort_by_key(|turn| turn.0);
        turns
    };
    let several = shown.runs.len() > 1;
    let figures = shown.runs.iter().map(|run| (run, in_order(run))).filter(|(_, turns)| !turns.is_empty());
    let figures = figures.enumerate().map(|(index, ((_, directory), turns))| {
        let rounds = turns.iter().map(|turn| turn.1).max().unwrap_or(0) + 1;
        let row = |round: usize| {
            let of: Vec<f64> =
                turns.iter().filter(|turn| turn.1 == round).filter_map(|turn| Some(turn.2.as_ref()?.of_mean)).collect();
            let spread = Interval::of(&of);
            let value = |value: fn(&Interval) -> f64| spread.as_ref().map_or_else(dash, |all| digits(value(all)));
            let extreme = |best: fn(f64, f64) -> f64| of.iter().copied().reduce(best).map_or_else(dash, digits);
            vec![
                (round + 1).to_string(),
                of.len().to_string(),
                value(|all| all.median),
                extreme(f64::min),
                extreme(f64::max),
            ]
        };
        let title = match several {
            true => format!("Repeats in the order in which they ran: {}", directory.display()),
            false => "Repeats in the order in which they ran".to_owned(),
        };
        Figure {
            name: if several { format!("run-order-{}", index + 1) } else { "run-order".to_owned() },
            chart: drift(&title, &turns.iter().map(|turn| turn.2.clone()).collect::<Vec<_>>()),
            title,
            caption: "Orange: running median.".to_owned(),
            table: Table::new(
                &["repeat", "cells", "median × the mean", "lowest", "highest"],
                (0..rounds).map(row).collect(),
            ),
        }
    });
    figures.map(figure).collect()
}

/// The books of every cell.
pub(super) fn ledger(cells: &[&Cell<'_>], _: &str) -> Vec<Block> {
    let row = |cell: &&Cell<'_>| {
        let books = &cell.of.ledger;
        let counts = [
            books.sent,
            books.acked,
            books.received,
            books.lost,
            books.duplicated,
            books.reordered,
            books.corrupt,
            books.failed,
        ];
        let verdict = if books.is_clean() { "in order".to_owned() } else { books.faults() };
        std::iter::once(cell.label()).chain(counts.map(grouped)).chain([verdict]).collect()
    };
    let head =
        ["cell", "sent", "acknowledged", "read back", "lost", "duplicated", "reordered", "corrupt", "refused", "so"];
    vec![Block::Table(Table::new(&head, cells.iter().map(row).collect()).with_words(&["so"]))]
}
