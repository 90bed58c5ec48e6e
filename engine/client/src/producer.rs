//! Writes records: batches them by partition, sends the batches to the partitions' leaders, retries, and tells their
//! fate.

mod accumulator;
mod coordinators;
mod delivery;
mod interceptor;
mod partition_queue;
mod sender;
mod transaction;
mod transactional;
mod typed;

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use ringlog_record::RecordHeader;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use self::accumulator::{Accumulator, Appended};
pub use self::delivery::{Acknowledgement, Delivery, RecordMetadata, Written};
pub use self::interceptor::{Draft, DraftHeader, Interceptor};
use self::sender::Sender;
use self::transaction::Transaction;
pub use self::typed::{BigEndian, Bytes, SerializeError, Serializer, TypedProducer, TypedRecord, Utf8};
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
    /// What the application calls the record: the [callback](Producer::with_callback) is told of it by this. It is not
    /// written.
    pub opaque: u64,
}

/// Writes records. Cheap to clone; clones share batches and order. When the last is dropped what was sent still goes
/// out, but only [`close`](Self::close) and [`flush`](Self::flush) wait for it.
///
/// Records of one partition are written in the order of the [`send`](Self::send) calls. With idempotence that holds
/// over retries, and none is written twice.
///
/// What to do with the [`Delivery`] that `send` gives is the application's choice:
///
/// ```no_run
/// # use ringlog_client::{Client, ClientError, Producer, ProducerOptions, ProducerRecord};
/// # async fn example(client: Client) -> Result<(), ClientError> {
/// let acknowledged = |batch: &ringlog_client::Acknowledgement<'_>| println!("{:?}: {:?}", batch.opaques, batch.outcome);
/// let producer = Producer::with_callback(client, ProducerOptions::default(), acknowledged)?;
/// let record = ProducerRecord { topic: "orders", value: Some(b"one"), opaque: 1, ..Default::default() };
///
/// drop(producer.send(record).await?); // fire and forget, or leave it to the callback
/// println!("offset {}", producer.send(record).await?.await?.offset); // wait for it
/// tokio::spawn(producer.send(record).await?); // let something else wait
/// # Ok(())
/// # }
/// ```
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
    callback: Option<Box<Callback>>,
}

