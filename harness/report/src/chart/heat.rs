//! A heat map: a square for each row and column, from dark blue to yellow (cividis: colour-blind eyes see the same steps).

use super::{Canvas, Chart, HALF, LETTER, room};

const ROW: f64 = 20.0;
const TOP: f64 = 20.0;
/// From which share on a square has the next colour.
const STEPS: [f64; 6] = [0.1, 0.25, 0.5, 0.7, 0.85, 0.95];

/// What is shown.
#[derive(Debug, Clone)]
pub(crate) struct Heat {
    /// What it is.
    pub(crate) title: String,
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    /// Name of each row, and its squares.
    pub(crate) rows: Vec<(String, Vec<Option<Square>>)>,
}

/// One square.
#[derive(Debug, Clone)]
pub(crate) struct Square {
    /// Of the best in its column: decides the colour.
    pub(crate) share: f64,
    /// Nobody is better for certain.
    pub(crate) best: bool,
    /// Written in it.
    pub(crate) text: String,
}

/// The colour of a share, from dark (0) to bright (6).
pub(super) fn step(share: f64) -> usize {
    STEPS.iter().filter(|step| share >= **step).count()
}

/// The map.
pub(crate) fn heat(map: &Heat) -> Chart {
    let left = room(map.rows.iter().map(|row| row.0.as_str()), LETTER);
    let width = (HALF - left) / map.columns.len().max(1) as f64;
    let mut canvas = Canvas::new(HALF);
    for (column, name) in map.columns.iter().enumerate() {
        canvas.text("tick", (left + width * (column as f64 + 0.5), TOP - 6.0), "middle", name);
    }
    for (row, (name, squares)) in map.rows.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        canvas.text("label", (left - 8.0, y + 14.0), "end", name);
        for (column, (square, column_name)) in squares.iter().zip(&map.columns).enumerate() {
            let at = (left + width * column as f64 + 1.0, y + 1.0);
            let size = (width - 2.0, ROW - 2.0);
            let Some(square) = square else {
                canvas.rect("gone", at, size, "");
                continue;
            };
            let step = step(square.share);
            let hover = format!("{name}, {column_name}: {:.0} % of the best", square.share * 100.0);
            canvas.rect(&format!("h{step}"), at, size, &hover);
            let ink = if step >= 4 { "dark" } else { "pale" };
            let weight = if square.best { " strong" } else { "" };
            let middle = (at.0 + size.0 / 2.0, at.1 + 13.0);
            canvas.text(&format!("note {ink}{weight}"), middle, "middle", &square.text);
        }
    }
    canvas.finish(TOP + ROW * map.rows.len() as f64 + 4.0, &map.title)
}
