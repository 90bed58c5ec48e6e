//! Heat maps beside each other, one for each value of a third setting, all coloured by the same best.

use super::heat::{Square, step};
use super::{Canvas, Chart, LETTER, WIDE, room};

const ROW: f64 = 22.0;
const HEAD: f64 = 44.0;
const GAP: f64 = 14.0;
/// A square is neither narrower nor wider.
const SQUARE: (f64, f64) = (30.0, 64.0);

/// What is shown.
#[derive(Debug, Clone)]
pub(crate) struct Facets {
    /// What it is.
    pub(crate) title: String,
    /// What the columns are of.
    pub(crate) x: String,
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    /// Names of the rows.
    pub(crate) rows: Vec<String>,
    /// Name of each map, and its squares row by row.
    pub(crate) maps: Vec<(String, Vec<Vec<Option<Square>>>)>,
}

/// The maps.
pub(crate) fn facets(all: &Facets) -> Chart {
    let left = room(all.rows.iter().map(String::as_str), LETTER);
    let columns = all.columns.len().max(1) as f64;
    let fit = (((WIDE - left + GAP) / (columns * SQUARE.0 + GAP)) as usize).clamp(1, all.maps.len().max(1));
    let square = (((WIDE - left + GAP) / fit as f64 - GAP) / columns).clamp(SQUARE.0.min(WIDE / columns), SQUARE.1);
    let band = HEAD + ROW * all.rows.len() as f64 + 10.0;
    let mut canvas = Canvas::new(WIDE);
    for (index, (name, squares)) in all.maps.iter().enumerate() {
        let x = left + (index % fit) as f64 * (columns * square + GAP);
        let top = (index / fit) as f64 * band + HEAD;
        canvas.text("strong", (x, top - 26.0), "start", name);
        for (column, name) in all.columns.iter().enumerate() {
            canvas.text("tick", (x + square * (column as f64 + 0.5), top - 7.0), "middle", name);
        }
        for (row, (squares, row_name)) in squares.iter().zip(&all.rows).enumerate() {
            let y = top + ROW * row as f64;
            if index % fit == 0 {
                canvas.text("label", (left - 8.0, y + 15.0), "end", row_name);
            }
            for (column, (found, column_name)) in squares.iter().zip(&all.columns).enumerate() {
                let (at, size) = ((x + square * column as f64 + 1.0, y + 1.0), (square - 2.0, ROW - 2.0));
                let Some(found) = found else {
                    canvas.rect("gone", at, size, "not in the plan");
                    continue;
                };
                let hover = format!("{name}, {row_name}, {} {column_name}: {}", all.x, found.text);
                let step = step(found.share);
                canvas.rect(&format!("h{step}"), at, size, &hover);
                let ink = if step >= 4 { "dark" } else { "pale" };
                let weight = if found.best { " strong" } else { "" };
                canvas.text(&format!("note {ink}{weight}"), (at.0 + size.0 / 2.0, at.1 + 14.0), "middle", &found.text);
            }
        }
    }
    canvas.finish(all.maps.len().div_ceil(fit) as f64 * band, &all.title)
}
