//! A segment's bytes in pieces that hold whole batches, read without blocking the thread.

use std::sync::Arc;

use bytes::BytesMut;
use ringlog_io::{Disk, File};
use ringlog_record::{BatchHeader, HEADER_BYTES};

use crate::{LogError, error::IoContext, segment::Segment};

/// What one read brings; a larger batch comes alone.
const CHUNK_BYTES: usize = 1 << 20;

/// The pieces of a closed segment, in order.
#[derive(Debug)]
pub(crate) struct BatchChunks {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl BatchChunks {
    /// The batches from the one at `position` on.
    pub(crate) fn new(segment: &Segment, position: u64) -> Result<Self, LogError> {
        Ok(Self { file: segment.file()?.clone(), position, end: segment.size_bytes() })
    }

    /// One or more whole batches; `None` at the end. Gives other tasks their turn.
    ///
    /// # Errors
    /// [`LogError::Corrupt`], [`LogError::Io`].
    pub(crate) async fn next(&mut self, disk: &Disk) -> Result<Option<BytesMut>, LogError> {
        tokio::task::yield_now().await;
        if self.position >= self.end {
            return Ok(None);
        }
        let mut chunk = self.read(disk, CHUNK_BYTES).await?;
        let first_bytes = self.header(&chunk)?.size_bytes();
        if first_bytes > chunk.len() {
            chunk = self.read(disk, first_bytes).await?;
            if first_bytes > chunk.len() {
                return Err(self.corrupt(format!("a batch of {first_bytes} bytes passes the end at {}", self.end)));
            }
        }
        let mut whole = first_bytes;
        while let Some(rest) = chunk.get(whole..).filter(|rest| rest.len() >= HEADER_BYTES) {
            match self.header(rest)?.size_bytes() {
                size_bytes if size_bytes <= rest.len() => whole += size_bytes,
                _ => break,
            }
        }
        chunk.truncate(whole);
        self.position += whole as u64;
        Ok(Some(chunk))
    }

    async fn read(&self, disk: &Disk, length: usize) -> Result<BytesMut, LogError> {
        let length = length.min(usize::try_from(self.end - self.position).unwrap_or(length));
        disk.read_at(&self.file, length, self.position).await.context("read", self.file.path())
    }

    fn header(&self, bytes: &[u8]) -> Result<BatchHeader, LogError> {
        BatchHeader::parse(bytes).map_err(|error| self.corrupt(error.to_string()))
    }

    fn corrupt(&self, reason: String) -> LogError {
        LogError::Corrupt { path: self.file.path().to_owned(), position: self.position, reason }
    }
}
