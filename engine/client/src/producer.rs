//! Writes records: batches them by partition, sends the batches to the partitions' leaders, retries, and tells their
//! fate.

mod accumulator;
mod delivery;
mod partition_queue;
mod sender;

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use ringlog_record::RecordHeader;
use tokio::sync::{Notify, Semaphore};

use self::accumulator::Accumulator;
pub use self::delivery::{Delivery, RecordMetadata};
use self::sender::Sender;
use crate::client::lock;
use crate::{Client, ClientError, ProducerOptions};

/// A record to be written. It borrows: the bytes are copied once, into their batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProducerRecord<'a> {
    /// Where to.
    pub topic: &'a str,
    /// The partition, or `None` for the partitioner to choose.
    pub partition: Option<i32>,
    /// What decides the partition, and what compaction goes by.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone on a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: &'a [RecordHeader<'a>],
    /// Milliseconds since the epoch; `None` is the present.
    pub timestamp_ms: Option<i64>,
}

/// Writes records. Cheap to clone; clones share batches and order. When the last is dropped what was sent still goes
/// out, but only [`close`](Self::close) and [`flush`](Self::flush) wait for it.
///
/// Records of one partition are written in the order of the [`send`](Self::send) calls. With idempotence that holds
/// over retries, and none is written twice.
#[derive(Clone)]
pub struct Producer {
    shared: Arc<Shared>,
    _closes_when_last: Arc<CloseOnDrop>,
}

struct Shared {
    client: Client,
    options: ProducerOptions,
    accumulator: Mutex<Accumulator>,
    /// The free bytes of `buffer.memory`.
    memory: Semaphore,
    wake: Notify,
}

struct CloseOnDrop(Arc<Shared>);

impl Producer {
    /// A producer on `client`'s connections. Its task runs on the current tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::Option`] for options that are out of range or exclude each other.
    pub fn new(client: Client, options: ProducerOptions) -> Result<Self, ClientError> {
        options.check()?;
        let shared = Arc::new(Shared {
            accumulator: Mutex::new(Accumulator::new(client.backoff())),
            memory: Semaphore::new(options.buffer_bytes),
            wake: Notify::new(),
            client,
            options,
        });
        tokio::spawn(Sender::new(Arc::clone(&shared)).run());
        Ok(Self { _closes_when_last: Arc::new(CloseOnDrop(Arc::clone(&shared))), shared })
    }

    /// Puts a record into its batch. Waits, for at most `max.block.ms`, while the topic is unknown or `buffer.memory`
    /// is full; the returned future tells when the record is written. One call after another keeps the order.
    ///
    /// # Errors
    /// [`ClientError::RecordTooLarge`], [`ClientError::NoSuchPartition`], [`ClientError::Timeout`], or what the broker
    /// says of the topic.
    pub async fn send(&self, record: ProducerRecord<'_>) -> Result<Delivery, ClientError> {
        let Shared { client, options, accumulator, memory, wake } = &*self.shared;
        let bytes = record.max_bytes();
        if bytes > options.max_request_bytes {
            return Err(ClientError::RecordTooLarge { bytes, limit: options.max_request_bytes });
        }
        let topic = client.topic(record.topic, true, options.max_block).await?;
        let permit = match memory.try_acquire_many(bytes as u32) {
            Ok(permit) => permit,
            Err(_) => self.wait_for_memory(bytes).await?,
        };
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(now_ms);
        let appended = lock(accumulator).append(&record, bytes, &topic, timestamp_ms, options)?;
        // The batch gives it back.
        permit.forget();
        if appended.wake {
            wake.notify_one();
        }
        Ok(appended.delivery)
    }

    /// Sends everything without lingering, and waits until each batch that existed when this was called is written or
    /// given up.
    ///
    /// # Errors
    /// The first failure among them; the others are told by their own futures.
    pub async fn flush(&self) -> Result<(), ClientError> {
        let fates = lock(&self.shared.accumulator).flush();
        self.shared.wake.notify_one();
        let mut outcome = Ok(());
        for fate in fates {
            let delivered = fate.delivery(0, 0, 0).await;
            outcome = outcome.and(delivered.map(drop));
        }
        outcome
    }

    /// Flushes, and takes no more records: not from clones either.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn close(self) -> Result<(), ClientError> {
        lock(&self.shared.accumulator).closed = true;
        self.flush().await
    }

    /// Bytes of `buffer.memory` that are taken by records not yet acknowledged.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.shared.options.buffer_bytes - self.shared.memory.available_permits()
    }

    async fn wait_for_memory(&self, bytes: usize) -> Result<tokio::sync::SemaphorePermit<'_>, ClientError> {
        let Shared { options, accumulator, memory, wake, .. } = &*self.shared;
        let starving = Starving::begin(accumulator);
        wake.notify_one();
        let waiting = tokio::time::timeout(options.max_block, memory.acquire_many(bytes as u32)).await;
        drop(starving);
        match waiting {
            Ok(permit) => permit.map_err(|_| ClientError::Closed),
            Err(_) => Err(ClientError::Timeout {
                what: format!("waiting for {bytes} bytes of buffer.memory"),
                after: options.max_block,
                setting: "max.block.ms or buffer.memory",
            }),
        }
    }
}

/// While it lives, batches are sent although they are not full: their memory is needed.
struct Starving<'a>(&'a Mutex<Accumulator>);

impl<'a> Starving<'a> {
    fn begin(accumulator: &'a Mutex<Accumulator>) -> Self {
        lock(accumulator).starved += 1;
        Self(accumulator)
    }
}

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        lock(self.0).starved -= 1;
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        lock(&self.0.accumulator).closed = true;
        self.0.wake.notify_one();
    }
}

impl ProducerRecord<'_> {
    /// The most that it takes in a batch: its bytes, and variable-length integers of 5 bytes, of 10 for the timestamp.
    fn max_bytes(&self) -> usize {
        const FIXED: usize = 5 * 5 + 10 + 1;
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers: usize = self.headers.iter().map(|header| 10 + header.key.len() + length(header.value)).sum();
        FIXED + length(self.key) + length(self.value) + headers
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
