//! Tables of cells, each of one tier, with their charts.

use ringbench_stats::Interval;

use super::contest::Contest;
use super::figure;
use super::shown::Cell;
use crate::chart::{Bar, Place, bars, places, ranges};
use crate::document::{Block, Figure, Table, slug};
use crate::numbers::{DASH, digits, due_and_sent, grouped, or_dash, time, with_bounds};
use crate::results::LatencyUs;

/// More bars than these are no picture; the table has them all.
pub(super) const BARS: usize = 16;

pub(super) fn dash() -> String {
    DASH.to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Settings that ran against several targets: a table for each two targets, or for each setting, whichever are fewer.
pub(super) fn side_by_side(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let contests = Contest::all(cells);
    let mut targets: Vec<&str> = Vec::new();
    for cell in cells.iter().filter(|cell| contests.iter().any(|contest| contest.cell(&cell.target).is_some())) {
        if !targets.contains(&&*cell.target) {
            targets.push(&cell.target);
        }
    }
    match targets.split_first() {
        Some((_, others)) if others.len() > contests.len() => {
            contests.iter().map(|contest| figure(ranking(contest, tier))).collect()
        }
        Some((base, others)) => others.iter().filter_map(|other| pairs(&contests, base, other)).collect(),
        None => Vec::new(),
    }
}

/// Two targets in everything that both were asked for.
fn pairs(contests: &[Contest<'_, '_>], base: &str, other: &str) -> Option<Block> {
    let (mut rows, mut grey) = (Vec::new(), Vec::new());
    for contest in contests {
        let (Some(a), Some(b)) = (contest.cell(base), contest.cell(other)) else { continue };
        let counts = a.of.valid && b.of.valid;
        // One or two pairs say nothing of a difference.
        let times = a.times(b).filter(|times| counts && times.runs > 2);
        if !times.is_some_and(|times| times.excludes(1.0)) {
            grey.push(rows.len());
        }
        rows.push(vec![
            if counts { contest.name.clone() } else { format!("VOID {}", contest.name) },
            score(a),
            score(b),
            times.map_or_else(dash, |times| with_bounds(&times)),
            match times {
                Some(times) => said(&times, contest.is_latency, base),
                None if counts => "not distinguishable".to_owned(),
                None => String::new(),
            },
        ]);
    }
    let ratio = format!("{base} ÷ {other} (98 %)");
    let head = ["setting", base, other, &ratio, "so"];
    (!rows.is_empty()).then(|| Block::Table(Table::new(&head, rows).with_words(&["so"]).with_grey(grey)))
}

/// All targets in one thing that they were asked for, best first.
fn ranking(contest: &Contest<'_, '_>, tier: &str) -> Figure {
    let best = contest.cells[0];
    let placed = contest.cells.iter().enumerate().map(|(place, cell)| {
        let note = if cell.of.valid { digits(middle(cell)) } else { "void".to_owned() };
        Place { rank: contest.rank(place), name: cell.target.clone(), interval: reach(cell), note }
    });
    let row = |(place, cell): (usize, &&Cell<'_>)| {
        let times = contest.of_best(cell);
        vec![
            if cell.of.valid { cell.target.clone() } else { format!("VOID {}", cell.target) },
            contest.rank(place).map_or_else(dash, |rank| rank.to_string()),
            score(cell),
            times.map_or_else(dash, |times| with_bounds(&times)),
            match times {
                _ if !cell.of.valid => cell.of.why.clone().unwrap_or_default(),
                Some(times) if times.excludes(1.0) => said(&times, contest.is_latency, &cell.target),
                Some(_) => "not distinguishable".to_owned(),
                None => "first".to_owned(),
            },
        ]
    };
    let grey = (1..contest.cells.len()).filter(|&place| contest.is_among_best(contest.cells[place])).collect();
    let (title, unit) = match contest.is_latency {
        true => (format!("99th percentile of each target, in ms, at {}", contest.name), "ms"),
        false if contest.name.is_empty() => ("Records a second of each target".to_owned(), "/s"),
        false => (format!("Records a second of each target, {}", contest.name), "/s"),
    };
    let ratio = format!("× {} (98 %)", best.target);
    let rows = contest.cells.iter().enumerate().map(row).collect();
    Figure {
        name: slug(&format!("ranking {tier} {}", contest.name)),
        chart: places(&title, unit, &placed.collect::<Vec<_>>(), contest.is_latency),
        title,
        caption: "Dot: all repeats together; line: the interval of the repeats. One band: not distinguishable."
            .to_owned(),
        table: Table::new(&["target", "rank", "measured", &ratio, "so"], rows).with_words(&["so"]).with_grey(grey),
    }
}

/// Records a second, or at a rate the 99th percentile of all repeats together in milliseconds.
fn middle(cell: &Cell<'_>) -> f64 {
    match cell.of.offered_per_s {
        None => cell.of.achieved_per_s.unwrap_or(f64::NAN),
        Some(_) => cell.of.latency_us.p99.map_or(f64::NAN, |us| us / 1e3),
    }
}

/// The same between the bounds of the repeats.
fn reach(cell: &Cell<'_>) -> Option<(f64, f64, f64)> {
    let (all, unit) = match cell.of.offered_per_s {
        None => (cell.of.intervals.achieved_per_s?, 1.0),
        Some(_) => (cell.of.intervals.p99_us?, 1e3),
    };
    let middle = middle(cell);
    cell.of.valid.then(|| ((all.low / unit).min(middle), middle, (all.high / unit).max(middle)))
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
    let Some(cells) = best_first(cells, |cell| cell.of.offered_per_s.is_none()) else { return Vec::new() };
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
            of.synced_mb_per_s.map_or_else(dash, digits),
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
        "and synced",
        "× the first (98 %)",
        "received",
        "wire ratio",
        "of floor",
        "p50",
        "p99",
        "client",
        "to know",
    ];
    let table = Table::new(&head, cells.iter().map(row).collect()).with_remarks("to know");
    vec![figure(Figure {
        name: slug(&format!("throughput {tier}")),
        title: "Megabytes of records a second, before compression".to_owned(),
        chart: bars("Throughput", "MB/s", &cells.iter().take(BARS).map(bar).collect::<Vec<_>>(), false),
        caption: format!(
            "And synced: MB/s with the time that the disk took to have everything; received: MB/s that consumers got; wire ratio: bytes sent for each byte of records; of floor: those as a share of what receive, CRC and append do alone on this host; client: how busy its busiest thread was. {}",
            first(cells.len())
        ),
        table: table.with_grey(alike(&cells)),
    })]
}

