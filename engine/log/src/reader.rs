//! Reads: from offsets and timestamps to places in files.

use std::{io, sync::Arc};

use ringlog_io::File;
use ringlog_record::{Batch, BatchHeader, Found};

use crate::{
    Log, LogError,
    error::IoContext,
    log::lock,
    offsets::{Boundary, Offsets},
    segment::Segment,
    segments::Segments,
};

/// How far a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// Consumers, read_uncommitted.
    HighWatermark,
    /// Consumers, read_committed.
    LastStable,
    /// Followers and the broker itself.
    LogEnd,
}

/// A range of a segment file that holds batches, and the log's bounds when it was made. It stays readable for as long as the
/// file is held, whatever becomes of the segment.
#[derive(Debug, Clone)]
pub struct ReadSlice {
    /// The segment's file.
    pub file: Arc<File>,
    /// Where the first batch begins.
    pub position: u64,
    /// Bytes; 0 when there is nothing to read yet. The last batch may be cut off where a limit ends, as Kafka's consumers
    /// expect, never where the visible end is.
    pub length: usize,
    /// Log start offset.
    pub log_start_offset: i64,
    /// High watermark.
    pub high_watermark: i64,
    /// Last stable offset.
    pub last_stable_offset: i64,
}

/// What ListOffsets asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampQuery {
    /// The first record with this timestamp, in milliseconds, or a later one.
    AtOrAfter(i64),
    /// The first record with the largest timestamp of the log (−3 on the wire).
    Largest,
}

/// A record that was looked up by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// The record's offset.
    pub offset: i64,
    /// Its timestamp in milliseconds.
    pub timestamp_ms: i64,
    /// Leader epoch of its batch.
    pub leader_epoch: i32,
}

/// Bound of one batch's decompressed records in a look-up by time.
const MAX_BATCH_BYTES: usize = 1 << 30;

