//! What a broker, and a producer on a retry, change in a finished batch, in place.
//!
//! Base offset and leader epoch lie before the CRC's range: giving them costs nothing. Timestamps and producer fields lie
//! within it: each of those patches computes the CRC anew, one pass over the batch.

use crate::{Batch, BatchHeader, HEADER_BYTES, RecordError, TimestampType, crc32c, header, header::offset};

/// Sets the base offset of the batch at the start of `batch`.
///
/// # Errors
/// [`Incomplete`](RecordError::Incomplete) with fewer bytes than a header.
pub fn base_offset(batch: &mut [u8], base_offset: i64) -> Result<(), RecordError> {
    header::put(head(batch)?, offset::BASE_OFFSET, base_offset.to_be_bytes());
    Ok(())
}

/// Sets the partition leader epoch of the batch at the start of `batch`.
///
/// # Errors
/// As [`base_offset`].
pub fn leader_epoch(batch: &mut [u8], leader_epoch: i32) -> Result<(), RecordError> {
    header::put(head(batch)?, offset::LEADER_EPOCH, leader_epoch.to_be_bytes());
    Ok(())
}

/// Makes the batch at the start of `batch` a LogAppendTime batch of `now_ms`: type bit, max timestamp, CRC.
///
/// # Errors
/// Those of [`Batch::parse`].
pub fn log_append_time(batch: &mut [u8], now_ms: i64) -> Result<(), RecordError> {
    rewrite(batch, |header| {
        header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        header.max_timestamp = now_ms;
    })
}

/// Corrects the max timestamp of the batch at the start of `batch`, and the CRC with it. A broker does this when a client's
/// header disagrees with its records (see [`Summary::max_timestamp_is_wrong`](crate::validate::Summary)).
///
/// # Errors
/// Those of [`Batch::parse`].
pub fn max_timestamp(batch: &mut [u8], max_timestamp_ms: i64) -> Result<(), RecordError> {
    rewrite(batch, |header| header.max_timestamp = max_timestamp_ms)
}

/// Gives the batch at the start of `batch` another producer id, epoch and base sequence, and the CRC with them: what an
/// idempotent producer does with unsent batches when its epoch was bumped.
///
/// # Errors
/// Those of [`Batch::parse`].
pub fn producer(batch: &mut [u8], id: i64, epoch: i16, base_sequence: i32) -> Result<(), RecordError> {
    rewrite(batch, |header| {
        header.producer_id = id;
        header.producer_epoch = epoch;
        header.base_sequence = base_sequence;
    })
}

/// Changes header fields under the CRC and computes it anew.
fn rewrite(batch: &mut [u8], change: impl FnOnce(&mut BatchHeader)) -> Result<(), RecordError> {
    let mut header = *Batch::parse(batch)?.header();
    change(&mut header);
    let size = header.size_bytes();
    *head(batch)? = header.to_bytes();
    let crc = crc32c(batch.get(offset::ATTRIBUTES..size).unwrap_or_default());
    header::put(head(batch)?, offset::CRC, crc.to_be_bytes());
    Ok(())
}

fn head(batch: &mut [u8]) -> Result<&mut [u8; HEADER_BYTES], RecordError> {
    let available = batch.len();
    batch.first_chunk_mut().ok_or(RecordError::Incomplete { needed: HEADER_BYTES, available })
}
