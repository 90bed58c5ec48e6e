//! The batches of one partition on their way out: order, sequence numbers, retries.
//!
//! With idempotence a broker takes a batch only if its sequence number follows the one before. So a batch keeps its
//! number over retries, and after a failure nothing more is sent until all that was under way has come back; then what
//! failed goes out again in order. When a numbered batch is given up, or the broker has lost track, the numbers would
//! have a gap: the partition's epoch is raised and what is left is numbered from zero (KIP-360). The epoch of a
//! transactional producer is its coordinator's to raise: what the broker has lost track of has failed there, and nothing
//! follows it before the transaction is aborted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringlog_protocol::ErrorCode;
use ringlog_record::{BatchBuilder, RecordHeader};
use tokio::time::Instant;

use super::delivery::Fate;
use crate::ClientError;
use crate::backoff::Backoff;

/// Records that go out together.
pub(super) struct Batch {
    /// Counts the batches of a producer: their order.
    pub(super) serial: u64,
    pub(super) fate: Arc<Fate>,
    pub(super) contents: Contents,
    pub(super) records: i32,
    /// Of each record what the application calls it; empty when nobody is told.
    pub(super) opaques: Vec<u64>,
    /// What it takes of `buffer.memory`.
    pub(super) reserved_bytes: usize,
    pub(super) created: Instant,
    pub(super) number: Option<Number>,
}

/// A batch's records.
pub(super) enum Contents {
    /// Never sent.
    Building(BatchBuilder),
    /// As it was sent.
    Built(Bytes),
}

impl Contents {
    /// Bytes: before compression while it is being built.
    pub(super) fn len_bytes(&self) -> usize {
        match self {
            Self::Building(builder) => builder.len_bytes(),
            Self::Built(bytes) => bytes.len(),
        }
    }

    /// Whether one more record may be appended without passing `limit_bytes`.
    pub(super) fn fits(
        &self,
        limit_bytes: usize,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> bool {
        match self {
            Self::Building(builder) => builder.fits(limit_bytes, key, value, headers),
            Self::Built(_) => false,
        }
    }
}

/// The place of a batch in what its producer sends to the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) epoch: i16,
    pub(super) sequence: i32,
}

/// The queue of one partition.
pub(super) struct PartitionQueue {
    /// Takes records; behind all of `waiting`.
    pub(super) open: Option<Batch>,
    /// Complete, or to be sent again; in order.
    waiting: VecDeque<Batch>,
    in_flight: usize,
    /// A batch has failed: nothing goes out while others are in flight.
    retrying: bool,
    /// A batch with a number of this epoch was acknowledged: the broker knows which number comes next. Until then it takes any number
    /// for the first one, and a second batch would be written although the first was refused, by a leader that has just begun.
    is_known: bool,
    /// What is in flight makes the producer known.
    introduces: bool,
    renumber: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
    next: Number,
    /// Whether the producer raises the epoch itself.
    owns_epoch: bool,
}

/// When a partition has something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// A batch may go.
    Ready,
    /// Look again at this time.
    At(Instant),
    /// Only an answer or another record changes anything.
    Idle,
}

/// When an open batch counts as complete although it is not full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Urgency {
    pub(super) linger: Duration,
    /// Batches up to this serial are flushed.
    pub(super) flush_up_to: u64,
    /// Somebody waits for memory, or the producer is closing.
    pub(super) all: bool,
}

impl PartitionQueue {
    pub(super) fn new(backoff: Backoff, epoch: i16, owns_epoch: bool) -> Self {
        Self {
            open: None,
            waiting: VecDeque::new(),
            in_flight: 0,
            retrying: false,
            is_known: false,
            introduces: false,
            renumber: false,
            not_before: None,
            backoff,
            next: Number { epoch, sequence: 0 },
            owns_epoch,
        }
    }

    /// Begins to number from zero in an epoch that the producer was given. No batch with a number is left.
    pub(super) fn begin_epoch(&mut self, epoch: i16) {
        self.next = Number { epoch, sequence: 0 };
        (self.is_known, self.renumber, self.not_before) = (false, false, None);
        self.backoff.reset();
    }

    pub(super) fn has_batches(&self) -> bool {
        self.open.is_some() || !self.waiting.is_empty()
    }

    /// No more records for the open batch.
    pub(super) fn complete_open(&mut self) {
        self.waiting.extend(self.open.take());
    }

    pub(super) fn readiness(&self, now: Instant, urgency: Urgency) -> Readiness {
        if self.in_flight > 0 && (self.retrying || self.introduces) {
            return Readiness::Idle;
        }
        if let Some(not_before) = self.not_before.filter(|&not_before| not_before > now) {
            return Readiness::At(not_before);
        }
        if !self.waiting.is_empty() {
            return Readiness::Ready;
        }
        let Some(open) = &self.open else { return Readiness::Idle };
        let due = open.created + urgency.linger;
        let ready = urgency.all || open.serial <= urgency.flush_up_to || due <= now;
        if ready { Readiness::Ready } else { Readiness::At(due) }
    }

