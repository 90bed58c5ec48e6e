//! What a writer writes, and where: a source of bytes and a file that was prepared.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ringlog_io::{Buffer, Pool};
use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::setting::{Preparation, WriteSetting};

/// What is written: noise, page-aligned and large enough that copying it is not from the nearest cache only.
#[derive(Debug)]
pub(crate) struct Source {
    memory: Buffer,
}

/// A multiple of every size that is appended.
const SOURCE_BYTES: usize = 4 << 20;

impl Source {
    /// The same bytes every time, all of them touched.
    pub(crate) fn new() -> io::Result<Source> {
        Source::with_bytes(SOURCE_BYTES)
    }

    /// As large as the setting wants it.
    pub(crate) fn of(setting: &WriteSetting) -> io::Result<Source> {
        let one_call = setting.size_bytes * setting.queued;
        Source::with_bytes(if setting.same_block { one_call.min(SOURCE_BYTES) } else { SOURCE_BYTES })
    }

    fn with_bytes(bytes: usize) -> io::Result<Source> {
        let pool = Pool::new(bytes, bytes);
        let mut memory = pool.take()?.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        fastrand::Rng::with_seed(0x5249_4e47).fill(&mut memory);
        Ok(Source { memory })
    }

    /// The block that stands at `position` of a file.
    pub(crate) fn block(&self, position: u64, size_bytes: usize) -> &[u8] {
        self.memory.get(Source::place(self.memory.len(), position, size_bytes)).unwrap_or_default()
    }

    /// Where in so many bytes of memory it is.
    pub(crate) fn place(memory_bytes: usize, position: u64, size_bytes: usize) -> Range<usize> {
        let start = (position % memory_bytes as u64) as usize;
        start..start + size_bytes
    }

    /// The memory, for who must own it.
    pub(crate) fn into_memory(self) -> Buffer {
        self.memory
    }

    /// Whether a file begins with the first `length` bytes.
    pub(crate) fn check(&self, file: &[u8], length: usize) -> io::Result<()> {
        let holds = file.get(..length).is_some_and(|written| written == self.block(0, length));
        holds.then_some(()).ok_or_else(|| io::Error::other("what was written is not what stands in the file"))
    }
}

/// A writer's file and what it is filled with.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    prepare: Preparation,
    /// The most that is appended.
    pub(crate) capacity_bytes: u64,
    /// Size of one append.
    pub(crate) size_bytes: usize,
    /// What is appended.
    pub(crate) source: Source,
}

impl Target {
    /// Makes and prepares the file, which must not exist.
    pub(crate) fn new(path: &Path, setting: &WriteSetting, capacity_bytes: u64, source: Source) -> io::Result<Target> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        match setting.prepare {
            Preparation::Extend => {}
            Preparation::Allocate => fallocate(&file, FallocateFlags::empty(), 0, capacity_bytes)?,
            Preparation::Prewritten => {
                let zeros = vec![0; 1 << 20];
                let mut position = 0;
                while position < capacity_bytes {
                    let length = zeros.len().min((capacity_bytes - position) as usize);
                    file.write_all_at(zeros.get(..length).unwrap_or_default(), position)?;
                    position += length as u64;
                }
                file.sync_all()?;
            }
        }
        let path = path.to_owned();
        Ok(Target { path, prepare: setting.prepare, capacity_bytes, size_bytes: setting.size_bytes, source })
    }

    /// The file, for reading and writing, with these flags of open(2).
    pub(crate) fn open(&self, flags: OFlags) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).custom_flags(flags.bits() as i32).open(&self.path)
    }

    /// The block that stands at `position`.
    pub(crate) fn block(&self, position: u64) -> &[u8] {
        self.source.block(position, self.size_bytes)
    }

    /// The positions of `count` blocks from `position` on.
    pub(crate) fn positions(&self, position: u64, count: usize) -> impl Iterator<Item = u64> + use<> {
        let size_bytes = self.size_bytes as u64;
        (0..count as u64).map(move |n| position + n * size_bytes)
    }

    /// `count` blocks from `position` on, each as the buffer of its own that it is in a log.
    pub(crate) fn vector(&self, position: u64, count: usize) -> Vec<IoSlice<'_>> {
        self.positions(position, count).map(|position| IoSlice::new(self.block(position))).collect()
    }

    /// Whether an append makes the file longer.
    pub(crate) fn is_extended(&self) -> bool {
        self.prepare == Preparation::Extend
    }
}

/// Calls until the whole vector is written: a short write is no error of the strategy.
pub(crate) fn write_whole(
    mut vector: &mut [IoSlice<'_>],
    mut position: u64,
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !vector.is_empty() {
        match write(vector, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                position += written as u64;
                IoSlice::advance_slices(&mut vector, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
