//! What is shown of a run: every chart with its table, in the order of the report.

use super::condition::{Condition, Setting, speed, unit};
use super::verdict::{lead, listed, score};
use super::{LabCell, LabResults};
use crate::chart::{
    Bar, COLOURS, Curves, Heat, Line, Place, Point, Square, Turn, bars, curves, drift, heat, named, places,
};
use crate::document::{Figure, Table, slug};
use crate::numbers::{DASH, bytes, digits, grouped, or_dash, time, time_mark, with_bounds};

/// Whoever does less than this share of the rate has not kept up with it.
const KEPT_UP: f64 = 0.95;

/// The size whose processor cost is shown, where it was run, or the one closest to it.
const MIDDLE_BYTES: usize = 64 << 10;

/// The best of every setting of a condition, a line each.
pub(super) fn best(condition: &Condition<'_>) -> Vec<Vec<String>> {
    let row = |setting: &Setting<'_>| {
        let best = setting.best();
        let first = best.first().copied();
        let next = setting.cells.iter().find(|cell| cell.rank.is_some_and(|rank| rank > 1));
        let dash = || DASH.to_owned();
        let ranked = setting.cells.iter().filter(|cell| cell.rank.is_some()).count();
        vec![
            condition.words.clone(),
            setting.title(),
            match best.len() {
                0 => dash(),
                1 => listed(&best),
                shared => format!("{} ({shared} of {ranked})", listed(&best)),
            },
            first.map_or_else(dash, |first| score(setting, first)),
            next.and_then(|next| lead(setting, next)).unwrap_or_else(dash),
            first.and_then(|first| first.roofline_share).map_or_else(dash, percent),
        ]
    };
    condition.settings.iter().map(row).collect()
}

/// What [`best`] gives.
pub(super) fn best_table(rows: Vec<Vec<String>>) -> Table {
    let head = ["what was asked", "size", "best", "figure (interval)", "ahead of the next", "of roofline"];
    Table::new(&head, rows).with_words(&["what was asked", "best"])
}

/// The ranking of each setting; none where rates were given, which are points of a curve.
pub(super) fn rankings(results: &LabResults, condition: &Condition<'_>) -> Vec<Figure> {
    let unit = unit(condition.family);
    let ranking = |setting: &Setting<'_>| {
        let title = format!("{} · {}", setting.title(), condition.words);
        let rows: Vec<Place> = setting.cells.iter().map(|cell| place(results, setting, cell)).collect();
        Figure {
            name: slug(&format!("ranking {} {} {}", condition.family, condition.words, setting.title())),
            chart: places(&format!("Ranking: {title}, {unit}"), unit, &rows, false),
            title,
            caption: String::new(),
            table: ranking_table(results, setting),
        }
    };
    if condition.is_open() { Vec::new() } else { condition.settings.iter().map(ranking).collect() }
}

fn place(results: &LabResults, setting: &Setting<'_>, cell: &LabCell) -> Place {
    let interval = speed(cell).filter(|_| setting.rate.is_none());
    let state = state(results, cell);
    let note = match interval {
        Some(interval) if state.is_empty() => digits(interval.median),
        Some(interval) => format!("{} · {state}", digits(interval.median)),
        None => state,
    };
    let interval = interval.map(|interval| (interval.low, interval.median, interval.high));
    Place { rank: cell.rank, name: cell.name.clone(), interval, note }
}

/// Empty when every run counted.
fn state(results: &LabResults, cell: &LabCell) -> String {
    match (&cell.failure, cell.runs) {
        (Some(_), 0) => "failed".to_owned(),
        (Some(_), runs) => format!("failed after {runs} of {}", results.repeats),
        (None, 0) => "not run".to_owned(),
        (None, runs) if runs < results.repeats => format!("{runs} of {} runs", results.repeats),
        (None, _) => String::new(),
    }
}

