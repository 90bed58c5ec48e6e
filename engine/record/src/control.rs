//! Control records: the markers by which a broker ends a transaction in a partition.

use crate::{Batch, BatchBuilder, Compression, RecordError};

/// How a transaction ended in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerKind {
    /// Its records are not to be shown to read_committed consumers.
    Abort,
    /// They are.
    Commit,
}

/// A transaction marker: the one record of a control batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Commit or abort.
    pub kind: MarkerKind,
    /// Epoch of the transaction coordinator that wrote it; a marker of an older one is refused.
    pub coordinator_epoch: i32,
}

/// Version of a marker's key and of its value.
const VERSION: i16 = 0;

/// The batch, of one control record, that ends the transaction of a producer.
///
/// # Errors
/// None with these lengths; the signature is that of [`BatchBuilder::build`].
pub fn marker(
    marker: Marker,
    producer_id: i64,
    producer_epoch: i16,
    timestamp_ms: i64,
) -> Result<Vec<u8>, RecordError> {
    let kind: i16 = match marker.kind {
        MarkerKind::Abort => 0,
        MarkerKind::Commit => 1,
    };
    let key = [VERSION.to_be_bytes(), kind.to_be_bytes()].concat();
    let value = [&VERSION.to_be_bytes()[..], &marker.coordinator_epoch.to_be_bytes()].concat();
    let mut builder = BatchBuilder::new(Compression::None);
    builder.set_control().set_transactional().set_producer(producer_id, producer_epoch, -1);
    builder.append(timestamp_ms, Some(&key), Some(&value), &[])?;
    builder.build()
}

/// The marker in `batch`; `None` when it is no control batch, was emptied by compaction, or holds another kind of control
/// record (Kafka's quorum writes some).
///
/// # Errors
/// Those of [`Batch::records`], and [`BadRecord`](RecordError::BadRecord) when the marker's key or value is too short.
pub fn parse(batch: &Batch<'_>) -> Result<Option<Marker>, RecordError> {
    if !batch.header().attributes.is_control() {
        return Ok(None);
    }
    let records = batch.records(MAX_BYTES)?;
    let Some(record) = records.iter().next().transpose()? else { return Ok(None) };
    let short = RecordError::BadRecord { index: 0, reason: "a control record's key has 4 bytes, its value 6" };
    // The type stands after the version in every version of the key, the epoch after that of the value.
    let kind = match record.key {
        Some([_, _, high, low, ..]) => i16::from_be_bytes([*high, *low]),
        _ => return Err(short),
    };
    let kind = match kind {
        0 => MarkerKind::Abort,
        1 => MarkerKind::Commit,
        _ => return Ok(None),
    };
    let Some(epoch) = record.value.and_then(|value| value.get(2..)?.first_chunk::<4>()) else { return Err(short) };
    Ok(Some(Marker { kind, coordinator_epoch: i32::from_be_bytes(*epoch) }))
}

/// Most bytes of a control batch's records; markers take about twenty.
const MAX_BYTES: usize = 64 << 10;
