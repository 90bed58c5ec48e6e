//! A batch made from another: in another codec, or without some of its records.

use crate::builder::seal;
use crate::compression::compress_into;
use crate::record::{Content, encode};
use crate::{Batch, Compression, HEADER_BYTES, NO_TIMESTAMP, Record, RecordError, decompress};

/// The batch in another codec: what a topic's `compression.type` asks for. Everything but the attributes' codec bits, the
/// length and the CRC stays: offsets, timestamps, headers, producer fields, leader epoch.
///
/// # Errors
/// Those of [`Batch::records`], with decompression bounded by `cap` bytes, and [`Compress`](RecordError::Compress).
pub fn recompress(
    batch: &Batch<'_>,
    compression: Compression,
    level: Option<i32>,
    cap: usize,
) -> Result<Vec<u8>, RecordError> {
    let mut header = *batch.header();
    let plain = decompress(header.compression()?, batch.body(), cap)?;
    header.attributes = header.attributes.with_compression(compression);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + plain.len());
    bytes.resize(HEADER_BYTES, 0);
    compress_into(compression, level, &plain, &mut bytes)?;
    seal(header, bytes)
}

/// The batch with only the records that `keep` wants: what compaction does. Records keep their offsets and timestamps, the
/// batch its offset range, codec, producer id and sequence, so that a reader and a producer's state see no difference but the
/// gaps; the max timestamp becomes that of the records kept. With a `delete_horizon_ms`, a batch that has none yet gets it,
/// and its tombstones may be dropped from then on.
///
/// When no record is kept the batch is empty and its max timestamp stays: dropping it is the caller's decision, since the last
/// batch of a producer must not go.
///
/// # Errors
/// Those of [`Batch::records`], with decompression bounded by `cap` bytes, of damaged records, and
/// [`Compress`](RecordError::Compress).
pub fn retain(
    batch: &Batch<'_>,
    delete_horizon_ms: Option<i64>,
    level: Option<i32>,
    cap: usize,
    mut keep: impl FnMut(&Record<'_>) -> bool,
) -> Result<Vec<u8>, RecordError> {
    let mut header = *batch.header();
    let compression = header.compression()?;
    let records = batch.records(cap)?;
    let horizon = delete_horizon_ms.filter(|_| !header.attributes.has_delete_horizon());
    if let Some(horizon) = horizon {
        (header.attributes, header.base_timestamp) = (header.attributes.with_delete_horizon(), horizon);
    }
    let mut plain = Vec::new();
    let (mut count, mut max_timestamp) = (0, NO_TIMESTAMP);
    for record in &records {
        let record = record?;
        if !keep(&record) {
            continue;
        }
        match horizon {
            None => plain.extend_from_slice(record.encoded),
            // The base timestamp is another: the deltas are too.
            Some(horizon) => {
                let headers: Vec<_> = record.headers.collect();
                let content = Content { key: record.key, value: record.value, headers: &headers };
                let offset_delta = (record.offset - header.base_offset) as i32;
                encode(&mut plain, record.timestamp_ms.saturating_sub(horizon), offset_delta, &content);
            }
        }
        count += 1;
        max_timestamp = max_timestamp.max(record.timestamp_ms);
    }
    header.record_count = count;
    let mut bytes = vec![0; HEADER_BYTES];
    if count == 0 {
        header.attributes = header.attributes.with_compression(Compression::None);
    } else {
        header.max_timestamp = max_timestamp;
        compress_into(compression, level, &plain, &mut bytes)?;
    }
    seal(header, bytes)
}
