//! What a partition remembers of its idempotent and transactional producers.

use std::collections::{BTreeSet, HashMap, VecDeque};

use ringlog_record::{BatchHeader, control::Marker};

use crate::LogError;

/// Batches that are remembered of each producer: the most that a client has in flight with idempotence.
const BATCHES: usize = 5;
/// Sequence number of a producer that has written nothing under its epoch.
pub(crate) const NO_SEQUENCE: i32 = -1;
/// Coordinator epoch of a producer that no marker was written for.
pub(crate) const NO_COORDINATOR_EPOCH: i32 = -1;

/// One batch of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducedBatch {
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Last offset less the first.
    pub offset_delta: i32,
    /// Its max timestamp in milliseconds.
    pub timestamp_ms: i64,
}

impl ProducedBatch {
    fn of(header: &BatchHeader) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp,
        }
    }

    /// Sequence number of its first record: 2³¹−1 is followed by 0.
    fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }

    /// Offset of its first record.
    #[must_use]
    pub fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// One producer, as DescribeProducers shows it and a snapshot stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// The id that InitProducerId gave.
    pub producer_id: i64,
    /// Highest epoch seen; a lower one is fenced.
    pub epoch: i16,
    /// The newest batches of this epoch, oldest first, at most five.
    pub batches: VecDeque<ProducedBatch>,
    /// Time of its last batch or marker, in milliseconds.
    pub last_timestamp_ms: i64,
    /// Epoch of the coordinator that wrote its last marker, or −1.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub transaction_first_offset: Option<i64>,
}

impl Producer {
    fn new(producer_id: i64, epoch: i16) -> Self {
        Self {
            producer_id,
            epoch,
            batches: VecDeque::new(),
            last_timestamp_ms: ringlog_record::NO_TIMESTAMP,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            transaction_first_offset: None,
        }
    }

    /// Sequence number of the last record under this epoch, or −1.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }
}

/// What the producer's history says of a batch that it wants to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// Already in the log, from this offset on.
    Duplicate(ProducedBatch),
}

/// All producers of a partition: a fold over the headers of its batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// First offsets of open transactions.
    open: BTreeSet<i64>,
}

