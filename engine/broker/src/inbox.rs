//! The bytes that have arrived on one connection and are not requests yet.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;

/// Room reserved for the first bytes of a connection that has said nothing yet.
const FIRST_READ_BYTES: usize = 16 * 1024;
/// Frames up to this size are read into one allocation; a larger one grows with the bytes that really arrive, so that a
/// length prefix alone never costs memory.
const DIRECT_FRAME_BYTES: usize = 2 * 1024 * 1024;
/// Read-ahead over several small frames stops here: about what stays in a core's L2 cache.
const READ_AHEAD_BYTES: usize = 256 * 1024;
/// A frame's length prefix (Kafka protocol guide: `RequestOrResponse => Size`, INT32).
const PREFIX_BYTES: usize = 4;
/// API key, version and correlation id: no request is shorter.
const SHORTEST_REQUEST_BYTES: i32 = 8;

/// Why a connection's bytes can't be a request. The connection is closed: nothing after a bad length can be trusted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FrameError {
    #[error(
        "a frame announces {announced} bytes; a request has at least {SHORTEST_REQUEST_BYTES}: is the peer a Kafka client?"
    )]
    TooShort { announced: i32 },
    #[error(
        "a frame announces {announced} bytes, over socket.request.max.bytes={limit}: raise the setting or send smaller requests"
    )]
    TooLong { announced: i32, limit: usize },
}

/// Collects bytes and gives out whole frames, without copying them.
pub(crate) struct Inbox {
    buffer: BytesMut,
    frame_limit: usize,
    last_frame_bytes: usize,
}

impl Inbox {
    /// `frame_limit` is socket.request.max.bytes.
    pub(crate) fn new(frame_limit: usize) -> Inbox {
        Inbox { buffer: BytesMut::new(), frame_limit, last_frame_bytes: 0 }
    }

    /// The next whole frame without its length prefix, or `None` until more bytes arrive.
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        let Some(length) = self.announced()? else { return Ok(None) };
        if self.buffer.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        self.last_frame_bytes = PREFIX_BYTES + length;
        Ok(Some(self.buffer.split_to(length)))
    }

    /// Whether the next whole frame is a Produce request (API key 0); `None` when no whole frame waits.
    pub(crate) fn next_is_produce(&self) -> Option<bool> {
        self.has_frame().then(|| self.buffer.get(PREFIX_BYTES..PREFIX_BYTES + 2) == Some(&[0, 0]))
    }

    /// Refuses a length prefix that no request can have, before the frame behind it has arrived.
    pub(crate) fn check_length(&self) -> Result<(), FrameError> {
        self.announced().map(|_| ())
    }

    /// Whether a whole frame is waiting to be taken.
    pub(crate) fn has_frame(&self) -> bool {
        matches!(self.announced(), Ok(Some(length)) if self.buffer.len() >= PREFIX_BYTES + length)
    }

    /// Whether a frame has begun and not ended: its sender owes us bytes.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty() && !self.has_frame()
    }

    /// Bytes held here: what counts against the broker's budget for half frames.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Gives the memory back while nothing has arrived: ten thousand idle connections hold no buffers.
    pub(crate) fn release_when_empty(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Waits for bytes and takes what the socket has, up to the room made. `Ok(0)` is the end of the stream.
    pub(crate) async fn fill(&mut self, stream: &TcpStream) -> io::Result<usize> {
        loop {
            stream.readable().await?;
            self.make_room();
            match stream.try_read_buf(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    fn announced(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*prefix);
        if announced < SHORTEST_REQUEST_BYTES {
            return Err(FrameError::TooShort { announced });
        }
        match usize::try_from(announced) {
            Ok(length) if length <= self.frame_limit => Ok(Some(length)),
            _ => Err(FrameError::TooLong { announced, limit: self.frame_limit }),
        }
    }

    /// Room for the rest of the frame that has begun, or for a few frames like the last one. A stream of equal frames
    /// then fills each buffer exactly, and no half frame has to be moved to the next one.
    fn make_room(&mut self) {
        let held = self.buffer.len();
        let spare = self.buffer.capacity() - held;
        match self.announced() {
            Ok(Some(length)) => {
                let missing = (PREFIX_BYTES + length).saturating_sub(held);
                if spare < missing.max(1) {
                    self.buffer.reserve(missing.clamp(1, held.max(DIRECT_FRAME_BYTES)));
                }
            }
            _ if spare >= FIRST_READ_BYTES.min(self.last_frame_bytes.max(PREFIX_BYTES)) => {}
            _ => self.buffer.reserve(self.read_ahead()),
        }
    }

    fn read_ahead(&self) -> usize {
        match self.last_frame_bytes {
            0 => FIRST_READ_BYTES,
            frame if frame >= READ_AHEAD_BYTES => frame.min(DIRECT_FRAME_BYTES),
            frame => (READ_AHEAD_BYTES / frame * frame).min(frame * 8).max(FIRST_READ_BYTES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox_with(bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox::new(1024);
        inbox.buffer.extend_from_slice(bytes);
        inbox
    }

    #[test]
    fn a_frame_is_given_out_only_when_whole() {
        let mut inbox = inbox_with(&[0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(inbox.next_frame(), Ok(None));
        assert!(inbox.is_mid_frame());
        inbox.buffer.extend_from_slice(&[8, 0, 0]);
        assert_eq!(inbox.next_frame().unwrap().unwrap().as_ref(), &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(inbox.next_frame(), Ok(None));
        assert_eq!(inbox.len(), 2);
    }

    #[test]
    fn a_length_over_the_limit_names_both_values() {
        let error = inbox_with(&[0x7f, 0xff, 0xff, 0xff]).next_frame().unwrap_err();
        assert_eq!(error, FrameError::TooLong { announced: i32::MAX, limit: 1024 });
        assert!(error.to_string().contains("socket.request.max.bytes=1024"));
    }

    #[test]
    fn negative_and_tiny_lengths_are_refused() {
        for announced in [i32::MIN, -1, 0, 7] {
            let error = inbox_with(&announced.to_be_bytes()).next_frame().unwrap_err();
            assert_eq!(error, FrameError::TooShort { announced });
        }
    }

    #[test]
    fn an_announced_length_reserves_no_more_than_one_direct_frame() {
        let mut inbox = Inbox::new(usize::MAX);
        inbox.buffer.extend_from_slice(&i32::MAX.to_be_bytes());
        inbox.make_room();
        assert!(inbox.buffer.capacity() <= 2 * DIRECT_FRAME_BYTES);
    }

    #[test]
    fn equal_frames_fill_the_buffer_without_a_half_frame() {
        let mut inbox = Inbox::new(1 << 20);
        inbox.last_frame_bytes = 65_700;
        assert_eq!(inbox.read_ahead() % 65_700, 0);
        assert!(inbox.read_ahead() <= READ_AHEAD_BYTES);
    }
}
