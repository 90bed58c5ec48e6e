//! What a report shows: the cells of one or several runs, each with a name that tells it from the others, by tier.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ringbench_stats::{Floor, HdrLog, Interval, ratio};

use crate::error::ReportError;
use crate::numbers::{bytes, grouped, time_mark};
use crate::results::{Ack, Durability, NoiseFloor, Repeat, Run, RunCell};

/// Where nothing varies, what a reader looks for all the same.
const USUAL: [&str; 4] = ["batch.size", "linger.ms", "compression.type", "acks"];

/// Cells of one or several runs.
pub(super) struct Shown<'a> {
    pub(super) runs: Vec<(&'a Run, &'a Path)>,
    /// Those that ran, in the order of their plans.
    pub(super) cells: Vec<Cell<'a>>,
    /// Those that did not, which is no fault of theirs.
    pub(super) not_run: Vec<Cell<'a>>,
    /// Of all of them together.
    pub(super) noise_floor: NoiseFloor,
}

/// A cell with what it is called.
#[derive(Clone)]
pub(super) struct Cell<'a> {
    pub(super) run: &'a Run,
    pub(super) directory: &'a Path,
    pub(super) of: &'a RunCell,
    /// Whose it is; the run stands behind it where two runs have a target of that name.
    pub(super) target: String,
    /// What varies, without the target and the rate.
    pub(super) name: String,
    /// Whether there are other targets.
    several: bool,
    /// How far equals lie apart in what it is compared by.
    floor: Option<Floor>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(runs: Vec<(&'a Run, &'a Path)>) -> Shown<'a> {
        let all: Vec<&RunCell> = runs.iter().flat_map(|(run, _)| &run.cells).collect();
        let varied = Varied::among(&all);
        let target = |run: &Run, directory: &Path, name: &str| {
            let elsewhere = |other: &&(&Run, &Path)| {
                !std::ptr::eq(other.0, run) && other.0.targets.iter().any(|target| target.name == name)
            };
            match runs.iter().any(|other| elsewhere(&other)) {
                true => format!("{name} ({})", directory.file_name().unwrap_or(directory.as_os_str()).display()),
                false => name.to_owned(),
            }
        };
        let noise_floor = NoiseFloor::of(&runs.iter().map(|(run, _)| *run).collect::<Vec<_>>());
        let mut cells: Vec<Cell<'a>> = Vec::new();
        for &(run, directory) in &runs {
            cells.extend(run.cells.iter().map(|of| Cell {
                run,
                directory,
                of,
                target: target(run, directory, &of.target),
                name: varied.name(of),
                several: false,
                floor: if of.offered_per_s.is_some() { noise_floor.p99_us } else { noise_floor.achieved_per_s },
            }));
        }
        let several = cells.iter().any(|cell| cell.target != cells[0].target);
        cells.iter_mut().for_each(|cell| cell.several = several);
        let (cells, not_run) = cells.into_iter().partition(|cell| cell.of.ran());
        Shown { runs, cells, not_run, noise_floor }
    }

    /// Whether they ran or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells.iter().chain(&self.not_run)
    }

    /// The targets that have cells, in their order.
    pub(super) fn targets(&self) -> Vec<&str> {
        let mut targets: Vec<&str> = Vec::new();
        for cell in &self.cells {
            if !targets.contains(&&*cell.target) {
                targets.push(&cell.target);
            }
        }
        targets
    }

    /// Cells that may stand in one table, acknowledged ones first.
    pub(super) fn tiers(&self) -> Vec<(Tier, Vec<&Cell<'a>>)> {
        let mut tiers: BTreeMap<Tier, Vec<&Cell<'a>>> = BTreeMap::new();
        for cell in &self.cells {
            tiers.entry(Tier::of(cell.of)).or_default().push(cell);
        }
        tiers.into_iter().collect()
    }
}

/// Of one durability, and who waits for answers apart from who does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tier {
    unacknowledged: bool,
    durability: Durability,
    sync_every_ms: Option<u64>,
}