    /// When the oldest batch that is not in flight is given up.
    pub(super) fn expires(&self, delivery_timeout: Duration) -> Option<Instant> {
        Some(self.waiting.front().or(self.open.as_ref())?.created + delivery_timeout)
    }

    /// Takes out batches that have waited too long.
    pub(super) fn take_expired(&mut self, now: Instant, delivery_timeout: Duration) -> Vec<Batch> {
        let mut expired = Vec::new();
        while self.expires(delivery_timeout).is_some_and(|at| at <= now) {
            let Some(batch) = self.waiting.pop_front().or_else(|| self.open.take()) else { break };
            // It may have been written when no answer came: nobody knows which number the broker expects next.
            self.renumber |= batch.number.is_some();
            expired.push(batch);
        }
        self.settle();
        expired
    }

    /// The bytes that [`take`](Self::take) would send, about.
    pub(super) fn front_bytes(&self) -> usize {
        self.waiting.front().or(self.open.as_ref()).map_or(0, |batch| batch.contents.len_bytes())
    }

    /// The next batch to send, numbered if `numbered`. It comes back by [`written`](Self::written) or
    /// [`failed`](Self::failed).
    pub(super) fn take(&mut self, numbered: bool) -> Option<Batch> {
        if self.waiting.is_empty() {
            self.complete_open();
        }
        let mut batch = self.waiting.pop_front()?;
        if numbered && batch.number.is_none() {
            batch.number = Some(self.next);
            // Numbers are not negative: after 2³¹ − 1 comes 0.
            self.next.sequence = self.next.sequence.wrapping_add(batch.records) & i32::MAX;
        }
        self.in_flight += 1;
        self.introduces = numbered && !self.is_known;
        Some(batch)
    }

    /// A batch was acknowledged.
    pub(super) fn written(&mut self) {
        self.in_flight -= 1;
        (self.is_known, self.introduces) = (true, false);
        self.backoff.reset();
        self.settle();
    }

    /// A batch was refused, or nothing is known of it. It waits again if that may help and `expires` has not come;
    /// otherwise it comes back: it has failed.
    pub(super) fn failed(
        &mut self,
        batch: Batch,
        error: &ClientError,
        now: Instant,
        expires: Instant,
    ) -> Option<Batch> {
        self.in_flight -= 1;
        let numbered = batch.number.is_some();
        let lost_track = numbered
            && matches!(
                error.code(),
                Some(
                    ErrorCode::OutOfOrderSequenceNumber
                        | ErrorCode::UnknownProducerId
                        | ErrorCode::InvalidProducerEpoch
                )
            );
        // Behind a batch that failed the broker finds a gap; it closes when that one is sent again.
        let gap_stays = lost_track && !self.retrying;
        let may_help = if gap_stays { self.owns_epoch } else { lost_track || error.is_retriable() };
        let given_up = if may_help && now < expires {
            self.renumber |= gap_stays;
            let place = self.waiting.partition_point(|other| other.serial < batch.serial);
            self.waiting.insert(place, batch);
            self.not_before = Some(now + self.backoff.next());
            None
        } else {
            self.renumber |= numbered;
            Some(batch)
        };
        self.retrying = true;
        self.settle();
        given_up
    }

