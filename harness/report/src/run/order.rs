//! Every repeat at its place in the order in which they ran.

use std::path::Path;

use ringbench_stats::Interval;

use super::figure;
use super::shown::{Cell, Shown};
use super::tables::dash;
use crate::chart::{Turn, drift};
use crate::document::{Block, Figure, Table};
use crate::numbers::digits;
use crate::results::Run;

/// Of all tiers together: each repeat is compared with its own cell only.
pub(super) fn figures(shown: &Shown<'_>) -> Vec<Block> {
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
