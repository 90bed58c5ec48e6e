//! The sending end of a connection, and how one waits for it.

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::write::write_whole;

/// A TCP socket that bytes are sent to.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Non-blocking, as a broker has it.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        Ok(Socket { stream })
    }

    /// Blocking, for operations of a ring.
    pub(crate) fn blocking(self) -> io::Result<Socket> {
        self.stream.set_nonblocking(false)?;
        Ok(self)
    }

    /// Sends all of it. `more`: what follows may share its last packet (MSG_MORE).
    pub(crate) fn send_all(&self, vector: &mut [IoSlice<'_>], more: bool) -> io::Result<()> {
        let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
        write_whole(vector, 0, |rest, _| {
            self.when_writable(|| Ok(sendmsg(&self.stream, rest, &mut SendAncillaryBuffer::default(), flags)?))
        })
    }

    /// Makes a call that sends, again when the socket was full and has room.
    pub(crate) fn when_writable<T>(&self, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.stream, PollFlags::OUT)], None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                other => return other,
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
