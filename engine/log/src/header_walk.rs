//! A walk over the batch headers of a segment, without reading the records.

use ringlog_io::File;
use ringlog_record::{BatchHeader, HEADER_BYTES};

use crate::{LogError, error::IoContext};

/// What one read brings. Small batches come many at a time; past a larger one only the next header is read.
const CHUNK_BYTES: usize = 8 << 10;

/// Batch headers from a position on. Lengths are checked against the segment's end, CRCs are not.
#[derive(Debug)]
pub(crate) struct HeaderWalk<'a> {
    file: &'a File,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_position: u64,
    last_bytes: u64,
}

impl<'a> HeaderWalk<'a> {
    /// The batches of `file` from the one that begins at `position` to the one that ends at `end`.
    pub(crate) fn new(file: &'a File, position: u64, end: u64) -> Self {
        Self { file, position, end, chunk: Vec::new(), chunk_position: 0, last_bytes: 0 }
    }

    /// Where the batch begins, and its header; `None` at the end.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] where no batch begins or it passes the end; [`LogError::Io`].
    pub(crate) fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, LogError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let header = BatchHeader::parse(self.header_bytes()?).map_err(|error| self.corrupt(error.to_string()))?;
        self.last_bytes = header.size_bytes() as u64;
        if position + self.last_bytes > self.end {
            return Err(self.corrupt(format!("a batch of {} bytes passes the end at {}", self.last_bytes, self.end)));
        }
        self.position += self.last_bytes;
        Ok(Some((position, header)))
    }

    fn header_bytes(&mut self) -> Result<&[u8], LogError> {
        let have = self.chunk_position..self.chunk_position + self.chunk.len() as u64;
        let header_end = self.end.min(self.position + HEADER_BYTES as u64);
        if !(have.contains(&self.position) && header_end <= have.end) {
            let wanted = if self.last_bytes >= CHUNK_BYTES as u64 / 2 { HEADER_BYTES } else { CHUNK_BYTES };
            self.chunk.resize(wanted.min(usize::try_from(self.end - self.position).unwrap_or(wanted)), 0);
            let read = self.file.read_at(&mut self.chunk, self.position).context("read", self.file.path())?;
            self.chunk.truncate(read);
            self.chunk_position = self.position;
        }
        let start = usize::try_from(self.position - self.chunk_position).unwrap_or(usize::MAX);
        Ok(self.chunk.get(start..).unwrap_or_default())
    }

    fn corrupt(&self, reason: String) -> LogError {
        LogError::Corrupt { path: self.file.path().to_owned(), position: self.position, reason }
    }
}
