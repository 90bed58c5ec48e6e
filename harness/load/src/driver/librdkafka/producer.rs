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

/// How long the first look at a topic may take, and a producer id.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How often the thread that takes delivery reports looks whether its producer is still there.
const REPORTS: Duration = Duration::from_millis(100);
/// How its statistics say that it has a producer id.
const NUMBERED: &[u8] = br#""idemp_state": "Assigned""#;
/// A report comes shortly before its record's memory is free: one that waits for that tries again after so long at the latest.
const AGAIN: Duration = Duration::from_millis(2);

/// One producer. Dropping it gives up what was not delivered.
pub struct LibrdkafkaProducer {
    producer: Arc<BaseProducer<Reports>>,
    topic: String,
    partitions: u32,
    max_block: Duration,
    is_idempotent: bool,
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
        let is_idempotent = config.get("enable.idempotence") == Some("true");
        Ok(LibrdkafkaProducer { producer, topic, partitions, max_block, is_idempotent })
    }
}

impl Produce for LibrdkafkaProducer {
    type Receipt = LibrdkafkaReceipt;

    /// An idempotent one asks for its id half a second after it was made, as it finds no connection at first, and keeps back all records
    /// until then: what would be measured is how it catches up.
    async fn ready(&mut self) -> Result<(), LoadError> {
        if !self.is_idempotent {
            return Ok(());
        }
        let numbered = tokio::time::timeout(CONNECT_LIMIT, self.producer.context().numbered.notified()).await;
        let limit_s = CONNECT_LIMIT.as_secs();
        numbered.map_err(|_| LoadError::refused(format!("librdkafka had no producer id after {limit_s} s")))
    }

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
    /// It has a producer id.
    numbered: Notify,
}

impl ClientContext for Reports {
    fn stats_raw(&self, statistics: &[u8]) {
        if statistics.windows(NUMBERED.len()).any(|window| window == NUMBERED) {
            self.numbered.notify_one();
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_producer_is_ready_once_it_has_an_id() {
        let reports = Reports::default();
        let is_ready = async || tokio::time::timeout(Duration::ZERO, reports.numbered.notified()).await.is_ok();
        reports.stats_raw(br#"{ "eos": { "idemp_state": "WaitPID", "idemp_stateage": 1 } }"#);
        assert!(!is_ready().await);
        reports.stats_raw(br#"{ "eos": { "idemp_state": "Assigned", "idemp_stateage": 2 } }"#);
        assert!(is_ready().await);
    }
}
