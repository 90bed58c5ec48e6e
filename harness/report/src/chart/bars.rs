//! Horizontal bars, in up to two parts.

use super::scale::{Scale, named};
use super::{Canvas, Chart, HALF, WIDE, room};

const ROW: f64 = 22.0;

/// One bar.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    /// To its left.
    pub(crate) name: String,
    /// From the left; the second has another colour.
    pub(crate) parts: Vec<f64>,
    /// Behind it.
    pub(crate) note: String,
}

/// Bars in the order given.
pub(crate) fn bars(title: &str, unit: &str, rows: &[Bar], half: bool) -> Chart {
    let width = if half { HALF } else { WIDE };
    let total = |bar: &Bar| bar.parts.iter().sum::<f64>();
    let left = room(rows.iter().map(|bar| bar.name.as_str()));
    let right = width - room(rows.iter().map(|bar| bar.note.as_str()));
    let scale = Scale::linear(rows.iter().map(total).fold(0.0, f64::max), left, right);
    let bottom = 6.0 + ROW * rows.len() as f64;
    let mut canvas = Canvas::new(width);
    for tick in scale.ticks(if half { 3 } else { 4 }) {
        let x = scale.at(tick);
        canvas.line("grid", (x, 4.0), (x, bottom));
        canvas.text("tick", (x, bottom + 14.0), "middle", &named(tick));
    }
    canvas.text("tick", (width, bottom + 14.0), "end", unit);
    for (index, bar) in rows.iter().enumerate() {
        let y = 6.0 + ROW * index as f64;
        canvas.text("label", (left - 8.0, y + 12.0), "end", &bar.name);
        let (mut sum, mut from) = (0.0, left);
        for (part, class) in bar.parts.iter().zip(["bar", "bar second"]) {
            sum += part;
            let to = scale.at(sum).max(from + 1.0);
            canvas.rect(class, (from, y), (to - from, 15.0), "");
            from = to;
        }
        canvas.text("note", (from + 6.0, y + 12.0), "start", &bar.note);
    }
    canvas.finish(bottom + 20.0, title)
}
