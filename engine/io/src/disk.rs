//! The closed set of disk operations. Every change of a data file goes through here, whatever the backend.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::fault::Faults;
use crate::file::{File, Mode};
use crate::gather::Gather;
use crate::ring::{Ring, RingLimits};
use crate::sync_stats::SyncStats;
use crate::sync_thread;
use crate::syscall;

/// Zeros are written in pieces of this size when a file is pre-written.
const ZERO_BYTES: usize = 1024 * 1024;
static ZEROS: [u8; ZERO_BYTES] = [0; ZERO_BYTES];

/// Which implementation serves the asynchronous operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One io_uring ring per thread. In the calling thread are made: reads of what is in the page cache, and small writes where the
    /// filesystem would punt them ([`crate::INLINE_WRITE_BYTES`]).
    Uring,
    /// pwritev and pread in the calling thread, fdatasync on threads of the device.
    Syscall,
    /// The test twin: real files, injected faults.
    Faulty,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Uring => "uring",
            Backend::Syscall => "syscall",
            Backend::Faulty => "faulty",
        })
    }
}

/// What [`Disk::allocate`] leaves in the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Blocks are reserved past the end of the file, its size stays: appends can't meet ENOSPC, readers see no zeros.
    KeepSize,
    /// Blocks are reserved and the size grows; the range reads as zeros. The first write of each block still changes metadata.
    Extend,
    /// Zeros are really written and the size grows, so that later overwrites with fdatasync need no metadata at all
    /// (a durable 64 KiB write takes about 0.6 of the time). Costs one write of the whole range.
    Zeroed,
}

/// A thread's way to its disks. Cheap to clone, never leaves its thread.
///
/// The asynchronous operations own what they were given until the kernel has completed them, even when the future is dropped:
/// a dropped future means "may or may not have happened". The immediate ones touch metadata only and run in the calling thread.
#[derive(Clone)]
pub struct Disk {
    backend: Implementation,
    /// A ring can't leave its thread; so that nobody relies on the other backends, no disk can.
    _stays: PhantomData<Rc<()>>,
}

#[derive(Clone)]
enum Implementation {
    Syscall,
    Uring(Rc<Ring>),
    Faulty(Arc<Faults>),
}

impl From<Implementation> for Disk {
    fn from(backend: Implementation) -> Disk {
        Disk { backend, _stays: PhantomData }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({})", self.backend())
    }
}

impl Disk {
    /// Plain system calls: works everywhere.
    pub fn syscall() -> Disk {
        Implementation::Syscall.into()
    }

    /// A ring of the calling thread's own, served by its current-thread tokio runtime, in which this must be called. Ask
    /// [`crate::probe`] first whether it can be had.
    pub fn uring(limits: RingLimits) -> io::Result<Disk> {
        Ring::new(limits).map(|ring| Implementation::Uring(ring).into())
    }

    /// The test twin: real files below the directory of `faults`, and the faults that it injects.
    pub fn faulty(faults: Arc<Faults>) -> Disk {
        Implementation::Faulty(faults).into()
    }

    /// Operations that the kernel holds buffers of; 0 where they run in the calling thread.
    pub fn in_flight(&self) -> usize {
        match &self.backend {
            Implementation::Uring(ring) => ring.in_flight(),
            Implementation::Syscall | Implementation::Faulty(_) => 0,
        }
    }

    /// The backend in use.
    pub fn backend(&self) -> Backend {
        match &self.backend {
            Implementation::Syscall => Backend::Syscall,
            Implementation::Uring(_) => Backend::Uring,
            Implementation::Faulty(_) => Backend::Faulty,
        }
    }

    // Asynchronous operations.

