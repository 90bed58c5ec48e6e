//! The fate of a batch: shared by the futures of its records, told to the producer's callback.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::ClientError;
use crate::client::lock;

/// Where a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The partition that it went to.
    pub partition: i32,
    /// Its offset; −1 with `acks` 0, and for a retry that the broker recognised without telling the offset of the
    /// first.
    pub offset: i64,
    /// The record's timestamp, or the time of its append on a topic with `message.timestamp.type=LogAppendTime`; in ms.
    pub timestamp_ms: i64,
}

/// Resolves when the record's batch was acknowledged or given up. Dropping it changes nothing: the record is sent all
/// the same.
#[derive(Debug)]
#[must_use = "a record is known to be written only when this says so"]
pub struct Delivery {
    fate: Arc<Fate>,
    partition: i32,
    index: i64,
    timestamp_ms: i64,
    /// Where among the fate's wakers that of this future is.
    waker: Option<usize>,
}

/// What becomes of a batch, or of a call that is waited for.
#[derive(Debug)]
pub(super) struct Fate(Mutex<State>);

#[derive(Debug)]
enum State {
    Open(Vec<Waker>),
    Sealed(Result<Written, ClientError>),
}

/// What a broker says of a batch that it has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Offset of the first record, the others follow it; or −1, as in [`RecordMetadata::offset`].
    pub base_offset: i64,
    /// The time of the append, in ms; −1 when the records keep their own timestamps.
    pub append_time_ms: i64,
}

impl Written {
    /// Nobody said where or when.
    pub(super) const UNTOLD: Self = Self { base_offset: -1, append_time_ms: -1 };
}

/// What became of a batch: the fate that its records share.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledgement<'a> {
    /// Where the records were to go.
    pub topic: &'a str,
    /// The partition of it.
    pub partition: i32,
    /// What [`ProducerRecord::opaque`](crate::ProducerRecord::opaque) said of each record, in their order.
    pub opaques: &'a [u64],
    /// Where they were written, or why they were given up.
    pub outcome: Result<Written, &'a ClientError>,
}

impl Fate {
    pub(super) fn open() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Open(Vec::new()))))
    }

    /// Of what needs no waiting.
    pub(super) fn done() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Sealed(Ok(Written::UNTOLD)))))
    }

    /// The future of the batch's `index`-th record.
    pub(super) fn delivery(self: &Arc<Self>, partition: i32, index: i64, timestamp_ms: i64) -> Delivery {
        Delivery { fate: Arc::clone(self), partition, index, timestamp_ms, waker: None }
    }

    /// Decides it; the first decision stands.
    pub(super) fn seal(&self, outcome: Result<Written, ClientError>) {
        let mut state = lock(&self.0);
        if let State::Open(wakers) = &mut *state {
            let wakers = std::mem::take(wakers);
            *state = State::Sealed(outcome);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { fate, partition, index, timestamp_ms, waker: slot } = &mut *self;
        match &mut *lock(&fate.0) {
            State::Open(wakers) => {
                match slot.and_then(|slot| wakers.get_mut(slot)) {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => {
                        *slot = Some(wakers.len());
                        wakers.push(context.waker().clone());
                    }
                }
                Poll::Pending
            }
            State::Sealed(outcome) => Poll::Ready(outcome.clone().map(|written| RecordMetadata {
                partition: *partition,
                offset: if written.base_offset < 0 { -1 } else { written.base_offset + *index },
                timestamp_ms: if written.append_time_ms < 0 { *timestamp_ms } else { written.append_time_ms },
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_record_of_a_batch_learns_its_own_offset() {
        let fate = Fate::open();
        let (first, third) = (fate.delivery(7, 0, 100), fate.delivery(7, 2, 102));
        let waiting = tokio::spawn(third);
        tokio::task::yield_now().await;
        fate.seal(Ok(Written { base_offset: 40, append_time_ms: -1 }));
        assert_eq!(first.await.unwrap(), RecordMetadata { partition: 7, offset: 40, timestamp_ms: 100 });
        assert_eq!(waiting.await.unwrap().unwrap(), RecordMetadata { partition: 7, offset: 42, timestamp_ms: 102 });
    }

    #[tokio::test]
    async fn the_append_time_replaces_the_records_own() {
        let fate = Fate::open();
        fate.seal(Ok(Written { base_offset: -1, append_time_ms: 555 }));
        fate.seal(Err(ClientError::Closed));
        let delivered = fate.delivery(0, 3, 1).await.unwrap();
        assert_eq!(delivered, RecordMetadata { partition: 0, offset: -1, timestamp_ms: 555 });
    }
}
