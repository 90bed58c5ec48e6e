//! Reading logs in this process, as a broker's fetch does, and then as its client.

use std::sync::Arc;
use std::time::Duration;

use ringlog_log::{Log, Visible, Waiter};
use ringlog_record::batches;

use crate::LoadError;
use crate::driver::{Consume, Record};

/// `max.partition.fetch.bytes`, and what a batch may grow to.
const FETCH_BYTES: usize = 1 << 20;
const MOST_DECOMPRESSED_BYTES: usize = 256 << 20;

/// One consumer.
pub struct EngineConsumer {
    logs: Vec<Position>,
    waiter: Arc<Waiter>,
    buffer: Vec<u8>,
}

struct Position {
    slot: u32,
    log: Arc<Log>,
    next_offset: i64,
}

impl EngineConsumer {
    pub(super) fn new(logs: Vec<(u32, Arc<Log>)>) -> EngineConsumer {
        let logs = logs.into_iter().map(|(slot, log)| Position { slot, log, next_offset: 0 }).collect();
        EngineConsumer { logs, waiter: Waiter::new(), buffer: Vec::new() }
    }
}

impl Consume for EngineConsumer {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let mut read_any = false;
        for position in &mut self.logs {
            read_any |= position.read(&mut self.buffer, &mut each)?;
        }
        if read_any {
            // Reads are from the page cache and never wait: the other tasks of the thread have their turn.
            tokio::task::yield_now().await;
            return Ok(());
        }
        self.logs.iter().for_each(|position| position.log.register_waiter(&self.waiter));
        if self.logs.iter().all(|position| position.log.high_watermark() <= position.next_offset) {
            // Nothing by then is no error.
            let _ = tokio::time::timeout(wait, self.waiter.woken()).await;
        }
        Ok(())
    }
}

impl Position {
    /// Reads what is there, up to a fetch; whether there was anything.
    fn read(&mut self, buffer: &mut Vec<u8>, each: &mut impl FnMut(Record<'_>)) -> Result<bool, LoadError> {
        let slice = self.log.read(self.next_offset, FETCH_BYTES, true, Visible::HighWatermark)?;
        buffer.resize(slice.length, 0);
        let path = slice.file.path();
        slice.file.read_exact_at(buffer, slice.position).map_err(LoadError::file(path))?;
        let from = self.next_offset;
        for batch in batches(buffer).map_while(Result::ok) {
            batch.check_crc().map_err(LoadError::refused)?;
            for record in &batch.records(MOST_DECOMPRESSED_BYTES).map_err(LoadError::refused)? {
                let record = record.map_err(LoadError::refused)?;
                if record.offset >= from {
                    each(Record { slot: self.slot, key: record.key, value: record.value.unwrap_or_default() });
                }
            }
            self.next_offset = batch.header().next_offset();
        }
        Ok(self.next_offset > from)
    }
}