    /// Writes all buffers, one after the other, from `position` on; returns the number of bytes. Short writes are resubmitted
    /// and more than 1024 buffers are split. On return the bytes are in the page cache, not on disk. After an error any prefix
    /// may have been written.
    pub async fn write_all_at(&self, file: &Arc<File>, buffers: Vec<Bytes>, position: u64) -> io::Result<u64> {
        let mut gather = Gather::new(buffers);
        check_range(position, gather.bytes() as u64)?;
        let mut written = 0u64;
        while !gather.is_done() {
            let (result, rest) = self.write_once(file, gather, position + written).await;
            gather = rest;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(step) => {
                    gather.advance(step);
                    written += step as u64;
                }
                Err(error) if is_transient(&error) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Reads `length` bytes at `position`; fewer only at the end of the file.
    pub async fn read_at(&self, file: &Arc<File>, length: usize, position: u64) -> io::Result<BytesMut> {
        check_range(position, length as u64)?;
        let mut buffer = BytesMut::zeroed(length);
        let mut filled = 0;
        while filled < length {
            let (result, same) = self.read_once(file, buffer, filled, position + filled as u64).await;
            buffer = same;
            match result {
                Ok(0) => break,
                Ok(step) => filled += step,
                Err(error) if is_transient(&error) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }

    /// fdatasync: on return everything written to the file before the call is on the device, and so is the size needed to read
    /// it. Never blocks the calling thread, is never retried: after an error the kernel has dropped the dirty pages, so what
    /// had not been synced must be taken for lost.
    pub async fn sync_data(&self, file: &Arc<File>) -> io::Result<()> {
        let begun = Instant::now();
        let outcome = self.sync_once(file).await;
        SyncStats::note(begun.elapsed());
        outcome
    }

    async fn sync_once(&self, file: &Arc<File>) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall => sync_thread::sync_data(file).await,
            Implementation::Uring(ring) => ring.sync_data(file).await,
            Implementation::Faulty(faults) => faults.sync_data(file).await,
        }
    }

    /// Reserves `length` bytes from `position` on; see [`Allocation`]. `Unsupported` where the filesystem can't, `StorageFull`
    /// when there is no room.
    pub async fn allocate(&self, file: &Arc<File>, position: u64, length: u64, how: Allocation) -> io::Result<()> {
        check_range(position, length)?;
        if length == 0 {
            return Ok(());
        }
        if how != Allocation::Zeroed {
            return match &self.backend {
                Implementation::Syscall => syscall::allocate(file, position, length, how),
                Implementation::Uring(ring) => ring.allocate(file, position, length, how).await,
                Implementation::Faulty(faults) => faults.allocate(file, position, length, how).await,
            };
        }
        let mut done = 0;
        while done < length {
            let step = (length - done).min(ZERO_BYTES as u64);
            let zeros = Bytes::from_static(&ZEROS).slice(..step as usize);
            done += self.write_all_at(file, vec![zeros], position + done).await?;
        }
        Ok(())
    }

    // Immediate operations.

    /// Opens a file. The directory entry of a new one is durable after [`Disk::sync_dir`].
    pub fn open_file(&self, path: impl AsRef<Path>, mode: Mode) -> io::Result<Arc<File>> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => File::open(path.as_ref(), mode).map(Arc::new),
            Implementation::Faulty(faults) => faults.open_file(path.as_ref(), mode).map(Arc::new),
        }
    }

    /// Makes a directory and those above it; durable after a [`Disk::sync_dir`] of each parent.
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::create_dir_all(path.as_ref()),
            Implementation::Faulty(faults) => faults.create_dir_all(path.as_ref()),
        }
    }

    /// Renames a file or directory, replacing an existing file; atomic, durable after [`Disk::sync_dir`].
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::rename(from.as_ref(), to.as_ref()),
            Implementation::Faulty(faults) => faults.rename(from.as_ref(), to.as_ref()),
        }
    }

    /// Removes a file's name; open descriptors stay valid. Durable after [`Disk::sync_dir`].
    pub fn remove_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::remove_file(path.as_ref()),
            Implementation::Faulty(faults) => faults.remove_file(path.as_ref()),
        }
    }

    /// Removes a directory and all below it. Not atomic: rename it first when half of it must never be seen.
    pub fn remove_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::remove_dir_all(path.as_ref()),
            Implementation::Faulty(faults) => faults.remove_dir_all(path.as_ref()),
        }
    }

    /// Sets a file's size; new bytes read as zeros. Never on a file with queued sends: sendfile hands out page references.
    pub fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::truncate(file, length),
            Implementation::Faulty(faults) => faults.truncate(file, length),
        }
    }

    /// Makes the names in a directory durable (fsync of the directory). Blocks the calling thread.
    pub fn sync_dir(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::sync_dir(path.as_ref()),
            Implementation::Faulty(faults) => faults.sync_dir(path.as_ref()),
        }
    }

    /// Replaces a small file's content: after a crash there is the old one or this one, whole. Writes `<path>.tmp`, syncs it,
    /// renames it and syncs the directory; durable on return. Blocks the calling thread.
    pub fn write_atomic(&self, path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
        let path = path.as_ref();
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display())));
        };
        let mut temporary = name.to_owned();
        temporary.push(".tmp");
        let temporary = parent.join(temporary);
        match &self.backend {
            Implementation::Syscall | Implementation::Uring(_) => syscall::write_and_sync(&temporary, content),
            Implementation::Faulty(faults) => faults.write_and_sync(&temporary, content),
        }?;
        self.rename(&temporary, path)?;
        self.sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }

    // One step of an operation, as the backend takes it.

    async fn write_once(&self, file: &Arc<File>, gather: Gather, position: u64) -> (io::Result<usize>, Gather) {
        match &self.backend {
            Implementation::Syscall => (syscall::write(file, &gather, position), gather),
            Implementation::Uring(ring) => ring.write(file, gather, position).await,
            Implementation::Faulty(faults) => (faults.write(file, &gather, position).await, gather),
        }
    }

    async fn read_once(
        &self,
        file: &Arc<File>,
        mut buffer: BytesMut,
        filled: usize,
        position: u64,
    ) -> (io::Result<usize>, BytesMut) {
        match &self.backend {
            Implementation::Syscall => (syscall::read(file, &mut buffer, filled, position), buffer),
            Implementation::Uring(ring) => ring.read(file, buffer, filled, position).await,
            Implementation::Faulty(faults) => (faults.read(file, &mut buffer, filled, position).await, buffer),
        }
    }
}

/// Positions are signed in the kernel, and io_uring takes -1 for "at the file's own position".
fn check_range(position: u64, length: u64) -> io::Result<()> {
    match position.checked_add(length) {
        Some(end) if i64::try_from(end).is_ok() => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{length} bytes at {position} pass 2^63"))),
    }
}

/// EINTR and EAGAIN say nothing about the file: the step is taken again.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}