/// Called with the fate of each batch.
type Callback = dyn Fn(&Acknowledgement<'_>) + Send + Sync;

struct CloseOnDrop(Arc<Shared>);

/// What keeps a record from its batch for now.
enum Obstacle {
    Memory,
    UnknownTopic,
    NoSuchPartition(ClientError),
}

impl Producer {
    /// A producer on `client`'s connections. Its task runs on the current tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::Option`] for options that are out of range or exclude each other.
    pub fn new(client: Client, options: ProducerOptions) -> Result<Self, ClientError> {
        Self::start(client, options, None)
    }

    /// The same, with a callback that is told what became of each batch, and so of the records in it by their
    /// [`opaque`](ProducerRecord::opaque)s: 8 bytes for each record, and one call for hundreds. It runs in the
    /// producer's task, before those who await a [`Delivery`] are woken; nothing is sent meanwhile.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_callback(
        client: Client,
        options: ProducerOptions,
        callback: impl Fn(&Acknowledgement<'_>) + Send + Sync + 'static,
    ) -> Result<Self, ClientError> {
        Self::start(client, options, Some(Box::new(callback)))
    }

    fn start(client: Client, options: ProducerOptions, callback: Option<Box<Callback>>) -> Result<Self, ClientError> {
        options.check()?;
        let keeps_opaques = callback.is_some() || !options.interceptors.is_empty();
        let transaction = options.transactional_id.is_some().then(Transaction::new);
        let shared = Arc::new(Shared {
            accumulator: Mutex::new(Accumulator::new(client.backoff(), keeps_opaques, transaction)),
            memory: Semaphore::new(options.buffer_bytes),
            wake: Notify::new(),
            callback,
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
    /// [`ClientError::RecordTooLarge`], [`ClientError::NoSuchPartition`], [`ClientError::Timeout`],
    /// [`ClientError::Closed`], or what the broker says of the topic. With a `transactional.id` also
    /// [`ClientError::State`] when no transaction is open, [`ClientError::AbortTransaction`] when something of it has
    /// failed, and [`ClientError::ProducerFailed`].
    pub async fn send(&self, record: ProducerRecord<'_>) -> Result<Delivery, ClientError> {
        if self.shared.options.interceptors.is_empty() {
            return self.send_as_it_is(&record).await;
        }
        let draft = self.intercept(&record);
        self.send_as_it_is(&draft.record(&draft.headers())).await
    }

    /// [`send`](Self::send) if that needs no waiting; `None` if it does, and then nothing was done.
    ///
    /// # Errors
    /// Those of [`send`](Self::send) that need no waiting.
    pub fn try_send(&self, record: &ProducerRecord<'_>) -> Result<Option<Delivery>, ClientError> {
        if self.shared.options.interceptors.is_empty() {
            return Ok(self.shared.append(record, None)?.ok());
        }
        let draft = self.intercept(record);
        Ok(self.shared.append(&draft.record(&draft.headers()), None)?.ok())
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

    /// Flushes, and takes no more records: not from clones either. An open transaction is aborted, and an end that is
    /// under way waited for; a commit that fails meanwhile is aborted. Whatever fails, the producer is closed.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and as [`abort_transaction`](Self::abort_transaction) or the commit that it waited
    /// for.
    pub async fn close(self) -> Result<(), ClientError> {
        let finished = self.finish_transaction().await;
        lock(&self.shared.accumulator).closed = true;
        let flushed = self.flush().await;
        finished.and(flushed)
    }

    /// Bytes of `buffer.memory` that are taken by records not yet acknowledged.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.shared.options.buffer_bytes - self.shared.memory.available_permits()
    }

    fn intercept<'a>(&self, record: &ProducerRecord<'a>) -> Draft<'a> {
        let mut draft = Draft::of(record);
        self.shared.options.interceptors.iter().for_each(|interceptor| interceptor.on_send(&mut draft));
        draft
    }

    async fn send_as_it_is(&self, record: &ProducerRecord<'_>) -> Result<Delivery, ClientError> {
        let shared = &*self.shared;
        match shared.append(record, None)? {
            Ok(delivery) => Ok(delivery),
            Err(obstacle) => shared.send_past(obstacle, record).await,
        }
    }
}

impl Shared {
    /// The way that nearly every record takes: no waiting, one lock. `memory` is what was waited for, if it was.
    fn append(
        &self,
        record: &ProducerRecord<'_>,
        memory: Option<SemaphorePermit<'_>>,
    ) -> Result<Result<Delivery, Obstacle>, ClientError> {
        let bytes = record.max_bytes();
        let limit = self.options.max_request_bytes;
        if bytes > limit {
            return Err(ClientError::RecordTooLarge { bytes, limit });
        }
        let Some(memory) = memory.or_else(|| self.memory.try_acquire_many(bytes as u32).ok()) else {
            return Ok(Err(Obstacle::Memory));
        };
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(now_ms);
        let appended = lock(&self.accumulator).append(record, bytes, timestamp_ms, &self.options)?;
        Ok(match appended {
            Appended::Done { delivery, wake } => {
                // The batch gives it back.
                memory.forget();
                if wake {
                    self.wake.notify_one();
                }
                Ok(delivery)
            }
            Appended::UnknownTopic => Err(Obstacle::UnknownTopic),
            Appended::NoSuchPartition(error) => Err(Obstacle::NoSuchPartition(error)),
        })
    }

    #[cold]
    async fn send_past(&self, mut obstacle: Obstacle, record: &ProducerRecord<'_>) -> Result<Delivery, ClientError> {
        let mut asked_again = false;
        loop {
            let mut memory = None;
            match obstacle {
                Obstacle::Memory => memory = Some(self.wait_for_memory(record.max_bytes()).await?),
                Obstacle::UnknownTopic => {
                    let topic = self.client.topic(record.topic, true, self.options.max_block).await?;
                    lock(&self.accumulator).learn(&topic);
                }
                // It may have been added since.
                Obstacle::NoSuchPartition(_) if !asked_again => {
                    asked_again = true;
                    let topology = self.client.refresh(Some(&[record.topic]), false).await?;
                    lock(&self.accumulator).learn(&*topology.topic(record.topic)?);
                }
                Obstacle::NoSuchPartition(error) => return Err(error),
            }
            match self.append(record, memory)? {
                Ok(delivery) => return Ok(delivery),
                Err(another) => obstacle = another,
            }
        }
    }

    async fn wait_for_memory(&self, bytes: usize) -> Result<SemaphorePermit<'_>, ClientError> {
        let starving = Starving::begin(&self.accumulator);
        self.wake.notify_one();
        let max_block = self.options.max_block;
        let waiting = tokio::time::timeout(max_block, self.memory.acquire_many(bytes as u32)).await;
        drop(starving);
        match waiting {
            Ok(permit) => permit.map_err(|_| ClientError::Closed),
            Err(_) => Err(ClientError::Timeout {
                what: format!("waiting for {bytes} bytes of buffer.memory"),
                after: max_block,
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