/// Cells at a rate, lowest 99th percentile first.
pub(super) fn latency(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    let Some(cells) = best_first(cells, |cell| cell.of.offered_per_s.is_some()) else { return Vec::new() };
    let range = |cell: &&Cell<'_>| {
        let LatencyUs { p50, p99, max, .. } = cell.of.latency_us;
        let ms = |us: f64| us / 1e3;
        (cell.label(), p50.map(ms), p99.map(ms), max.map_or(0.0, ms))
    };
    let row = |cell: &&Cell<'_>| {
        let of = cell.of;
        let both = |of_latency: fn(&LatencyUs) -> Option<f64>| {
            due_and_sent(of_latency(&of.latency_us), of_latency(&of.service_us))
        };
        vec![
            cell.label(),
            of.share_of_due().map_or_else(dash, |share| format!("{:.1} %", share * 100.0)),
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
        "end to end p99",
        "generator late p99",
        "client",
        "to know",
    ];
    let table = Table::new(&head, cells.iter().map(row).collect()).with_remarks("to know");
    vec![figure(Figure {
        name: slug(&format!("latency {tier}")),
        title: "From when each record was due to its acknowledgement".to_owned(),
        chart: ranges("Latency", &cells.iter().take(BARS).map(range).collect::<Vec<_>>()),
        caption: format!(
            "From the median (blue circle) to the 99th percentile (orange diamond); the stroke is the longest. {}",
            first(cells.len())
        ),
        table: table.with_grey(alike(&cells)),
    })]
}

/// Some of a tier's cells; `None` where there are none.
fn best_first<'a, 'b>(cells: &[&'b Cell<'a>], of: impl Fn(&Cell<'_>) -> bool) -> Option<Vec<&'b Cell<'a>>> {
    let mut cells: Vec<&Cell<'_>> = cells.iter().copied().filter(|cell| of(cell)).collect();
    cells.sort_by(|a, b| a.merit().total_cmp(&b.merit()));
    (!cells.is_empty()).then_some(cells)
}

/// What is said where a chart does not show all.
pub(super) fn first(cells: usize) -> String {
    if cells > BARS { format!("The first {BARS} of {cells}; the table has all.") } else { String::new() }
}

fn against(cell: &Cell<'_>, best: &Cell<'_>) -> String {
    if std::ptr::eq(cell, best) || !cell.of.valid {
        return dash();
    }
    // One or two pairs say nothing of a difference.
    let times = cell.times(best).filter(|times| times.runs > 2);
    times.map_or_else(dash, |times| format!("{}{}", if times.excludes(1.0) { "" } else { "≈ " }, with_bounds(&times)))
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
        let verdict = match (books.is_clean(), cell.of.is_checked()) {
            (false, _) => books.faults(),
            (true, true) => "in order".to_owned(),
            (true, false) if books.received > 0 => "counted only".to_owned(),
            (true, false) => "not read back".to_owned(),
        };
        std::iter::once(cell.label()).chain(counts.map(grouped)).chain([verdict]).collect()
    };
    let head =
        ["cell", "sent", "acknowledged", "read back", "lost", "duplicated", "reordered", "corrupt", "refused", "so"];
    vec![Block::Table(Table::new(&head, cells.iter().map(row).collect()).with_words(&["so"]))]
}
