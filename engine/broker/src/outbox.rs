//! Responses on their way to one socket: gathered, then written with as few system calls as the socket allows.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use bytes::{Buf, Bytes};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use ringlog_io::{Disk, residency, transfer};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::reply::{FileSlice, Piece, Reply};

/// Below this a slice is read and sent in one call with its header; above it sendfile wins (CPU per GB, loopback: 64 KiB
/// sendfile 0.20, pread+send 0.22; 4 KiB 0.66 against 0.68 but with one system call more). A host profile knows better.
pub(crate) const SENDFILE_MIN_BYTES: usize = 64 * 1024;
/// The longest stretch that one sendfile call may move: other connections of the shard wait that long.
const SENDFILE_SLICE_BYTES: usize = 256 * 1024;
/// After this many bytes to one socket the others get their turn.
const TURN_BYTES: usize = 1024 * 1024;
/// Linux's IOV_MAX is 1024; responses of one wake-up rarely exceed this.
const VECTORS: usize = 64;

/// The responses that are due on one connection, in order.
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// Shorter slices are read and sent with the headers around them.
    sendfile_min_bytes: usize,
}

impl Outbox {
    pub(crate) fn new(sendfile_min_bytes: usize) -> Outbox {
        Outbox { pieces: VecDeque::new(), sendfile_min_bytes }
    }

    pub(crate) fn push(&mut self, reply: Reply) {
        self.pieces.extend(reply.pieces);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes everything, and says how many bytes that was. An error ends the connection: the peer has seen half a response.
    pub(crate) async fn flush(&mut self, stream: &TcpStream, disk: &Disk) -> io::Result<u64> {
        let (mut since_turn, mut total) = (0usize, 0);
        self.load_small_slices(disk).await?;
        while let Some(front) = self.pieces.front_mut() {
            let written = match front {
                Piece::File(slice) if slice.length == 0 => 0,
                // sendfile would wait for the device, and every connection of the shard with it.
                Piece::File(slice) if is_cold(slice) => {
                    let bytes = take(slice, slice.length.min(SENDFILE_SLICE_BYTES), disk).await?;
                    self.pieces.push_front(Piece::Bytes(bytes));
                    continue;
                }
                Piece::File(slice) => {
                    let written = send_slice(stream, slice).await?;
                    slice.position += written as u64;
                    slice.length -= written;
                    written
                }
                Piece::Bytes(_) => self.send_bytes(stream).await?,
            };
            self.drop_sent();
            since_turn += written;
            total += written as u64;
            if since_turn >= TURN_BYTES {
                since_turn = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(total)
    }

    /// Small slices become bytes, so that they leave in one call with the headers around them.
    async fn load_small_slices(&mut self, disk: &Disk) -> io::Result<()> {
        for piece in &mut self.pieces {
            if let Piece::File(slice) = piece
                && slice.length < self.sendfile_min_bytes
            {
                *piece = Piece::Bytes(take(slice, slice.length, disk).await?);
            }
        }
        Ok(())
    }

    /// Sends the run of in-memory pieces at the front. MSG_MORE holds the packet back when a file slice follows.
    async fn send_bytes(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let run: Vec<&Bytes> = self
            .pieces
            .iter()
            .take(VECTORS)
            .map_while(|piece| match piece {
                Piece::Bytes(bytes) => Some(bytes),
                Piece::File(_) => None,
            })
            .collect();
        let vectors: Vec<IoSlice<'_>> = run.iter().map(|bytes| IoSlice::new(bytes)).collect();
        let more = if run.len() < self.pieces.len() {
            MsgFlags::from_bits_retain(nix::libc::MSG_MORE)
        } else {
            MsgFlags::empty()
        };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT | more;
        let mut written = stream
            .async_io(Interest::WRITABLE, || {
                let fd = std::os::fd::AsRawFd::as_raw_fd(stream);
                Ok(sendmsg::<SockaddrStorage>(fd, &vectors, &[] as &[ControlMessage<'_>], flags, None)?)
            })
            .await?;
        let total = written;
        for piece in &mut self.pieces {
            let Piece::Bytes(bytes) = piece else { break };
            let step = written.min(bytes.len());
            bytes.advance(step);
            written -= step;
            if written == 0 {
                break;
            }
        }
        Ok(total)
    }

    fn drop_sent(&mut self) {
        while let Some(front) = self.pieces.front() {
            let left = match front {
                Piece::Bytes(bytes) => bytes.len(),
                Piece::File(slice) => slice.length,
            };
            if left > 0 {
                break;
            }
            self.pieces.pop_front();
        }
    }
}

/// Whether the next stretch is known not to be in the page cache.
fn is_cold(slice: &FileSlice) -> bool {
    let length = slice.length.min(SENDFILE_SLICE_BYTES) as u64;
    residency::is_cached(&slice.file, slice.position, length) == Some(false)
}

/// Reads the slice's first bytes, without blocking the shard, and leaves the rest in it.
async fn take(slice: &mut FileSlice, length: usize, disk: &Disk) -> io::Result<Bytes> {
    let bytes = disk.read_at(&slice.file, length, slice.position).await?;
    if bytes.len() < length {
        return Err(short_segment(slice));
    }
    slice.position += length as u64;
    slice.length -= length;
    Ok(bytes.freeze())
}

async fn send_slice(stream: &TcpStream, slice: &FileSlice) -> io::Result<usize> {
    let length = slice.length.min(SENDFILE_SLICE_BYTES);
    let written = stream
        .async_io(Interest::WRITABLE, || transfer::send_file(stream.as_fd(), &slice.file, slice.position, length))
        .await?;
    if written == 0 { Err(short_segment(slice)) } else { Ok(written) }
}

/// A segment below the visible end never shrinks while it is being sent; if it has, somebody else truncated the file.
fn short_segment(slice: &FileSlice) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("{} ends before position {}: was it truncated by hand?", slice.file.path().display(), slice.position),
    )
}
