//! Ringlog's own client, against every broker that speaks Kafka's protocol.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ringlog_client::{
    Acks, Admin, Client, ClientError, ClientOptions, Consumer, ConsumerOptions, Delivery, NewTopic, OffsetSpec,
    Producer, ProducerOptions, ProducerRecord, RebalanceListener, Told, TopicPartition,
};

use super::forming::{Forming, LEAVE_LIMIT, LOOK, Place};
use super::kafka_durability::Brokers;
use super::kafka_settings::{consumer_options, named, producer_options};
use crate::LoadError;
use crate::driver::{Ack, Consume, Declaration, Driver, Evidence, Layout, Produce, Record};
use crate::workload::{CellSpec, Consumption, Durability};

/// The native client. Each producer and each consumer has connections of its own.
#[derive(Debug, Clone)]
pub struct NativeDriver {
    options: ClientOptions,
    producing: ProducerOptions,
    consuming: ConsumerOptions,
    topic_settings: Vec<(String, String)>,
    durability: Durability,
    connections: u32,
    /// Without groups: consumers are told what they read.
    forming: Option<Arc<Forming>>,
}

impl NativeDriver {
    /// For one cell on the brokers at `bootstrap`: `host:port` or `kafka://host:port`, several with commas.
    ///
    /// # Errors
    /// [`LoadError::Client`] for an address that is none, [`LoadError::Setting`] for a setting that the client does not have, or not
    /// with this value.
    pub fn new(bootstrap: &str, cell: &CellSpec) -> Result<NativeDriver, LoadError> {
        Ok(NativeDriver {
            options: ClientOptions::new(bootstrap)?,
            producing: producer_options(&cell.settings)?,
            consuming: consumer_options(&cell.settings, cell.consumption)?,
            topic_settings: cell.topic_settings.clone().into_iter().collect(),
            durability: cell.durability,
            connections: cell.producers() + cell.consumers(),
            forming: (cell.consumption == Consumption::Group)
                .then(|| Forming::new(cell.consumers_per_subscription, cell.partitions_per_topic)),
        })
    }

    /// A place in the group of these slots' topic, where there are groups.
    pub(super) fn place(&self, layout: &Layout, subscription: u32, slots: &[u32]) -> Option<Place> {
        let (topic, _) = layout.place(slots.first().copied().unwrap_or_default());
        Some(self.forming.as_ref()?.place(format!("{topic}-{subscription}")))
    }

    async fn admin(&self) -> Result<Admin, LoadError> {
        Ok(Admin::new(Client::connect(self.options.clone()).await?))
    }

    /// What a topic has that was made.
    async fn told(&self, topic: &str, brokers: &Brokers) -> Result<Declaration, LoadError> {
        let client = Client::connect(self.options.clone()).await?;
        let partitions = client.topic(topic, false, self.options.api_timeout).await?.partitions.clone();
        let copies = partitions.iter().map(|partition| partition.replicas.len()).min().unwrap_or_default();
        let (durability, evidence) = brokers.granted(&Admin::new(client), topic, self.durability).await?;
        Ok(Declaration { durability, replication: copies as u32, evidence, ..self.declares() })
    }
}

impl Driver for NativeDriver {
    type Producer = NativeProducer;
    type Consumer = NativeConsumer;

    fn declares(&self) -> Declaration {
        Declaration {
            driver: "native",
            durability: self.durability,
            replication: 1,
            evidence: Evidence::Delivered,
            ack: match self.producing.acks {
                Acks::None => Ack::None,
                Acks::Leader => Ack::Leader,
                Acks::All => Ack::All,
            },
            pipelining: u32::try_from(self.producing.max_in_flight).ok(),
            connections: self.connections,
            keys: true,
            settings: named(&self.producing, &self.consuming, self.consumption()),
        }
    }

    fn consumption(&self) -> Consumption {
        if self.forming.is_some() { Consumption::Group } else { Consumption::Assigned }
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let admin = self.admin().await?;
        let brokers = Brokers::ask(&admin).await?;
        let mut configs = self.topic_settings.clone();
        brokers.hasten(&mut configs);
        for topic in &layout.topics {
            let new = NewTopic {
                name: topic.clone(),
                partitions: i32::try_from(layout.partitions).ok(),
                configs: configs.clone(),
                ..NewTopic::default()
            };
            admin.create_topic(&new, false).await?;
        }
        let told = self.told(layout.topics.first().map_or("", String::as_str), &brokers).await;
        if told.is_err() {
            // The first reason is the one to be told.
            let _ = self.remove(layout).await;
        }
        told
    }

    async fn producer(&self, layout: &Layout, topic: usize) -> Result<NativeProducer, LoadError> {
        let client = Client::connect(self.options.clone()).await?;
        let topic = layout.topics.get(topic).cloned().unwrap_or_default();
        // The first record finds the leaders known.
        client.topic(&topic, false, self.options.api_timeout).await?;
        let producer = Producer::new(client, self.producing.clone())?;
        Ok(NativeProducer { producer, topic, partitions: layout.partitions })
    }

