//! The 61-byte header of a batch.

use crate::{Compression, RecordError};

/// Size of a batch header, and so of an empty batch.
pub const HEADER_BYTES: usize = offset::RECORDS;
/// Base offset and length field: the bytes that the length field does not count.
pub const LENGTH_PREFIX_BYTES: usize = offset::LEADER_EPOCH;
/// Producer id, epoch and sequence of a batch whose producer is not idempotent.
pub const NO_PRODUCER: i64 = -1;
/// Timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;
/// The only message format.
pub(crate) const MAGIC: i8 = 2;

/// Where each field of the header begins. Each is the sum of those before it.
pub(crate) mod offset {
    pub(crate) const BASE_OFFSET: usize = 0;
    pub(crate) const LENGTH: usize = BASE_OFFSET + size_of::<i64>();
    pub(crate) const LEADER_EPOCH: usize = LENGTH + size_of::<i32>();
    pub(crate) const MAGIC: usize = LEADER_EPOCH + size_of::<i32>();
    pub(crate) const CRC: usize = MAGIC + size_of::<i8>();
    pub(crate) const ATTRIBUTES: usize = CRC + size_of::<u32>();
    pub(crate) const LAST_OFFSET_DELTA: usize = ATTRIBUTES + size_of::<i16>();
    pub(crate) const BASE_TIMESTAMP: usize = LAST_OFFSET_DELTA + size_of::<i32>();
    pub(crate) const MAX_TIMESTAMP: usize = BASE_TIMESTAMP + size_of::<i64>();
    pub(crate) const PRODUCER_ID: usize = MAX_TIMESTAMP + size_of::<i64>();
    pub(crate) const PRODUCER_EPOCH: usize = PRODUCER_ID + size_of::<i64>();
    pub(crate) const BASE_SEQUENCE: usize = PRODUCER_EPOCH + size_of::<i16>();
    pub(crate) const RECORD_COUNT: usize = BASE_SEQUENCE + size_of::<i32>();
    pub(crate) const RECORDS: usize = RECORD_COUNT + size_of::<i32>();
}
const _: () = assert!(offset::CRC == 17 && offset::ATTRIBUTES == 21 && HEADER_BYTES == 61 && LENGTH_PREFIX_BYTES == 12);

