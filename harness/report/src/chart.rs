//! Charts as inline SVG. Colours are CSS variables: the page's theme decides.

use std::fmt::Write as _;

use crate::html::escape;

const WIDTH: f64 = 880.0;
const LABEL: f64 = 250.0;
const ROW: f64 = 26.0;
const MARGIN: f64 = 70.0;

/// Horizontal bars, longest first as given.
pub(crate) fn bars(rows: &[(String, f64, String)], unit: &str) -> String {
    let most = rows.iter().map(|row| row.1).fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW * rows.len() as f64 + 34.0;
    let scale = (WIDTH - LABEL - MARGIN) / most;
    let mut out = open(height, &format!("Bars in {unit}"));
    for tick in ticks(most) {
        let x = LABEL + tick * scale;
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"4\" y2=\"{:.1}\"/><text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick:.0}</text>",
            height - 26.0,
            height - 12.0
        );
    }
    for (index, (name, value, note)) in rows.iter().enumerate() {
        let y = 6.0 + ROW * index as f64;
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect class=\"bar\" x=\"{LABEL}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"17\" rx=\"2\"/><text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LABEL - 8.0,
            y + 13.0,
            escape(name),
            (value * scale).max(1.0),
            LABEL + value * scale + 6.0,
            y + 13.0,
            escape(note)
        );
    }
    let _ = write!(
        out,
        "<text class=\"tick\" x=\"{WIDTH}\" y=\"{:.1}\" text-anchor=\"end\">{unit}</text></svg>",
        height - 12.0
    );
    out
}

/// From the median to the 99th percentile of each row, on a logarithmic scale of milliseconds; a mark at the longest.
pub(crate) fn ranges(rows: &[(String, Option<f64>, Option<f64>, f64)]) -> String {
    let low = rows.iter().filter_map(|row| row.1).fold(1.0, f64::min).max(0.001);
    let high = rows.iter().map(|row| row.3).fold(10.0, f64::max);
    let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
    let height = ROW * rows.len() as f64 + 34.0;
    let x_of =
        |ms: f64| LABEL + (ms.max(low).log10() - low.log10()) / (high.log10() - low.log10()) * (WIDTH - LABEL - 30.0);
    let mut out = open(height, "Latencies from the median to the 99th percentile, milliseconds on a logarithmic scale");
    let mut tick = low;
    while tick <= high * 1.01 {
        let x = x_of(tick);
        let text = if tick < 1.0 { format!("{tick}") } else { format!("{tick:.0}") };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"4\" y2=\"{:.1}\"/><text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text} ms</text>",
            height - 26.0,
            height - 12.0
        );
        tick *= 10.0;
    }
    for (index, (name, median, p99, max)) in rows.iter().enumerate() {
        let y = 14.0 + ROW * index as f64;
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LABEL - 8.0,
            y + 4.0,
            escape(name)
        );
        let worst = x_of(*max);
        let _ = write!(out, "<path class=\"max\" d=\"M{worst:.1} {:.1}v10\"/>", y - 5.0);
        if let (Some(median), Some(p99)) = (median, p99) {
            let (from, to) = (x_of(*median), x_of(*p99));
            let _ = write!(
                out,
                "<line class=\"range\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><circle class=\"median\" cx=\"{from:.1}\" cy=\"{y:.1}\" r=\"5\"/><circle class=\"p99\" cx=\"{to:.1}\" cy=\"{y:.1}\" r=\"5\"/>"
            );
        }
    }
    out.push_str("</svg>");
    out
}

fn open(height: f64, title: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><title>{}</title>", escape(title))
}

/// Four or so round numbers up to `most`.
fn ticks(most: f64) -> Vec<f64> {
    let rough = most / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough).unwrap_or(power);
    (0..).map(|n| f64::from(n) * step).take_while(|tick| *tick <= most).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(super::ticks(430.0), [0.0, 200.0, 400.0]);
        assert_eq!(super::ticks(7.9), [0.0, 2.0, 4.0, 6.0]);
    }
}