fn ranking_table(results: &LabResults, setting: &Setting<'_>) -> Table {
    let rows = setting.cells.iter().map(|cell| {
        let LabCell { latency_us, .. } = cell;
        let achieved = setting.rate.zip(cell.mb_per_s).map(|(rate, moved)| achieved(cell, rate, moved.median));
        let state = state(results, cell);
        vec![
            cell.name.clone(),
            cell.rank.map_or_else(|| DASH.to_owned(), |rank| rank.to_string()),
            cell.requests_per_s.map_or_else(|| DASH.to_owned(), |interval| with_bounds(&interval)),
            cell.mb_per_s.map_or_else(|| DASH.to_owned(), |interval| with_bounds(&interval)),
            achieved.map_or_else(|| DASH.to_owned(), percent),
            cell.of_best.map_or_else(|| DASH.to_owned(), |of_best| with_bounds(&of_best)),
            time(latency_us.p50),
            time(latency_us.p99),
            time(latency_us.p999),
            time(latency_us.max),
            or_dash(cell.cpu_s_per_gb),
            or_dash(cell.user_s_per_gb),
            or_dash(cell.cpu_s_per_million_requests),
            or_dash(cell.client_cpu_s_per_million_requests),
            or_dash(cell.context_switches_per_mb),
            or_dash(cell.system_calls_each),
            cell.ring_threads
                .filter(|threads| *threads > 0)
                .map_or_else(|| DASH.to_owned(), |threads| threads.to_string()),
            time(cell.sync_us),
            cell.dirty_bytes.map_or_else(|| DASH.to_owned(), mebibytes),
            cell.regime.clone().unwrap_or_default(),
            cell.roofline_share.map_or_else(|| DASH.to_owned(), percent),
            if state.is_empty() { format!("{}", cell.runs) } else { state },
        ]
    });
    let head = [
        "contestant",
        "rank",
        "requests/s (interval)",
        "MB/s (interval)",
        "of the rate",
        "× the best (98 %)",
        "p50",
        "p99",
        "p99.9",
        "max",
        "CPU s/GB",
        "user s/GB",
        "CPU s/million",
        "client's",
        "switches/MB",
        "calls each",
        "ring threads",
        "a sync",
        "dirty",
        "regime",
        "of roofline",
        "runs",
    ];
    Table::new(&head, rows.collect()).with_words(&["regime"])
}

/// Share of the rate that was kept up with.
fn achieved(cell: &LabCell, rate: f64, mb_per_s: f64) -> f64 {
    mb_per_s * 1e6 / cell.size_bytes.max(1) as f64 / rate.max(f64::MIN_POSITIVE)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes >> 20))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Megabytes a second by size, and the same as shares of each size's best; nothing with one size only.
pub(super) fn by_size(condition: &Condition<'_>) -> Vec<Figure> {
    if condition.is_open() || condition.settings.len() < 2 {
        return Vec::new();
    }
    let (names, unit) = (condition.names_by_merit(), unit(condition.family));
    let name = |kind: &str| slug(&format!("{kind} {} {}", condition.family, condition.words));
    vec![
        Figure {
            name: name("sizes"),
            title: format!("{unit} by size · {}", condition.words),
            chart: size_curves(condition, &names),
            caption: String::new(),
            table: size_table(condition, &names),
        },
        Figure {
            name: name("heat"),
            title: format!("{unit} beside each size's best · {}", condition.words),
            chart: size_heat(condition, &names),
            caption: String::new(),
            table: share_table(condition, &names),
        },
    ]
}

fn size_curves(condition: &Condition<'_>, names: &[&str]) -> crate::chart::Chart {
    let unit = unit(condition.family);
    let lines: Vec<Line> = names
        .iter()
        .enumerate()
        .map(|(place, name)| Line {
            name: (*name).to_owned(),
            colour: if place < COLOURS { place + 1 } else { 0 },
            dashed: false,
            points: condition
                .settings
                .iter()
                .filter_map(|setting| {
                    let y = setting.score(setting.cell(name)?)?;
                    let note = format!("{} {unit} at {}", digits(y), bytes(setting.size_bytes));
                    Some(Point { x: setting.size_bytes as f64, y, hollow: false, label: "", note })
                })
                .collect(),
        })
        .collect();
    let marks = condition.settings.iter().map(|setting| (setting.size_bytes as f64, bytes(setting.size_bytes)));
    let title = format!("{unit} by size: {}", condition.title());
    curves(
        &Curves { title, x: "size", y: unit, y_named: named, marks: marks.collect(), limit: None, wide: false },
        &lines,
    )
}

fn size_heat(condition: &Condition<'_>, names: &[&str]) -> crate::chart::Chart {
    let square = |setting: &Setting<'_>, name: &str| {
        let cell = setting.cell(name)?;
        let share = setting.share_of_best(cell)?;
        Some(Square { share, best: cell.rank == Some(1), text: digits(setting.score(cell)?) })
    };
    let row = |name: &&str| {
        ((*name).to_owned(), condition.settings.iter().map(|setting| square(setting, name)).collect::<Vec<_>>())
    };
    heat(&Heat {
        title: format!("Share of the best at each size: {}", condition.title()),
        columns: condition.settings.iter().map(|setting| bytes(setting.size_bytes)).collect(),
        rows: names.iter().map(row).collect(),
    })
}

fn size_table(condition: &Condition<'_>, names: &[&str]) -> Table {
    by_name(condition, names, |_, cell| speed(cell).map(|interval| with_bounds(&interval)))
}

fn share_table(condition: &Condition<'_>, names: &[&str]) -> Table {
    by_name(condition, names, |setting, cell| setting.share_of_best(cell).map(percent))
}