impl Producers {
    /// Whether a client's batch may be appended (KIP-98). A producer that is unknown here may begin with any sequence.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Verdict, LogError> {
        let Some(producer) = self.by_id.get(&header.producer_id) else { return Ok(Verdict::Append) };
        let producer_id = producer.producer_id;
        if header.producer_epoch < producer.epoch {
            return Err(LogError::FencedProducer {
                producer_id,
                current: producer.epoch,
                found: header.producer_epoch,
            });
        }
        // The group coordinator's batches within a transaction have a producer but no sequence.
        if header.base_sequence < 0 {
            return Ok(Verdict::Append);
        }
        let same_epoch = header.producer_epoch == producer.epoch;
        let is_retry = |batch: &&ProducedBatch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        };
        if same_epoch && let Some(batch) = producer.batches.iter().find(is_retry) {
            return Ok(Verdict::Duplicate(*batch));
        }
        // −1 is followed by 0 as 2³¹−1 is.
        let expected = if same_epoch { producer.last_sequence().wrapping_add(1) & i32::MAX } else { 0 };
        if header.base_sequence != expected {
            let (epoch, found) = (header.producer_epoch, header.base_sequence);
            return Err(LogError::OutOfOrderSequence { producer_id, epoch, expected, found });
        }
        match producer.transaction_first_offset {
            Some(first_offset) if !header.attributes.is_transactional() => {
                Err(LogError::InvalidTransactionState { producer_id, first_offset })
            }
            _ => Ok(Verdict::Append),
        }
    }

    /// Whether a coordinator's marker may be appended.
    pub(crate) fn check_marker(&self, header: &BatchHeader, marker: Marker) -> Result<(), LogError> {
        let Some(producer) = self.by_id.get(&header.producer_id) else { return Ok(()) };
        let producer_id = producer.producer_id;
        if header.producer_epoch < producer.epoch {
            let (current, found) = (producer.epoch, header.producer_epoch);
            return Err(LogError::FencedProducer { producer_id, current, found });
        }
        if marker.coordinator_epoch < producer.coordinator_epoch {
            let (current, found) = (producer.coordinator_epoch, marker.coordinator_epoch);
            return Err(LogError::FencedCoordinator { producer_id, current, found });
        }
        Ok(())
    }

    /// Takes an appended batch into account; its header has its final offsets.
    pub(crate) fn apply(&mut self, header: &BatchHeader, marker: Option<Marker>) {
        if !header.has_producer() {
            return;
        }
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert_with(|| Producer::new(header.producer_id, header.producer_epoch));
        if header.producer_epoch > producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.last_timestamp_ms = header.max_timestamp;
        if let Some(marker) = marker {
            producer.coordinator_epoch = producer.coordinator_epoch.max(marker.coordinator_epoch);
            if let Some(first_offset) = producer.transaction_first_offset.take() {
                self.open.remove(&first_offset);
            }
            return;
        }
        if header.attributes.is_control() {
            return;
        }
        if header.base_sequence >= 0 {
            if producer.batches.len() == BATCHES {
                producer.batches.pop_front();
            }
            producer.batches.push_back(ProducedBatch::of(header));
        }
        if header.attributes.is_transactional() && producer.transaction_first_offset.is_none() {
            producer.transaction_first_offset = Some(header.base_offset);
            self.open.insert(header.base_offset);
        }
    }

    /// The producer as it is, so that [`Self::restore`] can undo what is applied meanwhile.
    pub(crate) fn before(&self, producer_id: i64) -> (i64, Option<Producer>) {
        (producer_id, self.by_id.get(&producer_id).cloned())
    }

    /// Undoes what was applied to a producer after [`Self::before`].
    pub(crate) fn restore(&mut self, (producer_id, before): (i64, Option<Producer>)) {
        let now = match before {
            Some(producer) => {
                self.open.extend(producer.transaction_first_offset);
                let first_offset = producer.transaction_first_offset;
                self.by_id
                    .insert(producer_id, producer)
                    .and_then(|now| now.transaction_first_offset.filter(|&first| Some(first) != first_offset))
            }
            None => self.by_id.remove(&producer_id).and_then(|now| now.transaction_first_offset),
        };
        if let Some(first_offset) = now {
            self.open.remove(&first_offset);
        }
    }

    /// First offset of the oldest open transaction: what follows is not stable.
    pub(crate) fn first_open_transaction(&self) -> Option<i64> {
        self.open.first().copied()
    }

    /// Forgets producers that have been silent since before `oldest_ms`, unless a transaction is open.
    pub(crate) fn expire(&mut self, oldest_ms: i64) {
        self.by_id.retain(|_, producer| {
            producer.transaction_first_offset.is_some() || producer.last_timestamp_ms >= oldest_ms
        });
    }

    /// Puts back a producer from a snapshot.
    pub(crate) fn insert(&mut self, producer: Producer) {
        self.open.extend(producer.transaction_first_offset);
        self.by_id.insert(producer.producer_id, producer);
    }

    /// Adds to the producers' windows the older batches that `earlier`, a fold over batches before these, has of them: a
    /// snapshot stores only the last batch of each, and a client may retry five.
    pub(crate) fn widen(&mut self, earlier: &Producers) {
        for producer in self.by_id.values_mut() {
            let Some(before) = earlier.by_id.get(&producer.producer_id) else { continue };
            if before.epoch != producer.epoch {
                continue;
            }
            let oldest = producer.batches.front().map_or(i64::MAX, ProducedBatch::first_offset);
            for batch in before.batches.iter().rev().filter(|batch| batch.last_offset < oldest) {
                if producer.batches.len() == BATCHES {
                    break;
                }
                producer.batches.push_front(*batch);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All producers, by id.
    pub(crate) fn list(&self) -> Vec<Producer> {
        let mut producers: Vec<_> = self.by_id.values().cloned().collect();
        producers.sort_unstable_by_key(|producer| producer.producer_id);
        producers
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ringlog_record::{BatchBuilder, Compression, control::MarkerKind};

    use super::*;

    pub(crate) fn header(producer_id: i64, epoch: i16, sequence: i32, records: i32, base_offset: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..records {
            builder.append(1_000, None, Some(b"v"), &[]).unwrap();
        }
        builder.set_producer(producer_id, epoch, sequence).set_position(base_offset, 0);
        BatchHeader::parse(&builder.build().unwrap()).unwrap()
    }

    fn transactional(mut header: BatchHeader) -> BatchHeader {
        header.attributes = header.attributes.transactional();
        header
    }

    #[test]
    fn each_of_the_last_five_batches_is_recognised_when_it_comes_again() {
        let mut producers = Producers::default();
        for n in 0..7 {
            let batch = header(1, 0, n * 10, 10, i64::from(n) * 100);
            assert_eq!(producers.check(&batch).unwrap(), Verdict::Append);
            producers.apply(&batch, None);
        }
        for n in 2..7 {
            let Verdict::Duplicate(original) = producers.check(&header(1, 0, n * 10, 10, 0)).unwrap() else {
                panic!("batch {n} is not recognised")
            };
            assert_eq!(original.first_offset(), i64::from(n) * 100);
        }
        let too_old = producers.check(&header(1, 0, 10, 10, 0));
        assert!(matches!(too_old, Err(LogError::OutOfOrderSequence { expected: 70, found: 10, .. })), "{too_old:?}");
        let other_length = producers.check(&header(1, 0, 60, 9, 0));
        assert!(matches!(other_length, Err(LogError::OutOfOrderSequence { .. })), "{other_length:?}");
    }

    #[test]
    fn a_gap_is_refused_and_any_first_sequence_accepted() {
        let mut producers = Producers::default();
        producers.apply(&header(1, 0, 500, 10, 0), None);
        assert!(matches!(
            producers.check(&header(1, 0, 511, 1, 0)),
            Err(LogError::OutOfOrderSequence { producer_id: 1, epoch: 0, expected: 510, found: 511 })
        ));
        assert_eq!(producers.check(&header(1, 0, 510, 1, 0)).unwrap(), Verdict::Append);
    }

    #[test]
    fn sequences_wrap_to_zero_also_inside_a_batch() {
        let mut producers = Producers::default();
        producers.apply(&header(1, 0, i32::MAX - 1, 2, 0), None);
        assert_eq!(producers.check(&header(1, 0, 0, 1, 2)).unwrap(), Verdict::Append);
        producers.apply(&header(2, 0, i32::MAX - 1, 5, 0), None);
        assert_eq!(producers.check(&header(2, 0, 3, 1, 5)).unwrap(), Verdict::Append);
        let again = producers.check(&header(2, 0, i32::MAX - 1, 5, 0)).unwrap();
        assert!(matches!(again, Verdict::Duplicate(batch) if batch.first_offset() == 0));
    }

    #[test]
    fn a_higher_epoch_begins_at_zero_and_fences_the_lower_one() {
        let mut producers = Producers::default();
        producers.apply(&header(1, 3, 0, 10, 0), None);
        assert!(matches!(
            producers.check(&header(1, 4, 10, 1, 0)),
            Err(LogError::OutOfOrderSequence { expected: 0, .. })
        ));
        producers.apply(&header(1, 4, 0, 1, 10), None);
        assert!(matches!(
            producers.check(&header(1, 3, 10, 1, 0)),
            Err(LogError::FencedProducer { producer_id: 1, current: 4, found: 3 })
        ));
    }

    #[test]
    fn a_transaction_is_open_until_its_marker() {
        let mut producers = Producers::default();
        producers.apply(&transactional(header(1, 0, 0, 2, 7)), None);
        producers.apply(&transactional(header(2, 0, 0, 2, 9)), None);
        assert_eq!(producers.first_open_transaction(), Some(7));
        assert!(matches!(
            producers.check(&header(1, 0, 2, 1, 0)),
            Err(LogError::InvalidTransactionState { first_offset: 7, .. })
        ));
        let marker = Marker { kind: MarkerKind::Commit, coordinator_epoch: 5 };
        producers.apply(&header(1, 0, -1, 1, 11), Some(marker));
        assert_eq!(producers.first_open_transaction(), Some(9));
        let stale = Marker { coordinator_epoch: 4, ..marker };
        assert!(matches!(
            producers.check_marker(&header(1, 0, -1, 1, 12), stale),
            Err(LogError::FencedCoordinator { current: 5, found: 4, .. })
        ));
        assert_eq!(producers.check(&header(1, 0, 2, 1, 0)).unwrap(), Verdict::Append, "a marker uses no sequence");
    }

    #[test]
    fn what_a_failed_write_applied_can_be_undone() {
        let mut producers = Producers::default();
        producers.apply(&transactional(header(1, 0, 0, 2, 0)), None);
        let before = producers.clone();
        let undo = [producers.before(1), producers.before(2), producers.before(1)];
        producers.apply(&header(1, 0, -1, 1, 2), Some(Marker { kind: MarkerKind::Abort, coordinator_epoch: 0 }));
        producers.apply(&transactional(header(2, 0, 0, 1, 3)), None);
        producers.apply(&transactional(header(1, 0, 2, 1, 4)), None);
        undo.into_iter().rev().for_each(|undo| producers.restore(undo));
        assert_eq!(producers, before);
    }

    #[test]
    fn silent_producers_expire_unless_their_transaction_is_open() {
        let mut producers = Producers::default();
        producers.apply(&header(1, 0, 0, 1, 0), None);
        producers.apply(&transactional(header(2, 0, 0, 1, 1)), None);
        producers.expire(1_000);
        assert_eq!(producers.list().len(), 2);
        producers.expire(1_001);
        assert_eq!(producers.list().iter().map(|producer| producer.producer_id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_window_that_a_snapshot_cut_to_one_batch_is_widened_again() {
        let (mut whole, mut earlier) = (Producers::default(), Producers::default());
        for n in 0..6 {
            whole.apply(&header(1, 0, n, 1, i64::from(n)), None);
            earlier.apply(&header(1, 0, n, 1, i64::from(n)), None);
        }
        let mut cut = Producers::default();
        let mut producer = whole.list().remove(0);
        producer.batches.drain(..4);
        cut.insert(producer);
        cut.widen(&earlier);
        assert_eq!(cut, whole);
    }
}
