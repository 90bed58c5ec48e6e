//! What came of each run, in the order in which they ran: a host that drifts shows as a slope or a step.

use super::scale::Scale;
use super::{Canvas, Chart, WIDE};

const TOP: f64 = 10.0;
const BOTTOM: f64 = 170.0;
const LEFT: f64 = 46.0;
/// What lies further from its cell's mean than this factor is drawn at the edge.
const FACTOR: f64 = 3.0;

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// As a multiple of its cell's mean.
    pub(crate) of_mean: f64,
    /// Shown when a pointer rests on it.
    pub(crate) note: String,
}

/// A dot for each run that counted, at its place in the order, and the running median of a tenth of them.
pub(crate) fn drift(title: &str, turns: &[Option<Turn>]) -> Chart {
    let right = WIDE - 10.0;
    let step = (right - LEFT) / turns.len().max(1) as f64;
    let y = Scale::logarithmic([1.0 / FACTOR, FACTOR].into_iter(), BOTTOM, TOP);
    let mut canvas = Canvas::new(WIDE);
    for (tick, name) in [(1.0 / 3.0, "⅓ ×"), (0.5, "½ ×"), (1.0, "1 ×"), (2.0, "2 ×"), (3.0, "3 ×")] {
        canvas.line(if tick == 1.0 { "axis" } else { "grid" }, (LEFT, y.at(tick)), (right, y.at(tick)));
        canvas.text("tick", (LEFT - 6.0, y.at(tick) + 4.0), "end", name);
    }
    let place = |turn: usize| LEFT + (turn as f64 + 0.5) * step;
    for (index, turn) in turns.iter().enumerate() {
        if let Some(turn) = turn {
            canvas.dot("spot faint", (place(index), y.at(turn.of_mean)), 2.6, &turn.note);
        }
    }
    let ran: Vec<(usize, f64)> =
        turns.iter().enumerate().filter_map(|(index, turn)| Some((index, turn.as_ref()?.of_mean))).collect();
    let window = (ran.len() / 10).max(5);
    let medians: Vec<(f64, f64)> = ran
        .windows(window.min(ran.len()).max(1))
        .map(|window| {
            let mut values: Vec<f64> = window.iter().map(|run| run.1).collect();
            values.sort_by(f64::total_cmp);
            (place(window[window.len() / 2].0), y.at(values[values.len() / 2]))
        })
        .collect();
    canvas.path("line s2", &medians, "running median");
    canvas.text("tick", (LEFT, BOTTOM + 15.0), "start", "first run");
    canvas.text("tick", (right, BOTTOM + 15.0), "end", "last run");
    canvas.finish(BOTTOM + 22.0, title)
}
