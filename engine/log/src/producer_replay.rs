//! The producers' state at a log end, from a snapshot and the headers behind it.

use std::path::Path;

use ringlog_io::Disk;
use ringlog_record::{Batch, control};

use crate::{
    LogError, RecoveryCase,
    error::IoContext,
    producer_state::Producers,
    reader::read_batch,
    segment::{self, SNAPSHOT, Segment},
    segments::Segments,
    snapshot,
};

/// The producers at the log end, from the newest usable snapshot and the headers behind it; and that snapshot's offset.
/// Those that can't be used are removed.
pub(crate) fn producers_at(
    disk: &Disk,
    dir: &Path,
    snapshots: &[i64],
    segments: &Segments,
    end_offset: i64,
    cases: &mut Vec<RecoveryCase>,
) -> Result<(Producers, Option<i64>), LogError> {
    let mut start = None;
    for &offset in snapshots.iter().rev() {
        let path = segment::file_path(dir, offset, SNAPSHOT);
        let stored = if offset <= end_offset { snapshot::decode(&segment::read_or_empty(&path)?).ok() } else { None };
        if let Some(producers) = stored {
            start = Some((offset, producers));
            break;
        }
        disk.remove_file(&path).context("remove", &path)?;
        cases.push(RecoveryCase::LeftoverRemoved { path });
    }
    let snapshot = start.as_ref().map(|(offset, _)| *offset);
    let first = segments.first().base_offset();
    let (from, mut producers) = start.unwrap_or_else(|| {
        if end_offset > first {
            cases.push(RecoveryCase::ProducersRebuilt);
        }
        (first, Producers::default())
    });
    if !producers.is_empty() {
        producers.widen(&replay_window(segments, from)?);
    }
    if from < end_offset {
        replay(&mut producers, segments, from, end_offset)?;
    }
    Ok((producers, snapshot))
}

/// Applies the batches of `from..to` to the producers.
fn replay(producers: &mut Producers, segments: &Segments, from: i64, to: i64) -> Result<(), LogError> {
    for segment in segments.at_and_after(from) {
        let start = match segment.base_offset() < from {
            true => segment.find(from)?.map_or(segment.size_bytes(), |(position, _)| position),
            false => 0,
        };
        replay_segment(producers, segment, start, to)?;
    }
    Ok(())
}

fn replay_segment(producers: &mut Producers, segment: &Segment, position: u64, to: i64) -> Result<(), LogError> {
    if position >= segment.size_bytes() {
        return Ok(());
    }
    let mut headers = segment.headers(position)?;
    while let Some((position, header)) = headers.next()?.filter(|(_, header)| header.base_offset < to) {
        let marker = match header.attributes.is_control() {
            true => control::parse(&Batch::parse(&read_batch(segment.file()?, position, &header)?)?)?,
            false => None,
        };
        producers.apply(&header, marker);
    }
    Ok(())
}

/// The producers' batches in the last stretch before `offset`.
fn replay_window(segments: &Segments, offset: i64) -> Result<Producers, LogError> {
    const WINDOW_BYTES: u64 = 256 << 10;
    let mut earlier = Producers::default();
    let Some(segment) = segments.iter().rev().find(|segment| segment.base_offset() < offset) else {
        return Ok(earlier);
    };
    let end = segment.find(offset)?.map_or(segment.size_bytes(), |(position, _)| position);
    let start = segment.batch_start_at_or_before(end.saturating_sub(WINDOW_BYTES))?.unwrap_or(0);
    replay_segment(&mut earlier, segment, start, offset)?;
    Ok(earlier)
}
