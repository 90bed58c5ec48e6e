//! tokio-uring: io_uring behind a runtime that owns the buffers of what is in flight.

use std::io;

use bytes::Bytes;
use rustix::fs::OFlags;
use tokio_uring::fs::File;

use super::{Source, Strategy, Target, Writer};
use crate::setting::WriteSetting;

pub(crate) struct TokioUring;

impl Strategy for TokioUring {
    fn name(&self) -> &'static str {
        "tokio-uring"
    }

    fn about(&self) -> &'static str {
        "tokio-uring's File: all appends that are queued are submitted, then awaited"
    }

    fn takes(&self, _setting: &WriteSetting) -> bool {
        true
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        let file = target.open(OFlags::empty())?;
        let runtime = tokio_uring::Runtime::new(&tokio_uring::builder()).map_err(ringlog_io::with_remedy)?;
        let size_bytes = target.size_bytes;
        let memory = target.source.into_memory();
        let length = memory.len();
        Ok(Box::new(Awaited { file: File::from_std(file), runtime, memory: memory.freeze(length), size_bytes }))
    }
}

struct Awaited {
    // Closed before the ring is.
    file: File,
    runtime: tokio_uring::Runtime,
    /// The source's bytes, which every append shares.
    memory: Bytes,
    size_bytes: usize,
}

impl Writer for Awaited {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        let Awaited { file, runtime, memory, size_bytes } = self;
        runtime.block_on(async {
            let submit = |n: usize| {
                let position = position + (n * *size_bytes) as u64;
                let block = memory.slice(Source::place(memory.len(), position, *size_bytes));
                (position, file.write_at(block, position).submit())
            };
            let in_flight: Vec<_> = (0..count).map(submit).collect();
            for (position, append) in in_flight {
                let (result, block) = append.await;
                let written = result?;
                if written < block.len() {
                    // A short write is no error of the strategy.
                    file.write_all_at(block.slice(written..), position + written as u64).await.0?;
                }
            }
            if durable { file.sync_data().await } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let Awaited { file, runtime, .. } = self;
        runtime.block_on(file.sync_data())
    }
}
