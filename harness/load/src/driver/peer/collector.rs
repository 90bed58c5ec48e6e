//! Records of one producer that wait for their frames: a frame takes all that there are of its slot.

use bytes::BytesMut;

use super::pipeline::Receipt;

/// What is collected, by slot of the producer's topic.
#[derive(Debug)]
pub(crate) struct Collector {
    batches: Vec<Batch>,
    bytes: usize,
    enough_bytes: usize,
}

/// Records of one slot.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: u32,
    /// As their frame has them.
    pub(crate) entries: BytesMut,
    /// What they share where they are acknowledged together.
    pub(crate) receipt: Option<Receipt>,
}

impl Collector {
    /// For so many slots, until there are so many bytes of all of them.
    pub(crate) fn new(slots: usize, enough_bytes: usize) -> Collector {
        let batches = std::iter::repeat_with(Batch::default).take(slots).collect();
        Collector { batches, bytes: 0, enough_bytes }
    }

    /// Adds the record that `append` appends; nothing where there is no such slot.
    pub(crate) fn add<T>(&mut self, slot: usize, append: impl FnOnce(&mut Batch) -> T) -> Option<T> {
        let batch = self.batches.get_mut(slot)?;
        let before = batch.entries.len();
        let appended = append(batch);
        batch.records += 1;
        self.bytes += batch.entries.len() - before;
        Some(appended)
    }

    /// Whether it is time to let them go.
    pub(crate) fn is_enough(&self) -> bool {
        self.bytes >= self.enough_bytes
    }

    /// Takes everything, with its slot.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (usize, Batch)> {
        self.bytes = 0;
        let batches = self.batches.iter_mut().map(std::mem::take).enumerate();
        batches.filter(|(_, batch)| batch.records > 0)
    }
}
