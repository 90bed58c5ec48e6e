//! What a load thread counts, and all of them together.

use ringbench_stats::{Cost, Latencies};

use super::window::Window;

/// Counts of one load thread, merged at the end.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    window: Window,
    /// One for each slice of what is counted.
    pub(crate) slices: Vec<Slice>,
    /// Before counting begins.
    pub(crate) warm_up: Counts,
    /// From the handing over to the acknowledgement.
    pub(crate) service: Latencies,
    /// From when a record was due until it was sent, less what the target made the producer wait.
    pub(crate) lag: Latencies,
    /// From when a record was due until a consumer had it.
    pub(crate) end_to_end: Latencies,
    /// Latencies of nothing at all.
    pub(crate) zero: u64,
    /// Latencies of less than nothing.
    pub(crate) negative: u64,
    /// Bytes of values acknowledged, and received, while counting.
    pub(crate) acked_bytes: u64,
    pub(crate) received_bytes: u64,
    /// Records that were due and never sent: the target took no more until the cell ended.
    pub(crate) unsent: u64,
    /// Records that were refused at once, and never on their way.
    pub(crate) refused: u64,
    /// What the first refusal said.
    pub(crate) first_refusal: Option<String>,
    /// What the thread cost while counting.
    pub(crate) cost: Cost,
}

/// What happened in one slice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slice {
    pub(crate) counts: Counts,
    /// From when each record was due to its acknowledgement: of the records that were due in this slice.
    pub(crate) latency: Latencies,
}

/// Records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) due: u64,
    pub(crate) acked: u64,
    pub(crate) received: u64,
}

impl Tally {
    pub(crate) fn new(window: Window) -> Tally {
        Tally {
            window,
            slices: vec![Slice::default(); window.slices()],
            warm_up: Counts::default(),
            service: Latencies::default(),
            lag: Latencies::default(),
            end_to_end: Latencies::default(),
            zero: 0,
            negative: 0,
            acked_bytes: 0,
            received_bytes: 0,
            unsent: 0,
            refused: 0,
            first_refusal: None,
            cost: Cost::default(),
        }
    }

    /// A record was sent. `free_ns` is when the target last let its producer go on.
    pub(crate) fn sent(&mut self, due_ns: u64, sent_ns: u64, free_ns: u64) {
        match self.window.slice(due_ns).and_then(|slice| self.slices.get_mut(slice)) {
            Some(slice) => {
                slice.counts.due += 1;
                self.lag.record_ns(sent_ns.saturating_sub(due_ns.max(free_ns)));
            }
            None => self.warm_up.due += u64::from(due_ns < self.window.begin_ns),
        }
    }

    /// A record was due, and can't be sent any more.
    pub(crate) fn gave_up(&mut self, due_ns: u64) {
        if let Some(slice) = self.window.slice(due_ns).and_then(|slice| self.slices.get_mut(slice)) {
            slice.counts.due += 1;
            self.unsent += 1;
        }
    }

    /// A record was acknowledged.
    pub(crate) fn acked(&mut self, due_ns: u64, sent_ns: u64, now_ns: u64, bytes: u32) {
        if let Some(slice) = self.window.slice(due_ns).and_then(|slice| self.slices.get_mut(slice)) {
            slice.latency.record_ns(now_ns.saturating_sub(due_ns));
            self.service.record_ns(now_ns.saturating_sub(sent_ns));
            self.zero += u64::from(now_ns == due_ns);
            self.negative += u64::from(now_ns < due_ns);
        }
        match self.window.slice(now_ns).and_then(|slice| self.slices.get_mut(slice)) {
            Some(slice) => {
                slice.counts.acked += 1;
                self.acked_bytes += u64::from(bytes);
            }
            None => self.warm_up.acked += u64::from(now_ns < self.window.begin_ns),
        }
    }

    /// Notes what a refusal said; the first is kept.
    pub(crate) fn refusal(&mut self, why: impl FnOnce() -> String) {
        self.first_refusal.get_or_insert_with(why);
    }

    /// A consumer has a record. `due_ns` is what its stamp says; `None` of one without.
    pub(crate) fn received(&mut self, due_ns: Option<u64>, now_ns: u64, bytes: usize) {
        if let Some(due_ns) = due_ns.filter(|due_ns| self.window.slice(*due_ns).is_some()) {
            self.end_to_end.record_ns(now_ns.saturating_sub(due_ns));
            self.zero += u64::from(now_ns == due_ns);
            self.negative += u64::from(now_ns < due_ns);
        }
        match self.window.slice(now_ns).and_then(|slice| self.slices.get_mut(slice)) {
            Some(slice) => {
                slice.counts.received += 1;
                self.received_bytes += bytes as u64;
            }
            None => self.warm_up.received += u64::from(now_ns < self.window.begin_ns),
        }
    }

    /// Adds another thread's counts.
    pub(crate) fn merge(&mut self, other: Tally) {
        for (slice, other) in self.slices.iter_mut().zip(&other.slices) {
            slice.counts.add(other.counts);
            slice.latency.merge(&other.latency);
        }
        self.warm_up.add(other.warm_up);
        self.service.merge(&other.service);
        self.lag.merge(&other.lag);
        self.end_to_end.merge(&other.end_to_end);
        self.zero += other.zero;
        self.negative += other.negative;
        self.acked_bytes += other.acked_bytes;
        self.received_bytes += other.received_bytes;
        self.unsent += other.unsent;
        self.refused += other.refused;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
    }

    /// From when each record was due to its acknowledgement, all slices together.
    pub(crate) fn latency(&self) -> Latencies {
        self.slices.iter().fold(Latencies::default(), |mut all, slice| {
            all.merge(&slice.latency);
            all
        })
    }
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.due += other.due;
        self.acked += other.acked;
        self.received += other.received;
    }
}
