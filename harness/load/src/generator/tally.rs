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
    /// When the last record was acknowledged.
    pub(crate) last_acked_ns: u64,
    /// Records that were due and never sent, warm-up included: the target took no more until the cell ended.
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
            last_acked_ns: 0,
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

    /// A record was due, and can't be sent any more. It would have taken longer than until now: left out, the slowest of all would make
    /// the percentiles better.
    pub(crate) fn gave_up(&mut self, due_ns: u64, now_ns: u64) {
        self.unsent += 1;
        match self.window.slice(due_ns).and_then(|slice| self.slices.get_mut(slice)) {
            Some(slice) => {
                slice.counts.due += 1;
                slice.latency.record_ns(now_ns.saturating_sub(due_ns));
            }
            None => self.warm_up.due += u64::from(due_ns < self.window.begin_ns),
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
        self.last_acked_ns = self.last_acked_ns.max(now_ns);
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

    /// A consumer has a record that was due then, as its stamp says; `None` of one without.
    pub(crate) fn reached(&mut self, due_ns: Option<u64>, now_ns: u64) {
        if let Some(due_ns) = due_ns.filter(|due_ns| self.window.slice(*due_ns).is_some()) {
            self.end_to_end.record_ns(now_ns.saturating_sub(due_ns));
            self.zero += u64::from(now_ns == due_ns);
            self.negative += u64::from(now_ns < due_ns);
        }
    }

    /// A consumer has a record.
    pub(crate) fn received(&mut self, now_ns: u64, bytes: usize) {
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
        self.last_acked_ns = self.last_acked_ns.max(other.last_acked_ns);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    /// Warm-up from 0 to 1 s, counted from 1 to 3 s.
    fn tally() -> Tally {
        Tally::new(Window::new(0, Duration::from_secs(1), Duration::from_secs(2)))
    }

    fn longest_s(latencies: &Latencies) -> f64 {
        (latencies.max_ms() / 1e3 * 10.0).round() / 10.0
    }

    #[test]
    fn a_latency_belongs_to_when_its_record_was_due_and_a_rate_to_when_it_was_acknowledged() {
        let mut tally = tally();
        // Due in the warm-up, acknowledged while counting.
        tally.acked(SECOND - 1, SECOND - 1, 2 * SECOND, 10);
        assert_eq!((tally.latency().count(), tally.service.count(), tally.acked_bytes), (0, 0, 10));
        assert_eq!((tally.slices[0].counts.acked, tally.slices[1].counts.acked), (0, 1));
        // Due at the last moment that counts, acknowledged long after: it counts for the latency, not for the rate.
        tally.acked(3 * SECOND - 1, 4 * SECOND, 7 * SECOND, 10);
        assert_eq!((tally.slices[1].latency.count(), longest_s(&tally.latency())), (1, 4.0));
        assert_eq!((longest_s(&tally.service), tally.acked_bytes), (3.0, 10));
        // Due when counting has ended.
        tally.acked(3 * SECOND, 3 * SECOND, 3 * SECOND, 10);
        tally.sent(3 * SECOND, 3 * SECOND, 0);
        assert_eq!((tally.latency().count(), tally.slices[1].counts.due, tally.lag.count()), (1, 0, 0));
    }

    #[test]
    fn a_record_that_is_sent_late_has_its_latency_from_when_it_was_due() {
        let mut tally = tally();
        tally.sent(SECOND, 2 * SECOND, 0);
        tally.acked(SECOND, 2 * SECOND, 2 * SECOND + SECOND / 2, 1);
        assert_eq!([&tally.latency(), &tally.service, &tally.lag].map(longest_s), [1.5, 0.5, 1.0]);
        // Where the target held its producer up to 2.9 s, only a tenth of a second is the generator's.
        let mut held = self::tally();
        held.sent(SECOND, 3 * SECOND, 2_900_000_000);
        assert_eq!(longest_s(&held.lag), 0.1);
    }

    #[test]
    fn latencies_of_nothing_and_less_are_counted_and_never_dropped() {
        let mut tally = tally();
        tally.acked(SECOND, SECOND, SECOND, 1);
        tally.acked(SECOND + 5, SECOND, SECOND, 1);
        tally.reached(Some(SECOND + 5), SECOND);
        assert_eq!((tally.zero, tally.negative), (1, 2));
        assert_eq!((tally.latency().count(), tally.end_to_end.count()), (2, 1));
    }

    #[test]
    fn a_record_that_was_never_sent_is_due_and_took_at_least_as_long_as_it_was_waited_for() {
        let mut tally = tally();
        tally.gave_up(2 * SECOND, 13 * SECOND);
        // One of the warm-up is in the books, and piled up, and no latency.
        tally.gave_up(SECOND - 1, 13 * SECOND);
        assert_eq!((tally.slices[1].counts.due, tally.warm_up.due, tally.unsent), (1, 1, 2));
        assert_eq!((tally.latency().count(), longest_s(&tally.latency())), (1, 11.0));
    }

    #[test]
    fn threads_are_merged_to_the_last_sample_and_count() {
        let mut all = tally();
        for thread in 1..=3_u64 {
            let mut own = tally();
            let due_ns = SECOND * thread.min(2);
            own.sent(due_ns, due_ns + thread, 0);
            own.acked(due_ns, due_ns + thread, due_ns + 1_000 * thread, 7);
            own.reached(Some(due_ns), due_ns + 2_000 * thread);
            own.received(due_ns + 2_000 * thread, 7);
            own.acked(0, 0, 1, 7);
            own.gave_up(due_ns, due_ns + 3_000);
            own.refused = thread;
            own.refusal(|| format!("thread {thread}"));
            own.acked(due_ns, due_ns, due_ns - 1, 7);
            all.merge(own);
        }
        let counts = |due, acked, received| Counts { due, acked, received };
        assert_eq!((all.slices[0].counts, all.slices[1].counts), (counts(2, 3, 1), counts(4, 2, 2)));
        assert_eq!(all.warm_up, counts(0, 4, 0));
        assert_eq!([&all.latency(), &all.service, &all.lag, &all.end_to_end].map(Latencies::count), [9, 6, 3, 3]);
        assert_eq!((all.acked_bytes, all.received_bytes, all.unsent, all.negative), (5 * 7, 3 * 7, 3, 3));
        assert_eq!((all.refused, all.first_refusal.as_deref()), (6, Some("thread 1")));
        assert_eq!(all.latency().buckets().first(), Some(&(1, 3)));
    }
}
