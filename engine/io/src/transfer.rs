//! File ranges to sockets, without blocking: sendfile, two splices through a pipe, read and send with a header.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use nix::unistd::pipe2;

use crate::file::File;
use crate::residency::read_cached;
use crate::syscall::offset;

/// The most that one call moves: the other connections of the thread wait that long (30 µs when warm).
pub const SLICE_BYTES: usize = 256 * 1024;

/// Sends up to `length` bytes (at most [`SLICE_BYTES`]) from `position` on to a non-blocking socket; returns how many it took,
/// 0 at the end of the file, `WouldBlock` when the socket is full. A cold page blocks the thread: see [`crate::residency`].
///
/// The socket keeps references to the file's pages: never truncate or overwrite a file that may have queued sends.
pub fn send_file(socket: BorrowedFd<'_>, file: &File, position: u64, length: usize) -> io::Result<usize> {
    let mut from = offset(position)?;
    retry(|| Ok(sendfile64(socket, file, Some(&mut from), length.min(SLICE_BYTES))?))
}

/// Sends `header` and then file bytes in one call. Only pages that are in the cache are read; returns how many bytes of header
/// and file together were taken. `scratch` is reused between calls and bounds the file part. `WouldBlock` when the socket is full;
/// when the range is cold, only the header goes out (an empty header then gives `Ok(0)`: read it through the disk first).
pub fn read_and_send(
    socket: BorrowedFd<'_>,
    header: &[u8],
    file: &File,
    position: u64,
    scratch: &mut [u8],
) -> io::Result<usize> {
    let read = match read_cached(file, scratch, position) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        other => other?,
    };
    let body = scratch.get(..read).unwrap_or_default();
    if header.is_empty() && body.is_empty() {
        return Ok(0);
    }
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    let vectors = [IoSlice::new(header), IoSlice::new(body)];
    let nothing: &[ControlMessage<'_>] = &[];
    retry(|| Ok(sendmsg::<SockaddrStorage>(socket.as_raw_fd(), &vectors, nothing, flags, None)?))
}

/// A pipe between files and one socket. What was taken from a file and not yet by the socket waits in the pipe.
#[derive(Debug)]
pub struct Splicer {
    source: OwnedFd,
    sink: OwnedFd,
    waiting: usize,
}

impl Splicer {
    /// Makes the pipe (64 KiB as a rule). A user's pipes share `fs.pipe-user-pages-soft`: near 1,024 they shrink to one page.
    pub fn new() -> io::Result<Splicer> {
        let (source, sink) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Splicer { source, sink, waiting: 0 })
    }

    /// Bytes in the pipe: taken from the file, not yet by the socket.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes up to `length` bytes from the file into the empty pipe; returns how many, 0 at the end of the file. Ask
    /// [`Splicer::drain`] until nothing waits before the next one. A cold page blocks the thread.
    pub fn fill(&mut self, file: &File, position: u64, length: usize) -> io::Result<usize> {
        if self.waiting > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut from = offset(position)?;
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
        self.waiting = retry(|| Ok(splice(file, Some(&mut from), &self.sink, None, length.min(SLICE_BYTES), flags)?))?;
        Ok(self.waiting)
    }

    /// Moves what waits into the socket; returns how many bytes it took, `WouldBlock` when it is full.
    pub fn drain(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        if self.waiting == 0 {
            return Ok(0);
        }
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
        let taken = retry(|| Ok(splice(self.source.as_fd(), None, socket, None, self.waiting, flags)?))?;
        self.waiting -= taken;
        Ok(taken)
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
