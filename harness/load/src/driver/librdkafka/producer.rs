//! A producer of librdkafka's, and how its delivery reports come to the receipts of their records.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use tokio::sync::Notify;

use super::said;
use crate::LoadError;
use crate::driver::{Produce, Record};

/// How long the first look at a topic may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How often the thread that takes delivery reports looks whether its producer is still there.
const REPORTS: Duration = Duration::from_millis(100);
/// A report comes shortly before its record's memory is free: one that waits for that tries again after so long at the latest.
const AGAIN: Duration = Duration::from_millis(2);

/// One producer. Dropping it gives up what was not delivered.
pub struct LibrdkafkaProducer {
    producer: Arc<BaseProducer<Reports>>,
    topic: String,
    partitions: u32,
    max_block: Duration,
}

impl LibrdkafkaProducer {
    /// Connects, and finds the leaders: it blocks the thread, which measures nothing yet.
    pub(super) fn connect(
        config: &ClientConfig,
        topic: String,
        partitions: u32,
        max_block: Duration,
    ) -> Result<LibrdkafkaProducer, LoadError> {
        let producer: BaseProducer<Reports> = config.create_with_context(Reports::default()).map_err(said)?;
        producer.client().fetch_metadata(Some(&topic), CONNECT_LIMIT).map_err(said)?;
        let producer = Arc::new(producer);
        let polled = Arc::downgrade(&producer);
        let thread = std::thread::Builder::new().name("delivery reports".to_owned());
        let polling = thread.spawn(move || {
            while let Some(producer) = polled.upgrade() {
                producer.poll(REPORTS);
            }
        });
        polling.map_err(LoadError::Runtime)?;
        Ok(LibrdkafkaProducer { producer, topic, partitions, max_block })
    }
}

impl Produce for LibrdkafkaProducer {
    type Receipt = LibrdkafkaReceipt;

    async fn send(&mut self, record: Record<'_>) -> Result<LibrdkafkaReceipt, LoadError> {
        let report = Arc::new(Report::default());
        let mut record = BaseRecord {
            partition: Some((record.slot % self.partitions) as i32),
            key: record.key,
            payload: Some(record.value),
            ..BaseRecord::with_opaque_to(&self.topic, Arc::clone(&report))
        };
        let mut full_since = None;
        loop {
            let error = match self.producer.send(record) {
                Ok(()) => return Ok(LibrdkafkaReceipt(report)),
                Err((error, back)) => {
                    record = back;
                    error
                }
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(said(error));
            }
            if full_since.get_or_insert_with(Instant::now).elapsed() >= self.max_block {
                let waited_ms = self.max_block.as_millis();
                return Err(LoadError::refused(format!("librdkafka's queue was full for max.block.ms={waited_ms}")));
            }
            let room = self.producer.context().room.notified();
            let _ = tokio::time::timeout(AGAIN, room).await;
        }
    }

    /// queue.buffering.max.ms decides when a batch goes.
    fn idle(&mut self) {}
}

/// The fate of a record.
#[derive(Debug)]
pub struct LibrdkafkaReceipt(Arc<Report>);

impl Future for LibrdkafkaReceipt {
    type Output = Result<(), LoadError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self.0.lock() {
            Fate::Known(outcome) => Poll::Ready(outcome.clone().map_err(LoadError::refused)),
            Fate::Open(waker) => {
                waker.get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
                Poll::Pending
            }
        }
    }
}

/// Takes the delivery reports, in the thread that polls.
#[derive(Debug, Default)]
struct Reports {
    /// There may be room in the queue again.
    room: Notify,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Report>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Arc<Report>) {
        let outcome = result.as_ref().map(drop).map_err(|(error, _)| error.to_string());
        report.settle(outcome);
        self.room.notify_one();
    }
}

/// What becomes of a record: librdkafka has one end of it, the receipt the other.
#[derive(Debug, Default)]
struct Report(Mutex<Fate>);

#[derive(Debug)]
enum Fate {
    Open(Option<Waker>),
    Known(Result<(), String>),
}

impl Default for Fate {
    fn default() -> Fate {
        Fate::Open(None)
    }
}

impl Report {
    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, outcome: Result<(), String>) {
        let before = std::mem::replace(&mut *self.lock(), Fate::Known(outcome));
        if let Fate::Open(Some(waker)) = before {
            waker.wake();
        }
    }
}
