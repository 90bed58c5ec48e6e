//! What a handler answers: bytes of its own, and ranges of segment files that go to the socket as they are.

use std::sync::Arc;

use bytes::Bytes;
use ringlog_io::File;

/// One part of a response, in sending order.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    /// Encoded here.
    Bytes(Bytes),
    /// Record batches, still in the page cache or on disk.
    File(FileSlice),
}

/// A range of a segment file. The file stays open as long as somebody has to send from it.
#[derive(Debug, Clone)]
pub(crate) struct FileSlice {
    pub(crate) file: Arc<File>,
    pub(crate) position: u64,
    pub(crate) length: usize,
}

/// A response frame, length prefix included; no pieces at all for a request that must not be answered (acks=0).
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) pieces: Vec<Piece>,
    /// For how long nothing further is taken from the client, once this has left: a quota is used up. Milliseconds.
    pub(crate) throttle_ms: i32,
}

impl Reply {
    /// For acks=0: nothing is sent, not even an empty frame.
    pub(crate) fn silence() -> Reply {
        Reply::default()
    }

    /// A response that is wholly in memory.
    pub(crate) fn bytes(frame: Bytes) -> Reply {
        Reply { pieces: vec![Piece::Bytes(frame)], throttle_ms: 0 }
    }

    /// The same, and the client has to wait.
    pub(crate) fn throttled(self, throttle_ms: i32) -> Reply {
        Reply { throttle_ms, ..self }
    }
}
