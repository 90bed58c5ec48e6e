//! What a broker checks of a batch that a client sent, before it gets an offset.

use crate::record::{BodyError, Layout, Source, Stream, layout};
use crate::{Attributes, Batch, BatchHeader, Compression, NO_TIMESTAMP, RecordError, TimestampType};

/// How far a client's batch is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Header and CRC: one pass at the speed of the CRC. Damage that a broken client sealed with a valid CRC is left for its
    /// consumers to find, and the max timestamp is taken on trust.
    Header,
    /// Every record too, as Apache Kafka does also for `compression.type=producer`. Not compressed, that is a walk over the
    /// lengths without allocation, some 10 ns a record; else a decompression through one 32 KiB buffer, of which nothing is
    /// kept. `engine/decisions/0002-crc32c.md` has the figures: for 64 KiB 1 µs becomes 6 µs, with lz4 33 µs.
    #[default]
    Records,
}

/// What is accepted of a client. The default is that of a topic with default settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max.message.bytes` of the topic: size of the batch as sent, with its header.
    pub max_message_bytes: usize,
    /// Most bytes that the records may decompress to, whatever the ratio. They are streamed, not kept: this bounds time.
    pub max_decompressed_bytes: usize,
    /// How far to look.
    pub depth: Depth,
    /// The topic is compacted: every record needs a key. Seen with [`Depth::Records`] only.
    pub keys_required: bool,
    /// The request is Produce 7 or later, which zstd needs (KIP-110).
    pub zstd_allowed: bool,
    /// The oldest and newest timestamp accepted: now less `message.timestamp.before.max.ms`, and now plus `….after.max.ms`.
    /// A record without timestamp passes. `None` with a topic of LogAppendTime. Seen with [`Depth::Records`] only.
    pub timestamps_ms: Option<(i64, i64)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            max_decompressed_bytes: 256 << 20,
            depth: Depth::Records,
            keys_required: false,
            zstd_allowed: true,
            timestamps_ms: None,
        }
    }
}

/// A client's batch that may be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The header as sent.
    pub header: BatchHeader,
    /// The codec of the records.
    pub compression: Compression,
    /// Largest timestamp of the records; with [`Depth::Header`] what the header says.
    pub max_timestamp_ms: i64,
    /// Offset delta of the first record with that timestamp; with [`Depth::Header`] that of the last record.
    pub max_timestamp_delta: i32,
}

impl Summary {
    /// Whether the header's max timestamp is not that of its records. Apache Kafka corrects it rather than refuse the batch:
    /// [`patch::max_timestamp`](crate::patch::max_timestamp).
    #[must_use]
    pub fn max_timestamp_is_wrong(&self) -> bool {
        self.header.max_timestamp != self.max_timestamp_ms
    }
}

/// Checks the records field of one partition in a Produce request of version 3 or later: that it is exactly one batch of
/// format v2, whole, within the limits, with the right CRC, and numbered from 0 without gaps.
///
/// On two points this is stricter than Apache Kafka: bytes after the batch are refused rather than dropped, and records that
/// are misnumbered are refused rather than renumbered.
///
/// # Errors
/// The first fault found, in the order size, CRC, header, records; but all the records that the topic does not take.
/// [`RecordError::kafka_code`] is the answer to the client.
pub fn producer_batch(records: &[u8], limits: &Limits) -> Result<Summary, RecordError> {
    if records.is_empty() {
        return Err(RecordError::NoBatch);
    }
    let batch = Batch::parse(records)?;
    let header = *batch.header();
    let compression = header.compression()?;
    let (bytes, trailing) = (batch.bytes().len(), records.len() - batch.bytes().len());
    if trailing > 0 {
        return Err(RecordError::TrailingBytes { bytes: trailing });
    }
    if compression == Compression::Zstd && !limits.zstd_allowed {
        return Err(RecordError::CompressionNotAllowed { compression });
    }
    if header.base_offset != 0 {
        return Err(RecordError::BaseOffset { base_offset: header.base_offset });
    }
    if bytes > limits.max_message_bytes {
        return Err(RecordError::TooLarge { bytes, limit: limits.max_message_bytes });
    }
    batch.check_crc()?;
    check_header(&header)?;
    let mut summary = Summary {
        header,
        compression,
        max_timestamp_ms: header.max_timestamp,
        max_timestamp_delta: header.last_offset_delta,
    };
    if limits.depth == Depth::Records {
        let mut walk = Walk {
            header: &header,
            limits,
            index: 0,
            max_timestamp_ms: NO_TIMESTAMP,
            max_timestamp_delta: 0,
            refused: None,
            most_listed: (bytes / BYTES_PER_LISTED).max(1),
        };
        match compression {
            Compression::None => walk.records(&mut batch.body())?,
            _ => walk.records(&mut Stream::new(compression, batch.body(), limits.max_decompressed_bytes)?)?,
        }
        if let Some(refused) = walk.refused {
            return Err(refused);
        }
        summary.max_timestamp_ms = walk.max_timestamp_ms;
        summary.max_timestamp_delta = walk.max_timestamp_delta;
    }
    Ok(summary)
}

