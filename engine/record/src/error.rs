//! Why bytes are not an acceptable batch, and which Kafka error says so to a client.

use crate::Compression;

/// Why a batch is refused. Each variant carries what was found; [`kafka_code`](Self::kafka_code) is the answer to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end before the batch does: the torn tail of a segment, or a producer's records field cut short.
    #[error("the batch needs {needed} bytes and {available} are there")]
    Incomplete {
        /// Bytes from the batch's start that must be there; at first those of the header.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The length field is smaller than an empty batch's.
    #[error("the batch length field is {length}; a batch has at least 49 bytes after it")]
    BadLength {
        /// The length field.
        length: i32,
    },
    /// A message of the formats before 0.11, which no broker since Kafka 4.0 accepts.
    #[error("message format v{magic} is not supported (Kafka removed it in 4.0): use a client of 0.11 or later")]
    LegacyMagic {
        /// 0 or 1.
        magic: i8,
    },
    /// A format that does not exist.
    #[error("magic byte {magic} is no message format; only 2 is supported")]
    UnknownMagic {
        /// The magic byte.
        magic: i8,
    },
    /// The checksum does not match: the bytes are not those that the producer built.
    #[error("corrupt batch: its header says crc {stored:#010x}, its bytes give {computed:#010x}")]
    BadCrc {
        /// From the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// The batch is larger than the topic's `max.message.bytes`.
    #[error("the batch has {bytes} bytes, over max.message.bytes={limit}")]
    TooLarge {
        /// Size of the batch with its header.
        bytes: usize,
        /// The setting.
        limit: usize,
    },
    /// The producer sent no batch.
    #[error("the records field holds no batch; one is needed")]
    NoBatch,
    /// The producer sent more than one batch for a partition.
    #[error("{bytes} bytes follow the batch; exactly one batch per partition is accepted")]
    TrailingBytes {
        /// Bytes after the first batch.
        bytes: usize,
    },
    /// A client gives its batches the base offset 0; the log assigns the real one.
    #[error("base offset {base_offset} in a client's batch; it must be 0")]
    BaseOffset {
        /// From the header.
        base_offset: i64,
    },
    /// Count and offset range of the header contradict each other.
    #[error("the batch says {count} records and last offset delta {last_offset_delta}; a client's batch has no gaps")]
    CountMismatch {
        /// Record count of the header.
        count: i32,
        /// Last offset delta of the header.
        last_offset_delta: i32,
    },
    /// Only brokers write control batches.
    #[error("clients may not write control batches")]
    ControlBatch,
    /// Attribute bits are set that have no meaning in a client's batch.
    #[error("attributes {attributes:#06x} have bits set that a client may not use")]
    UnusedAttributes {
        /// From the header.
        attributes: i16,
    },
    /// A producer id without a sequence number.
    #[error(
        "producer id {producer_id} with epoch {producer_epoch} and base sequence {base_sequence}: neither may be negative"
    )]
    BadSequence {
        /// From the header.
        producer_id: i64,
        /// From the header.
        producer_epoch: i16,
        /// From the header.
        base_sequence: i32,
    },
    /// The compression id is not one of the five.
    #[error("compression id {id} is unknown; 0 none, 1 gzip, 2 snappy, 3 lz4 and 4 zstd are")]
    UnknownCompression {
        /// The lowest three bits of the attributes.
        id: u8,
    },
    /// A codec that is newer than the request's version: zstd came with Produce 7 (KIP-110).
    #[error("{compression} is not allowed in this request version: use Produce 7 or later")]
    CompressionNotAllowed {
        /// The codec.
        compression: Compression,
    },
    /// The compressed bytes are not what the codec writes.
    #[error("the {compression} data cannot be decompressed: {reason}")]
    Decompress {
        /// The codec.
        compression: Compression,
        /// What the codec says.
        reason: String,
    },
    /// Compression failed; the codec refused the level or the input.
    #[error("{compression} compression failed: {reason}")]
    Compress {
        /// The codec.
        compression: Compression,
        /// What the codec says.
        reason: String,
    },
    /// Decompressed, the batch is larger than the cap.
    #[error("the {compression} data decompresses to more than {cap} bytes")]
    DecompressedTooLarge {
        /// The codec.
        compression: Compression,
        /// The caller's bound.
        cap: usize,
    },
    /// A record's bytes contradict its lengths.
    #[error("record {index} of the batch is malformed: {reason}")]
    BadRecord {
        /// Position in the batch, from 0.
        index: i32,
        /// What is wrong.
        reason: &'static str,
    },
    /// The records end before, or go on after, the header's count.
    #[error("the header says {count} records; {reason}")]
    BadCount {
        /// Record count of the header.
        count: i32,
        /// How it differs.
        reason: &'static str,
    },
    /// A client's records are numbered 0, 1, 2 ….
    #[error("record {index} has offset delta {delta}; it must be {index}")]
    BadOffsetDelta {
        /// Position in the batch, from 0.
        index: i32,
        /// The record's offset delta.
        delta: i32,
    },
    /// A record without a key in a compacted topic.
    #[error("record {index} has no key; a compacted topic needs one")]
    MissingKey {
        /// Position in the batch, from 0.
        index: i32,
    },
    /// Only brokers set the append time.
    #[error("the batch says LogAppendTime; clients send CreateTime")]
    ClientAppendTime,
    /// A timestamp is too far from the broker's clock.
    #[error(
        "record {index} has timestamp {timestamp_ms}, outside {oldest_ms} to {newest_ms} (message.timestamp.before.max.ms, .after.max.ms)"
    )]
    TimestampOutOfRange {
        /// Position in the batch, from 0.
        index: i32,
        /// The record's timestamp.
        timestamp_ms: i64,
        /// The oldest accepted.
        oldest_ms: i64,
        /// The newest accepted.
        newest_ms: i64,
    },
    /// Records that the topic does not take, each for a fault of its own: the others of the batch could be sent again.
    #[error("{count} of the batch's records are refused, such as: {fault}")]
    Refused {
        /// How many.
        count: i32,
        /// Positions in the batch, from 0, rising, each with the reason: the first of them where they are many more than the
        /// batch's bytes could hold. The reasons are literals for the same cause.
        listed: Vec<(i32, &'static str)>,
        /// What is wrong with one of them. A wrong timestamp is named before a missing key, as in Apache Kafka.
        fault: Box<RecordError>,
    },
    /// A batch cannot hold more: its size is counted in an `i32`, its records too.
    #[error("the batch would pass 2 GiB or 2^31 records: build it and begin another")]
    Full,
}

