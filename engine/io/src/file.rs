//! An open file of the data directory: its descriptor and the path it was opened under.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How [`crate::Disk::open_file`] opens a file. Every mode is close-on-exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read only; the file must exist.
    Read,
    /// Read and write; the file must exist.
    Write,
    /// Read and write; an empty file is made when there is none.
    Create,
    /// Read and write; fails with `AlreadyExists` when there is one.
    CreateNew,
}

/// An open file. Shared as `Arc<File>`: whoever still has bytes of it to read or send keeps the descriptor open, also when the
/// file has been renamed or removed meanwhile.
#[derive(Debug)]
pub struct File {
    inner: std::fs::File,
    path: PathBuf,
    /// Whether a ring hands every buffered write of this file to a worker thread; learned by the first write.
    pub(crate) punts_writes: OnceLock<bool>,
}

impl File {
    pub(crate) fn open(path: &Path, mode: Mode) -> io::Result<File> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(mode != Mode::Read).mode(0o644);
        match mode {
            Mode::Read | Mode::Write => {}
            Mode::Create => drop(options.create(true)),
            Mode::CreateNew => drop(options.create_new(true)),
        }
        let inner = options.open(path).map_err(|error| at_path(error, "open", path))?;
        Ok(File { inner, path: path.to_owned(), punts_writes: OnceLock::new() })
    }

    /// The path that the file was opened under; a later rename does not change it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes, asked from the kernel.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.inner.metadata()?.len())
    }

    /// True for a file of no bytes.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `position`, in the calling thread; fewer only at the end of the file. For small
    /// pieces that are likely in the page cache: a cold page blocks the thread.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read_at(rest, position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Fills `buffer` from `position`; `UnexpectedEof` (which names file and position) when the file ends before.
    pub fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let read = self.read_at(buffer, position)?;
        if read == buffer.len() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{} ends at {}, {} bytes wanted", self.path.display(), position + read as u64, buffer.len()),
        ))
    }

    pub(crate) fn std(&self) -> &std::fs::File {
        &self.inner
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// The error with what was tried and where; kind and, through `source`, the error number stay.
pub(crate) fn at_path(error: io::Error, action: &'static str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), PathError { action, path: path.to_owned(), source: error })
}

#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
struct PathError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}
