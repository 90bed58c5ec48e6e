//! Places in a ranking: a dot at the median and a line over its interval; those that share a rank lie on one band.

use super::scale::{Scale, named};
use super::{BOLD_LETTER, Canvas, Chart, HALF, LETTER, room};

const ROW: f64 = 18.0;
const RANK: f64 = 24.0;

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// From 1; `None`: not ranked, and `note` says why.
    pub(crate) rank: Option<usize>,
    /// Who.
    pub(crate) name: String,
    /// Low, median and high.
    pub(crate) interval: Option<(f64, f64, f64)>,
    /// Behind the line.
    pub(crate) note: String,
}

/// Places, best first. A logarithmic axis is for what may differ by orders of magnitude.
pub(crate) fn places(title: &str, unit: &str, rows: &[Place], is_logarithmic: bool) -> Chart {
    let left = RANK + room(rows.iter().map(|row| row.name.as_str()), BOLD_LETTER);
    let ranked = rows.iter().filter(|row| row.interval.is_some());
    let right = (HALF - room(ranked.map(|row| row.note.as_str()), LETTER)).max(left + 40.0);
    let ends = || rows.iter().filter_map(|row| row.interval).flat_map(|(low, _, high)| [low, high]);
    let scale = match is_logarithmic {
        true => Scale::logarithmic(ends(), left, right),
        false => Scale::linear(ends().fold(0.0, f64::max), left, right),
    };
    let bottom = 4.0 + ROW * rows.len() as f64;
    let mut canvas = Canvas::new(HALF);
    for (first, count) in shared(rows) {
        canvas.rect("band", (0.0, 5.0 + ROW * first as f64), (HALF, ROW * count as f64 - 3.0), "not distinguishable");
    }
    for tick in scale.ticks((((right - left) / 50.0) as usize).clamp(2, 5)) {
        let x = scale.at(tick);
        canvas.line("grid", (x, 4.0), (x, bottom));
        let (name, end) = (named(tick), HALF - room(std::iter::once(unit), LETTER));
        if x + room(std::iter::once(name.as_str()), LETTER) / 2.0 < end {
            canvas.text("tick", (x, bottom + 13.0), "middle", &name);
        }
    }
    canvas.text("tick", (HALF, bottom + 13.0), "end", unit);
    for (index, row) in rows.iter().enumerate() {
        let y = 4.0 + ROW * (index as f64 + 0.5);
        let best = row.rank == Some(1);
        let (weight, grey) = if best { ("strong", "") } else { ("lost", " grey") };
        if let Some(rank) = row.rank.filter(|rank| *rank == index + 1) {
            canvas.text("note", (RANK - 6.0, y + 4.0), "end", &rank.to_string());
        }
        canvas.text(weight, (left - 8.0, y + 4.0), "end", &row.name);
        let Some((low, median, high)) = row.interval else {
            canvas.text("note", (left, y + 4.0), "start", &row.note);
            continue;
        };
        canvas.line(&format!("reach{grey}"), (scale.at(low), y), (scale.at(high), y));
        canvas.dot(&format!("spot{grey}"), (scale.at(median), y), 4.0, &row.note);
        canvas.text("note", (scale.at(high) + 7.0, y + 4.0), "start", &row.note);
    }
    canvas.finish(bottom + 18.0, title)
}

/// Where several rows share a rank: the first and how many.
fn shared(rows: &[Place]) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize, usize)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let Some(rank) = row.rank else { continue };
        match groups.last_mut().filter(|group| group.0 == rank) {
            Some(group) => group.2 += 1,
            None => groups.push((rank, index, 1)),
        }
    }
    groups.into_iter().filter(|group| group.2 > 1).map(|(_, first, count)| (first, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_rank_lie_on_one_band() {
        let ranks = [Some(1), Some(1), Some(3), Some(4), Some(4), Some(4), None, None];
        let rows = ranks.map(|rank| Place { rank, name: "x".to_owned(), interval: None, note: String::new() });
        assert_eq!(shared(&rows), [(0, 2), (3, 3)]);
    }
}