impl RecordError {
    /// The Kafka error code that a broker answers: 2 CORRUPT_MESSAGE, 10 MESSAGE_TOO_LARGE, 32 INVALID_TIMESTAMP,
    /// 76 UNSUPPORTED_COMPRESSION_TYPE, 87 INVALID_RECORD, or −1 UNKNOWN_SERVER_ERROR for what is no client's doing.
    ///
    /// CORRUPT_MESSAGE is retriable, so it is given only where sending the same batch again can help.
    #[must_use]
    pub fn kafka_code(&self) -> i16 {
        match self {
            Self::Refused { fault, .. } => fault.kafka_code(),
            Self::BadLength { .. } | Self::UnknownMagic { .. } | Self::BadCrc { .. } => 2,
            Self::TooLarge { .. } => 10,
            Self::ClientAppendTime | Self::TimestampOutOfRange { .. } => 32,
            Self::UnknownCompression { .. } | Self::CompressionNotAllowed { .. } => 76,
            Self::Incomplete { .. }
            | Self::LegacyMagic { .. }
            | Self::NoBatch
            | Self::TrailingBytes { .. }
            | Self::BaseOffset { .. }
            | Self::CountMismatch { .. }
            | Self::ControlBatch
            | Self::UnusedAttributes { .. }
            | Self::BadSequence { .. }
            | Self::Decompress { .. }
            | Self::DecompressedTooLarge { .. }
            | Self::BadRecord { .. }
            | Self::BadCount { .. }
            | Self::BadOffsetDelta { .. }
            | Self::MissingKey { .. } => 87,
            Self::Compress { .. } | Self::Full => -1,
        }
    }

    /// The reason in short where it is the fault of one record, and not that of the batch, as records are that do not fit it.
    pub(crate) fn reason_of_one_record(&self) -> Option<&'static str> {
        match self {
            Self::MissingKey { .. } => Some("it has no key; a compacted topic needs one"),
            Self::TimestampOutOfRange { .. } => {
                Some("its timestamp is outside message.timestamp.before.max.ms or .after.max.ms")
            }
            _ => None,
        }
    }

    /// The positions in their batch of the records at fault, each with the reason, for Produce 8's `record_errors` (KIP-467).
    /// Empty where the batch as a whole is at fault.
    #[must_use]
    pub fn refused_records(&self) -> &[(i32, &'static str)] {
        match self {
            Self::Refused { listed, .. } => listed,
            _ => &[],
        }
    }

    /// Whether it is found without a look at what the batch holds: its size, its checksum, its codec.
    #[must_use]
    pub fn is_of_the_envelope(&self) -> bool {
        matches!(
            self,
            Self::Incomplete { .. }
                | Self::BadLength { .. }
                | Self::LegacyMagic { .. }
                | Self::UnknownMagic { .. }
                | Self::BadCrc { .. }
                | Self::TooLarge { .. }
                | Self::NoBatch
                | Self::TrailingBytes { .. }
                | Self::CompressionNotAllowed { .. }
        )
    }
}
