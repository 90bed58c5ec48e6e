//! Curves on logarithmic axes, each named at its end.

use super::scale::Scale;
use super::{COLOURS, Canvas, Chart, HALF, LETTER, WIDE, room, spread};

const TOP: f64 = 20.0;
const BOTTOM: f64 = 250.0;
const LEFT: f64 = 52.0;
/// Height of a label at the end of a curve.
const LABEL: f64 = 13.0;
/// A line has so many marks at most.
const MARKS: usize = 16;

/// What the axes are.
#[derive(Debug, Clone)]
pub(crate) struct Curves {
    /// What is shown.
    pub(crate) title: String,
    /// Below the horizontal axis.
    pub(crate) x: &'static str,
    /// Above the vertical one.
    pub(crate) y: &'static str,
    /// What a value on the vertical axis is called.
    pub(crate) y_named: fn(f64) -> String,
    /// The values to mark on the horizontal axis, and what they are called.
    pub(crate) marks: Vec<(f64, String)>,
    /// A value that is a limit, and what it is called.
    pub(crate) limit: Option<(f64, String)>,
    /// Whether it takes the whole width.
    pub(crate) wide: bool,
}

/// One curve.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// At its end, unless it is grey or dashed.
    pub(crate) name: String,
    /// From 1: up to 20 have each a colour and a shape that no other has both of; 0 is grey, without a shape.
    pub(crate) colour: usize,
    /// A second curve of the same name.
    pub(crate) dashed: bool,
    /// From left to right.
    pub(crate) points: Vec<Point>,
}

/// One point of a curve.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// Where.
    pub(crate) x: f64,
    /// How much.
    pub(crate) y: f64,
    /// Drawn as a ring: it does not mean what the others do.
    pub(crate) hollow: bool,
    /// Written beside it; usually empty.
    pub(crate) label: &'static str,
    /// Shown when a pointer rests on it.
    pub(crate) note: String,
}

/// Grey curves first, so that the coloured ones lie above.
pub(crate) fn curves(axes: &Curves, lines: &[Line]) -> Chart {
    let labelled = |line: &&Line| line.colour > 0 && !line.dashed && !line.points.is_empty();
    let width = if axes.wide { WIDE } else { HALF };
    let right = width - room(lines.iter().filter(labelled).map(|line| line.name.as_str()), LETTER) - 14.0;
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Scale::logarithmic(points().map(|point| point.x), LEFT, right);
    let limit = axes.limit.iter().map(|limit| limit.0);
    let y = Scale::logarithmic(points().map(|point| point.y).chain(limit), BOTTOM, TOP);
    let mut canvas = Canvas::new(width);
    for tick in y.ticks(7) {
        canvas.line("grid", (LEFT, y.at(tick)), (right, y.at(tick)));
        canvas.text("tick", (LEFT - 6.0, y.at(tick) + 4.0), "end", &(axes.y_named)(tick));
    }
    let mut free = f64::MIN;
    for (value, name) in &axes.marks {
        let (at, half) = (x.at(*value), room(std::iter::once(name.as_str()), LETTER) / 2.0);
        canvas.line("grid", (at, TOP), (at, BOTTOM));
        if at - half >= free {
            canvas.text("tick", (at, BOTTOM + 15.0), "middle", name);
            free = at + half;
        }
    }
    canvas.text("tick", (4.0, 11.0), "start", axes.y);
    canvas.text("tick", (right, BOTTOM + 30.0), "end", axes.x);
    if let Some((value, name)) = &axes.limit {
        canvas.line("limit", (LEFT, y.at(*value)), (right, y.at(*value)));
        canvas.text("note", (LEFT + 4.0, y.at(*value) - 4.0), "start", name);
    }
    let mut ordered: Vec<&Line> = lines.iter().collect();
    ordered.sort_by_key(|line| line.colour > 0);
    for line in &ordered {
        draw(&mut canvas, line, x, y);
    }
    let named: Vec<&Line> = ordered.into_iter().filter(labelled).collect();
    let ends: Vec<(f64, f64)> =
        named.iter().filter_map(|line| line.points.last()).map(|end| (x.at(end.x), y.at(end.y))).collect();
    let mut places: Vec<f64> = ends.iter().map(|end| end.1).collect();
    spread(&mut places, LABEL, BOTTOM);
    for ((line, end), place) in named.iter().zip(ends).zip(places) {
        let colour = shade(line);
        canvas.line(&format!("lead s{colour}"), (end.0 + 4.0, end.1), (right + 4.0, place));
        canvas.mark(line.colour - 1, &format!("f{colour}"), (right + 8.0, place), 3.0, "");
        canvas.text(&format!("note f{colour}"), (right + 15.0, place + 4.0), "start", &line.name);
    }
    canvas.finish(BOTTOM + 36.0, &axes.title)
}

/// Of the colours that there are.
fn shade(line: &Line) -> usize {
    line.colour.checked_sub(1).map_or(0, |colour| colour % COLOURS + 1)
}

fn draw(canvas: &mut Canvas, line: &Line, x: Scale, y: Scale) {
    let colour = shade(line);
    let places: Vec<(f64, f64)> = line.points.iter().map(|point| (x.at(point.x), y.at(point.y))).collect();
    let class = if line.dashed { format!("line dashed s{colour}") } else { format!("line s{colour}") };
    canvas.path(&class, &places, &line.name);
    // Of a line of many points some are enough to tell whose it is.
    let every = line.points.len().div_ceil(MARKS).max(1);
    for (index, (point, place)) in line.points.iter().zip(places).enumerate() {
        let note = format!("{}: {}", line.name, point.note);
        if let Some(shape) = line.colour.checked_sub(1).filter(|_| index % every == 0) {
            let class = if point.hollow { format!("hollow s{colour}") } else { format!("f{colour}") };
            canvas.mark(shape, &class, place, 3.0, &note);
        } else if point.hollow {
            canvas.dot("hollow s0", place, 3.5, &note);
        }
        if !point.label.is_empty() {
            canvas.dot(&format!("ring s{colour}"), place, 7.0, &note);
            canvas.text("note", (place.0 - 10.0, place.1 - 8.0), "end", point.label);
        }
    }
}
