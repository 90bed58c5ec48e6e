//! The builder of a batch: what a producer's accumulator fills.

use crate::record::{Content, encode};
use crate::{Attributes, BatchHeader, Compression, HEADER_BYTES, NO_PRODUCER, NO_TIMESTAMP, RecordError, RecordHeader};
use crate::{compression::compress_into, crc32c, header::offset};

/// Builds one batch: records are encoded as they come, and compressed together by [`build`](Self::build).
///
/// ```
/// use ringlog_record::{Batch, BatchBuilder, Compression};
///
/// let mut builder = BatchBuilder::new(Compression::Zstd);
/// builder.append(1_700_000_000_000, Some(b"key"), Some(b"value"), &[])?;
/// let bytes = builder.build()?;
/// let batch = Batch::parse(&bytes)?;
/// batch.check_crc()?;
/// let records = batch.records(1 << 20)?;
/// assert_eq!(records.iter().next().unwrap()?.value, Some(&b"value"[..]));
/// # Ok::<(), ringlog_record::RecordError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    compression: Compression,
    level: Option<i32>,
    header: BatchHeader,
    /// Room for the header, then the records as encoded.
    bytes: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch: base offset 0, leader epoch −1, no producer id.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        let header = BatchHeader {
            base_offset: 0,
            length: 0,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: Attributes::default().with_compression(compression),
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        Self { compression, level: None, header, bytes: vec![0; HEADER_BYTES] }
    }

    /// Reserves room for a batch of `bytes` before compression, such as `batch.size`.
    #[must_use]
    pub fn with_capacity(mut self, bytes: usize) -> Self {
        self.bytes.reserve(bytes.saturating_sub(self.bytes.len()));
        self
    }

    /// The codec's level; see [`compress`](crate::compress).
    #[must_use]
    pub fn with_level(mut self, level: Option<i32>) -> Self {
        self.level = level;
        self
    }

    /// Sets the fields of an idempotent producer. They may be set at any time before [`build`](Self::build): the sequence
    /// is given when the batch is sent.
    pub fn set_producer(&mut self, id: i64, epoch: i16, base_sequence: i32) -> &mut Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Puts the batch into the producer's transaction.
    pub fn set_transactional(&mut self) -> &mut Self {
        self.header.attributes = self.header.attributes.transactional();
        self
    }

    /// Makes it a control batch (see [`control`](crate::control)).
    pub(crate) fn set_control(&mut self) -> &mut Self {
        self.header.attributes = self.header.attributes.control();
        self
    }

    /// Sets base offset and leader epoch, which a client leaves at 0 and −1.
    pub fn set_position(&mut self, base_offset: i64, leader_epoch: i32) -> &mut Self {
        self.header.base_offset = base_offset;
        self.header.partition_leader_epoch = leader_epoch;
        self
    }

    /// Adds a record and gives its offset delta: 0 for the first, then one more each. The first record's timestamp becomes
    /// the base timestamp.
    ///
    /// # Errors
    /// [`Full`](RecordError::Full); the batch is as it was.
    pub fn append(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> Result<i32, RecordError> {
        let offset_delta = self.header.record_count;
        let base_timestamp = if self.is_empty() { timestamp_ms } else { self.header.base_timestamp };
        let timestamp_delta = timestamp_ms.saturating_sub(base_timestamp);
        let content = Content { key, value, headers };
        let size = self.bytes.len().saturating_add(content.encoded_len(timestamp_delta, offset_delta));
        if offset_delta == i32::MAX || i32::try_from(size).is_err() {
            return Err(RecordError::Full);
        }
        encode(&mut self.bytes, timestamp_delta, offset_delta, &content);
        self.header.base_timestamp = base_timestamp;
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp_ms);
        self.header.last_offset_delta = offset_delta;
        self.header.record_count = offset_delta + 1;
        Ok(offset_delta)
    }

    /// Whether the batch would stay within `limit_bytes`, uncompressed, with one more record; the sizes are exact but for
    /// the timestamp's delta, taken at its widest. An empty batch takes any record: one must always get through.
    #[must_use]
    pub fn fits(
        &self,
        limit_bytes: usize,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> bool {
        let record = Content { key, value, headers }.encoded_len(i64::MAX, self.header.record_count);
        self.is_empty() || self.len_bytes().saturating_add(record) <= limit_bytes
    }

    /// Size of the batch before compression, header included: an upper estimate of what [`build`](Self::build) gives.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Records in the batch.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Whether no record was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Largest timestamp so far, or [`NO_TIMESTAMP`].
    #[must_use]
    pub fn max_timestamp_ms(&self) -> i64 {
        self.header.max_timestamp
    }

    /// The finished batch: records compressed, header filled in, CRC computed. Without a codec nothing is copied.
    ///
    /// # Errors
    /// [`NoBatch`](RecordError::NoBatch) without a record; [`Compress`](RecordError::Compress) when the codec refuses the
    /// level; [`Full`](RecordError::Full) when incompressible records grow past 2 GiB.
    pub fn build(self) -> Result<Vec<u8>, RecordError> {
        if self.is_empty() {
            return Err(RecordError::NoBatch);
        }
        let bytes = match self.compression {
            Compression::None => self.bytes,
            compression => {
                let records = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
                let mut bytes = Vec::with_capacity(HEADER_BYTES + records.len() / 2);
                bytes.resize(HEADER_BYTES, 0);
                compress_into(compression, self.level, records, &mut bytes)?;
                bytes
            }
        };
        seal(self.header, bytes)
    }
}

/// Puts `header` before the records in `bytes`, whose first 61 bytes are room for it, with the right length and CRC.
pub(crate) fn seal(mut header: BatchHeader, mut bytes: Vec<u8>) -> Result<Vec<u8>, RecordError> {
    let size = bytes.len();
    header.length = i32::try_from(size.saturating_sub(crate::LENGTH_PREFIX_BYTES)).map_err(|_| RecordError::Full)?;
    let Some(head) = bytes.first_chunk_mut::<HEADER_BYTES>() else {
        return Err(RecordError::Incomplete { needed: HEADER_BYTES, available: size });
    };
    *head = header.to_bytes();
    let crc = crc32c(bytes.get(offset::ATTRIBUTES..).unwrap_or_default());
    if let Some(head) = bytes.first_chunk_mut::<HEADER_BYTES>() {
        crate::header::put(head, offset::CRC, crc.to_be_bytes());
    }
    Ok(bytes)
}
