//! A scan over whole batches with their CRCs, and what the bytes behind the last good one are.

use ringlog_io::File;
use ringlog_record::{Batch, BatchHeader, HEADER_BYTES, RecordError};

use crate::{LogError, error::IoContext};

/// What one read brings; a larger batch is read whole.
const CHUNK_BYTES: usize = 1 << 20;
/// What a device writes as a whole: write-back that a power cut interrupted leaves runs of these as zeros.
const SECTOR_BYTES: usize = 512;
/// A batch may well have fewer zeros than this at a sector's edge.
const LEAST_HOLE_BYTES: usize = 8;

/// Batches of a file from a position on, each checked against its CRC and against the offset that may come next.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    file: &'a File,
    position: u64,
    end: u64,
    next_offset: i64,
    chunk: Vec<u8>,
    chunk_position: u64,
}

/// The bytes behind the last good batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tail {
    /// None.
    Clean,
    /// A write that was cut off: no batch can be found behind it.
    Torn { reason: String },
    /// Zeros to the end: space that was allocated and never written.
    Zeros,
    /// Sectors of zeros with good batches behind them: write-back was interrupted.
    Holes { next_good: u64 },
    /// Bytes that no interrupted write explains: a good batch follows.
    Corrupt { next_good: u64, reason: String },
}

impl<'a> Scan<'a> {
    /// Scans from `position` to `end`; no batch may begin before `next_offset`.
    pub(crate) fn new(file: &'a File, position: u64, end: u64, next_offset: i64) -> Self {
        Self { file, position, end, next_offset, chunk: Vec::new(), chunk_position: position }
    }

    /// Where the last good batch ends.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next good batch; then what is behind the last one.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub(crate) fn next(&mut self) -> Result<Result<(u64, BatchHeader), Tail>, LogError> {
        if self.position >= self.end {
            return Ok(Err(Tail::Clean));
        }
        let position = self.position;
        match self.batch_at(position, CHUNK_BYTES)? {
            Ok(header) => {
                self.position += header.size_bytes() as u64;
                self.next_offset = header.next_offset();
                Ok(Ok((position, header)))
            }
            Err(reason) => self.classify(reason).map(Err),
        }
    }

    /// The good batch at `position`, or what is wrong there.
    fn batch_at(&mut self, position: u64, read_ahead: usize) -> Result<Result<BatchHeader, String>, LogError> {
        let next_offset = self.next_offset;
        let rest = self.end - position;
        let header = match BatchHeader::parse(self.bytes(position, HEADER_BYTES, read_ahead)?) {
            Ok(header) if header.size_bytes() as u64 > rest => {
                let needed = header.size_bytes();
                let available = usize::try_from(rest).unwrap_or(usize::MAX);
                return Ok(Err(RecordError::Incomplete { needed, available }.to_string()));
            }
            Ok(header) if header.base_offset < next_offset || header.last_offset_delta < 0 => {
                return Ok(Err(format!("a batch at offset {} where {next_offset} is next", header.base_offset)));
            }
            Ok(header) => header,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let bytes = self.bytes(position, header.size_bytes(), read_ahead)?;
        let checked = Batch::parse(bytes).and_then(|batch| batch.check_crc());
        Ok(checked.map(|()| header).map_err(|error| error.to_string()))
    }

    /// `length` bytes at `position`; fewer only at the end.
    fn bytes(&mut self, position: u64, length: usize, read_ahead: usize) -> Result<&[u8], LogError> {
        let rest = usize::try_from(self.end - position).unwrap_or(usize::MAX);
        let wanted_end = position + length.min(rest) as u64;
        if position < self.chunk_position || wanted_end > self.chunk_position + self.chunk.len() as u64 {
            self.chunk.resize(length.max(read_ahead).min(rest), 0);
            let read = self.file.read_at(&mut self.chunk, position).context("read", self.file.path())?;
            self.chunk.truncate(read);
            self.chunk_position = position;
        }
        let start = usize::try_from(position - self.chunk_position).unwrap_or(usize::MAX);
        let bytes = self.chunk.get(start..).unwrap_or_default();
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    fn classify(&mut self, reason: String) -> Result<Tail, LogError> {
        let start = self.position;
        let next_good = self.find_good_batch(start + 1)?;
        let (hole, all) = self.zeros(start, next_good.unwrap_or(self.end))?;
        Ok(match next_good {
            None if all => Tail::Zeros,
            None => Tail::Torn { reason },
            Some(next_good) if hole => Tail::Holes { next_good },
            Some(next_good) => Tail::Corrupt { next_good, reason },
        })
    }

    /// The first position from `position` on where a good batch begins that may follow here.
    fn find_good_batch(&mut self, mut position: u64) -> Result<Option<u64>, LogError> {
        let mut piece = vec![0; CHUNK_BYTES];
        while position + HEADER_BYTES as u64 <= self.end {
            let read = self.file.read_at(&mut piece, position).context("read", self.file.path())?;
            let bytes = piece.get(..read).unwrap_or_default();
            let candidates = bytes.windows(HEADER_BYTES).enumerate().filter(|(_, window)| self.may_be_header(window));
            let candidates: Vec<u64> = candidates.map(|(at, _)| position + at as u64).collect();
            for candidate in candidates {
                if self.batch_at(candidate, 0)?.is_ok() {
                    return Ok(Some(candidate));
                }
            }
            if read < HEADER_BYTES {
                break;
            }
            position += (read - HEADER_BYTES + 1) as u64;
        }
        Ok(None)
    }

    fn may_be_header(&self, window: &[u8]) -> bool {
        BatchHeader::parse(window).is_ok_and(|header| {
            (self.next_offset..self.next_offset.saturating_add(i64::from(i32::MAX))).contains(&header.base_offset)
                && header.last_offset_delta >= 0
                && header.record_count >= 0
        })
    }

    /// Whether a sector's part of the range is all zeros, as where write-back did not get to; and whether the whole range is.
    fn zeros(&self, mut position: u64, end: u64) -> Result<(bool, bool), LogError> {
        let (mut hole, mut all) = (false, true);
        let mut piece = vec![0; CHUNK_BYTES];
        while position < end && (all || !hole) {
            let to_sector = CHUNK_BYTES as u64 - position % SECTOR_BYTES as u64;
            let length = usize::try_from(to_sector.min(end - position)).unwrap_or(CHUNK_BYTES);
            let bytes = piece.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(bytes, position).context("read", self.file.path())?;
            let first = SECTOR_BYTES - position as usize % SECTOR_BYTES;
            let (head, rest) = bytes.split_at(first.min(length));
            for part in std::iter::once(head).chain(rest.chunks(SECTOR_BYTES)) {
                let is_zero = part.iter().all(|&byte| byte == 0);
                hole |= is_zero && part.len() >= LEAST_HOLE_BYTES;
                all &= is_zero;
            }
            position += length as u64;
        }
        Ok((hole, all))
    }
}
