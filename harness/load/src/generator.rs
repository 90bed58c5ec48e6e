//! One cell, from its topics to its verdict.

mod backlog;
mod consuming;
mod crew;
mod desk;
mod final_sync;
mod lane;
mod outcome;
mod producing;
mod router;
mod settlement;
mod tally;
mod watching;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use self::final_sync::FinalSync;
pub use self::outcome::{Outcome, Tick};
pub use self::watching::Side;

use self::backlog::Backlog;
use self::consuming::Reading;
use self::crew::{Crew, Work};
use self::desk::Hall;
use self::final_sync::FileSystems;
use self::settlement::settle;
use self::tally::Tally;
use self::watching::{Ended, watch};
use self::window::{Window, nanoseconds};
use crate::driver::{Driver, Layout};
use crate::payload::Pool;
use crate::stamp::STAMP_BYTES;
use crate::workload::CellSpec;
use crate::{LoadError, monotonic_ns};

/// From the last connection to the first record.
const RUN_UP: Duration = Duration::from_millis(20);
/// How often the one who watches looks.
const LOOK: Duration = Duration::from_millis(10);

/// How a cell is run: what is no part of its content.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Tells this run's records and topics from others'.
    pub run: u32,
    /// Decides random arrival and random keys.
    pub seed: u64,
    /// Load threads; each carries its share of the producers and of the consumers.
    pub threads: usize,
    /// The target's process, where it is on this host: its processor time is counted, and its end ends the cell.
    pub target_pid: Option<u32>,
    /// What values are made of.
    pub pool: Arc<Pool>,
    /// How long after the load, and after the last that came, what is missing may still come.
    pub patience: Duration,
    /// Whether a cell without consumers reads everything back afterwards. Not from a target that keeps nothing.
    pub reads_back: bool,
    /// Cuts the cell short.
    pub stop: Stop,
}

/// A wish to stop: cells end early, with what they have.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Wishes it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has.
    #[must_use]
    pub fn is_wished(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a cell on topics of its own, which are removed at the end.
///
/// # Errors
/// [`LoadError`] when it can't begin: the target is not there, or refuses to make topics. A target that fails later gives an
/// [`Outcome`] with a failure, or with a verdict that isn't clean.
pub fn run_cell<D: Driver>(driver: &D, cell: &CellSpec, conditions: &Conditions) -> Result<Outcome, LoadError> {
    if cell.verify && cell.message_bytes < STAMP_BYTES {
        return Err(LoadError::TooShort { bytes: cell.message_bytes });
    }
    conditions.pool.suits(cell)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)?;
    let layout = Layout {
        topics: (0..cell.topics).map(|topic| format!("ringbench-{:08x}-{topic}", conditions.run)).collect(),
        partitions: cell.partitions_per_topic,
    };
    let declaration = runtime.block_on(driver.prepare(&layout))?;
    let cell = Arc::new(cell.clone());
    let outcome = on_topics(&Crew { driver, declaration: &declaration, layout: &layout, cell: &cell, conditions });
    let outcome = outcome.map(|mut outcome| {
        outcome.deleted_records = runtime.block_on(driver.deleted_records(&layout));
        // Where some of it was deleted meanwhile, what is left says what went over the wire if it is known of how many records it is.
        let retains = cell.topic_settings.keys().any(|name| name.starts_with("retention."));
        let is_compacted = cell.topic_settings.contains_key("cleanup.policy");
        if !is_compacted && (!retains || outcome.deleted_records.is_some()) {
            outcome.stored_bytes = runtime.block_on(driver.stored_bytes(&layout));
        }
        outcome
    });
    let removed = runtime.block_on(driver.remove(&layout));
    let mut outcome = outcome?;
    if let (Err(error), None) = (removed, &outcome.failure) {
        outcome.failure = Some(format!("its topics could not be removed: {error}"));
    }
    Ok(outcome)
}

