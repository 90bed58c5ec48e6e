//! What stands between the application and the producer: sees each record first, and what became of it.

use std::borrow::Cow;
use std::fmt;

use ringlog_record::RecordHeader;

use super::ProducerRecord;
use super::delivery::Acknowledgement;

/// Sees every record before it is partitioned, and every batch once its fate is known (KIP-42). Several take their turns
/// in the order of [`ProducerOptions::interceptors`](crate::ProducerOptions::interceptors).
pub trait Interceptor: fmt::Debug + Send + Sync {
    /// May change the record: what it leaves is sent. It runs within `send`.
    fn on_send(&self, record: &mut Draft<'_>) {
        let _ = record;
    }

    /// Is told what became of a batch, before those who wait for its records are. It runs in the producer's task, which
    /// sends nothing meanwhile. A record that never came into a batch is only told of by `send` itself.
    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let _ = acknowledgement;
    }
}

/// A record that [interceptors](Interceptor) may change; its fields are those of [`ProducerRecord`].
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Where to.
    pub topic: Cow<'a, str>,
    /// The partition, or `None` for the partitioner to choose.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Cow<'a, [u8]>>,
    /// The value.
    pub value: Option<Cow<'a, [u8]>>,
    /// Headers, in order.
    pub headers: Vec<DraftHeader<'a>>,
    /// Milliseconds since the epoch; `None` is the present.
    pub timestamp_ms: Option<i64>,
    /// What the application calls the record.
    pub opaque: u64,
}

/// A header of a [`Draft`]: its name, and its value or null.
pub type DraftHeader<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

impl<'a> Draft<'a> {
    pub(super) fn of(record: &ProducerRecord<'a>) -> Self {
        let header = |header: &RecordHeader<'a>| (Cow::Borrowed(header.key), header.value.map(Cow::Borrowed));
        Self {
            topic: record.topic.into(),
            partition: record.partition,
            key: record.key.map(Cow::Borrowed),
            value: record.value.map(Cow::Borrowed),
            headers: record.headers.iter().map(header).collect(),
            timestamp_ms: record.timestamp_ms,
            opaque: record.opaque,
        }
    }

    pub(super) fn headers(&self) -> Vec<RecordHeader<'_>> {
        self.headers.iter().map(|(key, value)| RecordHeader { key, value: value.as_deref() }).collect()
    }

    pub(super) fn record<'r>(&'r self, headers: &'r [RecordHeader<'r>]) -> ProducerRecord<'r> {
        ProducerRecord {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
            timestamp_ms: self.timestamp_ms,
            opaque: self.opaque,
        }
    }
}
