//! One record, and the records of a batch.

use std::borrow::Cow;

use crate::varint::{self, NoVarint};
use crate::{BatchHeader, Compression, RecordError, TimestampType};

/// A record of a batch, borrowing from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset: the batch's base offset plus the record's delta.
    pub offset: i64,
    /// Its timestamp; in a LogAppendTime batch the batch's.
    pub timestamp_ms: i64,
    /// The key, which partitioning and compaction go by.
    pub key: Option<&'a [u8]>,
    /// The value; a record without one is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in the producer's order; a key may occur more than once.
    pub headers: Headers<'a>,
    /// The record's own bytes, with its length.
    pub(crate) encoded: &'a [u8],
}

impl Record<'_> {
    /// Whether the record deletes its key in a compacted topic.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// Its name: UTF-8 by convention, which no broker checks.
    pub key: &'a [u8],
    /// Its value, or null.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, parsed as they are asked for. Their bytes were checked when the record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a> {
    left: i32,
    bytes: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = RecordHeader<'a>;

    fn next(&mut self) -> Option<RecordHeader<'a>> {
        self.left = self.left.checked_sub(1).filter(|&left| left >= 0)?;
        header(&mut self.bytes).ok().map(|(key, value)| RecordHeader { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(0);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The records of a batch, decompressed if need be. Iterate over a reference to it.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    header: BatchHeader,
    body: Cow<'a, [u8]>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(header: BatchHeader, body: Cow<'a, [u8]>) -> Self {
        Self { header, body }
    }

    /// The records in order. After an error, which a batch that [passed validation](crate::validate) does not give, the
    /// iterator ends.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter { header: self.header, rest: &self.body, index: 0 }
    }

    /// The first record with a timestamp of `timestamp_ms` or later (ListOffsets by time).
    ///
    /// # Errors
    /// [`BadRecord`](RecordError::BadRecord) or [`BadCount`](RecordError::BadCount) when the records before it are damaged.
    pub fn first_at_or_after(&self, timestamp_ms: i64) -> Result<Option<Record<'_>>, RecordError> {
        self.iter().find(|record| !matches!(record, Ok(record) if record.timestamp_ms < timestamp_ms)).transpose()
    }

    /// The first of the records with the largest timestamp (ListOffsets −3, KIP-734).
    ///
    /// # Errors
    /// As [`first_at_or_after`](Self::first_at_or_after).
    pub fn latest(&self) -> Result<Option<Record<'_>>, RecordError> {
        let mut latest: Option<Record<'_>> = None;
        for record in self {
            let record = record?;
            if latest.is_none_or(|latest| record.timestamp_ms > latest.timestamp_ms) {
                latest = Some(record);
            }
        }
        Ok(latest)
    }
}

impl<'a> IntoIterator for &'a Records<'_> {
    type Item = Result<Record<'a>, RecordError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// Iterator over the records of a batch.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    header: BatchHeader,
    rest: &'a [u8],
    index: i32,
}

impl<'a> RecordIter<'a> {
    fn read(&mut self) -> Result<Option<Record<'a>>, RecordError> {
        let (header, index) = (&self.header, self.index);
        if index >= header.record_count {
            return match self.rest {
                [] => Ok(None),
                _ => Err(BodyError::BytesLeft.into_record_error(header, index)),
            };
        }
        if self.rest.is_empty() {
            return Err(BodyError::Ended.into_record_error(header, index));
        }
        let before = self.rest;
        let layout = layout(&mut self.rest).map_err(|error| error.into_record_error(header, index))?;
        self.index += 1;
        Ok(Some(Record {
            offset: header.base_offset.saturating_add(i64::from(layout.offset_delta)),
            timestamp_ms: layout.timestamp_ms(header),
            key: layout.key,
            value: layout.value,
            headers: Headers { left: layout.header_count, bytes: layout.headers },
            encoded: before.get(..before.len() - self.rest.len()).unwrap_or_default(),
        }))
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.read().transpose();
        if matches!(record, Some(Err(_))) {
            (self.rest, self.index) = (&[], i32::MAX);
        }
        record
    }
}

impl std::iter::FusedIterator for RecordIter<'_> {}

/// Where the bytes of records come from: a slice, which gives pieces of itself, or a stream, which skips them.
pub(crate) trait Source {
    /// What [`take`](Self::take) gives.
    type Piece;

    /// Whether the last record has been read.
    fn is_at_end(&mut self) -> Result<bool, BodyError>;

    /// The next varint, as `read` takes it from the front of a slice.
    fn varint<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> Result<T, NoVarint>) -> Result<T, BodyError>;

    /// The next `count` bytes.
    fn take(&mut self, count: usize) -> Result<Self::Piece, BodyError>;

    /// What is left of this record, without taking it.
    fn rest(&self) -> Self::Piece;

    /// From here on only the next `bytes` bytes can be taken. Gives what [`leave`](Self::leave) needs.
    fn enter(&mut self, bytes: usize) -> Result<Self::Piece, BodyError>;

    /// Ends what [`enter`](Self::enter) began; false when bytes are left over.
    fn leave(&mut self, entered: Self::Piece) -> bool;
}

