//! Records that were fetched: whole batches as they came, read when they are looked at.

use bytes::Bytes;
use ringlog_protocol::fetch::PartitionData;
use ringlog_record::{Batch, Record, RecordError};

use super::assignor::TopicPartition;
use crate::{ClientError, Isolation};

/// What a batch may grow to when it is decompressed: well over any `max.message.bytes`, well under memory.
const MAX_DECOMPRESSED_BYTES: usize = 256 << 20;

/// What one poll returns: parts of batches, in the order of their partitions' offsets.
#[derive(Debug, Default)]
pub struct Records {
    chunks: Vec<Chunk>,
}

/// Consecutive records of one partition, out of one batch.
#[derive(Debug)]
pub struct Chunk {
    partition: TopicPartition,
    batch: Bytes,
    /// Records before this offset are left out,
    from: i64,
    /// and those from this one on.
    until: i64,
    leader_epoch: i32,
}

impl Records {
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    /// Whether the poll timed out without records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The records, by the batches they came in.
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter()
    }

    /// Calls `each` with every record. Batches are decompressed one at a time.
    ///
    /// # Errors
    /// [`ClientError::Records`] where a record cannot be read, or the error of `each`; both end it.
    pub fn try_for_each<E: From<ClientError>>(
        &self,
        mut each: impl FnMut(&TopicPartition, &Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.chunks.iter().try_for_each(|chunk| chunk.try_for_each(|record| each(&chunk.partition, record)))
    }
}

impl Chunk {
    /// Where the records come from.
    #[must_use]
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The offset behind the last record: what to commit once all are dealt with.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.until
    }

    pub(super) fn leader_epoch(&self) -> Option<i32> {
        Some(self.leader_epoch).filter(|&epoch| epoch >= 0)
    }

    /// Calls `each` with every record.
    ///
    /// # Errors
    /// As [`Records::try_for_each`].
    pub fn try_for_each<E: From<ClientError>>(
        &self,
        mut each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let unreadable = |cause| ClientError::Records { partition: self.partition.clone(), offset: self.from, cause };
        let records = Batch::parse(&self.batch).and_then(|batch| batch.records(MAX_DECOMPRESSED_BYTES));
        for record in records.map_err(unreadable)?.iter() {
            let record = record.map_err(unreadable)?;
            if (self.from..self.until).contains(&record.offset) {
                each(&record)?;
            }
        }
        Ok(())
    }
}

/// The answer for one partition, consumed batch by batch.
pub(super) struct Fetched {
    pub(super) partition: TopicPartition,
    /// The seek that the fetch belongs to: after another one it is worth nothing.
    pub(super) seek: u64,
    /// Offset of the next record to give out.
    pub(super) next: i64,
    /// Batches, the last perhaps cut short.
    rest: Bytes,
    /// Sorted by first offset, the last first: `(first offset, producer id)`.
    aborted: Vec<(i64, i64)>,
    /// Producers within an aborted transaction.
    aborting: Vec<i64>,
    isolation: Isolation,
    check_crcs: bool,
}

impl Fetched {
    /// Takes the records of `row`, which borrows from `body`, without copying them.
    pub(super) fn new(
        partition: TopicPartition,
        seek: u64,
        next: i64,
        row: &PartitionData<'_>,
        body: &Bytes,
        isolation: Isolation,
        check_crcs: bool,
    ) -> Self {
        let range = row.records.as_ref().and_then(|records| records.range_in(body));
        let aborted = row.aborted_transactions.iter().flatten();
        let mut aborted: Vec<_> = aborted.map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        aborted.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            partition,
            seek,
            next,
            rest: range.map(|range| body.slice(range)).unwrap_or_default(),
            aborted,
            aborting: Vec::new(),
            isolation,
            check_crcs,
        }
    }

    pub(super) fn has_batches(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The next records, at most `limit` of them (and their number), or `None` when there are no more complete batches.
    /// `next` has moved on, also over what is left out: control records, and those of aborted transactions.
    pub(super) fn take(&mut self, limit: usize) -> Result<Option<(Chunk, usize)>, ClientError> {
        loop {
            let batch = match Batch::parse(&self.rest) {
                Ok(batch) => batch,
                // A broker cuts its answer to the size asked for; the rest comes with the next.
                Err(RecordError::Incomplete { .. }) => {
                    self.rest.clear();
                    return Ok(None);
                }
                Err(cause) => return Err(self.unreadable(cause)),
            };
            let header = *batch.header();
            let end = header.base_offset + i64::from(header.last_offset_delta) + 1;
            if self.check_crcs && end > self.next {
                batch.check_crc().map_err(|cause| self.unreadable(cause))?;
            }
            let bytes = self.rest.slice(..batch.bytes().len());
            let left_out = end <= self.next || self.is_left_out(&bytes)?;
            let (until, count) = if left_out { (end, 0) } else { self.cut(&bytes, end, limit)? };
            let from = self.next;
            self.next = until.max(from);
            if until == end {
                self.rest = self.rest.slice(bytes.len()..);
            }
            if count > 0 {
                let (partition, leader_epoch) = (self.partition.clone(), header.partition_leader_epoch);
                return Ok(Some((Chunk { partition, batch: bytes, from, until, leader_epoch }, count)));
            }
        }
    }

    /// Where to stop in a batch that ends at `end`, and how many records there are up to that.
    fn cut(&self, bytes: &Bytes, end: i64, limit: usize) -> Result<(i64, usize), ClientError> {
        let batch = Batch::parse(bytes).map_err(|cause| self.unreadable(cause))?;
        let header = batch.header();
        let count = header.record_count as usize;
        if header.base_offset >= self.next && count <= limit {
            return Ok((end, count));
        }
        let mut taken = 0;
        let records = batch.records(MAX_DECOMPRESSED_BYTES).map_err(|cause| self.unreadable(cause))?;
        for record in records.iter() {
            let record = record.map_err(|cause| self.unreadable(cause))?;
            if record.offset < self.next {
                continue;
            }
            if taken == limit {
                return Ok((record.offset, taken));
            }
            taken += 1;
        }
        Ok((end, taken))
    }

    /// Control batches are never given out, batches of aborted transactions not with read_committed.
    fn is_left_out(&mut self, bytes: &Bytes) -> Result<bool, ClientError> {
        let batch = Batch::parse(bytes).map_err(|cause| self.unreadable(cause))?;
        let header = batch.header();
        let control = header.attributes.is_control();
        if self.isolation == Isolation::ReadUncommitted || !header.attributes.is_transactional() {
            return Ok(control);
        }
        while let Some(&(_, producer)) = self.aborted.last().filter(|(first, _)| *first < header.base_offset + 1) {
            self.aborting.push(producer);
            self.aborted.pop();
        }
        if control {
            // Either marker ends the producer's transaction.
            self.aborting.retain(|producer| *producer != header.producer_id);
        }
        Ok(control || self.aborting.contains(&header.producer_id))
    }

    fn unreadable(&self, cause: RecordError) -> ClientError {
        ClientError::Records { partition: self.partition.clone(), offset: self.next, cause }
    }
}
