//! Ways to write an append-only log: what a strategy is, and all of them.
//!
//! | strategy | how an append gets to the file |
//! |---|---|
//! | `pwrite`, `pwritev` | one call for each append; one for all that are queued |
//! | `fdatasync`, `dsync` | written, then synced; both in one call (RWF_DSYNC) |
//! | `write_behind`, `dontcache` | write-back begins at once; the pages are dropped behind it, too |
//! | `direct` | past the page cache, with and without a flush in the same call |
//! | `mmap` | a copy into a map of the file, and msync |
//! | `writer_thread`, `tokio_fs` | handed to another thread |
//! | `ring` | operations of an io_uring: a file for each way to set one up and to use it |
//! | `tokio_uring` | the same through tokio's runtime for it |
//! | `null` | nowhere: no contestant, but what the bench costs |

mod direct;
mod dontcache;
mod dsync;
mod fdatasync;
mod mmap;
mod null;
mod pwrite;
mod pwritev;
mod ring;
mod run;
mod target;
mod tokio_fs;
mod tokio_uring;
mod write_behind;
mod writer_thread;

use std::io;
use std::path::Path;

pub(crate) use null::Null;
pub(crate) use run::{capacity, run};
pub(crate) use target::{Source, Target, write_whole};

use crate::setting::{Load, Preparation, SyncPolicy, WriteSetting};

/// Every way to write, from the plainest on.
pub(crate) const STRATEGIES: &[&dyn Strategy] = &[
    &pwrite::Pwrite,
    &pwritev::Pwritev,
    &fdatasync::WriteFdatasync,
    &dsync::WriteDsync,
    &write_behind::WriteBehind,
    &dontcache::DontCache,
    &direct::Direct,
    &direct::DirectDsync,
    &mmap::MmapMsync,
    &writer_thread::WriterThread,
    &tokio_fs::TokioFs,
    &ring::BUFFERED,
    &ring::COOP,
    &ring::DEFER,
    &ring::SQPOLL,
    &ring::FIXED,
    &ring::DIRECT,
    &ring::LINKED,
    &tokio_uring::TokioUring,
];

/// One append after the other at the end of a file, and nothing else.
pub(crate) const PLAIN: WriteSetting = WriteSetting {
    size_bytes: 4096,
    sync: SyncPolicy::None,
    prepare: Preparation::Extend,
    writers: 1,
    queued: 1,
    load: Load::Saturated,
    bytes: None,
    same_block: false,
};

/// What needs nothing but a file.
pub(crate) const PLAINEST: &dyn Strategy = &pwrite::Pwrite;

/// A way to write.
pub(crate) trait Strategy: Sync {
    /// What tables call it.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn about(&self) -> &'static str;

    /// Whether what the setting asks is what it does.
    fn takes(&self, setting: &WriteSetting) -> bool;

    /// Opens the target's file for one writer, in the thread that will use it.
    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>>;

    /// What to change where `open` or the first append failed like this; `None` for what any strategy may meet.
    fn remedy(&self, _error: &io::Error) -> Option<String> {
        None
    }
}

/// One file on its way from empty to full.
pub(crate) trait Writer {
    /// Appends `count` blocks at `position`, one behind the other; on return they are where the strategy leaves them. If
    /// `durable`, that is on disk.
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()>;

    /// Makes durable what was appended.
    fn sync(&mut self) -> io::Result<()>;
}

/// Writes a few blocks and syncs them: says whether the strategy can do its work in this directory.
pub(crate) fn try_out(strategy: &dyn Strategy, directory: &Path) -> io::Result<()> {
    const SIZE_BYTES: usize = PLAIN.size_bytes;
    let setting = WriteSetting { queued: 2, ..PLAIN };
    let durable = !strategy.takes(&setting);
    let path = directory.join(format!("ringbench-try-{}-{}", std::process::id(), strategy.name()));
    let tried = Target::new(&path, &setting, 8 * SIZE_BYTES as u64, Source::new()?).and_then(|target| {
        let mut writer = strategy.open(target)?;
        writer.append(0, 2, durable)?;
        writer.append(2 * SIZE_BYTES as u64, 1, durable)?;
        writer.sync()?;
        let written = std::fs::read(&path)?;
        Source::new()?.check(&written, 3 * SIZE_BYTES)
    });
    // Without a file there is nothing to remove.
    let _ = std::fs::remove_file(&path);
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every strategy leaves in the file, however the file was made and the blocks were handed over.
    #[test]
    fn every_strategy_writes_the_source_block_by_block_into_every_kind_of_file() {
        let directory = tempfile::tempdir().unwrap();
        for strategy in STRATEGIES {
            if let Err(error) = try_out(*strategy, directory.path()) {
                eprintln!("!!! NOT TESTED: {} can't run here: {error}", strategy.name());
                continue;
            }
            for prepare in [Preparation::Extend, Preparation::Allocate, Preparation::Prewritten] {
                for size_bytes in [4096, 1 << 20] {
                    let setting = WriteSetting { size_bytes, prepare, ..PLAIN };
                    let path = directory.path().join(format!("{}-{prepare}-{size_bytes}", strategy.name()));
                    let capacity_bytes = 20 * size_bytes as u64;
                    let target = Target::new(&path, &setting, capacity_bytes, Source::new().unwrap()).unwrap();
                    let mut writer = strategy.open(target).unwrap();
                    let mut position = 0;
                    for (count, durable) in [(1, false), (3, true), (16, false)] {
                        writer.append(position, count, durable).unwrap();
                        position += (count * size_bytes) as u64;
                    }
                    writer.sync().unwrap();
                    drop(writer);
                    let written = std::fs::read(&path).unwrap();
                    let source = Source::new().unwrap();
                    for (n, block) in written.chunks(size_bytes).take(20).enumerate() {
                        let expected = source.block((n * size_bytes) as u64, size_bytes);
                        assert!(block == expected, "{} {prepare} {size_bytes}: block {n}", strategy.name());
                    }
                    assert!(written.len() >= 20 * size_bytes, "{}: {} bytes", strategy.name(), written.len());
                }
            }
        }
    }
}