/// The fields of a batch header. [`parse`](Self::parse) checks the magic byte and the least length, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the batch's first record (of the first that it had, when compaction removed some).
    pub base_offset: i64,
    /// Bytes after the length field: the batch's size less 12. Not negative.
    pub length: i32,
    /// Epoch of the leader that appended the batch; not covered by the CRC.
    pub partition_leader_epoch: i32,
    /// CRC-32C from the attributes to the end.
    pub crc: u32,
    /// Compression, timestamp type, and what kind of batch it is.
    pub attributes: Attributes,
    /// Offset of the last record (that it had) less the base offset.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas count from; with a [delete horizon](Attributes::has_delete_horizon), that.
    pub base_timestamp: i64,
    /// Largest timestamp of the records, or the append time when the timestamp type says so.
    pub max_timestamp: i64,
    /// The idempotent producer, or [`NO_PRODUCER`].
    pub producer_id: i64,
    /// Its epoch, or −1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or −1.
    pub base_sequence: i32,
    /// Records in the batch.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may end anywhere after it.
    ///
    /// # Errors
    /// [`Incomplete`](RecordError::Incomplete) with fewer than 61 bytes; [`BadLength`](RecordError::BadLength);
    /// [`LegacyMagic`](RecordError::LegacyMagic), told even where an old message is shorter than 61 bytes;
    /// [`UnknownMagic`](RecordError::UnknownMagic).
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        match bytes.get(offset::MAGIC).map(|&magic| magic as i8) {
            None | Some(MAGIC) => {}
            Some(magic @ (0 | 1)) => return Err(RecordError::LegacyMagic { magic }),
            Some(magic) => return Err(RecordError::UnknownMagic { magic }),
        }
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(RecordError::Incomplete { needed: HEADER_BYTES, available: bytes.len() });
        };
        let parsed = Self {
            base_offset: i64::from_be_bytes(field(header, offset::BASE_OFFSET)),
            length: i32::from_be_bytes(field(header, offset::LENGTH)),
            partition_leader_epoch: i32::from_be_bytes(field(header, offset::LEADER_EPOCH)),
            crc: u32::from_be_bytes(field(header, offset::CRC)),
            attributes: Attributes(i16::from_be_bytes(field(header, offset::ATTRIBUTES))),
            last_offset_delta: i32::from_be_bytes(field(header, offset::LAST_OFFSET_DELTA)),
            base_timestamp: i64::from_be_bytes(field(header, offset::BASE_TIMESTAMP)),
            max_timestamp: i64::from_be_bytes(field(header, offset::MAX_TIMESTAMP)),
            producer_id: i64::from_be_bytes(field(header, offset::PRODUCER_ID)),
            producer_epoch: i16::from_be_bytes(field(header, offset::PRODUCER_EPOCH)),
            base_sequence: i32::from_be_bytes(field(header, offset::BASE_SEQUENCE)),
            record_count: i32::from_be_bytes(field(header, offset::RECORD_COUNT)),
        };
        if (parsed.length as i64) < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i64 {
            return Err(RecordError::BadLength { length: parsed.length });
        }
        Ok(parsed)
    }

    /// The header's 61 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, offset::BASE_OFFSET, self.base_offset.to_be_bytes());
        put(&mut bytes, offset::LENGTH, self.length.to_be_bytes());
        put(&mut bytes, offset::LEADER_EPOCH, self.partition_leader_epoch.to_be_bytes());
        put(&mut bytes, offset::MAGIC, MAGIC.to_be_bytes());
        put(&mut bytes, offset::CRC, self.crc.to_be_bytes());
        put(&mut bytes, offset::ATTRIBUTES, self.attributes.0.to_be_bytes());
        put(&mut bytes, offset::LAST_OFFSET_DELTA, self.last_offset_delta.to_be_bytes());
        put(&mut bytes, offset::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        put(&mut bytes, offset::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(&mut bytes, offset::PRODUCER_ID, self.producer_id.to_be_bytes());
        put(&mut bytes, offset::PRODUCER_EPOCH, self.producer_epoch.to_be_bytes());
        put(&mut bytes, offset::BASE_SEQUENCE, self.base_sequence.to_be_bytes());
        put(&mut bytes, offset::RECORD_COUNT, self.record_count.to_be_bytes());
        bytes
    }

    /// Size of the whole batch, header included.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        LENGTH_PREFIX_BYTES + usize::try_from(self.length).unwrap_or(0)
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Offset that follows this batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// When compaction may drop the batch's tombstones (KIP-534), once it has seen the batch.
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// Whether an idempotent producer wrote the batch.
    #[must_use]
    pub fn has_producer(&self) -> bool {
        self.producer_id > NO_PRODUCER
    }

    /// Sequence number of the last record, or −1 without one. After 2³¹−1 comes 0.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (last & i64::from(i32::MAX)) as i32
    }

    /// The codec of the records.
    ///
    /// # Errors
    /// [`UnknownCompression`](RecordError::UnknownCompression).
    pub fn compression(&self) -> Result<Compression, RecordError> {
        self.attributes.compression()
    }
}

/// The attributes field of a batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const COMPRESSION: i16 = 0b111;
    const LOG_APPEND_TIME: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;
    const DELETE_HORIZON: i16 = 1 << 6;
    /// The bits that a client may set.
    pub(crate) const CLIENT: i16 = Self::COMPRESSION | Self::LOG_APPEND_TIME | Self::TRANSACTIONAL | Self::CONTROL;

    /// Bits 0–2: the codec of the records.
    ///
    /// # Errors
    /// [`UnknownCompression`](RecordError::UnknownCompression).
    pub fn compression(self) -> Result<Compression, RecordError> {
        Compression::from_id((self.0 & Self::COMPRESSION) as u8)
    }

    /// Bit 3: who set the timestamps.
    #[must_use]
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Bit 4: the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Bit 5: the batch holds a marker of the broker (see [`control`](crate::control)), not records of a client.
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Bit 6: the base timestamp is the time at which compaction may drop the batch's tombstones (KIP-534).
    #[must_use]
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same attributes with another codec.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !Self::COMPRESSION | i16::from(compression.id()))
    }

    /// The same attributes with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Self(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    /// The same attributes of a batch whose base timestamp is its delete horizon.
    #[must_use]
    pub(crate) fn with_delete_horizon(self) -> Self {
        Self(self.0 | Self::DELETE_HORIZON)
    }

    /// The same attributes of a batch in a transaction.
    #[must_use]
    pub fn transactional(self) -> Self {
        Self(self.0 | Self::TRANSACTIONAL)
    }

    /// The same attributes of a control batch.
    #[must_use]
    pub fn control(self) -> Self {
        Self(self.0 | Self::CONTROL)
    }
}

/// Who set a batch's timestamps (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// The producer, one for each record.
    #[default]
    CreateTime,
    /// The broker, one for the batch: its max timestamp.
    LogAppendTime,
}

/// The `N` bytes of `header` from `at`, one of [`offset`]'s constants.
fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

/// Writes `bytes` at `at`, one of [`offset`]'s constants.
pub(crate) fn put<const N: usize>(header: &mut [u8; HEADER_BYTES], at: usize, bytes: [u8; N]) {
    header[at..at + N].copy_from_slice(&bytes);
}
