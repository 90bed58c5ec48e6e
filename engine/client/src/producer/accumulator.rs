//! Records on their way into batches: one queue per partition, and who is due.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ringlog_record::BatchBuilder;
use tokio::time::Instant;

use super::ProducerRecord;
use super::delivery::{Delivery, Fate};
use super::partition_queue::{Batch, Contents, PartitionQueue, Urgency};
use super::transaction::Transaction;
use crate::backoff::Backoff;
use crate::partitioner::TopicPartitioner;
use crate::topology::{Topic, Topology};
use crate::{ClientError, ProducerOptions, TopicPartition};

/// What a batch reserves when its first record comes; a larger one grows.
const MAX_RESERVED_BYTES: usize = 64 << 10;

/// A partition's place in the accumulator: which topic, which partition.
pub(super) type Place = (usize, usize);

pub(super) struct Accumulator {
    indexes: HashMap<Arc<str>, usize>,
    topics: Vec<TopicQueues>,
    /// Index of the topic of the last record: most producers write to one.
    last_topic: usize,
    /// Whether batches keep their records' [`opaque`](ProducerRecord::opaque)s.
    keeps_opaques: bool,
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
    /// The epoch that batches are numbered in to begin with.
    epoch: i16,
    /// Of a producer with a `transactional.id`.
    pub(super) transaction: Option<Transaction>,
}

struct TopicQueues {
    name: Arc<str>,
    partitioner: TopicPartitioner,
    partitions: Vec<PartitionQueue>,
    /// The partitions that have a leader, as far as is known; all when none has one.
    led: Vec<usize>,
}

/// What came of trying to append a record.
pub(super) enum Appended {
    Done {
        delivery: Delivery,
        /// A batch was begun or completed: the sender has to look.
        wake: bool,
    },
    /// The topic has not been [learned](Accumulator::learn).
    UnknownTopic,
    /// As far as was learned the topic has no such partition.
    NoSuchPartition(ClientError),
}

impl Accumulator {
    pub(super) fn new(backoff: Backoff, keeps_opaques: bool, transaction: Option<Transaction>) -> Self {
        Self {
            indexes: HashMap::new(),
            topics: Vec::new(),
            last_topic: 0,
            keeps_opaques,
            active: BTreeSet::new(),
            open_fates: HashMap::new(),
            last_serial: 0,
            flush_up_to: 0,
            starved: 0,
            closed: false,
            backoff,
            epoch: 0,
            transaction,
        }
    }

    /// Notes the partitions of a topic that records may go to. They are added, never taken away.
    pub(super) fn learn(&mut self, topic: &Topic) {
        let index = self.topic_index(&topic.name).unwrap_or_else(|| {
            let name: Arc<str> = topic.name.as_str().into();
            self.indexes.insert(Arc::clone(&name), self.topics.len());
            let (partitioner, partitions, led) = Default::default();
            self.topics.push(TopicQueues { name, partitioner, partitions, led });
            self.topics.len() - 1
        });
        if let Some(queues) = self.topics.get_mut(index) {
            let count = queues.partitions.len().max(topic.partitions.len());
            let fresh = || PartitionQueue::new(self.backoff.clone(), self.epoch, self.transaction.is_none());
            queues.partitions.resize_with(count, fresh);
            let has_leader = |&index: &usize| topic.partitions.get(index).is_some_and(|found| found.leader.is_some());
            queues.led = (0..count).filter(has_leader).collect();
            if queues.led.is_empty() {
                queues.led = (0..count).collect();
            }
        }
    }

    /// [Learns](Self::learn) what there is to know of all its topics.
    pub(super) fn learn_all(&mut self, topology: &Topology) {
        for name in self.topic_names() {
            if let Ok(topic) = topology.topic(&name) {
                self.learn(&topic);
            }
        }
    }

    /// Numbers what is sent from here on in an epoch that the producer was given.
    pub(super) fn begin_epoch(&mut self, epoch: i16) {
        self.epoch = epoch;
        let queues = self.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        queues.for_each(|queue| queue.begin_epoch(epoch));
    }