    /// Once nothing is in flight sending goes on, with fresh numbers if need be.
    fn settle(&mut self) {
        if self.in_flight > 0 {
            return;
        }
        self.retrying = false;
        if std::mem::take(&mut self.renumber) && self.owns_epoch {
            // The broker forgets a producer long before one partition has seen 2¹⁵ epochs of it.
            self.next = Number { epoch: self.next.epoch.wrapping_add(1) & i16::MAX, sequence: 0 };
            self.waiting.iter_mut().for_each(|batch| batch.number = None);
            self.is_known = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_of(batches: u64) -> PartitionQueue {
        let mut queue = PartitionQueue::new(Backoff::new(Duration::ZERO, Duration::ZERO), 0, true);
        for serial in 1..=batches {
            queue.waiting.push_back(Batch {
                serial,
                fate: Fate::open(),
                contents: Contents::Built(Bytes::new()),
                records: 10,
                opaques: Vec::new(),
                reserved_bytes: 100,
                created: Instant::now(),
                number: None,
            });
        }
        queue
    }

    fn error(code: ErrorCode) -> ClientError {
        ClientError::Broker { code, subject: "partition t-0".into(), message: String::new() }
    }

    const LATER: Duration = Duration::from_secs(9);
    const URGENT: Urgency = Urgency { linger: Duration::ZERO, flush_up_to: 0, all: true };

    /// Whether the batch is given up.
    fn fail(queue: &mut PartitionQueue, batch: Batch, code: ErrorCode) -> bool {
        let now = Instant::now();
        queue.failed(batch, &error(code), now, now + LATER).is_some()
    }

    fn numbers(queue: &mut PartitionQueue) -> Vec<(u64, i16, i32)> {
        let taken = std::iter::from_fn(|| queue.take(true));
        taken.map(|batch| (batch.serial, batch.number.unwrap().epoch, batch.number.unwrap().sequence)).collect()
    }

    #[test]
    fn sequences_count_records_and_wrap_to_zero() {
        let mut queue = queue_of(3);
        queue.next.sequence = i32::MAX - 9;
        assert_eq!(numbers(&mut queue), [(1, 0, i32::MAX - 9), (2, 0, 0), (3, 0, 10)]);
    }

    #[test]
    fn what_failed_goes_out_again_in_order_with_its_numbers() {
        let mut queue = queue_of(3);
        let [one, two, three] = std::array::from_fn(|_| queue.take(true).unwrap());
        assert!(!fail(&mut queue, one, ErrorCode::NotLeaderOrFollower));
        assert_eq!(queue.readiness(Instant::now(), URGENT), Readiness::Idle);
        assert!(!fail(&mut queue, three, ErrorCode::OutOfOrderSequenceNumber));
        assert!(!fail(&mut queue, two, ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(queue.readiness(Instant::now() + LATER, URGENT), Readiness::Ready);
        assert_eq!(numbers(&mut queue), [(1, 0, 0), (2, 0, 10), (3, 0, 20)]);
    }

    #[test]
    fn the_first_numbered_batch_goes_alone_until_the_broker_has_it() {
        let mut queue = queue_of(4);
        let (now, later) = (Instant::now(), Instant::now() + LATER);
        let first = queue.take(true).unwrap();
        assert_eq!(queue.readiness(now, URGENT), Readiness::Idle);
        assert!(!fail(&mut queue, first, ErrorCode::NotLeaderOrFollower));
        assert_eq!(queue.take(true).unwrap().serial, 1);
        assert_eq!(queue.readiness(later, URGENT), Readiness::Idle);
        queue.written();
        assert_eq!(queue.take(true).unwrap().serial, 2);
        assert_eq!(queue.readiness(later, URGENT), Readiness::Ready);
        let mut without_numbers = queue_of(2);
        without_numbers.take(false).unwrap();
        assert_eq!(without_numbers.readiness(now, URGENT), Readiness::Ready);
    }

    #[test]
    fn a_gap_that_nothing_closes_starts_a_fresh_epoch() {
        for code in [ErrorCode::OutOfOrderSequenceNumber, ErrorCode::UnknownProducerId] {
            let mut queue = queue_of(3);
            queue.take(true).unwrap();
            queue.written();
            let two = queue.take(true).unwrap();
            assert!(!fail(&mut queue, two, code));
            assert_eq!(numbers(&mut queue), [(2, 1, 0), (3, 1, 10)]);
        }
    }

    #[test]
    fn what_the_broker_lost_track_of_has_failed_in_an_epoch_that_was_given() {
        let mut queue = queue_of(3);
        queue.owns_epoch = false;
        queue.begin_epoch(4);
        let [one, two] = std::array::from_fn(|_| queue.take(true).unwrap());
        assert!(!fail(&mut queue, one, ErrorCode::NotLeaderOrFollower));
        assert!(!fail(&mut queue, two, ErrorCode::OutOfOrderSequenceNumber), "it follows the first");
        let one = queue.take(true).unwrap();
        assert_eq!(one.number, Some(Number { epoch: 4, sequence: 0 }));
        assert!(fail(&mut queue, one, ErrorCode::OutOfOrderSequenceNumber));
        queue.waiting.clear();
        queue.not_before = Some(Instant::now() + LATER);
        queue.begin_epoch(5);
        queue.waiting.extend(queue_of(1).waiting);
        assert_eq!(queue.readiness(Instant::now(), URGENT), Readiness::Ready, "what made the others wait is over");
        assert_eq!(numbers(&mut queue), [(1, 5, 0)]);
    }

    #[test]
    fn a_numbered_batch_that_is_given_up_leaves_no_gap() {
        let mut queue = queue_of(3);
        let [one, two] = std::array::from_fn(|_| queue.take(true).unwrap());
        assert!(fail(&mut queue, one, ErrorCode::MessageTooLarge));
        assert!(!fail(&mut queue, two, ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(numbers(&mut queue), [(2, 1, 0), (3, 1, 10)]);
    }

    #[test]
    fn past_its_deadline_a_batch_is_given_up() {
        let mut queue = queue_of(1);
        let one = queue.take(false).unwrap();
        let now = Instant::now();
        assert!(queue.failed(one, &error(ErrorCode::RequestTimedOut), now, now).is_some());
    }

    #[test]
    fn what_waits_too_long_is_taken_out_and_what_follows_is_renumbered() {
        let mut queue = queue_of(2);
        let one = queue.take(true).unwrap();
        fail(&mut queue, one, ErrorCode::RequestTimedOut);
        queue.waiting[1].created += LATER;
        let expired = queue.take_expired(Instant::now() + Duration::from_secs(1), Duration::from_secs(1));
        assert_eq!(expired.len(), 1);
        assert_eq!(numbers(&mut queue), [(2, 1, 0)]);
    }
}
