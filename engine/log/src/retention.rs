//! Deletion of old records: by time, by size, and by DeleteRecords.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ringlog_io::Disk;

use crate::{
    Log, LogConfig, LogError,
    error::IoContext,
    leftovers::DELETED,
    log::lock,
    segment::{self, INDEX, LOG, SNAPSHOT, Segment, TIME_INDEX, TXN_INDEX, with_suffix},
    segments::Segments,
};

/// Files that have lost their names, and when they go.
#[derive(Debug)]
pub(crate) struct Doomed {
    paths: Vec<PathBuf>,
    at_ms: i64,
}

/// What one pass of retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Segments that are no longer part of the log.
    pub segments: usize,
    /// Their bytes; on disk until `file.delete.delay.ms` has passed.
    pub bytes: u64,
}

impl Log {
    /// Takes whole segments off the log's start: those below the log start offset and, with `cleanup.policy=delete`, those
    /// whose records are all older than `retention.ms`, and the oldest while the log is larger than `retention.bytes`. An
    /// active segment of which every record is too old is closed and goes too. Also removes the files of earlier passes that
    /// are due, and is to be called every `log.retention.check.interval.ms`.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`]: segments that were already taken off stay so.
    pub async fn apply_retention(self: &Arc<Self>, disk: &Disk, now_ms: i64) -> Result<Retained, LogError> {
        let mut writer = self.writer.lock().await;
        self.remove_doomed(disk, now_ms)?;
        let config = self.config();
        let (log_start, high_watermark) = {
            let offsets = lock(&self.offsets);
            (offsets.log_start(), offsets.high_watermark().offset)
        };
        if self.active_has_expired(&config, now_ms)? && high_watermark == self.log_end_offset() {
            self.roll(disk, &mut writer).await?;
        }
        let segments = self.segments();
        let doomed = doomed_segments(&segments, &config, log_start, high_watermark, now_ms)?;
        let Some(last) = doomed.last() else { return Ok(Retained::default()) };
        let kept_from = segments.at_and_after(last.base_offset()).nth(1).unwrap_or(segments.active()).base_offset();
        lock(&self.offsets).raise_log_start(kept_from);
        self.change_segments(|segments| segments.remove(|segment| segment.base_offset() < kept_from));
        let delete_at_ms = now_ms.saturating_add(config.file_delete_delay_ms);
        for segment in &doomed {
            self.retire(disk, segment, delete_at_ms)?;
        }
        let start_offset = self.log_start_offset();
        if lock(&self.epochs).start_at(start_offset) {
            self.write_epochs(disk).await?;
        }
        self.waiters.wake_all();
        Ok(Retained { segments: doomed.len(), bytes: doomed.iter().map(|segment| segment.size_bytes()).sum() })
    }

    /// Raises the log start to `offset` (DeleteRecords), or to the high watermark when it is −1, and returns it. Space is given
    /// back by the next [`Self::apply_retention`]; durable after [`LogDir::write_checkpoints`](crate::LogDir::write_checkpoints).
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] above the high watermark.
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, LogError> {
        let mut offsets = lock(&self.offsets);
        let (start, end) = (offsets.log_start(), offsets.high_watermark().offset);
        let offset = if offset == -1 { end } else { offset };
        if offset > end || offset < 0 {
            return Err(LogError::OffsetOutOfRange { offset, start, end });
        }
        offsets.raise_log_start(offset);
        let log_start = offsets.log_start();
        drop(offsets);
        self.waiters.wake_all();
        Ok(log_start)
    }

    /// Takes a segment's names away, so that the next opening does not see it; its file lives on for those who read it.
    pub(crate) fn retire(&self, disk: &Disk, segment: &Arc<Segment>, delete_at_ms: i64) -> Result<(), LogError> {
        // Whoever has the segment but not yet the file must still get it.
        segment.file()?;
        self.forget_unsynced(segment);
        let mut paths = Vec::new();
        for suffix in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            let path = segment.path(suffix);
            if suffix == LOG || path.exists() {
                let doomed = with_suffix(&path, DELETED);
                disk.rename(&path, &doomed).context("rename", &path)?;
                paths.push(doomed);
            }
        }
        let snapshot = segment::file_path(self.dir(), segment.base_offset(), SNAPSHOT);
        if snapshot.exists() {
            disk.remove_file(&snapshot).context("remove", &snapshot)?;
        }
        self.note_files([], true);
        lock(&self.doomed).push(Doomed { paths, at_ms: delete_at_ms });
        Ok(())
    }

    fn remove_doomed(&self, disk: &Disk, now_ms: i64) -> Result<(), LogError> {
        let due: Vec<Doomed> = lock(&self.doomed).extract_if(.., |doomed| doomed.at_ms <= now_ms).collect();
        for path in due.iter().flat_map(|doomed| &doomed.paths) {
            match disk.remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LogError::io("remove", path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn active_has_expired(&self, config: &LogConfig, now_ms: i64) -> Result<bool, LogError> {
        let segments = self.segments();
        Ok(segments.active().size_bytes() > 0 && has_expired(segments.active(), config, now_ms)?)
    }
}

/// The segments at the log's start that are to go.
fn doomed_segments(
    segments: &Segments,
    config: &LogConfig,
    log_start: i64,
    high_watermark: i64,
    now_ms: i64,
) -> Result<Vec<Arc<Segment>>, LogError> {
    let mut doomed = Vec::new();
    let mut size_bytes = segments.size_bytes();
    let next_bases = segments.iter().skip(1).map(|segment| segment.base_offset());
    for (segment, next_base) in segments.closed().iter().zip(next_bases) {
        let by_start = next_base <= log_start;
        let by_size = config.cleanup_delete
            && config.retention_bytes.is_some_and(|limit| size_bytes.saturating_sub(segment.size_bytes()) >= limit);
        if next_base > high_watermark || !(by_start || by_size || has_expired(segment, config, now_ms)?) {
            break;
        }
        size_bytes -= segment.size_bytes();
        doomed.push(segment.clone());
    }
    Ok(doomed)
}

/// Whether every record is older than `retention.ms`; one without timestamps is as old as its file.
fn has_expired(segment: &Segment, config: &LogConfig, now_ms: i64) -> Result<bool, LogError> {
    let Some(retention_ms) = config.retention_ms.filter(|_| config.cleanup_delete) else { return Ok(false) };
    let newest_ms = match segment.largest_timestamp()? {
        Some(largest) => largest.timestamp_ms,
        None => modified_ms(segment)?,
    };
    Ok(now_ms.saturating_sub(newest_ms) > retention_ms)
}

fn modified_ms(segment: &Segment) -> Result<i64, LogError> {
    let path = segment.path(LOG);
    let modified = std::fs::metadata(&path).and_then(|metadata| metadata.modified()).context("stat", &path)?;
    let since_epoch = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Ok(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
