//! From the median to the 99th percentile, on a logarithmic scale.

use super::scale::{Scale, named};
use super::{Canvas, Chart, LETTER, WIDE, room};

const ROW: f64 = 26.0;

/// Name, median, 99th percentile and longest of each row, in milliseconds; a mark at the longest.
pub(crate) fn ranges(title: &str, rows: &[(String, Option<f64>, Option<f64>, f64)]) -> Chart {
    let left = room(rows.iter().map(|row| row.0.as_str()), LETTER);
    let values = rows.iter().flat_map(|(_, median, p99, max)| [*median, *p99, Some(*max)]).flatten();
    let scale = Scale::logarithmic(values, left, WIDE - 30.0);
    let bottom = 8.0 + ROW * rows.len() as f64;
    let mut canvas = Canvas::new(WIDE);
    for tick in scale.ticks(6) {
        let x = scale.at(tick);
        canvas.line("grid", (x, 4.0), (x, bottom));
        canvas.text("tick", (x, bottom + 14.0), "middle", &format!("{} ms", named(tick)));
    }
    for (index, (name, median, p99, max)) in rows.iter().enumerate() {
        let y = 14.0 + ROW * index as f64;
        canvas.text("label", (left - 8.0, y + 4.0), "end", name);
        let worst = scale.at(*max);
        canvas.line("max", (worst, y - 5.0), (worst, y + 5.0));
        if let (Some(median), Some(p99)) = (median, p99) {
            let (from, to) = (scale.at(*median), scale.at(*p99));
            canvas.line("range", (from, y), (to, y));
            canvas.dot("median", (from, y), 5.0, "");
            canvas.mark(2, "p99", (to, y), 4.5, "");
        }
    }
    canvas.finish(bottom + 20.0, title)
}
