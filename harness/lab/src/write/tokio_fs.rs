//! tokio::fs: every write is a task for the runtime's thread pool.

use std::io::{self, SeekFrom};

use rustix::fs::OFlags;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use super::{Strategy, Target, Writer};
use crate::setting::WriteSetting;

pub(crate) struct TokioFs;

impl Strategy for TokioFs {
    fn name(&self) -> &'static str {
        "tokio-fs"
    }

    fn about(&self) -> &'static str {
        "tokio::fs::File: copied, then written by a thread of the runtime's pool"
    }

    fn takes(&self, _setting: &WriteSetting) -> bool {
        true
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        let runtime = Builder::new_current_thread().build()?;
        Ok(Box::new(Pooled { file: File::from_std(target.open(OFlags::empty())?), runtime, target, end: 0 }))
    }
}

struct Pooled {
    file: File,
    runtime: Runtime,
    target: Target,
    /// Where the file's own position is.
    end: u64,
}

impl Writer for Pooled {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        let Pooled { file, runtime, target, end } = self;
        runtime.block_on(async {
            if *end != position {
                file.seek(SeekFrom::Start(position)).await?;
            }
            for position in target.positions(position, count) {
                file.write_all(target.block(position)).await?;
            }
            *end = position + (count * target.size_bytes) as u64;
            // A write is only begun when `write_all` returns.
            file.flush().await?;
            if durable { file.sync_data().await } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.runtime.block_on(self.file.sync_data())
    }
}
