//! Who sends records to a peer one by one, each as a request of its own.

use bytes::BytesMut;

use super::pipeline::{Pipeline, Receipt};
use crate::LoadError;
use crate::driver::{Layout, Produce, Record};

/// Writes single records.
pub(crate) trait Writer: Sized {
    /// A connection on which it may write.
    async fn open(&mut self) -> Result<Pipeline, LoadError>;

    /// Appends the request that adds a record to the queue of this name.
    fn write(&self, out: &mut BytesMut, name: &str, record: Record<'_>);

    /// A producer that writes with it.
    async fn connected(mut self, layout: &Layout) -> Result<Producer<Self>, LoadError> {
        Ok(Producer { pipeline: self.open().await?, writer: self, names: layout.names() })
    }
}

/// A writer with its connection, which is opened anew after it broke.
#[derive(Debug)]
pub struct Producer<W> {
    writer: W,
    pipeline: Pipeline,
    /// By slot.
    names: Vec<String>,
}

impl<W: Writer> Produce for Producer<W> {
    type Receipt = Receipt;

    async fn send(&mut self, record: Record<'_>) -> Result<Receipt, LoadError> {
        self.pipeline.room().await;
        if self.pipeline.is_gone() {
            self.pipeline = self.writer.open().await?;
        }
        let Producer { writer, pipeline, names } = self;
        let name = names.get(record.slot as usize).map_or("", String::as_str);
        Ok(pipeline.request(|out, _| writer.write(out, name, record)))
    }

    fn idle(&mut self) {
        self.pipeline.flush();
    }
}
