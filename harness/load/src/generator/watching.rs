//! The one who watches a cell: what both sides cost meanwhile, and when it has to end.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ringbench_stats::{Cost, DirtyLimits, ProcessIo, Regime, SystemCalls, ThreadTimes, WriteBack, process_cost};

use super::desk::Hall;
use super::window::{Window, nanoseconds};
use super::{Conditions, LOOK};
use crate::monotonic_ns;
use crate::workload::CellSpec;

/// How often dirty pages are looked at.
const LOOK_AT_PAGES: Duration = Duration::from_secs(1);

/// What the one who watches has seen.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) client: Side,
    /// Processor time of the thread that used most, of all that this process had when counting ended.
    pub(crate) busiest_thread: Duration,
    pub(crate) target: Option<Side>,
    /// Dirty pages of the host when counting ended.
    pub(crate) write_back: WriteBack,
    /// The furthest that they went until then.
    pub(crate) regime: Option<Regime>,
    /// Why it ended before its time.
    pub(crate) ended: Option<Ended>,
}

/// Why a cell ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything is acknowledged that it was to write.
    Written,
    /// It was cut short at that moment.
    Cut { why: String, at_ns: u64 },
}

/// What one side cost while it was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Side {
    /// Processor time and context switches.
    pub cost: Cost,
    /// Reads, writes and bytes for files; `None` where the kernel does not show them.
    pub io: Option<ProcessIo>,
    /// System calls for each acknowledged record, counted during the warm-up, which nobody times; `None` without one, and where the
    /// kernel does not let them be counted.
    pub calls_per_record: Option<f64>,
}

/// Counts what both sides cost within the window, and ends the cell when that is wished, when its target is gone, and when
/// everything is written. Returns when the producers of all `threads` have closed their books.
pub(crate) fn watch(window: Window, hall: &Hall, cell: &CellSpec, conditions: &Conditions, threads: usize) -> Watched {
    // At a rate it ends by its time.
    let records = cell.write_records().filter(|_| cell.arrival.per_second().is_none());
    let mut watcher = Watcher { hall, conditions, records, pages_due_ns: window.begin_ns, regime: None, ended: None };
    let (own, target) = (std::process::id(), conditions.target_pid);
    watcher.wait_until(window.load_ns);
    let mut calls = [Some(own), target].map(|pid| SystemCalls::of(pid?).ok());
    let called = Called::now(&mut calls, hall);
    watcher.wait_until(window.begin_ns);
    let [client_calls, target_calls] = Called::now(&mut calls, hall).per_record_since(&called);
    drop(calls);
    let thread_times = ThreadTimes::now();
    let before = (Side::now(), target.and_then(Side::of));
    watcher.wait_until(window.end_ns);
    let after = (Side::now(), target.and_then(Side::of));
    let busiest_thread = ThreadTimes::now().busiest_since(&thread_times);
    watcher.look_at_pages();
    let write_back = WriteBack::now();
    if watcher.records.is_some() {
        let (bytes, seconds) = (cell.write_bytes.unwrap_or(0) as f64, cell.duration.as_secs_f64());
        watcher.cut(format!("{:.1} GB were not written in {seconds:.0} s: it is too slow for so much", bytes / 1e9));
    }
    watcher.wait_for_producers(threads);
    let spent = |after: Side, before: &Side, calls| Side { calls_per_record: calls, ..after.since(before) };
    Watched {
        client: spent(after.0, &before.0, client_calls),
        busiest_thread,
        target: after.1.zip(before.1).map(|(after, before)| spent(after, &before, target_calls)),
        write_back,
        regime: watcher.regime,
        ended: watcher.ended,
    }
}

struct Watcher<'a> {
    hall: &'a Hall,
    conditions: &'a Conditions,
    /// With so many acknowledged it ends, those of the backlog included.
    records: Option<u64>,
    pages_due_ns: u64,
    regime: Option<Regime>,
    ended: Option<Ended>,
}

impl Watcher<'_> {
    fn wait_until(&mut self, at_ns: u64) {
        while self.ended.is_none() {
            let now_ns = monotonic_ns();
            if now_ns >= at_ns {
                return;
            }
            self.look();
            if now_ns >= self.pages_due_ns {
                self.pages_due_ns = now_ns + nanoseconds(LOOK_AT_PAGES);
                self.look_at_pages();
            }
            std::thread::sleep(Duration::from_nanos(at_ns - now_ns).min(LOOK));
        }
    }

    /// They end by themselves, each by its deadline: of a target that takes too little that may be as long again as the cell.
    fn wait_for_producers(&mut self, threads: usize) {
        while self.hall.threads_done_producing.load(Ordering::Acquire) < threads {
            if self.ended.is_none() {
                self.look();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Ends it where there is a reason.
    fn look(&mut self) {
        let Watcher { hall, conditions, records, .. } = self;
        let gone = conditions.target_pid.filter(|pid| !is_running(*pid));
        if conditions.stop.is_wished() {
            self.cut("interrupted".to_owned());
        } else if let Some(pid) = gone {
            self.cut(format!("the target's process {pid} has ended"));
        } else if records.is_some_and(|records| hall.acked.load(Ordering::Relaxed) >= records) {
            hall.enough.store(true, Ordering::Relaxed);
            self.ended = Some(Ended::Written);
        }
    }

    /// Where it has not ended already.
    fn cut(&mut self, why: String) {
        if self.ended.is_none() {
            self.hall.cut_short.store(true, Ordering::Relaxed);
            self.ended = Some(Ended::Cut { why, at_ns: monotonic_ns() });
        }
    }

    /// The limits follow free memory: those of this moment count.
    fn look_at_pages(&mut self) {
        self.regime = Regime::furthest(self.regime, &WriteBack::now(), &DirtyLimits::here());
    }
}

impl Side {
    /// Of this process, up to this moment.
    fn now() -> Side {
        Side { cost: Cost::now(), io: ProcessIo::of(std::process::id()), calls_per_record: None }
    }

    /// Of another one; `None` when it is gone.
    fn of(pid: u32) -> Option<Side> {
        Some(Side { cost: process_cost(pid)?, io: ProcessIo::of(pid), calls_per_record: None })
    }

    fn since(&self, before: &Side) -> Side {
        let io = self.io.zip(before.io).map(|(after, before)| after.since(&before));
        Side { cost: self.cost.since(&before.cost), io, calls_per_record: None }
    }
}

/// System calls of both sides so far, and records that were acknowledged meanwhile.
struct Called {
    calls: [Option<u64>; 2],
    acked: u64,
}

impl Called {
    fn now(counters: &mut [Option<SystemCalls>; 2], hall: &Hall) -> Called {
        let calls = counters.each_mut().map(|counter| counter.as_mut()?.so_far().ok());
        Called { calls, acked: hall.acked.load(Ordering::Relaxed) }
    }

    fn per_record_since(&self, before: &Called) -> [Option<f64>; 2] {
        let acked = self.acked - before.acked;
        let per = |side: usize| {
            let calls = self.calls[side]? - before.calls[side]?;
            (acked > 0).then(|| calls as f64 / acked as f64)
        };
        [per(0), per(1)]
    }
}

/// A process that has ended and was not waited for is a zombie.
pub(crate) fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, fields)| !matches!(fields.trim_start().chars().next(), Some('Z' | 'X') | None))
}
