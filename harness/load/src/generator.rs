//! One cell, from its topics to its verdict.

mod backlog;
mod consuming;
mod crew;
mod desk;
mod lane;
mod outcome;
mod producing;
mod router;
mod settlement;
mod tally;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringbench_stats::{Cost, WriteBack, process_cost, written_bytes};

pub use self::outcome::{Outcome, Tick};

use self::backlog::Backlog;
use self::consuming::Reading;
use self::crew::{Crew, Work};
use self::desk::Hall;
use self::settlement::settle;
use self::tally::Tally;
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
    /// How long after the load what is missing may still come.
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
    let codec = cell.settings.get("compression.type").filter(|codec| *codec != "none");
    if let Some(codec) = codec.filter(|_| conditions.pool.is_constant()) {
        return Err(LoadError::Constant { payload: conditions.pool.source.clone(), codec: codec.clone() });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)?;
    let layout = Layout {
        topics: (0..cell.topics).map(|topic| format!("ringbench-{:08x}-{topic}", conditions.run)).collect(),
        partitions: cell.partitions_per_topic,
    };
    runtime.block_on(driver.prepare(&layout))?;
    let cell = Arc::new(cell.clone());
    let outcome = on_topics(&Crew { driver, layout: &layout, cell: &cell, conditions });
    let outcome = outcome.map(|mut outcome| {
        // Where retention deletes meanwhile, what is left is not what went over the wire.
        let is_whole =
            !cell.topic_settings.keys().any(|name| name.starts_with("retention.") || name == "cleanup.policy");
        if is_whole {
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
    let mut watched = Watched::default();
    let (window, works) = crew.employ(crew.shares(&backlog.lanes), &hall, begin, |window| {
        watched = watch(window, &hall, conditions);
        wait_for_producers(&hall, crew.threads());
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
    let mut read_back = None;
    if !consumed {
        subscriptions = 0;
        if conditions.reads_back {
            let begun = Instant::now();
            readings = read_everything(crew, &hall, window)?;
            (subscriptions, read_back) = (1, Some(begun.elapsed()));
        }
    }
    let verdict = settle(&lanes, tally.refused + tally.unsent, readings, subscriptions);
    let trouble = hall.first_trouble().or(tally.first_refusal.take());
    let mut outcome = Outcome::new(crew.driver.declares(), cell, window, tally, verdict);
    outcome.threads = crew.threads();
    outcome.client_cost = watched.client;
    outcome.busiest_thread_seconds = busiest;
    outcome.target_cost = watched.target;
    outcome.target_written_bytes = watched.written_bytes;
    outcome.write_back = watched.write_back;
    outcome.failure = watched.failure;
    outcome.trouble = trouble;
    outcome.read_back = read_back;
    outcome.cut(window, watched.cut_at_ns);
    Ok(outcome)
}

/// What the one who watches has seen.
#[derive(Debug, Default)]
struct Watched {
    client: Cost,
    target: Option<Cost>,
    written_bytes: Option<u64>,
    write_back: WriteBack,
    failure: Option<String>,
    cut_at_ns: Option<u64>,
}

/// Counts what both sides cost within the window, and cuts the cell short when that is wished or its target is gone.
fn watch(window: Window, hall: &Hall, conditions: &Conditions) -> Watched {
    let target = || process_cost(conditions.target_pid?);
    let written = || written_bytes(conditions.target_pid?);
    let mut watched = Watched::default();
    let mut wait_until = |at_ns: u64| {
        while monotonic_ns() < at_ns {
            let failure = if conditions.stop.is_wished() {
                Some("interrupted".to_owned())
            } else {
                let gone = conditions.target_pid.filter(|pid| !is_running(*pid));
                gone.map(|pid| format!("the target's process {pid} has ended"))
            };
            if failure.is_some() {
                hall.cut_short.store(true, Ordering::Relaxed);
                (watched.failure, watched.cut_at_ns) = (failure, Some(monotonic_ns()));
                return;
            }
            std::thread::sleep(Duration::from_nanos(at_ns.saturating_sub(monotonic_ns())).min(LOOK));
        }
    };
    wait_until(window.begin_ns);
    let before = (Cost::now(), target(), written());
    if !hall.is_cut_short() {
        wait_until(window.end_ns);
    }
    watched.client = Cost::now().since(&before.0);
    watched.target = target().zip(before.1).map(|(after, before)| after.since(&before));
    watched.written_bytes = written().zip(before.2).map(|(after, before)| after.saturating_sub(before));
    watched.write_back = WriteBack::now();
    watched
}

/// A process that has ended and was not waited for is a zombie.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, fields)| !matches!(fields.trim_start().chars().next(), Some('Z' | 'X') | None))
}

/// They end by themselves: each has its deadline.
fn wait_for_producers(hall: &Hall, threads: usize) {
    while hall.threads_done_producing.load(Ordering::Acquire) < threads {
        std::thread::sleep(LOOK);
    }
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