    /// Appends a record that takes `bytes` of `buffer.memory`.
    pub(super) fn append(
        &mut self,
        record: &ProducerRecord<'_>,
        bytes: usize,
        timestamp_ms: i64,
        options: &ProducerOptions,
    ) -> Result<Appended, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        self.transaction.as_ref().map_or(Ok(()), Transaction::check_open)?;
        let Some(index) = self.topic_index(record.topic) else { return Ok(Appended::UnknownTopic) };
        self.last_topic = index;
        let Some(topic) = self.topics.get_mut(index) else { return Ok(Appended::UnknownTopic) };
        let (partition, queue) = match topic.queue_for(record, bytes, options) {
            Ok(found) => found,
            Err(error) => return Ok(Appended::NoSuchPartition(error)),
        };
        let ProducerRecord { key, value, headers, .. } = *record;
        let mut wake = false;
        let full = |open: &Batch| {
            // Only near the end does the exact size matter.
            open.contents.len_bytes() + bytes > options.batch_bytes
                && !open.contents.fits(options.batch_bytes, key, value, headers)
        };
        if queue.open.as_ref().is_some_and(full) {
            queue.complete_open();
            wake = true;
        }
        let begun = queue.open.is_none();
        let batch = queue.open.get_or_insert_with(|| Batch::begin(self.last_serial + 1, options));
        let Contents::Building(builder) = &mut batch.contents else { return Err(ClientError::Closed) };
        builder.append(timestamp_ms, key, value, headers).map_err(|cause| ClientError::Batch {
            partition: TopicPartition::new(record.topic, partition as i32),
            cause,
        })?;
        let delivery = batch.fate.delivery(partition as i32, i64::from(batch.records), timestamp_ms);
        batch.records += 1;
        batch.reserved_bytes += bytes;
        if self.keeps_opaques {
            batch.opaques.push(record.opaque);
        }
        if begun {
            wake = true;
            self.last_serial = batch.serial;
            self.open_fates.insert(batch.serial, Arc::clone(&batch.fate));
            self.active.insert((index, partition));
            self.transaction.iter_mut().for_each(|transaction| transaction.join((index, partition)));
        }
        if batch.contents.len_bytes() >= options.batch_bytes {
            queue.complete_open();
            wake = true;
        }
        Ok(Appended::Done { delivery, wake })
    }

    fn topic_index(&self, name: &str) -> Option<usize> {
        match self.topics.get(self.last_topic) {
            Some(last) if *last.name == *name => Some(self.last_topic),
            _ => self.indexes.get(name).copied(),
        }
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

    pub(super) fn topic_names(&self) -> Vec<Arc<str>> {
        self.topics.iter().map(|topic| Arc::clone(&topic.name)).collect()
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

    /// Takes out a partition's batches that have waited for longer than `limit`: they have failed.
    pub(super) fn take_expired(&mut self, place: Place, now: Instant, limit: Duration) -> Vec<(TopicPartition, Batch)> {
        let expired = self.queue(place).map(|queue| queue.take_expired(now, limit)).unwrap_or_default();
        if expired.is_empty() {
            return Vec::new();
        }
        self.update_active(place);
        let partition = TopicPartition::new(&*self.topic_name(place), place.1 as i32);
        expired.into_iter().map(|batch| (partition.clone(), batch)).collect()
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

impl TopicQueues {
    /// The queue that a record of `bytes` goes to.
    fn queue_for(
        &mut self,
        record: &ProducerRecord<'_>,
        bytes: usize,
        options: &ProducerOptions,
    ) -> Result<(usize, &mut PartitionQueue), ClientError> {
        let partitions = self.partitions.len();
        let chosen = match record.partition {
            Some(asked) => usize::try_from(asked).unwrap_or(usize::MAX),
            None if partitions == 0 => 0,
            None => {
                let (kind, sticky_bytes) = (&options.partitioner, options.batch_bytes);
                self.partitioner.partition(kind, record, bytes, sticky_bytes, partitions, &self.led)
            }
        };
        let queue = self.partitions.get_mut(chosen).map(|queue| (chosen, queue));
        queue.ok_or_else(|| ClientError::NoSuchPartition {
            topic: record.topic.to_owned(),
            partition: record.partition.unwrap_or(i32::try_from(chosen).unwrap_or(i32::MAX)),
            partitions,
        })
    }
}

impl Batch {
    fn begin(serial: u64, options: &ProducerOptions) -> Self {
        let builder = BatchBuilder::new(options.compression);
        Self {
            serial,
            fate: Fate::open(),
            contents: Contents::Building(builder.with_capacity(options.batch_bytes.min(MAX_RESERVED_BYTES))),
            records: 0,
            opaques: Vec::new(),
            reserved_bytes: 0,
            created: Instant::now(),
            number: None,
        }
    }
}