/// A row for each name, a column for each setting.
fn by_name(
    condition: &Condition<'_>,
    names: &[&str],
    value: impl Fn(&Setting<'_>, &LabCell) -> Option<String>,
) -> Table {
    let titles: Vec<String> = condition.settings.iter().map(Setting::title).collect();
    let head: Vec<&str> = std::iter::once("contestant").chain(titles.iter().map(String::as_str)).collect();
    let rows = names.iter().map(|name| {
        let values = condition
            .settings
            .iter()
            .map(|setting| setting.cell(name).and_then(|cell| value(setting, cell)).unwrap_or_else(|| DASH.to_owned()));
        std::iter::once((*name).to_owned()).chain(values).collect()
    });
    Table::new(&head, rows.collect())
}

/// Latency against rate, a chart for each size.
pub(super) fn under_load(results: &LabResults, condition: &Condition<'_>) -> Vec<Figure> {
    if !condition.is_open() {
        return Vec::new();
    }
    let mut sizes: Vec<usize> = condition.settings.iter().map(|setting| setting.size_bytes).collect();
    sizes.dedup();
    let figure = |size: usize| {
        let settings: Vec<&Setting<'_>> =
            condition.settings.iter().filter(|setting| setting.size_bytes == size).collect();
        let title = format!("{} · {}", bytes(size), condition.words);
        Figure {
            name: slug(&format!("load {} {} {}", condition.family, condition.words, bytes(size))),
            chart: load_curves(&title, condition, &settings),
            title,
            caption: String::new(),
            table: load_table(results, &settings),
        }
    };
    sizes.into_iter().map(figure).collect()
}

fn load_curves(title: &str, condition: &Condition<'_>, settings: &[&Setting<'_>]) -> crate::chart::Chart {
    let line = |place: usize, name: &str, dashed: bool| {
        let point = |setting: &&Setting<'_>| {
            let (cell, rate) = (setting.cell(name)?, setting.rate?);
            let y = if dashed { cell.latency_us.p99 } else { cell.latency_us.p50 }?;
            let kept = cell.mb_per_s.map_or(0.0, |moved| achieved(cell, rate, moved.median));
            let note = format!("{} at {}/s, {} of it kept up with", time(Some(y)), digits(rate), percent(kept));
            Some(Point { x: rate, y, hollow: kept < KEPT_UP, label: "", note })
        };
        let points = settings.iter().filter_map(point).collect();
        Line { name: name.to_owned(), colour: if place < COLOURS { place + 1 } else { 0 }, dashed, points }
    };
    let names = condition.names_by_merit();
    let both = names.iter().enumerate().flat_map(|(place, name)| {
        let grey = place >= COLOURS;
        [Some(line(place, name, false)), (!grey).then(|| line(place, name, true))].into_iter().flatten()
    });
    let marks = settings.iter().filter_map(|setting| Some((setting.rate?, digits(setting.rate?))));
    let axes = Curves {
        title: format!("Latency by rate: {title}"),
        x: "a second",
        y: "latency",
        y_named: time_mark,
        marks: marks.collect(),
        limit: None,
        wide: false,
    };
    curves(&axes, &both.collect::<Vec<_>>())
}

