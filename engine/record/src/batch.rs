//! One batch in a slice of bytes, and the batches that follow each other in it.

use std::borrow::Cow;

use crate::{BatchHeader, Compression, HEADER_BYTES, RecordError, Records, crc32c, decompress, header::offset};

/// A complete batch, borrowed from a frame or a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The first batch in `bytes`; more may follow it. Its header is read, its CRC is not checked.
    ///
    /// # Errors
    /// Those of [`BatchHeader::parse`], and [`Incomplete`](RecordError::Incomplete) with the bytes that the whole batch needs.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let header = BatchHeader::parse(bytes)?;
        let needed = header.size_bytes();
        let batch = bytes.get(..needed).ok_or(RecordError::Incomplete { needed, available: bytes.len() })?;
        Ok(Self { header, bytes: batch })
    }

    /// The whole batch, header included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header's fields.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records as they are stored: compressed, if the batch is.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Compares the stored CRC-32C with that of the bytes: one pass over the batch.
    ///
    /// # Errors
    /// [`BadCrc`](RecordError::BadCrc).
    pub fn check_crc(&self) -> Result<(), RecordError> {
        let computed = crc32c(self.bytes.get(offset::ATTRIBUTES..).unwrap_or_default());
        let stored = self.header.crc;
        if stored == computed { Ok(()) } else { Err(RecordError::BadCrc { stored, computed }) }
    }

    /// The records; those of a compressed batch are decompressed to at most `cap` bytes.
    ///
    /// # Errors
    /// [`UnknownCompression`](RecordError::UnknownCompression), [`Decompress`](RecordError::Decompress),
    /// [`DecompressedTooLarge`](RecordError::DecompressedTooLarge).
    pub fn records(&self, cap: usize) -> Result<Records<'a>, RecordError> {
        let body = match self.header.compression()? {
            Compression::None => Cow::Borrowed(self.body()),
            compression => Cow::Owned(decompress(compression, self.body(), cap)?),
        };
        Ok(Records::new(self.header, body))
    }

    /// Offset and timestamp of the first record with `timestamp_ms` or a later one. When the header alone tells, because
    /// the batch ends before it or the broker set one timestamp for all, nothing is decompressed.
    ///
    /// # Errors
    /// Those of [`records`](Self::records), and of damaged records.
    pub fn offset_for_timestamp(&self, timestamp_ms: i64, cap: usize) -> Result<Option<Found>, RecordError> {
        if self.header.max_timestamp < timestamp_ms {
            return Ok(None);
        }
        let records = self.records(cap)?;
        let found = records.first_at_or_after(timestamp_ms)?;
        Ok(found.map(|record| Found { offset: record.offset, timestamp_ms: record.timestamp_ms }))
    }
}

/// What a look-up by time finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The record's offset.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp_ms: i64,
}

/// The batches that follow each other in `bytes`, as in a segment or a fetch response.
///
/// Ends cleanly where the last batch ends. Bytes that are no complete batch give one error, [`Incomplete`](RecordError::Incomplete)
/// where more bytes could help, and end the iteration; [`Batches::position`] then says where they begin.
#[must_use]
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { bytes, position: 0, failed: false }
}

/// Iterator over batches; see [`batches`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    failed: bool,
}

impl Batches<'_> {
    /// Where in the slice the last batch given ends.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.position..).filter(|rest| !rest.is_empty() && !self.failed)?;
        let batch = Batch::parse(rest);
        match &batch {
            Ok(batch) => self.position += batch.bytes.len(),
            Err(_) => self.failed = true,
        }
        Some(batch)
    }
}

impl std::iter::FusedIterator for Batches<'_> {}
