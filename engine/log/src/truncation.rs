//! Truncation: the end of a log is cut off when a new leader's history differs.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use ringlog_io::{Disk, Mode};

use crate::{
    Log, LogError,
    error::IoContext,
    leftovers::{CLEANED, Listing},
    log::lock,
    offsets::Boundary,
    producer_replay::producers_at,
    segment::{LOG, Segment, with_suffix},
    segments::Segments,
};

/// What one step of a copy reads and writes.
const COPY_BYTES: u64 = 1 << 20;

impl Log {
    /// Removes everything from `offset` on; a batch that holds it goes whole, so that the log may end before it. Returns the
    /// log end. At or before the first segment's start the log becomes empty and begins at `offset`. Durable on return.
    ///
    /// The kept part of a segment is copied to a new file: sendfile may still be sending pages of the old one.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`], [`LogError::Corrupt`]. The log is fenced when it fails half-way.
    pub async fn truncate_to(self: &Arc<Self>, disk: &Disk, offset: i64) -> Result<i64, LogError> {
        let mut writer = self.writer.lock().await;
        if offset >= self.log_end_offset() {
            return Ok(self.log_end_offset());
        }
        let segments = self.segments();
        let (end, last) = self.cut_at(&segments, offset)?;
        if let Some(last) = &last
            && end.position < last.size_bytes()
        {
            copy_prefix(disk, last, end.position).await?;
        }
        let cut = self.cut(disk, &segments, end, last.as_deref());
        let remaining = cut.map_err(|error| self.fence(format!("a truncation failed half-way: {error}")))?;
        let snapshots = Listing::of(self.dir())?.snapshots;
        let (producers, snapshot) =
            producers_at(disk, self.dir(), &snapshots, &remaining, end.offset, &mut Vec::new())?;
        (writer.indexed_bytes, writer.snapshot_bytes, writer.snapshot) = (0, end.position, snapshot);
        lock(&self.offsets).truncated(end, producers.first_open_transaction());
        *lock(&self.producers) = producers;
        self.note_files([remaining.active().clone()], true);
        self.change_segments(|segments| *segments = remaining.clone());
        self.cleaned_to.fetch_min(end.offset, Ordering::Relaxed);
        lock(&self.epochs).truncate_to(end.offset);
        self.epochs_changed.store(false, Ordering::Relaxed);
        self.write_epochs(disk).await?;
        self.waiters.wake_all();
        remaining.active().persist_indexes(disk).await?;
        drop(writer);
        self.flush(disk).await?;
        Ok(end.offset)
    }

    /// Where the log is to end, and the segment that stays its last; `None` when none stays.
    fn cut_at(&self, segments: &Segments, offset: i64) -> Result<(Boundary, Option<Arc<Segment>>), LogError> {
        if offset > segments.first().base_offset() {
            for segment in segments.at_and_after(offset) {
                if let Some((position, header)) = segment.find(offset)? {
                    let (offset, base) = (header.base_offset.min(offset), segment.base_offset());
                    return Ok((Boundary { offset, segment: base, position }, Some(segment.clone())));
                }
            }
        }
        Ok((Boundary { offset, segment: offset, position: 0 }, None))
    }

    /// Removes the segments after `end`, newest first so that a crash leaves no gap, and puts the shortened one in place.
    fn cut(
        &self,
        disk: &Disk,
        segments: &Segments,
        end: Boundary,
        last: Option<&Segment>,
    ) -> Result<Segments, LogError> {
        let stays = |segment: &&Arc<Segment>| last.is_some_and(|last| segment.base_offset() <= last.base_offset());
        for segment in segments.iter().rev().filter(|segment| !stays(segment)) {
            self.retire(disk, segment, i64::MIN)?;
        }
        let Some(last) = last else {
            let active = Segment::create(disk, self.dir(), end.offset)?;
            return Ok(Segments::new(Vec::new(), Arc::new(active)));
        };
        let mut remaining: Vec<Arc<Segment>> = segments.iter().filter(stays).cloned().collect();
        remaining.pop().inspect(|replaced| self.forget_unsynced(replaced));
        if end.position < last.size_bytes() {
            let path = last.path(LOG);
            let copy = with_suffix(&path, CLEANED);
            last.remove_index_files(disk)?;
            disk.rename(&copy, &path).context("rename", &copy)?;
        }
        let active = Segment::open_active(disk, self.dir(), last.base_offset())?;
        active.reindex(self.config().index_interval_bytes)?;
        Ok(Segments::new(remaining, Arc::new(active)))
    }
}

/// Writes the first bytes of the segment to a new file and syncs it.
async fn copy_prefix(disk: &Disk, segment: &Segment, length: u64) -> Result<(), LogError> {
    let path = with_suffix(&segment.path(LOG), CLEANED);
    let copy = disk.open_file(&path, Mode::Create).context("create", &path)?;
    disk.truncate(&copy, 0).context("truncate", &path)?;
    let mut position = 0;
    while position < length {
        let step = usize::try_from(COPY_BYTES.min(length - position)).unwrap_or(usize::MAX);
        let bytes = disk.read_at(segment.file()?, step, position).await.context("read", &path)?;
        if bytes.is_empty() {
            let reason = format!("the segment ends early; {length} bytes of it are in the log");
            return Err(LogError::Corrupt { path: segment.path(LOG), position, reason });
        }
        position += disk.write_all_at(&copy, vec![Bytes::from(bytes)], position).await.context("write", &path)?;
    }
    disk.sync_data(&copy).await.context("sync", &path)
}