/// The rankings of all rates, one below the other.
fn load_table(results: &LabResults, settings: &[&Setting<'_>]) -> Table {
    let mut rows = Vec::new();
    for setting in settings {
        for cell in &setting.cells {
            let kept = setting.rate.zip(cell.mb_per_s).map(|(rate, moved)| achieved(cell, rate, moved.median));
            let state = state(results, cell);
            rows.push(vec![
                cell.name.clone(),
                setting.rate.map_or_else(|| DASH.to_owned(), digits),
                kept.map_or_else(|| DASH.to_owned(), percent),
                cell.rank.map_or_else(|| DASH.to_owned(), |rank| rank.to_string()),
                cell.of_best.map_or_else(|| DASH.to_owned(), |of_best| with_bounds(&of_best)),
                time(cell.latency_us.p50),
                time(cell.latency_us.p99),
                time(cell.latency_us.p999),
                time(cell.latency_us.max),
                or_dash(cell.cpu_s_per_gb),
                if state.is_empty() { cell.runs.to_string() } else { state },
            ]);
        }
    }
    let head = [
        "contestant",
        "rate/s",
        "kept up",
        "rank",
        "× the best (98 %)",
        "p50",
        "p99",
        "p99.9",
        "max",
        "CPU s/GB",
        "runs",
    ];
    Table::new(&head, rows)
}

/// Processor seconds for what was done, cheapest first, at one size of the condition.
pub(super) fn cost(condition: &Condition<'_>) -> Option<Figure> {
    let apart = |setting: &&Setting<'_>| setting.size_bytes.max(1).ilog2().abs_diff(MIDDLE_BYTES.ilog2());
    let setting = condition.settings.iter().filter(|setting| setting.rate.is_none()).min_by_key(apart)?;
    let mut costs: Vec<Cost<'_>> = setting.cells.iter().filter_map(|cell| Cost::of(cell)).collect();
    costs.sort_by(|a, b| a.all.total_cmp(&b.all));
    let (unit, head) = match costs.first()?.cell.cpu_s_per_million_requests {
        Some(_) => ("s/million", ["contestant", "CPU s/million requests", "server", "client"]),
        None => ("s/GB", ["contestant", "CPU s/GB", "system", "user"]),
    };
    let bars_of =
        costs.iter().map(|cost| Bar { name: cost.cell.name.clone(), parts: cost.parts(), note: digits(cost.all) });
    let rows = costs.iter().map(|cost| {
        let rest = cost.second.map(|second| cost.all - second);
        vec![cost.cell.name.clone(), digits(cost.all), or_dash(rest), or_dash(cost.second)]
    });
    let title = format!("{} · {}", setting.title(), condition.words);
    Some(Figure {
        name: slug(&format!("cost {} {} {}", condition.family, condition.words, setting.title())),
        chart: bars(&format!("Processor time: {title}"), unit, &bars_of.collect::<Vec<_>>(), true),
        title,
        caption: String::new(),
        table: Table::new(&head, rows.collect()),
    })
}

/// Processor seconds for each million requests where requests were answered, else for each gigabyte.
struct Cost<'a> {
    cell: &'a LabCell,
    all: f64,
    /// Of it the client's, or user space's; the rest is the server's, or the kernel's.
    second: Option<f64>,
}

impl<'a> Cost<'a> {
    fn of(cell: &'a LabCell) -> Option<Cost<'a>> {
        let (all, second) = match cell.cpu_s_per_million_requests {
            Some(all) => (all, cell.client_cpu_s_per_million_requests),
            None => (cell.cpu_s_per_gb?, cell.user_s_per_gb),
        };
        // Medians of two things need not add up.
        Some(Cost { cell, all, second: second.map(|second| second.min(all)) })
    }

    fn parts(&self) -> Vec<f64> {
        self.second.map_or_else(|| vec![self.all], |second| vec![self.all - second, second])
    }
}

/// What came of each run in the order in which they ran; `None` where rounds were not kept.
pub(super) fn run_order(results: &LabResults) -> Option<Figure> {
    let mut seen = vec![0_usize; results.cells.len()];
    let turns: Vec<Option<Turn>> = results
        .order
        .iter()
        .map(|&index| {
            let (cell, seen) = (results.cells.get(index)?, seen.get_mut(index)?);
            let run = *cell.mb_per_s_by_round.get(*seen)?;
            *seen += 1;
            let of_mean = run? / mean(cell)?;
            Some(Turn { of_mean, note: format!("{} · {}: {} MB/s", cell.name, cell.setting, digits(run?)) })
        })
        .collect();
    turns.iter().any(Option::is_some).then(|| Figure {
        name: "run-order".to_owned(),
        title: "Each run as a multiple of its cell's mean, in the order in which they ran".to_owned(),
        chart: drift("Runs in their order", &turns),
        caption: "A host that is steady shows a level cloud; a slope or a step is something else that happened on the host meanwhile. The line is the running median of a tenth of the runs. What lies beyond 3 × or ⅓ × is drawn at the edge."
            .to_owned(),
        table: tenths(&turns),
    })
}

/// Geometric mean of a cell's runs: a median would be one of them, and draw it on the line.
fn mean(cell: &LabCell) -> Option<f64> {
    let runs: Vec<f64> = cell.mb_per_s_by_round.iter().flatten().copied().filter(|run| *run > 0.0).collect();
    (!runs.is_empty()).then(|| (runs.iter().map(|run| run.ln()).sum::<f64>() / runs.len() as f64).exp())
}

/// The run in ten parts: half of the runs of a part lie between its quartiles.
fn tenths(turns: &[Option<Turn>]) -> Table {
    let size = turns.len().div_ceil(10).max(1);
    let rows = turns.chunks(size).enumerate().map(|(part, turns)| {
        let mut values: Vec<f64> = turns.iter().flatten().map(|turn| turn.of_mean).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values.get((values.len().saturating_sub(1) as f64 * share).round() as usize).copied();
        let runs = format!("{}–{}", part * size + 1, part * size + turns.len());
        vec![runs, values.len().to_string(), or_dash(at(0.25)), or_dash(at(0.5)), or_dash(at(0.75))]
    });
    Table::new(&["runs", "counted", "lower quartile", "median", "upper quartile"], rows.collect())
}
