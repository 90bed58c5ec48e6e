//! Horizontal bars, in up to two parts.

use super::scale::{Scale, named};
use super::{Canvas, Chart, HALF, LETTER, WIDE, room};

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

/// Bars in the order given. Where one is several times as long as all others it is cut, so that these can be seen.
pub(crate) fn bars(title: &str, unit: &str, rows: &[Bar], half: bool) -> Chart {
    let width = if half { HALF } else { WIDE };
    let total = |bar: &Bar| bar.parts.iter().sum::<f64>();
    let left = room(rows.iter().map(|bar| bar.name.as_str()), LETTER);
    let right = width - room(rows.iter().map(|bar| bar.note.as_str()), LETTER);
    let scale = Scale::linear(most(rows.iter().map(total).collect()), left, right);
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
        let cut = total(bar) > scale.high();
        for (part, class) in bar.parts.iter().zip(["bar", "bar second"]) {
            sum += part;
            let to = scale.at(sum).max(from + 1.0);
            canvas.rect(class, (from, y), (to - from, 15.0), "");
            from = to;
        }
        if cut {
            canvas.line("cut", (from - 14.0, y + 18.0), (from - 8.0, y - 3.0));
        }
        canvas.text("note", (from + 6.0, y + 12.0), "start", &bar.note);
    }
    canvas.finish(bottom + 20.0, title)
}

/// What the axis must hold.
fn most(mut totals: Vec<f64>) -> f64 {
    totals.sort_by(|a, b| b.total_cmp(a));
    match totals.as_slice() {
        [longest, second, _, ..] if *longest > 3.0 * second && *second > 0.0 => 1.5 * second,
        [longest, ..] => *longest,
        [] => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bar_that_is_much_longer_than_the_others_does_not_hide_them() {
        assert_eq!(most(vec![1.0, 90.0, 2.0]), 3.0);
        assert_eq!(most(vec![1.0, 5.0, 2.0]), 5.0);
        assert_eq!((most(vec![90.0, 1.0]), most(Vec::new())), (90.0, 0.0));
        let bar = |value| Bar { name: "x".to_owned(), parts: vec![value], note: String::new() };
        let cut = |values: &[f64]| {
            let rows: Vec<Bar> = values.iter().copied().map(bar).collect();
            bars("", "", &rows, true).inline().matches("class=\"cut\"").count()
        };
        assert_eq!((cut(&[1.0, 90.0, 2.0]), cut(&[1.0, 5.0, 2.0])), (1, 0));
    }
}
