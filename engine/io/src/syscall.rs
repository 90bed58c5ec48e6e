//! The system-call backend: reads and writes in the calling thread, fdatasync on threads of the device.

use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::uio::pwritev;

use crate::disk::Allocation;
use crate::file::{File, at_path};
use crate::gather::Gather;

/// fallocate of blocks, with or without the size; zero-filling is done by the disk.
pub(crate) fn allocate(file: &File, position: u64, length: u64, how: Allocation) -> io::Result<()> {
    let flags = match how {
        Allocation::KeepSize => FallocateFlags::FALLOC_FL_KEEP_SIZE,
        Allocation::Extend | Allocation::Zeroed => FallocateFlags::empty(),
    };
    loop {
        match fallocate(file, flags, offset(position)?, offset(length)?) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// One pwritev; may be short.
pub(crate) fn write(file: &File, gather: &Gather, position: u64) -> io::Result<usize> {
    Ok(pwritev(file, &gather.vectors(), offset(position)?)?)
}

/// One pwritev2(RWF_NOWAIT): `WouldBlock` when it would wait, `Unsupported` where the filesystem never writes to the page cache
/// without waiting (ext4).
pub(crate) fn write_nowait(file: &File, gather: &Gather, position: u64) -> io::Result<usize> {
    let vectors = gather.vectors();
    // SAFETY: IoSlice has the layout of iovec (std promises it); the vectors and the buffers they cover are borrowed for the
    // whole call, and the kernel only reads them.
    let written = unsafe {
        let first = vectors.as_ptr().cast::<libc::iovec>();
        libc::pwritev2(file.raw(), first, vectors.len() as libc::c_int, offset(position)?, libc::RWF_NOWAIT)
    };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// One pread into `buffer[filled..]`; may be short.
pub(crate) fn read(file: &File, buffer: &mut [u8], filled: usize, position: u64) -> io::Result<usize> {
    file.std().read_at(buffer.get_mut(filled..).unwrap_or_default(), position)
}

pub(crate) fn truncate(file: &File, length: u64) -> io::Result<()> {
    file.std().set_len(length).map_err(|error| at_path(error, "truncate", file.path()))
}

pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path).map_err(|error| at_path(error, "create directory", path))
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to).map_err(|error| at_path(error, "rename", from))
}

pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path).map_err(|error| at_path(error, "remove", path))
}

pub(crate) fn remove_dir_all(path: &Path) -> io::Result<()> {
    std::fs::remove_dir_all(path).map_err(|error| at_path(error, "remove directory", path))
}

pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    std::fs::File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| at_path(error, "sync directory", path))
}

/// Makes or replaces a file and syncs its content and metadata.
pub(crate) fn write_and_sync(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::File::create(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(|error| at_path(error, "write", path))
}

/// The kernel's signed offset; EINVAL-like error beyond 2^63.
pub(crate) fn offset(position: u64) -> io::Result<i64> {
    i64::try_from(position).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "position beyond 2^63"))
}