impl Log {
    /// The batches from `offset` on, at most `max_bytes` of them. A batch that begins before `offset` and reaches it comes
    /// first, whole. With `min_one_batch` the first batch comes even when it alone is larger than `max_bytes`; without, the
    /// slice is then empty. A slice never spans segments. Reads headers only, and none at all at the log's end.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] before the log start or after the log end (between the visible end and the log end the
    /// slice is empty); [`LogError::Corrupt`], [`LogError::Io`].
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        min_one_batch: bool,
        visible: Visible,
    ) -> Result<ReadSlice, LogError> {
        let (segments, offsets) = self.view();
        let (start, end) = (offsets.log_start(), offsets.log_end().offset);
        if offset < start || offset > end {
            return Err(LogError::OffsetOutOfRange { offset, start, end });
        }
        let limit = self.visible_end(&segments, &offsets, visible)?;
        let Some(range) = find_range(&segments, &offsets, offset, limit, max_bytes, min_one_batch)? else {
            return Ok(slice(&offsets, segments.active().file()?, 0, 0));
        };
        Ok(slice(&offsets, range.segment.file()?, range.position, range.length))
    }

    /// The first record that `query` asks for, below the visible end; exact inside a batch. `None` when there is none. Reads
    /// and decompresses one batch, in the calling thread.
    ///
    /// # Errors
    /// [`LogError::Corrupt`], [`LogError::Io`], [`LogError::Record`].
    pub fn offset_for_timestamp(
        &self,
        query: TimestampQuery,
        visible: Visible,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let (segments, offsets) = self.view();
        let limit = self.visible_end(&segments, &offsets, visible)?;
        let timestamp_ms = match query {
            TimestampQuery::AtOrAfter(timestamp_ms) => timestamp_ms,
            TimestampQuery::Largest => match largest_timestamp(&segments, &offsets, limit)? {
                Some(largest) => largest,
                None => return Ok(None),
            },
        };
        for segment in segments.at_and_after(offsets.log_start()) {
            if segment.largest_timestamp()?.is_none_or(|largest| largest.timestamp_ms < timestamp_ms) {
                continue;
            }
            let mut headers = segment.headers(segment.position_before_timestamp(timestamp_ms)?)?;
            while let Some((position, header)) = headers.next()? {
                if header.base_offset >= limit.offset {
                    return Ok(None);
                }
                if header.last_offset() < offsets.log_start() || header.max_timestamp < timestamp_ms {
                    continue;
                }
                if let Some(found) = find_in_batch(segment, position, &header, timestamp_ms, offsets.log_start())? {
                    let leader_epoch = header.partition_leader_epoch;
                    return Ok(Some(TimestampedOffset {
                        offset: found.offset,
                        timestamp_ms: found.timestamp_ms,
                        leader_epoch,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Segments and offsets that belong together: no truncation or compaction lies between them.
    fn view(&self) -> (Arc<Segments>, Offsets) {
        let mut segments = self.segments();
        loop {
            let offsets = lock(&self.offsets).clone();
            let before = std::mem::replace(&mut segments, self.segments());
            if Arc::ptr_eq(&before, &segments) {
                return (segments, offsets);
            }
        }
    }

    /// The place of the batch that holds `offset`, or of the next one.
    pub(crate) fn boundary(&self, segments: &Segments, offset: i64) -> Result<Boundary, LogError> {
        for segment in segments.at_and_after(offset) {
            if let Some((position, _)) = segment.find(offset)? {
                return Ok(Boundary { offset, segment: segment.base_offset(), position });
            }
        }
        let active = segments.active();
        Ok(Boundary { offset, segment: active.base_offset(), position: active.size_bytes() })
    }

    fn visible_end(&self, segments: &Segments, offsets: &Offsets, visible: Visible) -> Result<Boundary, LogError> {
        let high_watermark = offsets.high_watermark();
        match visible {
            Visible::LogEnd => Ok(offsets.log_end()),
            Visible::LastStable if offsets.last_stable() < high_watermark.offset => {
                self.boundary(segments, offsets.last_stable())
            }
            Visible::HighWatermark | Visible::LastStable => Ok(high_watermark),
        }
    }
}

struct Range<'a> {
    segment: &'a Arc<Segment>,
    position: u64,
    length: usize,
}

fn slice(offsets: &Offsets, file: &Arc<File>, position: u64, length: usize) -> ReadSlice {
    ReadSlice {
        file: file.clone(),
        position,
        length,
        log_start_offset: offsets.log_start(),
        high_watermark: offsets.high_watermark().offset,
        last_stable_offset: offsets.last_stable(),
    }
}

/// `None` when nothing is visible at `offset`.
fn find_range<'a>(
    segments: &'a Segments,
    offsets: &Offsets,
    offset: i64,
    limit: Boundary,
    max_bytes: usize,
    min_one_batch: bool,
) -> Result<Option<Range<'a>>, LogError> {
    if offset >= limit.offset {
        return Ok(None);
    }
    for segment in segments.at_and_after(offset) {
        let end = match segment.base_offset().cmp(&limit.segment) {
            std::cmp::Ordering::Less => segment.size_bytes(),
            std::cmp::Ordering::Equal => limit.position.min(segment.size_bytes()),
            std::cmp::Ordering::Greater => return Ok(None),
        };
        // Only the active segment keeps its places: compaction rewrites the others.
        let known = offsets.recent(offset).filter(|place| {
            place.segment == segments.active().base_offset()
                && Arc::ptr_eq(segment, segments.active())
                && place.position < end
        });
        let (position, first_bytes) = match known {
            // The whole rest fits: no need to know how long the first batch is.
            Some(place) if end - place.position <= max_bytes as u64 => (place.position, 0),
            _ => match segment.find(offset) {
                Ok(Some((position, header))) => (position, header.size_bytes()),
                Ok(None) => continue,
                // Deleted since the list was taken, and never opened before.
                Err(LogError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    let (start, end) = (offsets.log_start(), offsets.log_end().offset);
                    return Err(LogError::OffsetOutOfRange { offset, start, end });
                }
                Err(error) => return Err(error),
            },
        };
        if position >= end {
            return Ok(None);
        }
        let available = usize::try_from(end - position).unwrap_or(usize::MAX);
        let length = match (first_bytes > max_bytes, min_one_batch) {
            (true, true) => first_bytes.min(available),
            (true, false) => 0,
            (false, _) if available <= max_bytes => available,
            (false, _) => whole_batches(segment, position, first_bytes, max_bytes)?,
        };
        return Ok(Some(Range { segment, position, length }));
    }
    Ok(None)
}

/// The most of `max_bytes` from `position` on that ends at a batch known to the index: half a batch at the end would be
/// sent for nothing.
fn whole_batches(segment: &Segment, position: u64, first_bytes: usize, max_bytes: usize) -> Result<usize, LogError> {
    let last_start = segment.batch_start_at_or_before(position.saturating_add(max_bytes as u64))?;
    let whole = last_start.and_then(|start| usize::try_from(start.checked_sub(position)?).ok());
    Ok(whole.filter(|&whole| whole >= first_bytes).unwrap_or(max_bytes))
}

fn largest_timestamp(segments: &Segments, offsets: &Offsets, limit: Boundary) -> Result<Option<i64>, LogError> {
    let mut largest = None;
    for segment in segments.at_and_after(offsets.log_start()) {
        if segment.base_offset() < limit.segment && segment.base_offset() >= offsets.log_start() {
            largest = largest.max(segment.largest_timestamp()?.map(|found| found.timestamp_ms));
            continue;
        }
        // Part of the segment is out of sight, and the largest timestamp may be there.
        let known = segment.largest_timestamp()?;
        if known.is_some_and(|found| found.last_offset < limit.offset && found.last_offset >= offsets.log_start()) {
            largest = largest.max(known.map(|found| found.timestamp_ms));
            continue;
        }
        let mut headers = segment.headers(0)?;
        while let Some((_, header)) = headers.next()?.filter(|(_, header)| header.base_offset < limit.offset) {
            if header.last_offset() >= offsets.log_start() && header.max_timestamp >= 0 {
                largest = largest.max(Some(header.max_timestamp));
            }
        }
    }
    Ok(largest)
}

/// The first record of the batch at or after `timestamp_ms` that is not before `log_start`.
fn find_in_batch(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
    timestamp_ms: i64,
    log_start: i64,
) -> Result<Option<Found>, LogError> {
    let bytes = read_batch(segment.file()?, position, header)?;
    let batch = Batch::parse(&bytes)?;
    if header.base_offset >= log_start {
        return Ok(batch.offset_for_timestamp(timestamp_ms, MAX_BATCH_BYTES)?);
    }
    for record in batch.records(MAX_BATCH_BYTES)?.iter() {
        let record = record?;
        if record.offset >= log_start && record.timestamp_ms >= timestamp_ms {
            return Ok(Some(Found { offset: record.offset, timestamp_ms: record.timestamp_ms }));
        }
    }
    Ok(None)
}

/// The bytes of the batch with this header.
pub(crate) fn read_batch(file: &File, position: u64, header: &BatchHeader) -> Result<Vec<u8>, LogError> {
    let mut bytes = vec![0; header.size_bytes()];
    file.read_exact_at(&mut bytes, position).context("read", file.path())?;
    Ok(bytes)
}
