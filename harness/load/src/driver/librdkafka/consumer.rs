//! A consumer of librdkafka's.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

use super::said;
use crate::LoadError;
use crate::driver::forming::{LEAVE_LIMIT, LOOK, Place};
use crate::driver::{Consume, Layout, Record};

/// One consumer: of partitions of its own choice, or of a group that has come to rest before the cell begins.
pub struct LibrdkafkaConsumer {
    consumer: StreamConsumer<Pausing>,
    /// Of its topic, of which it may read a part.
    first_slot: u32,
    max_poll_records: usize,
    place: Option<Place>,
}

impl LibrdkafkaConsumer {
    /// Reads these slots, which are of one topic; or what its group gives it of the topic.
    pub(super) fn connect(
        config: &ClientConfig,
        layout: &Layout,
        slots: &[u32],
        place: Option<Place>,
        max_poll_records: usize,
    ) -> Result<LibrdkafkaConsumer, LoadError> {
        let mut config = config.clone();
        // It takes no consumer without a group, though one that does not subscribe never joins it.
        config.set("group.id", place.as_ref().map_or("ringbench", |place| &*place.group));
        let is_forming = AtomicBool::new(place.is_some());
        let consumer: StreamConsumer<Pausing> = config.create_with_context(Pausing { is_forming }).map_err(said)?;
        let first = slots.first().copied().unwrap_or_default();
        if place.is_some() {
            consumer.subscribe(&[layout.place(first).0]).map_err(said)?;
        } else {
            let mut partitions = TopicPartitionList::with_capacity(slots.len());
            for slot in slots {
                let (topic, partition) = layout.place(*slot);
                partitions.add_partition_offset(topic, partition as i32, Offset::Beginning).map_err(said)?;
            }
            consumer.assign(&partitions).map_err(said)?;
        }
        Ok(LibrdkafkaConsumer { consumer, first_slot: first - first % layout.partitions, max_poll_records, place })
    }
}

impl Consume for LibrdkafkaConsumer {
    async fn ready(&mut self) -> Result<(), LoadError> {
        let Some(place) = &self.place else { return Ok(()) };
        let begun = Instant::now();
        loop {
            // Joins, and is given nothing to read. What it says of brokers that come and go matters only if they don't come.
            let said_last = tokio::time::timeout(LOOK, self.consumer.recv()).await.ok().and_then(Result::err);
            if place.has(self.consumer.assignment().map_err(said)?.count()) {
                break;
            }
            place.is_late(begun).map_err(|late| said_last.map_or(late, said))?;
        }
        self.consumer.context().is_forming.store(false, Ordering::Relaxed);
        self.consumer.resume(&self.consumer.assignment().map_err(said)?).map_err(said)
    }

    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let Ok(first) = tokio::time::timeout(wait, self.consumer.recv()).await else { return Ok(()) };
        let mut next = Poll::Ready(first);
        let mut room = self.max_poll_records;
        while let Poll::Ready(message) = next {
            let message = message.map_err(said)?;
            each(Record {
                slot: self.first_slot + message.partition().unsigned_abs(),
                key: message.key(),
                value: message.payload().unwrap_or_default(),
            });
            room -= 1;
            if room == 0 {
                break;
            }
            // Only what is there already.
            let mut more = pin!(self.consumer.recv());
            next = poll_fn(|context| Poll::Ready(more.as_mut().poll(context))).await;
        }
        Ok(())
    }

    async fn leave(self) {
        // It waits for the broker, on a thread that has nothing else to do.
        let left = tokio::task::spawn_blocking(move || drop(self.consumer));
        let _ = tokio::time::timeout(LEAVE_LIMIT, left).await;
    }
}

/// Keeps a consumer from reading while its group forms.
struct Pausing {
    is_forming: AtomicBool,
}

impl ClientContext for Pausing {}

impl ConsumerContext for Pausing {
    fn post_rebalance(&self, consumer: &BaseConsumer<Pausing>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance
            && self.is_forming.load(Ordering::Relaxed)
        {
            // Should it fail, the ledger has a record too few.
            let _ = consumer.pause(partitions);
        }
    }
}