/// Why the next record cannot be read; the caller knows which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It contradicts itself.
    Malformed(&'static str),
    /// The records end here.
    Ended,
    /// More follows the last record.
    BytesLeft,
    /// The codec failed, or gave more than its cap.
    Codec(Box<RecordError>),
}

impl BodyError {
    /// Boxed: every read of a record returns one of these, and the small ones should stay small.
    fn codec(error: RecordError) -> Self {
        Self::Codec(Box::new(error))
    }

    pub(crate) fn into_record_error(self, header: &BatchHeader, index: i32) -> RecordError {
        let count = header.record_count;
        match self {
            Self::Malformed(reason) => RecordError::BadRecord { index, reason },
            Self::Ended => RecordError::BadCount { count, reason: "the records end before" },
            Self::BytesLeft => RecordError::BadCount { count, reason: "bytes follow the last one" },
            Self::Codec(error) => *error,
        }
    }
}

/// The parts of a record, `P` being its byte strings.
pub(crate) struct Layout<P> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<P>,
    pub(crate) value: Option<P>,
    header_count: i32,
    headers: P,
}

impl<P> Layout<P> {
    /// The record's timestamp in a batch with `header`.
    pub(crate) fn timestamp_ms(&self, header: &BatchHeader) -> i64 {
        match header.attributes.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.saturating_add(self.timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        }
    }
}

/// Reads one record and checks that every length in it agrees with the others.
#[inline]
pub(crate) fn layout<S: Source>(source: &mut S) -> Result<Layout<S::Piece>, BodyError> {
    let length = read_i32(source)?;
    let length = usize::try_from(length).map_err(|_| BodyError::Malformed("its length is negative"))?;
    let entered = source.enter(length)?;
    source.take(UNUSED_ATTRIBUTES_BYTES)?;
    let timestamp_delta = source.varint(varint::read_i64)?;
    let offset_delta = read_i32(source)?;
    let key = nullable(source)?;
    let value = nullable(source)?;
    let header_count = read_i32(source)?;
    if header_count < 0 {
        return Err(BodyError::Malformed("its number of headers is negative"));
    }
    let headers = source.rest();
    for _ in 0..header_count {
        header(source)?;
    }
    if !source.leave(entered) {
        return Err(BodyError::Malformed("its fields are shorter than its length"));
    }
    Ok(Layout { timestamp_delta, offset_delta, key, value, header_count, headers })
}

fn header<S: Source>(source: &mut S) -> Result<(S::Piece, Option<S::Piece>), BodyError> {
    let key = nullable(source)?.ok_or(BodyError::Malformed("a header has no key"))?;
    Ok((key, nullable(source)?))
}

#[inline]
fn nullable<S: Source>(source: &mut S) -> Result<Option<S::Piece>, BodyError> {
    // Any negative length is null, as Apache Kafka reads it.
    usize::try_from(read_i32(source)?).ok().map(|length| source.take(length)).transpose()
}

#[inline]
fn read_i32<S: Source>(source: &mut S) -> Result<i32, BodyError> {
    source.varint(varint::read_i32)
}

impl<'a> Source for &'a [u8] {
    type Piece = &'a [u8];

    fn is_at_end(&mut self) -> Result<bool, BodyError> {
        Ok(self.is_empty())
    }

    #[inline]
    fn varint<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> Result<T, NoVarint>) -> Result<T, BodyError> {
        read(self).map_err(|error| match error {
            NoVarint::Short => PAST_END,
            NoVarint::Wide => TOO_WIDE,
        })
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'a [u8], BodyError> {
        let (piece, rest) = self.split_at_checked(count).ok_or(PAST_END)?;
        *self = rest;
        Ok(piece)
    }

    fn rest(&self) -> &'a [u8] {
        self
    }

    fn enter(&mut self, bytes: usize) -> Result<&'a [u8], BodyError> {
        let (record, after) = self.split_at_checked(bytes).ok_or(BodyError::Ended)?;
        *self = record;
        Ok(after)
    }

    fn leave(&mut self, after: &'a [u8]) -> bool {
        std::mem::replace(self, after).is_empty()
    }
}

/// A byte string or integer that is longer than what is left of its record.
const PAST_END: BodyError = BodyError::Malformed("its fields are longer than its length");

/// An integer with more bytes or bits than its type has.
const TOO_WIDE: BodyError = BodyError::Malformed("an integer is wider than its type");
/// A record's attributes, which have no meaning yet.
const UNUSED_ATTRIBUTES_BYTES: usize = 1;

