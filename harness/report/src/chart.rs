//! A chart: shapes on a canvas whose colours are classes, so that a page decides on its own and a file carries fixed ones.

mod bars;
mod course;
mod curves;
mod drift;
mod facets;
mod heat;
mod places;
mod ranges;
mod scale;

use std::fmt::Write as _;

pub(crate) use bars::{Bar, bars};
pub(crate) use course::{Course, Moment, course};
pub(crate) use curves::{Curves, Line, Point, curves};
pub(crate) use drift::{Turn, drift};
pub(crate) use facets::{Facets, facets};
pub(crate) use heat::{Heat, Square, heat};
pub(crate) use places::{Place, places};
pub(crate) use ranges::ranges;
pub(crate) use scale::named;

use crate::document::escape;

/// As wide as a page's text.
const WIDE: f64 = 880.0;
/// Two beside each other.
const HALF: f64 = 440.0;

/// What the shapes look like, on a page and in a file.
pub(crate) const SHAPES: &str = "\
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .tick,svg .note{fill:var(--dim);font-size:11px}svg .strong{font-weight:700}svg .lost{fill:var(--dim)}
.ground{fill:var(--card)}.grid{stroke:var(--line)}.axis{stroke:var(--dim)}.band{fill:var(--dim);fill-opacity:.12}.bar{fill:var(--c1)}.bar.second{fill:var(--c2)}.cut{stroke:var(--card);stroke-width:4}
.range{stroke:var(--soft);stroke-width:6;stroke-linecap:round}.median{fill:var(--c1)}.p99{fill:var(--c2)}.max{stroke:var(--dim);stroke-width:2}
.reach{stroke:var(--c1);stroke-width:2}.reach.grey{stroke:var(--rest)}.spot{fill:var(--c1)}.spot.grey{fill:var(--rest)}.spot.faint{fill-opacity:.6}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.dashed{stroke-dasharray:5 4}.lead{stroke-width:1;stroke-opacity:.6}.hollow{fill:var(--card);stroke-width:1.5}.ring{fill:none;stroke-width:1.5}.limit{stroke:var(--c2);stroke-dasharray:2 3}
.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}.s0{stroke:var(--rest)}.line.s0{stroke-width:1.2;stroke-opacity:.75}
.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}.f5{fill:var(--c5)}.f0{fill:var(--rest)}
svg text.f1{fill:var(--c1)}svg text.f2{fill:var(--c2)}svg text.f3{fill:var(--c3)}svg text.f4{fill:var(--c4)}svg text.f5{fill:var(--c5)}
.h0{fill:#00224e}.h1{fill:#2a3f6d}.h2{fill:#4f576c}.h3{fill:#737274}.h4{fill:#a29a71}.h5{fill:#cfbd5c}.h6{fill:#fee838}.gone{fill:none;stroke:var(--line)}
svg text.pale{fill:#fff}svg text.dark{fill:#111}
";

/// The colours by day: text has a contrast of at least 4.5 to what is behind it, lines are told apart by colour-blind eyes.
pub(crate) const LIGHT: &str = "--ink:#1c2430;--dim:#5d6b7a;--paper:#fbfbf9;--card:#fff;--line:#e3e5e1;--soft:#9cc3d5;--rest:#a3adb6;--bad:#b3261e;--c1:#1f6f9c;--c2:#b9530f;--c3:#14805e;--c4:#a2478a;--c5:#75670f";

/// The colours by night.
pub(crate) const DARK: &str = "--ink:#e4e8ec;--dim:#98a5b3;--paper:#14181d;--card:#1b2128;--line:#2c343d;--soft:#35586a;--rest:#6d7884;--bad:#ff8a80;--c1:#5fb0d8;--c2:#ef9a5c;--c3:#4fc39a;--c4:#dc8fc6;--c5:#cdbc55";

/// Between the shapes of a file and its edge.
const MARGIN: f64 = 10.0;

/// Colours for lines.
pub(crate) const COLOURS: usize = 5;

/// A finished chart.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    width: f64,
    height: f64,
    title: String,
    shapes: String,
}

impl Chart {
    /// Part of a page that holds [`SHAPES`].
    pub(crate) fn inline(&self) -> String {
        let Chart { width, height, shapes, .. } = self;
        let title = escape(&self.title);
        format!("<svg viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-label=\"{title}\">{shapes}</svg>")
    }

    /// A file that stands alone, on a ground of its own: what shows it may be light or dark.
    pub(crate) fn file(&self) -> String {
        let Chart { width, height, shapes, .. } = self;
        let title = escape(&self.title);
        let (width, height, edge) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN, -MARGIN);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{edge} {edge} {width} {height:.0}\" width=\"{width}\" height=\"{height:.0}\" role=\"img\"><title>{title}</title><style>svg{{{LIGHT}}}@media (prefers-color-scheme:dark){{svg{{{DARK}}}}}{SHAPES}</style><rect class=\"ground\" x=\"{edge}\" y=\"{edge}\" width=\"{width}\" height=\"{height:.0}\"/>{shapes}</svg>\n"
        )
    }

    /// Whether two of them fit beside each other.
    pub(crate) fn is_half(&self) -> bool {
        self.width <= HALF
    }
}

/// What shapes are put on. Positions are in pixels from the upper left corner.
struct Canvas {
    width: f64,
    shapes: String,
}

