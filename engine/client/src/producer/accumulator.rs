//! Records on their way into batches: one queue per partition, and who is due.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ringlog_record::BatchBuilder;
use tokio::time::Instant;

use super::ProducerRecord;
use super::delivery::{Delivery, Fate};
use super::partition_queue::{Batch, Contents, PartitionQueue, Urgency};
use crate::backoff::Backoff;
use crate::partitioner::TopicPartitioner;
use crate::topology::Topic;
use crate::{ClientError, ProducerOptions, TopicPartition};

/// What a batch reserves when its first record comes; a larger one grows.
const MAX_RESERVED_BYTES: usize = 64 << 10;

/// A partition's place in the accumulator: which topic, which partition.
pub(super) type Place = (usize, usize);

pub(super) struct Accumulator {
    indexes: HashMap<Arc<str>, usize>,
    topics: Vec<TopicQueues>,
    /// The partitions with batches to send.
    active: BTreeSet<Place>,
    /// Fates of the batches that are not done, by their serials.
    open_fates: HashMap<u64, Arc<Fate>>,
    last_serial: u64,
    flush_up_to: u64,
    /// Calls of `send` that wait for memory.
    pub(super) starved: usize,
    pub(super) closed: bool,
    backoff: Backoff,
}

struct TopicQueues {
    name: Arc<str>,
    partitioner: TopicPartitioner,
    partitions: Vec<PartitionQueue>,
}

/// What an appended record has changed.
pub(super) struct Appended {
    pub(super) delivery: Delivery,
    /// A batch was begun or completed: the sender has to look.
    pub(super) wake: bool,
}

impl Accumulator {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self {
            indexes: HashMap::new(),
            topics: Vec::new(),
            active: BTreeSet::new(),
            open_fates: HashMap::new(),
            last_serial: 0,
            flush_up_to: 0,
            starved: 0,
            closed: false,
            backoff,
        }
    }

    /// Appends a record that takes `bytes` of `buffer.memory`.
    pub(super) fn append(
        &mut self,
        record: &ProducerRecord<'_>,
        bytes: usize,
        topic: &Topic,
        timestamp_ms: i64,
        options: &ProducerOptions,
    ) -> Result<Appended, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        let place = self.place(record, bytes, topic, options)?;
        let mut wake = false;
        let (serial, partition) = (self.last_serial + 1, place.1 as i32);
        let queue = self.queue(place).ok_or(ClientError::Closed)?;
        let ProducerRecord { key, value, headers, .. } = *record;
        if queue.open.as_ref().is_some_and(|open| !open.contents.fits(options.batch_bytes, key, value, headers)) {
            queue.complete_open();
            wake = true;
        }
        let batch = queue.open.get_or_insert_with(|| Batch {
            serial,
            fate: Fate::open(),
            contents: Contents::Building(
                BatchBuilder::new(options.compression).with_capacity(options.batch_bytes.min(MAX_RESERVED_BYTES)),
            ),
            records: 0,
            reserved_bytes: 0,
            created: Instant::now(),
            number: None,
        });
        let Contents::Building(builder) = &mut batch.contents else { return Err(ClientError::Closed) };
        builder
            .append(timestamp_ms, key, value, headers)
            .map_err(|cause| ClientError::Batch { partition: TopicPartition::new(record.topic, partition), cause })?;
        let delivery = batch.fate.delivery(partition, i64::from(batch.records), timestamp_ms);
        batch.records += 1;
        batch.reserved_bytes += bytes;
        let begun = (batch.serial == serial && batch.records == 1).then(|| Arc::clone(&batch.fate));
        if batch.contents.len_bytes() >= options.batch_bytes {
            queue.complete_open();
            wake = true;
        }
        if let Some(fate) = begun {
            wake = true;
            self.last_serial = serial;
            self.open_fates.insert(serial, fate);
            self.active.insert(place);
        }
        Ok(Appended { delivery, wake })
    }

    fn place(
        &mut self,
        record: &ProducerRecord<'_>,
        bytes: usize,
        topic: &Topic,
        options: &ProducerOptions,
    ) -> Result<Place, ClientError> {
        let index = self.topic_index(&topic.name);
        let queues = self.topics.get_mut(index).ok_or(ClientError::Closed)?;
        // Partitions are added, never taken away.
        while queues.partitions.len() < topic.partitions.len() {
            queues.partitions.push(PartitionQueue::new(self.backoff.clone()));
        }
        let count = queues.partitions.len();
        let asked = record.partition.map(|partition| usize::try_from(partition).unwrap_or(usize::MAX));
        let partition = asked.unwrap_or_else(|| match count {
            0 => 0,
            _ => queues.partitioner.partition(options.partitioner, record.key, bytes, options.batch_bytes, count),
        });
        if partition < count {
            return Ok((index, partition));
        }
        let partition = record.partition.unwrap_or_default();
        Err(ClientError::NoSuchPartition { topic: record.topic.to_owned(), partition, partitions: count })
    }

    fn topic_index(&mut self, name: &str) -> usize {
        if let Some(&index) = self.indexes.get(name) {
            return index;
        }
        let name: Arc<str> = name.into();
        self.indexes.insert(Arc::clone(&name), self.topics.len());
        self.topics.push(TopicQueues { name, partitioner: TopicPartitioner::default(), partitions: Vec::new() });
        self.topics.len() - 1
    }

    /// Makes all batches that exist due, and gives their fates.
    pub(super) fn flush(&mut self) -> Vec<Arc<Fate>> {
        self.flush_up_to = self.last_serial;
        self.open_fates.values().map(Arc::clone).collect()
    }

    pub(super) fn urgency(&self, options: &ProducerOptions) -> Urgency {
        Urgency { linger: options.linger, flush_up_to: self.flush_up_to, all: self.starved > 0 || self.closed }
    }

    /// The partitions with batches to send, from the one after `last` on and around: each gets its turn.
    pub(super) fn active_after(&self, last: Place) -> Vec<Place> {
        let after = (last.0, last.1 + 1);
        self.active.range(after..).chain(self.active.range(..after)).copied().collect()
    }

    pub(super) fn topic_name(&self, place: Place) -> Arc<str> {
        self.topics.get(place.0).map_or_else(|| "".into(), |topic| Arc::clone(&topic.name))
    }

    pub(super) fn queue(&mut self, place: Place) -> Option<&mut PartitionQueue> {
        self.topics.get_mut(place.0)?.partitions.get_mut(place.1)
    }

    /// Notes whether the partition still has batches to send.
    pub(super) fn update_active(&mut self, place: Place) {
        if self.queue(place).is_some_and(|queue| queue.has_batches()) {
            self.active.insert(place);
        } else {
            self.active.remove(&place);
        }
    }

    /// A batch's fate is sealed.
    pub(super) fn forget(&mut self, serial: u64) {
        self.open_fates.remove(&serial);
    }

    /// No batch is waiting or in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.open_fates.is_empty()
    }
}
