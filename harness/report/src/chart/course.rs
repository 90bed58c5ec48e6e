//! The course of a run: how latencies were spread in each slice of time, and throughput and backlog below, on one axis of time.

use super::scale::{Scale, named};
use super::{Canvas, Chart, WIDE};

const TOP: f64 = 20.0;
const BOTTOM: f64 = 210.0;
const LEFT: f64 = 64.0;
const BANDS: usize = 26;
/// Height of each of the two lines below.
const LANE: f64 = 56.0;
const GAP: f64 = 22.0;

/// What is shown.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    /// What it is.
    pub(crate) title: String,
    /// From first to last.
    pub(crate) moments: Vec<Moment>,
    /// What a latency is called.
    pub(crate) named: fn(f64) -> String,
}

/// One slice of time.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// When it ended. Seconds.
    pub(crate) at_s: f64,
    /// Latencies in microseconds, and how many of each.
    pub(crate) latencies: Vec<(f64, u64)>,
    /// Records a second.
    pub(crate) per_s: f64,
    /// Records that waited at its end.
    pub(crate) backlog: f64,
}

/// The chart.
pub(crate) fn course(all: &Course) -> Chart {
    let right = WIDE - 10.0;
    let end = all.moments.last().map_or(1.0, |moment| moment.at_s);
    let time = Scale::linear(end, LEFT, right);
    let mut canvas = Canvas::new(WIDE);
    let values = all.moments.iter().flat_map(|moment| moment.latencies.iter().map(|latency| latency.0));
    let y = Scale::logarithmic(values, BOTTOM, TOP);
    for tick in y.ticks(6) {
        canvas.line("grid", (LEFT, y.at(tick)), (right, y.at(tick)));
        canvas.text("tick", (LEFT - 6.0, y.at(tick) + 4.0), "end", &(all.named)(tick));
    }
    spread(&mut canvas, all, time, y);
    canvas.text("tick", (4.0, 11.0), "start", "latency of the records acknowledged in each slice; yellow is most");
    let lane = |index: f64| BOTTOM + GAP + index * (LANE + GAP);
    line(&mut canvas, all, time, (lane(0.0), "records/s", "line s1"), |moment| moment.per_s);
    line(
        &mut canvas,
        all,
        time,
        (lane(1.0), "backlog: records that were due and not acknowledged", "line s2"),
        |moment| moment.backlog,
    );
    let foot = lane(2.0) - GAP;
    for tick in time.ticks(8) {
        canvas.text("tick", (time.at(tick), foot + 15.0), "middle", &format!("{} s", named(tick)));
    }
    canvas.finish(foot + 22.0, &all.title)
}

fn spread(canvas: &mut Canvas, all: &Course, time: Scale, y: Scale) {
    let height = (BOTTOM - TOP) / BANDS as f64;
    let bands: Vec<[u64; BANDS]> = all
        .moments
        .iter()
        .map(|moment| {
            let mut bands = [0; BANDS];
            for (us, count) in &moment.latencies {
                let band = ((BOTTOM - y.at(*us)) / height) as usize;
                if let Some(found) = bands.get_mut(band.min(BANDS - 1)) {
                    *found += count;
                }
            }
            bands
        })
        .collect();
    let most = bands.iter().flatten().copied().max().unwrap_or(1).max(2) as f64;
    let mut from = LEFT;
    for (moment, bands) in all.moments.iter().zip(&bands) {
        let to = time.at(moment.at_s);
        for (band, &count) in bands.iter().enumerate().filter(|(_, count)| **count > 0) {
            // A single slow record has to be seen beside a million fast ones.
            let step = ((count as f64).ln() / most.ln() * 6.0).round() as usize;
            let at = (from, BOTTOM - height * (band + 1) as f64);
            canvas.tile(&format!("h{}", step.min(6)), at, (to - from, height));
        }
        from = to;
    }
}

fn line(
    canvas: &mut Canvas,
    all: &Course,
    time: Scale,
    (top, name, class): (f64, &str, &str),
    of: impl Fn(&Moment) -> f64,
) {
    let most = all.moments.iter().map(&of).fold(0.0, f64::max);
    let y = Scale::linear(most.max(1.0) * 1.1, top + LANE, top + 6.0);
    let right = time.at(f64::MAX);
    canvas.line("axis", (LEFT, top + LANE), (right, top + LANE));
    canvas.line("grid", (LEFT, y.at(most)), (right, y.at(most)));
    canvas.text("tick", (LEFT - 6.0, y.at(most) + 4.0), "end", &named(most.round()));
    canvas.text("tick", (LEFT - 6.0, top + LANE + 4.0), "end", "0");
    canvas.text("tick", (LEFT, top - 3.0), "start", name);
    let (mut points, mut from) = (Vec::new(), LEFT);
    for moment in &all.moments {
        let (to, height) = (time.at(moment.at_s), y.at(of(moment)));
        points.extend([(from, height), (to, height)]);
        from = to;
    }
    canvas.path(class, &points, name);
}