fn check_header(header: &BatchHeader) -> Result<(), RecordError> {
    let &BatchHeader { record_count: count, last_offset_delta, producer_id, producer_epoch, base_sequence, .. } =
        header;
    if count <= 0 || last_offset_delta != count - 1 {
        return Err(RecordError::CountMismatch { count, last_offset_delta });
    }
    if header.attributes.is_control() {
        return Err(RecordError::ControlBatch);
    }
    if header.has_producer() && (base_sequence < 0 || producer_epoch < 0) {
        return Err(RecordError::BadSequence { producer_id, producer_epoch, base_sequence });
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(RecordError::ClientAppendTime);
    }
    if header.attributes.0 & !Attributes::CLIENT != 0 {
        return Err(RecordError::UnusedAttributes { attributes: header.attributes.0 });
    }
    Ok(())
}

/// Bytes of a batch as sent for each refused record that is listed: little text decompresses to many records, and what lists
/// them must not outgrow what was sent. No record of a batch that is not compressed is shorter.
const BYTES_PER_LISTED: usize = 7;

/// One walk over the records of a batch.
struct Walk<'a> {
    header: &'a BatchHeader,
    limits: &'a Limits,
    index: i32,
    max_timestamp_ms: i64,
    max_timestamp_delta: i32,
    /// The records that the topic does not take, so far: [`RecordError::Refused`].
    refused: Option<RecordError>,
    most_listed: usize,
}

impl Walk<'_> {
    fn records(&mut self, source: &mut impl Source) -> Result<(), RecordError> {
        while self.index < self.header.record_count {
            let record = next(source).map_err(|error| error.into_record_error(self.header, self.index))?;
            if let Err(fault) = self.record(&record) {
                match fault.reason_of_one_record() {
                    Some(reason) => self.refuse(fault, reason),
                    None => return Err(fault),
                }
            }
            self.index += 1;
        }
        match source.is_at_end() {
            Ok(true) => Ok(()),
            Ok(false) => Err(BodyError::BytesLeft.into_record_error(self.header, self.index)),
            Err(error) => Err(error.into_record_error(self.header, self.index)),
        }
    }

    fn record<P>(&mut self, record: &Layout<P>) -> Result<(), RecordError> {
        let index = self.index;
        if record.offset_delta != index {
            return Err(RecordError::BadOffsetDelta { index, delta: record.offset_delta });
        }
        if self.limits.keys_required && record.key.is_none() {
            return Err(RecordError::MissingKey { index });
        }
        let timestamp_ms = record.timestamp_ms(self.header);
        match self.limits.timestamps_ms {
            Some((oldest_ms, newest_ms))
                if timestamp_ms != NO_TIMESTAMP && !(oldest_ms..=newest_ms).contains(&timestamp_ms) =>
            {
                return Err(RecordError::TimestampOutOfRange { index, timestamp_ms, oldest_ms, newest_ms });
            }
            _ => {}
        }
        if timestamp_ms > self.max_timestamp_ms {
            (self.max_timestamp_ms, self.max_timestamp_delta) = (timestamp_ms, index);
        }
        Ok(())
    }

    fn refuse(&mut self, found: RecordError, reason: &'static str) {
        match &mut self.refused {
            Some(RecordError::Refused { count, listed, fault }) => {
                *count += 1;
                if listed.len() < self.most_listed {
                    listed.push((self.index, reason));
                }
                if matches!(**fault, RecordError::MissingKey { .. }) {
                    **fault = found;
                }
            }
            none => {
                let listed = vec![(self.index, reason)];
                *none = Some(RecordError::Refused { count: 1, listed, fault: Box::new(found) });
            }
        }
    }
}

fn next<S: Source>(source: &mut S) -> Result<Layout<S::Piece>, BodyError> {
    if source.is_at_end()? { Err(BodyError::Ended) } else { layout(source) }
}
