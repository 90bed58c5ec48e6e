//! What a producer's batch goes through before it is queued: checked by its topic's settings, corrected, recompressed.

use bytes::BytesMut;
use ringlog_log::AppendBatch;
use ringlog_record::validate::{self, Limits};
use ringlog_record::{Batch, Compression, RecordError, patch, recompress};
use ringlog_settings::{CompressionType, TopicConfig};

/// Produce before this version can't carry zstd (KIP-110).
const ZSTD_FROM_VERSION: i16 = 7;

/// The batch in `records`, fit to be appended. Bytes are copied only where the topic asks for another codec than the
/// producer's.
///
/// # Errors
/// What is wrong with it; [`RecordError::kafka_code`] is the answer.
pub(crate) fn admit(
    mut records: BytesMut,
    version: i16,
    config: &TopicConfig,
    now_ms: i64,
) -> Result<AppendBatch, RecordError> {
    let oldest_ms = now_ms.saturating_sub(config.message_timestamp_before_max_ms);
    let newest_ms = now_ms.saturating_add(config.message_timestamp_after_max_ms);
    let limits = Limits {
        max_message_bytes: config.max_message_bytes,
        zstd_allowed: version >= ZSTD_FROM_VERSION,
        keys_required: config.cleanup_compact,
        timestamps_ms: (!config.log_append_time).then_some((oldest_ms, newest_ms)),
        ..Limits::default()
    };
    let summary = validate::producer_batch(&records, &limits)?;
    // With LogAppendTime the log stamps the batch, and computes its CRC, anyway.
    if summary.max_timestamp_is_wrong() && !config.log_append_time {
        patch::max_timestamp(&mut records, summary.max_timestamp_ms)?;
    }
    if let Some((codec, level)) =
        wanted_codec(config.compression_type).filter(|(codec, _)| *codec != summary.compression)
    {
        let recompressed = recompress(&Batch::parse(&records)?, codec, level, limits.max_decompressed_bytes)?;
        if recompressed.len() > config.max_message_bytes {
            return Err(RecordError::TooLarge { bytes: recompressed.len(), limit: config.max_message_bytes });
        }
        records = BytesMut::from(&recompressed[..]);
    }
    AppendBatch::new(records, now_ms)
}

/// The codec that the topic asks for; `None` leaves it to the producer.
fn wanted_codec(compression_type: CompressionType) -> Option<(Compression, Option<i32>)> {
    match compression_type {
        CompressionType::Producer => None,
        CompressionType::Uncompressed => Some((Compression::None, None)),
        CompressionType::Gzip(level) => Some((Compression::Gzip, level)),
        CompressionType::Snappy => Some((Compression::Snappy, None)),
        CompressionType::Lz4(level) => Some((Compression::Lz4, Some(level))),
        CompressionType::Zstd(level) => Some((Compression::Zstd, Some(level))),
    }
}
