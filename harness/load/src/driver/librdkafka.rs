//! librdkafka, the C library that most clients which are not in Java are built on, through the `rdkafka` crate.
//!
//! Each producer and each consumer is a client of its own, with the threads that librdkafka gives it; a producer has one more, which
//! takes its delivery reports. What they cost is in what this process costs, and the busiest of them may be its busiest thread.

mod consumer;
mod producer;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

pub use self::consumer::LibrdkafkaConsumer;
pub use self::producer::{LibrdkafkaProducer, LibrdkafkaReceipt};

use super::kafka_settings::{consumer_options, producer_options};
use super::native::NativeDriver;
use crate::LoadError;
use crate::driver::{Declaration, Driver, Layout};
use crate::workload::{CellSpec, Consumption};

/// librdkafka against every broker that speaks Kafka's protocol. What is not measured, such as making topics, the native client does.
#[derive(Debug, Clone)]
pub struct LibrdkafkaDriver {
    native: NativeDriver,
    producing: ClientConfig,
    consuming: ClientConfig,
    max_block: Duration,
    max_poll_records: usize,
    settings: BTreeMap<String, String>,
}

impl LibrdkafkaDriver {
    /// For one cell on the brokers at `bootstrap`: `host:port`, several with commas.
    ///
    /// # Errors
    /// [`LoadError::Client`] for an address that is none, [`LoadError::Setting`] for a setting that librdkafka does not have, or not
    /// with this value.
    pub fn new(bootstrap: &str, cell: &CellSpec) -> Result<LibrdkafkaDriver, LoadError> {
        let (producer, consumer) =
            (producer_options(&cell.settings)?, consumer_options(&cell.settings, cell.consumption)?);
        let producing = settings::producing(bootstrap, &producer);
        let consuming = settings::consuming(bootstrap, &consumer);
        let mut settings = settings::resolved(&producing, &consuming)?;
        settings.insert("max.block.ms".to_owned(), producer.max_block.as_millis().to_string());
        settings.insert("consumption".to_owned(), cell.consumption.to_string());
        settings.insert("max.poll.records".to_owned(), consumer.max_poll_records.to_string());
        Ok(LibrdkafkaDriver {
            native: NativeDriver::new(bootstrap, cell)?,
            producing,
            consuming,
            max_block: producer.max_block,
            max_poll_records: consumer.max_poll_records,
            settings,
        })
    }
}

impl Driver for LibrdkafkaDriver {
    type Producer = LibrdkafkaProducer;
    type Consumer = LibrdkafkaConsumer;

    fn declares(&self) -> Declaration {
        Declaration { driver: "librdkafka", settings: self.settings.clone(), ..self.native.declares() }
    }

    fn consumption(&self) -> Consumption {
        self.native.consumption()
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let told = self.native.prepare(layout).await?;
        let Declaration { durability, replication, evidence, .. } = told;
        Ok(Declaration { durability, replication, evidence, ..self.declares() })
    }

    async fn producer(&self, layout: &Layout, topic: usize) -> Result<LibrdkafkaProducer, LoadError> {
        let topic = layout.topics.get(topic).cloned().unwrap_or_default();
        LibrdkafkaProducer::connect(&self.producing, topic, layout.partitions, self.max_block)
    }

    async fn consumer(
        &self,
        layout: &Layout,
        subscription: u32,
        slots: &[u32],
    ) -> Result<LibrdkafkaConsumer, LoadError> {
        let place = self.native.place(layout, subscription, slots);
        LibrdkafkaConsumer::connect(&self.consuming, layout, slots, place, self.max_poll_records)
    }

    async fn stored_bytes(&self, layout: &Layout) -> Option<u64> {
        self.native.stored_bytes(layout).await
    }

    async fn deleted_records(&self, layout: &Layout) -> Option<u64> {
        self.native.deleted_records(layout).await
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        self.native.remove(layout).await
    }
}

/// In librdkafka's own words.
fn said(error: KafkaError) -> LoadError {
    match error {
        KafkaError::ClientConfig(_, allowed, name, value) => LoadError::Setting { name, value, allowed },
        error => LoadError::refused(error),
    }
}
