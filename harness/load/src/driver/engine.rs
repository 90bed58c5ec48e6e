//! The log alone, in this process: what a broker could do if network and protocol cost nothing.

mod batching;
mod reading;
mod syncing;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ringlog_client::ProducerOptions;
use ringlog_io::{Choice, Disk, Wanted, probe};
use ringlog_log::{Log, LogConfig, Recovery, Shutdown, TopicPartition};
use tokio::task::LocalSet;

use self::batching::Batches;
pub use self::reading::EngineConsumer;
use self::syncing::Syncing;
use super::kafka_settings::{consumer_options, named, producer_options};
use crate::LoadError;
use crate::driver::{Ack, Declaration, Driver, Evidence, Layout, Produce, Record};
use crate::workload::{CellSpec, Consumption, Durability};

/// The log of Ringlog. Batches are built on the load threads as a producer builds them, and appended there.
#[derive(Debug)]
pub struct EngineDriver {
    root: PathBuf,
    choice: Choice,
    producing: ProducerOptions,
    client_settings: std::collections::BTreeMap<String, String>,
    config: LogConfig,
    durability: Durability,
    /// By slot.
    logs: Mutex<Vec<Arc<Log>>>,
    /// Where they are to be synced every so often.
    syncing: Mutex<Option<Syncing>>,
}

impl EngineDriver {
    /// For one cell, with its logs below an existing directory.
    ///
    /// # Errors
    /// [`LoadError::Setting`]; [`LoadError::File`] for a directory that can't be written.
    pub fn new(root: PathBuf, cell: &CellSpec) -> Result<EngineDriver, LoadError> {
        let producing = producer_options(&cell.settings)?;
        // A log has no groups.
        let assigned = Consumption::Assigned;
        let client_settings = named(&producing, &consumer_options(&cell.settings, assigned)?, assigned);
        let choice = probe(&root, Wanted::Auto).map_err(LoadError::file(&root))?;
        let mut config = LogConfig::default();
        if cell.durability == Durability::Fsync {
            config.flush_messages = 1;
        }
        let durability = cell.durability.max(Durability::PageCache);
        let (logs, syncing) = (Mutex::default(), Mutex::default());
        Ok(EngineDriver { root, choice, producing, client_settings, config, durability, logs, syncing })
    }

    fn disk(&self) -> Result<Disk, LoadError> {
        Disk::open(&self.choice).map_err(LoadError::file(&self.root))
    }

    fn logs(&self) -> Vec<Arc<Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Driver for EngineDriver {
    type Producer = EngineProducer;
    type Consumer = EngineConsumer;

    fn declares(&self) -> Declaration {
        Declaration {
            driver: "engine",
            durability: self.durability,
            replication: 1,
            evidence: Evidence::Told("the settings that it is opened with".to_owned()),
            ack: Ack::Leader,
            pipelining: None,
            connections: 0,
            keys: true,
            settings: self.client_settings.clone(),
        }
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let disk = self.disk()?;
        let recovery = Recovery { shutdown: Shutdown::Clean, recovery_point: None, log_start: None, cleaned_to: None };
        let mut logs = Vec::with_capacity(layout.slots() as usize);
        for slot in 0..layout.slots() {
            let (topic, partition) = layout.place(slot);
            let name = TopicPartition::new(topic, partition as i32);
            let directory = self.root.join(format!("{topic}-{partition}"));
            let (log, _) = Log::open(&disk, directory, name, self.config.clone(), &recovery).await?;
            logs.push(log);
        }
        if let Durability::FsyncEvery(period) = self.durability {
            let syncing = Syncing::start(self.choice.clone(), logs.clone(), period);
            *self.syncing.lock().unwrap_or_else(PoisonError::into_inner) = Some(syncing);
        }
        *self.logs.lock().unwrap_or_else(PoisonError::into_inner) = logs;
        Ok(self.declares())
    }

    async fn producer(&self, _: &Layout, _: usize) -> Result<EngineProducer, LoadError> {
        Ok(EngineProducer { batches: Batches::new(self.logs(), self.disk()?, self.producing.clone()) })
    }

    async fn consumer(&self, _: &Layout, _: u32, slots: &[u32]) -> Result<EngineConsumer, LoadError> {
        let logs = self.logs();
        let log = |&slot: &u32| Some((slot, Arc::clone(logs.get(slot as usize)?)));
        Ok(EngineConsumer::new(slots.iter().filter_map(log).collect()))
    }

    async fn stored_bytes(&self, _: &Layout) -> Option<u64> {
        Some(self.logs().iter().map(|log| log.size_bytes()).sum())
    }

    async fn deleted_records(&self, _: &Layout) -> Option<u64> {
        Some(self.logs().iter().map(|log| log.log_start_offset().unsigned_abs()).sum())
    }

    fn process(&self, _: Option<u32>) -> Option<u32> {
        Some(std::process::id())
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        let disk = self.disk()?;
        let syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let synced = syncing.map_or(Ok(()), Syncing::end);
        for log in self.logs() {
            // Closing may start a task of its own.
            LocalSet::new().run_until(log.close(&disk)).await?;
            std::fs::remove_dir_all(log.dir()).map_err(LoadError::file(log.dir()))?;
        }
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        synced
    }
}

/// One producer.
pub struct EngineProducer {
    batches: Batches,
}

impl Produce for EngineProducer {
    type Receipt = EngineReceipt;

    async fn send(&mut self, record: Record<'_>) -> Result<EngineReceipt, LoadError> {
        Ok(EngineReceipt(self.batches.append(record).await?))
    }

    /// linger.ms decides when a batch goes.
    fn idle(&mut self) {}
}

/// The fate of a record's batch.
#[derive(Debug)]
pub struct EngineReceipt(batching::Receipt);

impl Future for EngineReceipt {
    type Output = Result<(), LoadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[tokio::test]
    async fn logs_are_synced_as_often_as_a_cell_asks_for() {
        let text = "messageSize: 100\nproducerRate: 1\npartitionsPerTopic: 2\ndurability: fsync:20ms";
        let cell = Workload::parse("a.yaml".as_ref(), text).unwrap().cells.remove(0);
        let directory = tempfile::tempdir().unwrap();
        let driver = EngineDriver::new(directory.path().into(), &cell).unwrap();
        let layout = Layout { topics: vec!["a".to_owned()], partitions: 2 };
        let tasks = LocalSet::new();
        let synced = tasks.run_until(async {
            driver.prepare(&layout).await.unwrap();
            let mut producer = driver.producer(&layout, 0).await.unwrap();
            for round in 1..=2 {
                for slot in 0..2 {
                    producer.send(Record { slot, key: None, value: &[0; 100] }).await.unwrap().await.unwrap();
                }
                while driver.logs().iter().any(|log| log.recovery_point() < round) {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            }
        });
        tokio::time::timeout(std::time::Duration::from_secs(30), synced).await.expect("they are synced");
        driver.remove(&layout).await.unwrap();
    }
}
