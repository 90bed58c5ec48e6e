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
.grid{stroke:var(--line)}.axis{stroke:var(--dim)}.band{fill:var(--dim);fill-opacity:.12}.bar{fill:var(--c1)}.bar.second{fill:var(--c2)}.cut{stroke:var(--cut);stroke-width:4}
.range{stroke:var(--soft);stroke-width:6;stroke-linecap:round}.median{fill:var(--c1)}.p99{fill:var(--c2)}.max{stroke:var(--dim);stroke-width:2}
.reach{stroke:var(--c1);stroke-width:2}.reach.grey{stroke:var(--rest)}.spot{fill:var(--c1)}.spot.grey{fill:var(--rest)}.spot.faint{fill-opacity:.6}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.dashed{stroke-dasharray:5 4}.lead{stroke-width:1;stroke-opacity:.6}.hollow{fill:var(--card);stroke-width:1.5}.ring{fill:none;stroke-width:1.5}.limit{stroke:var(--c2);stroke-dasharray:2 3}
.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}.s0{stroke:var(--rest)}.line.s0{stroke-width:1.2;stroke-opacity:.75}
.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}.f5{fill:var(--c5)}.f0{fill:var(--rest)}
svg text.f1{fill:var(--c1)}svg text.f2{fill:var(--c2)}svg text.f3{fill:var(--c3)}svg text.f4{fill:var(--c4)}svg text.f5{fill:var(--c5)}
.h0{fill:#00224e}.h1{fill:#2a3f6d}.h2{fill:#4f576c}.h3{fill:#737274}.h4{fill:#a29a71}.h5{fill:#cfbd5c}.h6{fill:#fee838}.gone{fill:none;stroke:var(--line)}
svg text.pale{fill:#fff}svg text.dark{fill:#111}
";

/// The colours of a file: each has a contrast of at least 3 to white and to near-black, told apart by colour-blind eyes.
const FILE_COLOURS: &str = "svg{--cut:#76808c;--ink:#76808c;--dim:#808a95;--line:#8a94a04d;--card:none;--rest:#9099a3;--soft:#7fb0c8;--c1:#2f86b5;--c2:#cf6a1e;--c3:#1f9670;--c4:#b85f9c;--c5:#8a7a1f}";

/// Colours for lines; whoever comes later is grey.
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

    /// A file that stands alone.
    pub(crate) fn file(&self) -> String {
        let Chart { width, height, shapes, .. } = self;
        let title = escape(&self.title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" width=\"{width}\" height=\"{height:.0}\" role=\"img\"><title>{title}</title><style>{FILE_COLOURS}{SHAPES}</style>{shapes}</svg>\n"
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
