//! The noise floor of runs: how far equals lie apart in them, figure by figure. No smaller difference counts.

use std::collections::BTreeMap;

use ringbench_stats::{Floor, halves, twins};
use serde::{Deserialize, Serialize};

use super::{Repeat, Run, RunCell, Target};

/// Settings that say who and where a broker is, not how it works.
const PLACES: [&str; 7] = ["listener", "dir", "port", "host", "node.id", "broker.id", "voters"];

/// By how much equals differ in what was measured; `None` of figures that fewer than two A/A pairs have.
///
/// The pairs cost no run of their own: of each cell that counts the even repeats stand against the odd ones, and where a run has a
/// product twice with the same settings, each cell of the one against that of the other. Records a second are those of cells that
/// went as fast as they go, latencies those of cells that kept their rate, or where too few did, of all that had one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// Of acknowledged records a second.
    pub achieved_per_s: Option<Floor>,
    /// Of megabytes a second that consumers got.
    pub received_mb_per_s: Option<Floor>,
    /// Of the median latency of a repeat.
    pub p50_us: Option<Floor>,
    /// Of its 99th percentile.
    pub p99_us: Option<Floor>,
    /// Of processor seconds of the broker for a million acknowledged records.
    pub broker_cpu_s_per_million: Option<Floor>,
    /// Of those of the client.
    pub client_cpu_s_per_million: Option<Floor>,
}

impl NoiseFloor {
    /// Of all cells of one run, or of several that are held against each other.
    #[must_use]
    pub fn of(runs: &[&Run]) -> NoiseFloor {
        let repeats = runs.iter().map(|run| run.repeats).max().unwrap_or(0);
        let floor = |counts: fn(&RunCell) -> bool, value: fn(&Repeat) -> Option<f64>| {
            let values =
                |cell: &RunCell| -> Vec<f64> { cell.whole().map(|one| value(one).unwrap_or(f64::NAN)).collect() };
            let cells = || runs.iter().flat_map(|run| &run.cells).filter(|cell| cell.valid && counts(cell));
            let of_halves: Vec<f64> = cells().filter_map(|cell| halves(&values(cell))).collect();
            let pairs = runs.iter().flat_map(|run| twins_of(run)).filter(|(one, _)| counts(one));
            let of_twins: Vec<f64> = pairs.filter_map(|(one, other)| twins(&values(one), &values(other))).collect();
            Floor::of(&of_halves, &of_twins, repeats)
        };
        let at_most: fn(&RunCell) -> bool = |cell| cell.offered_per_s.is_none();
        let at_a_rate: fn(&RunCell) -> bool = |cell| cell.offered_per_s.is_some();
        // What is more than a target can do takes any time; where nobody can do it, that is all there is.
        let kept: fn(&RunCell) -> bool = |cell| cell.offered_per_s.is_some() && cell.kept_rate();
        let latency = |value: fn(&Repeat) -> Option<f64>| floor(kept, value).or_else(|| floor(at_a_rate, value));
        NoiseFloor {
            achieved_per_s: floor(at_most, |repeat| Some(repeat.achieved_per_s())),
            received_mb_per_s: floor(at_most, Repeat::received_mb_per_s),
            p50_us: latency(|repeat| repeat.latency_us.p50),
            p99_us: latency(|repeat| repeat.latency_us.p99),
            broker_cpu_s_per_million: floor(|_| true, Repeat::broker_cpu_s_per_million),
            client_cpu_s_per_million: floor(|_| true, Repeat::client_cpu_s_per_million),
        }
    }
}

/// Cells that were asked for the same of two targets that are alike.
fn twins_of(run: &Run) -> Vec<(&RunCell, &RunCell)> {
    let mut pairs = Vec::new();
    for (at, cell) in run.cells.iter().enumerate().filter(|(_, cell)| cell.valid) {
        let is_twin = |other: &&RunCell| {
            other.valid
                && (&other.key, &other.declared, &other.broker_config)
                    == (&cell.key, &cell.declared, &cell.broker_config)
                && run.target(cell).zip(run.target(other)).is_some_and(|(one, other)| are_alike(one, other))
        };
        // The next one only: of three that are alike the first and the third say nothing that these two pairs do not.
        pairs.extend(run.cells[at + 1..].iter().find(is_twin).map(|twin| (cell, twin)));
    }
    pairs
}

/// Whether two targets are one product with the same settings: one broker named twice, or two that say the same of themselves.
fn are_alike(one: &Target, other: &Target) -> bool {
    let settings = |target: &Target| -> BTreeMap<String, String> {
        let is_place = |name: &str| PLACES.iter().any(|place| name.contains(place));
        target.config.clone().into_iter().filter(|(name, _)| !is_place(name)).collect()
    };
    let same_settings = !one.config.is_empty() && settings(one) == settings(other);
    one.name != other.name && one.product == other.product && (one.url == other.url || same_settings)
}
