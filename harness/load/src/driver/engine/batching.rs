//! Records on their way into batches: as a producer collects them, without a network behind it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use ringlog_client::ProducerOptions;
use ringlog_io::Disk;
use ringlog_log::{AppendBatch, Log};
use ringlog_record::BatchBuilder;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use crate::LoadError;
use crate::driver::Record;

/// What a batch reserves when its first record comes.
const MAX_RESERVED_BYTES: usize = 64 << 10;

/// The open batches of one producer.
pub(super) struct Batches {
    shared: Rc<Shared>,
}

struct Shared {
    /// By slot.
    logs: Vec<Arc<Log>>,
    disk: Disk,
    options: ProducerOptions,
    /// By slot.
    open: RefCell<HashMap<u32, Open>>,
    /// The free bytes of `buffer.memory`.
    memory: Semaphore,
}

struct Open {
    builder: BatchBuilder,
    fate: Rc<Fate>,
    bytes: usize,
}

impl Batches {
    pub(super) fn new(logs: Vec<Arc<Log>>, disk: Disk, options: ProducerOptions) -> Batches {
        let memory = Semaphore::new(options.buffer_bytes);
        Batches { shared: Rc::new(Shared { logs, disk, options, open: RefCell::default(), memory }) }
    }

    /// Puts a record into its batch; waits while `buffer.memory` is full.
    pub(super) async fn append(&self, record: Record<'_>) -> Result<Receipt, LoadError> {
        let shared = &self.shared;
        let bytes = record.value.len() + record.key.map_or(0, <[u8]>::len);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Ok(permit) = shared.memory.acquire_many(permits).await {
            // The batch gives it back.
            permit.forget();
        }
        let (limit, compression) = (shared.options.batch_bytes, shared.options.compression);
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let is_full = |open: &Open| !open.builder.fits(limit, record.key, Some(record.value), &[]);
        if shared.open.borrow().get(&record.slot).is_some_and(is_full) {
            shared.dispatch(record.slot, None);
        }
        let mut batches = shared.open.borrow_mut();
        let mut begun = None;
        let open = batches.entry(record.slot).or_insert_with(|| {
            let fate = Rc::new(Fate::default());
            begun = Some(Rc::clone(&fate));
            let builder = BatchBuilder::new(compression).with_capacity(limit.min(MAX_RESERVED_BYTES));
            Open { builder, fate, bytes: 0 }
        });
        open.bytes += bytes;
        open.builder.append(now_ms, record.key, Some(record.value), &[]).map_err(LoadError::refused)?;
        let receipt = Receipt(Rc::clone(&open.fate));
        drop(batches);
        if let Some(fate) = begun {
            shared.linger(record.slot, fate);
        }
        Ok(receipt)
    }
}

impl Shared {
    /// Sends a batch when its time has come, unless it was full before.
    fn linger(self: &Rc<Self>, slot: u32, fate: Rc<Fate>) {
        let shared = Rc::clone(self);
        spawn_local(async move {
            if !shared.options.linger.is_zero() {
                tokio::time::sleep(shared.options.linger).await;
            }
            shared.dispatch(slot, Some(&fate));
        });
    }

    /// Appends the open batch of a slot to its log; with `of`, only if it is still that one.
    fn dispatch(self: &Rc<Self>, slot: u32, of: Option<&Rc<Fate>>) {
        let mut batches = self.open.borrow_mut();
        if batches.get(&slot).is_none_or(|open| of.is_some_and(|fate| !Rc::ptr_eq(&open.fate, fate))) {
            return;
        }
        let Some(Open { builder, fate, bytes }) = batches.remove(&slot) else { return };
        drop(batches);
        let log = self.logs.get(slot as usize).map(Arc::clone).ok_or_else(|| "there is no such log".to_owned());
        let built = builder.build().and_then(|built| AppendBatch::new(built.as_slice().into(), 0));
        let appending = log.and_then(|log| Ok(log.append(&self.disk, built.map_err(|error| error.to_string())?)));
        let shared = Rc::clone(self);
        spawn_local(async move {
            let outcome = match appending {
                Ok(appending) => appending.await.map(drop).map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            shared.memory.add_permits(bytes);
            fate.seal(outcome);
        });
    }
}

/// What becomes of a batch.
#[derive(Debug, Default)]
struct Fate {
    sealed: RefCell<Option<Result<(), String>>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Fate {
    fn seal(&self, outcome: Result<(), String>) {
        *self.sealed.borrow_mut() = Some(outcome);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// Resolves with its batch.
#[derive(Debug)]
pub(super) struct Receipt(Rc<Fate>);

impl Future for Receipt {
    type Output = Result<(), LoadError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &*self.0.sealed.borrow() {
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err(error)) => Poll::Ready(Err(LoadError::refused(error))),
            None => {
                let mut waiting = self.0.waiting.borrow_mut();
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}
