//! What a million records cost: processor seconds, switches, system calls, bytes.

use ringbench_stats::Interval;

use super::figure;
use super::shown::{Cell, Shown};
use super::tables::{BARS, dash, first};
use crate::chart::{Bar, bars};
use crate::document::{Block, Figure, Table, slug};
use crate::numbers::{digits, grouped, or_dash};
use crate::results::{Cost, Repeat};

/// What a million records cost the target and the generator.
pub(super) fn figures(cells: &[&Cell<'_>], tier: &str) -> Vec<Block> {
    [Side::Target, Side::Client].into_iter().filter_map(|side| Some(figure(side.figure(cells, tier)?))).collect()
}

/// What could not be counted, and why.
pub(super) fn lacking(shown: &Shown<'_>) -> Vec<(String, String)> {
    let without = |has: &dyn Fn(&Repeat) -> bool| {
        let lacks = |target: &&str| {
            let mut own = shown.cells.iter().filter(|cell| cell.target == **target).flat_map(|cell| cell.of.whole());
            !own.any(has)
        };
        shown.targets().into_iter().filter(lacks).collect::<Vec<_>>().join(", ")
    };
    let calls = |cost: &Cost| cost.system_calls.is_some();
    [
        (
            "Cost of the target",
            without(&|repeat| repeat.broker_cost.is_some()),
            "its process is not known on this host",
        ),
        (
            "Bytes on disk",
            without(&|repeat| repeat.disk_bytes.is_some()),
            "the kernel did not tell what its process wrote",
        ),
        ("Bytes on the wire", without(&|repeat| repeat.wire_bytes.is_some()), "its driver does not count them"),
        (
            "System calls",
            without(&|repeat| calls(&repeat.client_cost) || repeat.broker_cost.as_ref().is_some_and(calls)),
            "they were not counted",
        ),
    ]
    .into_iter()
    .filter(|(_, targets, _)| !targets.is_empty())
    .map(|(what, targets, why)| (format!("{what}: {targets}"), why.to_owned()))
    .collect()
}

/// Who spent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Target,
    Client,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Target => "target",
            Side::Client => "client",
        }
    }

    fn of(self, repeat: &Repeat) -> Option<Cost> {
        match self {
            Side::Target => repeat.broker_cost,
            Side::Client => Some(repeat.client_cost),
        }
    }

    /// Cheapest first.
    fn figure(self, cells: &[&Cell<'_>], tier: &str) -> Option<Figure> {
        let mut found: Vec<(&Cell<'_>, PerMillion)> =
            cells.iter().filter_map(|cell| Some((*cell, PerMillion::of(cell, self)?))).collect();
        found.sort_by(|a, b| a.1.cpu_s.total_cmp(&b.1.cpu_s));
        let bar = |(cell, cost): &(&Cell<'_>, PerMillion)| Bar {
            name: cell.label(),
            parts: vec![cost.system_s, cost.user_s],
            note: digits(cost.cpu_s),
        };
        let row = |(cell, cost): &(&Cell<'_>, PerMillion)| {
            let count = |count: Option<f64>| count.map_or_else(dash, |count| grouped(count.round() as u64));
            let each = cell.by_repeat(|repeat| {
                let bytes = if self == Side::Target { repeat.disk_bytes } else { repeat.wire_bytes }?;
                Some(bytes as f64 / repeat.acked_records as f64)
            });
            vec![
                cell.label(),
                digits(cost.cpu_s),
                digits(cost.user_s),
                digits(cost.system_s),
                count(cost.context_switches),
                count(cost.involuntary_switches),
                count(cost.system_calls),
                count(cost.reads),
                count(cost.writes),
                or_dash(median(each)),
            ]
        };
        let bytes = if self == Side::Target { "bytes to disk, each" } else { "bytes on the wire, each" };
        let head =
            ["cell", "CPU s", "user", "system", "switches", "involuntary", "system calls", "reads", "writes", bytes];
        let title = format!("The {}: processor seconds for a million records", self.name());
        (!found.is_empty()).then(|| Figure {
            name: slug(&format!("cost {} {tier}", self.name())),
            chart: bars(&title, "s", &found.iter().take(BARS).map(bar).collect::<Vec<_>>(), false),
            title,
            caption: format!(
                "System calls were counted in the warm-up, which is not timed. Reads and writes: of files and sockets, but not by recv(2) and send(2). {}",
                first(found.len())
            ),
            table: Table::new(&head, found.iter().map(row).collect()),
        })
    }
}

/// Medians of the repeats, for a million acknowledged records. That of both parts together is not the sum of theirs.
struct PerMillion {
    cpu_s: f64,
    user_s: f64,
    system_s: f64,
    context_switches: Option<f64>,
    involuntary_switches: Option<f64>,
    system_calls: Option<f64>,
    reads: Option<f64>,
    writes: Option<f64>,
}

impl PerMillion {
    fn of(cell: &Cell<'_>, side: Side) -> Option<PerMillion> {
        let per = |of: &dyn Fn(&Cost) -> Option<f64>| {
            median(cell.by_repeat(|repeat| Some(of(&side.of(repeat)?)? / repeat.acked_records as f64 * 1e6)))
        };
        Some(PerMillion {
            cpu_s: per(&|cost| Some(cost.cpu_s()))?,
            user_s: per(&|cost| Some(cost.user_s))?,
            system_s: per(&|cost| Some(cost.system_s))?,
            context_switches: per(&|cost| Some(cost.context_switches? as f64)),
            involuntary_switches: per(&|cost| Some(cost.involuntary_switches? as f64)),
            system_calls: per(&|cost| Some(cost.system_calls? as f64)),
            reads: per(&|cost| Some(cost.reads? as f64)),
            writes: per(&|cost| Some(cost.writes? as f64)),
        })
    }
}

fn median(values: Vec<f64>) -> Option<f64> {
    let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    Interval::of(&finite).map(|interval| interval.median)
}
