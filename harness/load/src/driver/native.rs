//! Ringlog's own client, against every broker that speaks Kafka's protocol.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ringlog_client::{
    Acks, Admin, Client, ClientError, ClientOptions, Consumer, ConsumerOptions, Delivery, NewTopic, OffsetSpec,
    Producer, ProducerOptions, ProducerRecord, TopicPartition,
};

use super::kafka_settings::{consumer_options, named, producer_options};
use crate::LoadError;
use crate::driver::{Ack, Consume, Declaration, Driver, Layout, Outgoing, Produce};
use crate::workload::{CellSpec, Durability};

/// The native client. Each producer and each consumer has connections of its own.
#[derive(Debug, Clone)]
pub struct NativeDriver {
    options: ClientOptions,
    producing: ProducerOptions,
    consuming: ConsumerOptions,
    topic_settings: Vec<(String, String)>,
    durability: Durability,
    connections: u32,
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
            consuming: consumer_options(&cell.settings)?,
            topic_settings: cell.topic_settings.clone().into_iter().collect(),
            durability: cell.durability,
            connections: cell.producers() + cell.consumers(),
        })
    }

    async fn admin(&self) -> Result<Admin, LoadError> {
        Ok(Admin::new(Client::connect(self.options.clone()).await?))
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
            ack: match self.producing.acks {
                Acks::None => Ack::None,
                Acks::Leader => Ack::Leader,
                Acks::All => Ack::All,
            },
            pipelining: u32::try_from(self.producing.max_in_flight).ok(),
            connections: self.connections,
            settings: named(&self.producing, &self.consuming),
        }
    }

    async fn prepare(&self, layout: &Layout) -> Result<(), LoadError> {
        let admin = self.admin().await?;
        for topic in &layout.topics {
            let new = NewTopic {
                name: topic.clone(),
                partitions: i32::try_from(layout.partitions).ok(),
                configs: self.topic_settings.clone(),
                ..NewTopic::default()
            };
            admin.create_topic(&new, false).await?;
        }
        Ok(())
    }

    async fn producer(&self, layout: &Layout, topic: usize) -> Result<NativeProducer, LoadError> {
        let client = Client::connect(self.options.clone()).await?;
        let topic = layout.topics.get(topic).cloned().unwrap_or_default();
        // The first record finds the leaders known.
        client.topic(&topic, false, self.options.api_timeout).await?;
        let producer = Producer::new(client, self.producing.clone())?;
        Ok(NativeProducer { producer, topic, partitions: layout.partitions })
    }

    async fn consumer(&self, layout: &Layout, _: u32, slots: &[u32]) -> Result<NativeConsumer, LoadError> {
        let client = Client::connect(self.options.clone()).await?;
        let mut consumer = Consumer::new(client, self.consuming.clone())?;
        let partition = |&slot: &u32| {
            let (topic, partition) = layout.place(slot);
            (TopicPartition { topic: topic.to_owned(), partition: partition as i32 }, slot)
        };
        let mut slots: Vec<(TopicPartition, u32)> = slots.iter().map(partition).collect();
        slots.sort_unstable();
        consumer.assign(slots.iter().map(|(partition, _)| partition.clone()));
        for (partition, _) in &slots {
            consumer.seek_to(partition, OffsetSpec::Earliest)?;
        }
        Ok(NativeConsumer { consumer, slots })
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

    async fn send(&mut self, record: Outgoing<'_>) -> Result<NativeReceipt, LoadError> {
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

/// One consumer, of partitions of its own choice: nothing of a cell is spent on rebalances.
pub struct NativeConsumer {
    consumer: Consumer,
    /// Sorted by partition.
    slots: Vec<(TopicPartition, u32)>,
}

impl Consume for NativeConsumer {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(u32, &[u8])) -> Result<(), LoadError> {
        let NativeConsumer { consumer, slots } = self;
        let slot_of = |partition: &TopicPartition| {
            let found = slots.binary_search_by(|(ours, _)| ours.cmp(partition)).ok()?;
            slots.get(found).map(|(_, slot)| *slot)
        };
        let records = consumer.poll(wait).await;
        let read = records.and_then(|records| {
            records.chunks().try_for_each(|chunk| {
                let Some(slot) = slot_of(chunk.partition()) else { return Ok(()) };
                chunk.try_for_each(|record| {
                    each(slot, record.value.unwrap_or_default());
                    Ok(())
                })
            })
        });
        match read {
            Err(ClientError::Records { partition, offset, .. }) => {
                // One record is there that can't be read; what is behind it may be.
                if let Some(slot) = slot_of(&partition) {
                    each(slot, &[]);
                }
                Ok(consumer.seek(&partition, offset + 1)?)
            }
            outcome => Ok(outcome?),
        }
    }
}
