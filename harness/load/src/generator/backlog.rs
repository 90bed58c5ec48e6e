//! A backlog: records that are there before anybody consumes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::LOOK;
use super::crew::Crew;
use super::desk::Hall;
use super::producing::LaneBooks;
use super::tally::Tally;
use super::watching::is_running;
use super::window::Window;
use crate::driver::Driver;
use crate::workload::{Arrival, CellSpec};
use crate::{LoadError, monotonic_ns};

/// Longer than any backlog takes: nothing of it is counted.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// What was produced of it. The producers of the cell go on from here.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) lanes: Vec<LaneBooks>,
    refused: u64,
    first_refusal: Option<String>,
}

impl Backlog {
    /// Has the cell's producers make its backlog, as fast as they go: at least so many bytes are acknowledged, and what was on its
    /// way then. Nothing, where the cell has none.
    ///
    /// # Errors
    /// That of a producer that can't connect, and [`LoadError::Backlog`] when the target takes no more before it is complete.
    pub(crate) fn build<D: Driver>(crew: &Crew<'_, D>) -> Result<Backlog, LoadError> {
        let records = crew.cell.backlog_bytes.div_ceil(crew.cell.message_bytes.max(1) as u64);
        if records == 0 {
            return Ok(Backlog::default());
        }
        let cell = CellSpec { arrival: Arrival::Maximum, subscriptions_per_topic: 0, ..CellSpec::clone(crew.cell) };
        let builders = Crew { cell: &Arc::new(cell), ..*crew };
        let hall = Arc::new(Hall::default());
        let window = || Window::new(monotonic_ns(), NEVER, Duration::ZERO);
        let (_, works) =
            builders.employ(builders.shares(&[]), &hall, window, |_| wait_for(records, &builders, &hall))?;
        let acked = hall.acked.load(Ordering::Relaxed);
        if acked < records && !crew.conditions.stop.is_wished() {
            let why = hall.first_trouble().unwrap_or_else(|| "it acknowledges no more".to_owned());
            return Err(LoadError::Backlog { records, acked, why });
        }
        let mut backlog = Backlog::default();
        for work in works {
            backlog.refused += work.tally.refused;
            backlog.first_refusal = backlog.first_refusal.or(work.tally.first_refusal);
            backlog.lanes.extend(work.lanes);
        }
        Ok(backlog)
    }

    /// How many records of it were acknowledged.
    pub(crate) fn acked(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.acked.count()).sum()
    }

    /// Enters it into what was counted before the beginning.
    pub(crate) fn enter(&self, tally: &mut Tally) {
        tally.warm_up.due += self.acked();
        tally.warm_up.acked += self.acked();
        tally.refused += self.refused;
        tally.first_refusal.clone_from(&self.first_refusal);
    }
}

/// Sends the producers home when there is enough, when it is wished, or when nothing happens for longer than one is patient.
fn wait_for<D>(records: u64, crew: &Crew<'_, D>, hall: &Hall) {
    let conditions = crew.conditions;
    let (mut acked, mut progress) = (0, Instant::now());
    while acked < records && !conditions.stop.is_wished() && progress.elapsed() < conditions.patience {
        if conditions.target_pid.is_some_and(|pid| !is_running(pid)) {
            hall.trouble(|| "its process has ended".to_owned());
            break;
        }
        std::thread::sleep(LOOK);
        let now = hall.acked.load(Ordering::Relaxed);
        if now > acked {
            (acked, progress) = (now, Instant::now());
        }
    }
    match acked < records {
        true => hall.cut_short.store(true, Ordering::Relaxed),
        false => hall.enough.store(true, Ordering::Relaxed),
    }
}