impl Canvas {
    fn new(width: f64) -> Canvas {
        Canvas { width, shapes: String::new() }
    }

    /// `anchor` is `start`, `middle` or `end`.
    fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = escape(text);
        // Writing to a string can't fail.
        let _ = write!(
            self.shapes,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = write!(
            self.shapes,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), hover: &str) {
        let _ = write!(
            self.shapes,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\">{}</rect>",
            title(hover)
        );
    }

    /// A rectangle without gaps to its neighbours.
    fn tile(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let _ = write!(
            self.shapes,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" shape-rendering=\"crispEdges\"/>"
        );
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, hover: &str) {
        let _ = write!(
            self.shapes,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\">{}</circle>",
            title(hover)
        );
    }

    /// A circle, a square, a diamond or a triangle, and so on: told apart without colour.
    fn mark(&mut self, shape: usize, class: &str, (x, y): (f64, f64), radius: f64, hover: &str) {
        let (flat, long) = (radius * 0.9, radius * 1.35);
        let corners = match shape % 4 {
            1 => vec![(-flat, -flat), (flat, -flat), (flat, flat), (-flat, flat)],
            2 => vec![(0.0, -long), (long, 0.0), (0.0, long), (-long, 0.0)],
            3 => vec![(0.0, -long), (long, radius), (-long, radius)],
            _ => return self.dot(class, (x, y), radius, hover),
        };
        let corners: Vec<String> =
            corners.iter().map(|(right, down)| format!("{:.1},{:.1}", x + right, y + down)).collect();
        let corners = corners.join(" ");
        let _ = write!(self.shapes, "<polygon class=\"{class}\" points=\"{corners}\">{}</polygon>", title(hover));
    }

    fn path(&mut self, class: &str, points: &[(f64, f64)], hover: &str) {
        let steps: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let steps = steps.join(" ");
        let _ = write!(self.shapes, "<polyline class=\"{class}\" points=\"{steps}\">{}</polyline>", title(hover));
    }

    fn finish(self, height: f64, title: &str) -> Chart {
        Chart { width: self.width, height, title: title.to_owned(), shapes: self.shapes }
    }
}

/// What is shown when a pointer rests on a shape.
fn title(hover: &str) -> String {
    if hover.is_empty() { String::new() } else { format!("<title>{}</title>", escape(hover)) }
}

/// Pixels of a letter at 12 px, in the widest of the usual system fonts: on average, and bold.
const LETTER: f64 = 7.2;
const BOLD_LETTER: f64 = 8.2;

/// Room for the longest of some names, with a gap beside it.
fn room<'a>(names: impl Iterator<Item = &'a str>, letter: f64) -> f64 {
    names.map(|name| name.chars().count()).max().unwrap_or(0) as f64 * letter + 8.0
}

/// Moves labels apart, down from the first, until each has `height` of its own, and back up where that leads below `bottom`.
fn spread(wanted: &mut [f64], height: f64, bottom: f64) {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut free = f64::MIN;
    for &label in &order {
        wanted[label] = wanted[label].max(free);
        free = wanted[label] + height;
    }
    let mut ceiling = bottom;
    for &label in order.iter().rev() {
        wanted[label] = wanted[label].min(ceiling);
        ceiling = wanted[label] - height;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_would_overlap_are_moved_apart_and_stay_within() {
        let mut labels = [50.0, 48.0, 98.0, 99.0];
        spread(&mut labels, 12.0, 100.0);
        assert_eq!(labels, [60.0, 48.0, 88.0, 100.0]);
    }

    /// Relative luminance (WCAG 2).
    fn luminance(colour: &str) -> f64 {
        let digits = colour.trim_start_matches('#');
        let digits: String =
            if digits.len() == 3 { digits.chars().flat_map(|c| [c, c]).collect() } else { digits.into() };
        let part = |at: usize| {
            let share = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_can_be_read_by_day_and_by_night() {
        for theme in [LIGHT, DARK] {
            let colours: Vec<(&str, &str)> = theme.split(';').map(|pair| pair.split_once(':').unwrap()).collect();
            let colour = |name: &str| colours.iter().find(|colour| colour.0 == name).unwrap().1;
            for text in ["--ink", "--dim", "--bad", "--c1", "--c2", "--c3", "--c4", "--c5"] {
                for behind in ["--paper", "--card"] {
                    let found = contrast(colour(text), colour(behind));
                    assert!(found >= 4.5, "{text} on {behind}: {found:.2}");
                }
            }
        }
        for step in 0..7 {
            let fill = SHAPES.split(&format!(".h{step}{{fill:")).nth(1).unwrap().split('}').next().unwrap();
            let found = contrast(fill, if step >= 4 { "#111" } else { "#fff" });
            assert!(found >= 4.5, "a square of step {step}: {found:.2}");
        }
    }

    #[test]
    fn a_file_stands_alone_and_a_name_can_not_break_out_of_it() {
        let mut canvas = Canvas::new(HALF);
        canvas.text("label", (1.0, 2.0), "start", "<script>&");
        let chart = canvas.finish(20.0, "a \"title\"");
        let file = chart.file();
        assert!(file.starts_with("<svg xmlns=") && file.contains("<style>") && file.contains("&lt;script&gt;&amp;"));
        assert!(!chart.inline().contains("http") && chart.inline().contains("a &quot;title&quot;"));
    }
}
