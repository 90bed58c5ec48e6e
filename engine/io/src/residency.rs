//! Is it in the page cache? Asked before a call that would otherwise wait for the device in the calling thread.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::file::File;
use crate::syscall::offset;

/// Reads what the page cache holds at `position`: `WouldBlock` when the first byte is not there, fewer bytes when a later one is
/// not, 0 at the end of the file. Where the filesystem can't tell (EOPNOTSUPP) it is a plain read. preadv2(2), RWF_NOWAIT.
pub fn read_cached(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    match read_nowait(file, buffer, position) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
            file.read_at(buffer, position)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(io::ErrorKind::WouldBlock.into()),
        other => other,
    }
}

/// One preadv2(RWF_NOWAIT).
pub(crate) fn read_nowait(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let position = offset(position)?;
    // SAFETY: the one vector covers exactly `buffer`, which is borrowed mutably for the whole call; the descriptor is open.
    let read = unsafe { libc::preadv2(file.raw(), &raw const vector, 1, position, libc::RWF_NOWAIT) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Whether every page of the range, which must lie within the file, is in the page cache, or `None` where the kernel can't say (before 6.5, or refused by a
/// seccomp profile). cachestat(2): about a quarter of a microsecond per warm MiB.
pub fn is_cached(file: &File, position: u64, length: u64) -> Option<bool> {
    static ABSENT: AtomicBool = AtomicBool::new(false);
    if length == 0 {
        return Some(true);
    }
    if ABSENT.load(Ordering::Relaxed) {
        return None;
    }
    let range = CachestatRange { offset: position, length };
    let mut counts = Cachestat::default();
    // SAFETY: both structs are laid out as <linux/mman.h> has them and live across the call; the kernel writes `counts` only.
    let result = unsafe { libc::syscall(CACHESTAT, file.raw(), &raw const range, &raw mut counts, 0) };
    if result != 0 {
        if matches!(io::Error::last_os_error().raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
            ABSENT.store(true, Ordering::Relaxed);
        }
        return None;
    }
    let pages = position.saturating_add(length).div_ceil(PAGE_BYTES) - position / PAGE_BYTES;
    Some(counts.cached >= pages)
}

const PAGE_BYTES: u64 = 4096;
/// The call's number is the same on every architecture.
const CACHESTAT: libc::c_long = 451;

#[repr(C)]
struct CachestatRange {
    offset: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}