    async fn consumer(&self, layout: &Layout, subscription: u32, slots: &[u32]) -> Result<NativeConsumer, LoadError> {
        let client = Client::connect(self.options.clone()).await?;
        let place = self.place(layout, subscription, slots);
        let group_id = place.as_ref().map(|place| place.group.clone());
        let mut consumer = Consumer::new(client, ConsumerOptions { group_id, ..self.consuming.clone() })?;
        let partition = |&slot: &u32| {
            let (topic, partition) = layout.place(slot);
            (TopicPartition { topic: topic.to_owned(), partition: partition as i32 }, slot)
        };
        let mut slots: Vec<(TopicPartition, u32)> = slots.iter().map(partition).collect();
        slots.sort_unstable();
        let is_forming = Arc::new(AtomicBool::new(place.is_some()));
        if place.is_some() {
            consumer.listen(Pausing(Arc::clone(&is_forming)));
            consumer.subscribe(slots.first().map(|(partition, _)| partition.topic.clone()))?;
        } else {
            consumer.assign(slots.iter().map(|(partition, _)| partition.clone()));
        }
        Ok(NativeConsumer { consumer, slots, place, is_forming })
    }

    async fn stored_bytes(&self, layout: &Layout) -> Option<u64> {
        let dirs = self.admin().await.ok()?.log_dirs().await.ok()?;
        let logs = dirs.iter().flat_map(|dir| &dir.partitions);
        let ours = logs.filter(|log| layout.topics.iter().any(|topic| *topic == *log.partition.topic));
        Some(ours.map(|log| log.size_bytes.unsigned_abs()).sum())
    }

    /// A topic's first offset is 0 until something is deleted.
    async fn deleted_records(&self, layout: &Layout) -> Option<u64> {
        let partition = |slot| {
            let (topic, partition) = layout.place(slot);
            (TopicPartition { topic: topic.to_owned(), partition: partition as i32 }, OffsetSpec::Earliest)
        };
        let first = self.admin().await.ok()?.offsets(&(0..layout.slots()).map(partition).collect()).await.ok()?;
        Some(first.values().filter_map(|found| found.offset).map(i64::unsigned_abs).sum())
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        let admin = self.admin().await?;
        for topic in &layout.topics {
            admin.delete_topic(topic).await?;
        }
        for group in self.forming.iter().flat_map(|forming| forming.names()) {
            // One whose members could not leave goes by itself when their sessions have ended.
            let _ = admin.delete_group(&group).await;
        }
        Ok(())
    }
}

/// One producer.
pub struct NativeProducer {
    producer: Producer,
    topic: String,
    partitions: u32,
}

impl Produce for NativeProducer {
    type Receipt = NativeReceipt;

    async fn send(&mut self, record: Record<'_>) -> Result<NativeReceipt, LoadError> {
        let record = ProducerRecord {
            topic: &self.topic,
            partition: Some((record.slot % self.partitions) as i32),
            key: record.key,
            value: Some(record.value),
            ..ProducerRecord::default()
        };
        Ok(NativeReceipt(self.producer.send(record).await?))
    }

    /// linger.ms decides when a batch goes.
    fn idle(&mut self) {}
}

/// The fate of a record's batch.
#[derive(Debug)]
pub struct NativeReceipt(Delivery);

impl Future for NativeReceipt {
    type Output = Result<(), LoadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|fate| fate.map(drop).map_err(LoadError::Client))
    }
}

/// One consumer: of partitions of its own choice, or of a group that has come to rest before the cell begins.
pub struct NativeConsumer {
    consumer: Consumer,
    /// What it may be given, sorted by partition.
    slots: Vec<(TopicPartition, u32)>,
    place: Option<Place>,
    is_forming: Arc<AtomicBool>,
}

/// Keeps a consumer from reading while its group forms.
struct Pausing(Arc<AtomicBool>);

impl RebalanceListener for Pausing {
    fn assigned<'a>(&'a self, consumer: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        if self.0.load(Ordering::Relaxed) {
            consumer.pause(partitions);
        }
        Box::pin(ready(Ok(())))
    }
}

impl Consume for NativeConsumer {
    async fn ready(&mut self) -> Result<(), LoadError> {
        let Some(place) = &self.place else { return Ok(()) };
        let begun = Instant::now();
        loop {
            // Joins, and is given nothing to read.
            self.consumer.poll(LOOK).await?;
            if place.has(self.consumer.assignment().len()) {
                break;
            }
            place.is_late(begun)?;
        }
        self.is_forming.store(false, Ordering::Relaxed);
        self.consumer.resume(&self.consumer.assignment());
        Ok(())
    }

    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let NativeConsumer { consumer, slots, .. } = self;
        let slot_of = |partition: &TopicPartition| {
            let found = slots.binary_search_by(|(ours, _)| ours.cmp(partition)).ok()?;
            slots.get(found).map(|(_, slot)| *slot)
        };
        let records = consumer.poll(wait).await;
        let read = records.and_then(|records| {
            records.chunks().try_for_each(|chunk| {
                let Some(slot) = slot_of(chunk.partition()) else { return Ok(()) };
                chunk.try_for_each(|record| {
                    each(Record { slot, key: record.key, value: record.value.unwrap_or_default() });
                    Ok(())
                })
            })
        });
        match read {
            Err(ClientError::Records { partition, offset, .. }) => {
                // One record is there that can't be read; what is behind it may be.
                if let Some(slot) = slot_of(&partition) {
                    each(Record { slot, key: None, value: &[] });
                }
                Ok(consumer.seek(&partition, offset + 1)?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn leave(self) {
        // A group whose member does not leave misses it when its session has ended.
        let _ = tokio::time::timeout(LEAVE_LIMIT, self.consumer.close()).await;
    }
}