impl Tier {
    pub(super) fn of(cell: &RunCell) -> Tier {
        let (durability, sync_every_ms, acknowledged) = cell.tier();
        Tier { unacknowledged: !acknowledged, durability, sync_every_ms }
    }

    /// Above its part of a section.
    pub(super) fn title(self) -> String {
        let acknowledged = if self.unacknowledged { "Not acknowledged (acks=0)" } else { "Acknowledged" };
        format!("{acknowledged}, {}", behind(self.durability, self.sync_every_ms))
    }

    /// For names of files.
    pub(super) fn file(self) -> String {
        let acknowledged = if self.unacknowledged { "acks 0" } else { "acked" };
        let durability = match self.durability {
            Durability::Memory => "memory",
            Durability::PageCache => "page cache",
            Durability::SyncedInIntervals => "intervals",
            Durability::Synced => "synced",
        };
        let every = self.sync_every_ms.map_or_else(String::new, |ms| format!(" {ms} ms"));
        format!("{acknowledged} {durability}{every}")
    }
}

/// What stands behind an acknowledgement, in words.
pub(super) fn behind(durability: Durability, sync_every_ms: Option<u64>) -> String {
    let words = match durability {
        Durability::Memory => "kept in the target's memory",
        Durability::PageCache => "in the page cache (survives kill -9)",
        Durability::SyncedInIntervals => {
            let every = sync_every_ms.map_or_else(|| "so often".to_owned(), |ms| time_mark(ms as f64 * 1e3));
            return format!("in the page cache, synced every {every}");
        }
        Durability::Synced => "on disk before the acknowledgement",
    };
    words.to_owned()
}

/// Whose answer counts, in words.
pub(super) fn whose(ack: Ack) -> &'static str {
    match ack {
        Ack::None => "nobody's",
        Ack::Leader => "one server's",
        Ack::Quorum => "most replicas'",
        Ack::All => "all replicas' in sync",
    }
}

impl Cell<'_> {
    /// Whose, what and at which rate.
    pub(super) fn label(&self) -> String {
        let words = [self.several.then(|| self.target.clone()), Some(self.asked())];
        let label = words.into_iter().flatten().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" · ");
        if self.of.valid || !self.of.ran() { label } else { format!("VOID {label}") }
    }

    /// What and at which rate: the same of all targets.
    pub(super) fn asked(&self) -> String {
        let at = self.of.offered_per_s.map(|rate| format!("{}/s", grouped(rate.round() as u64)));
        let words = [Some(self.name.clone()), at].into_iter().flatten().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" · ")
    }

    /// Whose and what, for all rates of it.
    pub(super) fn without_rate(&self) -> String {
        match (self.several, self.name.is_empty()) {
            (true, true) => self.target.clone(),
            (true, false) => format!("{} · {}", self.target, self.name),
            (false, _) => self.name.clone(),
        }
    }

    /// Of each repeat, in their order; what is not a number where it failed.
    pub(super) fn by_repeat(&self, of: impl Fn(&Repeat) -> Option<f64>) -> Vec<f64> {
        let value = |repeat: &Repeat| if repeat.failure.is_none() { of(repeat) } else { None };
        self.of.repeats.iter().map(|repeat| value(repeat).unwrap_or(f64::NAN)).collect()
    }

    /// By which it is compared with others of its tier and rate: records a second or, at a rate, the 99th percentile.
    pub(super) fn scores(&self) -> Vec<f64> {
        match self.of.offered_per_s {
            None => self.by_repeat(|repeat| Some(repeat.achieved_per_s())),
            Some(_) => self.by_repeat(|repeat| repeat.latency_us.p99),
        }
    }

    /// Least first is best first: the 99th percentile at a rate, else the negative of its records a second; what does not count is last.
    pub(super) fn merit(&self) -> f64 {
        match self.of.offered_per_s {
            _ if !self.of.valid => f64::MAX,
            None => -self.of.achieved_per_s.unwrap_or(0.0),
            Some(_) => self.of.latency_us.p99.unwrap_or(f64::MAX),
        }
    }

    /// Its score as a multiple of another one's, repeat by repeat, with bounds that also leave room for what equals differ by.
    pub(super) fn times(&self, other: &Cell<'_>) -> Option<Interval> {
        Some(ratio(&self.scores(), &other.scores())?.beyond(self.floor.as_ref()))
    }

    /// The raw histograms of the repeats that ran to their end.
    pub(super) fn logs(&self) -> Result<Vec<(&Repeat, HdrLog)>, ReportError> {
        let kept = self.of.whole().filter_map(|repeat| Some((repeat, repeat.histograms.as_ref()?)));
        kept.map(|(repeat, file)| Ok((repeat, file.read(self.directory)?))).collect()
    }
}

