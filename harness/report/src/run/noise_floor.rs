//! What is said of the noise floor: how far equals lie apart, so that no smaller difference counts.

use ringbench_stats::Floor;

use super::shown::Shown;
use super::tables::dash;
use crate::document::{Block, Table};
use crate::results::Kind;

/// How often each cell has to run to be split into halves.
const HALVES: usize = 2;

/// For who reads no further: the floor of what is compared here, or that there is none.
pub(super) fn to_keep_in_mind(shown: &Shown<'_>) -> Vec<String> {
    // A search has the noise in its bounds, and what it passed on its way is not compared.
    if shown.runs.iter().all(|(run, _)| run.kind == Kind::MaxRate) {
        return Vec::new();
    }
    let count = |at_a_rate: bool| {
        let compared = |cell: &&super::Cell<'_>| cell.of.valid && cell.of.offered_per_s.is_some() == at_a_rate;
        shown.cells.iter().filter(compared).count()
    };
    let said = |(what, floor, cells): (&str, Option<Floor>, usize)| match floor {
        _ if cells < 2 => None,
        Some(floor) => Some(format!(
            "Noise floor: equals differ by up to {} in {what} (95 of 100 cases, by {} A/A pairs). No smaller difference counts.",
            percent(&floor),
            floor.pairs
        )),
        None => Some(format!("Noise floor: not known of {what}, which takes two A/A pairs. No difference counts.")),
    };
    let floor = &shown.noise_floor;
    let figures = [("records a second", floor.achieved_per_s, count(false)), ("p99", floor.p99_us, count(true))];
    figures.into_iter().filter_map(said).collect()
}

/// Every figure, behind the order of the repeats that it is made from.
pub(super) fn blocks(shown: &Shown<'_>) -> Vec<Block> {
    if shown.cells.iter().all(|cell| cell.of.repeats.len() < HALVES) {
        return Vec::new();
    }
    let floor = &shown.noise_floor;
    let row = |(what, floor): (&str, Option<Floor>)| {
        let said = floor.map_or_else(dash, |floor| format!("less than {}", percent(&floor)));
        vec![what.to_owned(), floor.map_or_else(|| "0 or 1".to_owned(), |floor| floor.pairs.to_string()), said]
    };
    let figures = [
        ("records/s, as fast as it goes", floor.achieved_per_s),
        ("received MB/s, as fast as it goes", floor.received_mb_per_s),
        ("p50 at a rate", floor.p50_us),
        ("p99 at a rate", floor.p99_us),
        ("processor seconds of the target for a million records", floor.broker_cpu_s_per_million),
        ("processor seconds of the client for a million records", floor.client_cpu_s_per_million),
    ];
    let table = Table::new(&["figure", "A/A pairs", "95 of 100 differ by"], figures.map(row).into());
    vec![Block::Part("Noise floor".to_owned()), Block::Text(NOISE_FLOOR.to_owned()), Block::Table(table)]
}

/// How much more the larger of two equals may be.
pub(crate) fn percent(floor: &Floor) -> String {
    format!("{:.1} %", (floor.times - 1.0) * 100.0)
}

const NOISE_FLOOR: &str = "How far equals lie apart here. Each cell that counts is compared with itself, its even repeats with its odd ones (an A/A pair, brought to as many repeats as a cell has); so is a product that ran twice with the same settings. A difference counts where it lies beyond its interval and beyond this floor. Of fewer than two pairs there is none, and nothing counts.";
