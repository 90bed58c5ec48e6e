//! Who sends records to a peer in batches: those of a slot go together when there is nothing more to send, or enough.

use bytes::BytesMut;

use super::Peer;
use super::pipeline::{HELD_BACK_BYTES, Pipeline, Receipt};
use crate::LoadError;
use crate::driver::{Layout, Produce, Record};

/// Writes batches.
pub(crate) trait BatchWriter: Sized {
    /// Whom it talks to.
    fn peer(&self) -> &Peer;

    /// A connection on which it may write to the queues of these names.
    async fn open(&self, names: &[String]) -> Result<Pipeline, LoadError>;

    /// Appends a record to the entries of its batch; gives what it is acknowledged by, alone or with others.
    fn enter(batch: &mut Batch, record: Record<'_>, pipeline: &mut Pipeline) -> Receipt;

    /// Appends a batch for one of the queues of the connection.
    fn write(out: &mut BytesMut, queue: usize, batch: &Batch);

    /// A producer that writes with it.
    async fn connected(self, layout: &Layout, topic: usize) -> Result<BatchProducer<Self>, LoadError> {
        let first_slot = layout.first_slot(topic);
        let names: Vec<String> = (first_slot..first_slot + layout.partitions).map(|slot| layout.name(slot)).collect();
        let pipeline = self.open(&names).await?;
        let batches = names.iter().map(|_| Batch::default()).collect();
        Ok(BatchProducer { writer: self, pipeline, first_slot, names, batches, bytes: 0 })
    }
}

/// Records that go together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: u32,
    /// As their frame has them.
    pub(crate) entries: BytesMut,
    /// What they share where they are acknowledged together.
    pub(crate) receipt: Option<Receipt>,
}

/// A writer with its connection, which is opened anew after it broke, and what waits to be written.
#[derive(Debug)]
pub struct BatchProducer<W> {
    writer: W,
    pipeline: Pipeline,
    first_slot: u32,
    /// Of the slots of its topic, as the next ones are.
    names: Vec<String>,
    batches: Vec<Batch>,
    bytes: usize,
}

impl<W: BatchWriter> Produce for BatchProducer<W> {
    type Receipt = Receipt;

    async fn send(&mut self, record: Record<'_>) -> Result<Receipt, LoadError> {
        if self.pipeline.is_full() {
            self.idle();
        }
        self.pipeline.room().await;
        if self.pipeline.is_gone() {
            self.batches.fill_with(Batch::default);
            self.bytes = 0;
            self.pipeline = self.writer.open(&self.names).await?;
        }
        let queue = record.slot.checked_sub(self.first_slot);
        let Some(batch) = queue.and_then(|queue| self.batches.get_mut(queue as usize)) else {
            let foreign = format!("slot {} is not of this producer's topic", record.slot);
            return Err(self.writer.peer().error(foreign));
        };
        let before = batch.entries.len();
        let receipt = W::enter(batch, record, &mut self.pipeline);
        batch.records += 1;
        self.bytes += batch.entries.len() - before;
        if self.bytes >= HELD_BACK_BYTES {
            self.idle();
        }
        Ok(receipt)
    }

    fn idle(&mut self) {
        self.bytes = 0;
        for (queue, batch) in self.batches.iter_mut().enumerate().filter(|(_, batch)| batch.records > 0) {
            self.pipeline.append(|out| W::write(out, queue, batch));
            *batch = Batch::default();
        }
        self.pipeline.flush();
    }
}