/// What differs among cells.
struct Varied {
    settings: BTreeSet<String>,
    shape: [bool; 4],
    record: bool,
    arrival: bool,
}

impl Varied {
    fn among(cells: &[&RunCell]) -> Varied {
        let differs = |of: &dyn Fn(&RunCell) -> String| cells.windows(2).any(|two| of(two[0]) != of(two[1]));
        let names: BTreeSet<&String> = cells.iter().flat_map(|cell| cell.settings.keys()).collect();
        let value = |cell: &RunCell, name: &str| cell.settings.get(name).cloned().unwrap_or_default();
        let varied: BTreeSet<String> =
            names.iter().filter(|name| differs(&|cell| value(cell, name))).map(|name| (*name).clone()).collect();
        // What is asked of all does not reach those whose clients have other settings.
        let reaches = |name: &&&String| cells.iter().all(|cell| cell.client_config.contains_key(**name));
        let usual = || {
            let usual = names.iter().filter(|name| USUAL.contains(&name.as_str())).filter(reaches);
            usual.map(|name| (*name).clone()).collect()
        };
        Varied {
            settings: if varied.is_empty() { usual() } else { varied },
            shape: [0, 1, 2, 3].map(|part: usize| differs(&|cell| shape(cell)[part].1.to_string())),
            record: differs(&|cell| format!("{:.0}", cell.payload.record_bytes)),
            arrival: differs(&|cell| if cell.offered_per_s.is_some() { cell.arrival.clone() } else { String::new() })
                && cells.iter().any(|cell| cell.arrival == "closed"),
        }
    }

    fn name(&self, cell: &RunCell) -> String {
        // In the order in which people say them, then the others.
        let usual = USUAL.iter().map(|name| (*name).to_owned()).filter(|name| self.settings.contains(name));
        let others = self.settings.iter().filter(|name| !USUAL.contains(&name.as_str())).cloned();
        let settings = usual.chain(others).filter_map(|name| Some(said(&name, cell.settings.get(&name)?)));
        let shape = shape(cell).into_iter().zip(self.shape).filter(|(_, varies)| *varies);
        let shape = shape.map(|((name, count), _)| format!("{count} {name}"));
        let record = self.record.then(|| format!("{:.0} B", cell.payload.record_bytes));
        let arrival = self.arrival.then(|| cell.arrival.clone());
        settings.chain(shape).chain(record).chain(arrival).collect::<Vec<_>>().join(" · ")
    }
}

fn shape(cell: &RunCell) -> [(&'static str, usize); 4] {
    let shape = &cell.shape;
    [
        ("topics", shape.topics),
        ("partitions", shape.partitions),
        ("producers", shape.producers),
        ("consumers", shape.consumers),
    ]
}

/// A setting as a table says it.
pub(super) fn said(name: &str, value: &str) -> String {
    match (name, value.parse::<usize>()) {
        ("batch.size", Ok(size)) => bytes(size),
        ("linger.ms", Ok(ms)) => format!("{ms} ms"),
        ("compression.type" | "durability", _) => value.to_owned(),
        _ => format!("{name}={value}"),
    }
}
