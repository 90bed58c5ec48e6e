//! What came of a cell.

use std::time::Duration;

use ringbench_stats::{Latencies, Regime, WriteBack};

use super::final_sync::FinalSync;
use super::tally::{Counts, Tally};
use super::watching::Side;
use super::window::Window;
use crate::Verdict;
use crate::driver::Declaration;
use crate::workload::CellSpec;

/// What came of one run of a cell. Figures are of what was counted, after the warm-up; the books are of everything.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the driver says that it does.
    pub declaration: Declaration,
    /// Load threads.
    pub threads: usize,
    /// How long was counted. Seconds.
    pub seconds: f64,
    /// Records that were due in that time; without a rate, that were sent.
    pub due_records: u64,
    /// Records that were due and never sent, since the target took no more; warm-up included.
    pub unsent_records: u64,
    /// Records that were acknowledged in that time.
    pub acked_records: u64,
    /// Bytes of their values.
    pub acked_bytes: u64,
    /// Records that consumers got in that time, all subscriptions together; `None` without consumers.
    pub received_records: Option<u64>,
    /// Bytes of their values.
    pub received_bytes: Option<u64>,
    /// From when a record was due to its acknowledgement.
    pub latency: Latencies,
    /// From when it was sent.
    pub service: Latencies,
    /// From when it was due until a consumer had it.
    pub end_to_end: Latencies,
    /// From when it was due until it was sent, less what the target made the producer wait: how late the generator itself was.
    pub lag: Latencies,
    /// Latencies of 0 ns; they count.
    pub zero_latencies: u64,
    /// Latencies of less; they count as 0.
    pub negative_latencies: u64,
    /// The books, warm-up included.
    pub verdict: Verdict,
    /// What this process cost in that time.
    pub client: Side,
    /// Processor seconds of the thread of this process that used most, be it a load thread or one of a library.
    pub busiest_thread_seconds: f64,
    /// What the target's process cost in that time, where it is known.
    pub target: Option<Side>,
    /// Dirty pages of the host when that time ended.
    pub write_back: WriteBack,
    /// What the kernel did about them, the furthest that it went in that time.
    pub regime: Option<Regime>,
    /// What it came to with the time that the disk took to have everything, where the cell asks for that.
    pub final_sync: Option<FinalSync>,
    /// Bytes that the target stores at the end, of all records but those that it has deleted.
    pub stored_bytes: Option<u64>,
    /// Records that retention has deleted meanwhile, where that can be told.
    pub deleted_records: Option<u64>,
    /// How it went.
    pub timeline: Vec<Tick>,
    /// How long it took to read everything back, where nobody consumed.
    pub read_back: Option<Duration>,
    /// What was said when something did not go on, or was refused, for the first time.
    pub trouble: Option<String>,
    /// Why it did not run to its end: then its figures are of a part.
    pub failure: Option<String>,
}

/// A slice of what was counted.
#[derive(Debug, Clone)]
pub struct Tick {
    /// When it ended, after the beginning.
    pub at: Duration,
    /// Records acknowledged in it.
    pub acked: u64,
    /// Records that consumers got in it.
    pub received: u64,
    /// Records that were due by its end and not acknowledged.
    pub backlog: u64,
    /// Records that were acknowledged by its end and not received, of all subscriptions.
    pub unread: u64,
    /// From when each record that was due in it to its acknowledgement.
    pub latency: Latencies,
}

impl Outcome {
    pub(super) fn new(
        declaration: Declaration,
        cell: &CellSpec,
        window: Window,
        tally: Tally,
        verdict: Verdict,
    ) -> Outcome {
        let mut counted = Counts::default();
        tally.slices.iter().for_each(|slice| counted.add(slice.counts));
        let consumed = cell.consumers() > 0;
        Outcome {
            declaration,
            threads: 0,
            seconds: window.slice_end(window.slices()).as_secs_f64(),
            due_records: counted.due,
            unsent_records: tally.unsent,
            acked_records: counted.acked,
            acked_bytes: tally.acked_bytes,
            received_records: consumed.then_some(counted.received),
            received_bytes: consumed.then_some(tally.received_bytes),
            latency: tally.latency(),
            zero_latencies: tally.zero,
            negative_latencies: tally.negative,
            verdict,
            client: Side::default(),
            busiest_thread_seconds: 0.0,
            target: None,
            write_back: WriteBack::default(),
            regime: None,
            final_sync: None,
            stored_bytes: None,
            deleted_records: None,
            timeline: timeline(&tally, window, cell.subscriptions_per_topic),
            service: tally.service,
            end_to_end: tally.end_to_end,
            lag: tally.lag,
            read_back: None,
            trouble: None,
            failure: None,
        }
    }

    /// Ends it at `at_ns`: before its time its last slice is shorter, and after it nothing is counted any more.
    pub(super) fn cut(&mut self, window: Window, at_ns: u64) {
        let counted = Duration::from_nanos(at_ns.min(window.end_ns).saturating_sub(window.begin_ns));
        self.seconds = counted.as_secs_f64();
        let whole = self.timeline.iter().take_while(|tick| tick.at < counted).count();
        self.timeline.truncate(whole + 1);
        if let Some(last) = self.timeline.last_mut() {
            last.at = last.at.min(counted);
        }
    }

    /// Acknowledged records a second; 0 of a cell that was cut short before anything was counted.
    #[must_use]
    pub fn achieved_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.acked_records as f64 / self.seconds } else { 0.0 }
    }

    /// Bytes stored for each byte of values: what compression leaves, and what framing adds.
    #[must_use]
    pub fn wire_ratio(&self, message_bytes: usize) -> Option<f64> {
        let there = self.verdict.acked.saturating_sub(self.deleted_records.unwrap_or(0));
        let values = there as f64 * message_bytes as f64;
        self.stored_bytes.filter(|_| values > 0.0).map(|stored| stored as f64 / values)
    }
}

fn timeline(tally: &Tally, window: Window, subscriptions: u32) -> Vec<Tick> {
    let mut total = tally.warm_up;
    let ticks = tally.slices.iter().enumerate().map(|(number, slice)| {
        total.add(slice.counts);
        Tick {
            at: window.slice_end(number),
            acked: slice.counts.acked,
            received: slice.counts.received,
            backlog: total.due.saturating_sub(total.acked),
            unread: (total.acked * u64::from(subscriptions)).saturating_sub(total.received),
            latency: slice.latency.clone(),
        }
    });
    ticks.collect()
}