/// A record's bytes as a producer writes them.
pub(crate) fn encode(out: &mut Vec<u8>, timestamp_delta: i64, offset_delta: i32, content: &Content<'_>) {
    varint::write(out, content.body_len(timestamp_delta, offset_delta) as i64);
    out.push(0);
    varint::write(out, timestamp_delta);
    varint::write(out, i64::from(offset_delta));
    put_nullable(out, content.key);
    put_nullable(out, content.value);
    varint::write(out, content.headers.len() as i64);
    for header in content.headers {
        put_nullable(out, Some(header.key));
        put_nullable(out, header.value);
    }
}

/// What a producer gives of a record.
pub(crate) struct Content<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [RecordHeader<'a>],
}

impl Content<'_> {
    /// Bytes that [`encode`] writes.
    pub(crate) fn encoded_len(&self, timestamp_delta: i64, offset_delta: i32) -> usize {
        let body = self.body_len(timestamp_delta, offset_delta);
        varint::len(body as i64).saturating_add(body)
    }

    fn body_len(&self, timestamp_delta: i64, offset_delta: i32) -> usize {
        let headers = self.headers.iter().fold(0usize, |sum, header| {
            sum.saturating_add(nullable_len(Some(header.key))).saturating_add(nullable_len(header.value))
        });
        (1 + varint::len(timestamp_delta)
            + varint::len(i64::from(offset_delta))
            + varint::len(self.headers.len() as i64))
        .saturating_add(nullable_len(self.key))
        .saturating_add(nullable_len(self.value))
        .saturating_add(headers)
    }
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::write(out, -1),
        Some(bytes) => {
            varint::write(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::len(bytes.len() as i64).saturating_add(bytes.len()))
}

/// Records of a compressed batch, decompressed through a small buffer and skipped over: nothing is kept of them.
pub(crate) struct Stream<'a> {
    decompressor: crate::Decompressor<'a>,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// Bytes that the record at hand may still take; without one, all.
    left: usize,
}

impl<'a> Stream<'a> {
    /// As large as a block of lz4 or snappy, so that one read seldom splits.
    const BUFFER_BYTES: usize = 32 << 10;

    pub(crate) fn new(compression: Compression, body: &'a [u8], cap: usize) -> Result<Self, RecordError> {
        let decompressor = crate::Decompressor::new(compression, body, cap)?;
        Ok(Self { decompressor, buffer: vec![0; Self::BUFFER_BYTES], at: 0, filled: 0, left: usize::MAX })
    }

    /// Moves what is left to the front of the buffer and reads on, until a whole varint is there or the stream ends.
    #[cold]
    fn top_up(&mut self) -> Result<(), BodyError> {
        self.buffer.copy_within(self.at..self.filled, 0);
        (self.at, self.filled) = (0, self.filled - self.at);
        while self.filled < varint::MAX_BYTES {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let read = self.decompressor.read(room).map_err(BodyError::codec)?;
            if read == 0 {
                break;
            }
            self.filled += read;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<bool, BodyError> {
        self.at = 0;
        self.filled = self.decompressor.read(&mut self.buffer).map_err(BodyError::codec)?;
        Ok(self.filled > 0)
    }
}

impl Source for Stream<'_> {
    type Piece = usize;

    fn is_at_end(&mut self) -> Result<bool, BodyError> {
        Ok(self.at == self.filled && !self.fill()?)
    }

    #[inline]
    fn varint<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> Result<T, NoVarint>) -> Result<T, BodyError> {
        if self.filled - self.at < varint::MAX_BYTES {
            self.top_up()?;
        }
        let end = self.filled.min(self.at.saturating_add(self.left));
        let window = self.buffer.get(self.at..end).unwrap_or_default();
        let mut rest = window;
        let value = read(&mut rest).map_err(|error| match error {
            NoVarint::Wide => TOO_WIDE,
            NoVarint::Short if window.len() == self.left => PAST_END,
            NoVarint::Short => BodyError::Ended,
        })?;
        self.at += window.len() - rest.len();
        self.left -= window.len() - rest.len();
        Ok(value)
    }

    fn take(&mut self, count: usize) -> Result<usize, BodyError> {
        self.left = self.left.checked_sub(count).ok_or(PAST_END)?;
        let mut wanted = count;
        loop {
            let here = wanted.min(self.filled - self.at);
            self.at += here;
            wanted -= here;
            if wanted == 0 {
                return Ok(count);
            }
            if !self.fill()? {
                return Err(BodyError::Ended);
            }
        }
    }

    fn rest(&self) -> usize {
        self.left
    }

    fn enter(&mut self, bytes: usize) -> Result<usize, BodyError> {
        self.left = bytes;
        Ok(0)
    }

    fn leave(&mut self, _: usize) -> bool {
        std::mem::replace(&mut self.left, usize::MAX) == 0
    }
}