fn on_topics<D: Driver>(crew: &Crew<'_, D>) -> Result<Outcome, LoadError> {
    let Crew { cell, conditions, .. } = crew;
    let backlog = Backlog::build(crew)?;
    let hall = Arc::new(Hall::default());
    hall.acked.store(backlog.acked(), Ordering::Relaxed);
    let consumed = cell.subscriptions_per_topic > 0 && cell.consumers_per_subscription > 0;
    let begin = || Window::new(monotonic_ns() + nanoseconds(RUN_UP), cell.warm_up, cell.duration);
    let files = cell.final_sync.then(|| FileSystems::of(crew.driver.process(conditions.target_pid))).transpose()?;
    let (mut watched, mut synced) = (None, None);
    let (window, works) = crew.employ(crew.shares(&backlog.lanes), &hall, begin, |window| {
        watched = Some(watch(window, &hall, cell, conditions, crew.threads()));
        synced = files.map(|files| (files.sync(), monotonic_ns()));
        if consumed {
            wait_for_readers(&hall, cell.subscriptions_per_topic, conditions);
        }
        hall.all_read.store(true, Ordering::Relaxed);
    })?;
    let mut tally = Tally::new(window);
    backlog.enter(&mut tally);
    let (mut lanes, mut readings, mut busiest) = (Vec::new(), Vec::new(), 0.0f64);
    for Work { tally: own, lanes: sent, readings: read } in works {
        busiest = busiest.max(own.cost.cpu_seconds());
        tally.merge(own);
        lanes.extend(sent);
        readings.extend(read);
    }
    let mut subscriptions = cell.subscriptions_per_topic;
    let (mut read_back, mut unread) = (None, None);
    if !consumed {
        subscriptions = 0;
        if conditions.reads_back {
            let begun = Instant::now();
            // Who can't be read any more has lost everything, and what it did before is kept.
            let read = read_everything(crew, &hall, window);
            readings = read.unwrap_or_else(|error| {
                unread = Some(format!("what it acknowledged could not be read back: {error}"));
                Vec::new()
            });
            (subscriptions, read_back) = (1, Some(begun.elapsed()));
        }
    }
    let verdict = settle(&lanes, tally.refused + tally.unsent, readings, subscriptions);
    let trouble = hall.first_trouble().or(tally.first_refusal.take());
    let last_acked_ns = tally.last_acked_ns;
    let mut outcome = Outcome::new(crew.declaration.clone(), cell, window, tally, verdict);
    outcome.threads = crew.threads();
    outcome.trouble = trouble;
    outcome.read_back = read_back;
    outcome.failure = unread;
    if let Some(watched) = watched {
        outcome.client = watched.client;
        // A load thread may have ended before it was looked at; a library's thread does not look at itself.
        outcome.busiest_thread_seconds = busiest.max(watched.busiest_thread.as_secs_f64());
        outcome.target = watched.target;
        outcome.write_back = watched.write_back;
        outcome.regime = watched.regime;
        match watched.ended {
            Some(Ended::Cut { why, at_ns }) => {
                outcome.failure = Some(why);
                outcome.cut(window, at_ns);
            }
            Some(Ended::Written) if last_acked_ns <= window.begin_ns => {
                outcome.failure = Some("everything was written during the warm-up: make it shorter".to_owned());
            }
            Some(Ended::Written) => outcome.cut(window, last_acked_ns),
            None => {}
        }
    }
    match synced {
        Some((Ok(took), at_ns)) => {
            let bytes = (outcome.verdict.acked - backlog.acked()) as f64 * cell.message_bytes as f64;
            let seconds = at_ns.saturating_sub(window.load_ns) as f64 / 1e9;
            outcome.final_sync = Some(FinalSync { took, bytes_per_second: bytes / seconds });
        }
        Some((Err(error), _)) => outcome.failure = Some(format!("the final sync: {error}")),
        None => {}
    }
    Ok(outcome)
}

/// Until everything that was acknowledged was read, or nothing more comes.
fn wait_for_readers(hall: &Hall, subscriptions: u32, conditions: &Conditions) {
    let wanted = hall.acked.load(Ordering::Relaxed) * u64::from(subscriptions);
    let (mut received, mut progress) = (hall.received.load(Ordering::Relaxed), Instant::now());
    let patience =
        if hall.is_cut_short() { conditions.patience.min(Duration::from_secs(2)) } else { conditions.patience };
    while received < wanted && progress.elapsed() < patience {
        std::thread::sleep(LOOK);
        let now = hall.received.load(Ordering::Relaxed);
        if now > received {
            (received, progress) = (now, Instant::now());
        }
    }
}

/// Reads everything from the beginning, when nobody did so beside the producers.
fn read_everything<D: Driver>(crew: &Crew<'_, D>, hall: &Arc<Hall>, window: Window) -> Result<Vec<Reading>, LoadError> {
    hall.all_read.store(false, Ordering::Relaxed);
    let watch = |_| {
        wait_for_readers(hall, 1, crew.conditions);
        hall.all_read.store(true, Ordering::Relaxed);
    };
    let (_, works) = crew.employ(crew.reading_shares(), hall, || window, watch)?;
    Ok(works.into_iter().flat_map(|work| work.readings).collect())
}
