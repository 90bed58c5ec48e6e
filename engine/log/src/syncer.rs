//! Syncs: one fdatasync at a time per log, and everything appended before it began is covered by it.

use std::sync::Arc;

use ringlog_io::Disk;
use tokio::sync::oneshot;

use crate::{
    Durability, Log, LogConfig, LogError,
    appender::{Appended, Waiting, answer},
    error::IoContext,
    log::lock,
    segment::Segment,
};

/// What the next sync has to cover, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    /// A sync task is under way: it will take what is put here.
    syncing: bool,
    /// Somebody wants a sync although no ack waits for one.
    wanted: bool,
    acks: Vec<(Waiting, Appended)>,
    flushes: Vec<oneshot::Sender<Result<(), LogError>>>,
    /// Segments with bytes that no sync has covered, oldest first.
    segments: Vec<Arc<Segment>>,
    /// Segments whose index files no sync has covered since they were closed.
    closed: Vec<Arc<Segment>>,
    /// Files were made or renamed since the directory was last synced.
    names: bool,
    records: u64,
    /// When [`Log::flush_if_due`] first found unsynced records, by its clock.
    found_ms: Option<i64>,
}

impl Log {
    /// Makes everything appended before the call durable, also the names of the files.
    ///
    /// # Errors
    /// [`LogError::Fenced`] when the sync fails: it is never retried, since the kernel has dropped what it could not write.
    pub async fn flush(self: &Arc<Self>, disk: &Disk) -> Result<(), LogError> {
        let (flushed, outcome) = oneshot::channel();
        {
            let mut unsynced = lock(&self.unsynced);
            if unsynced.segments.is_empty() && !unsynced.names && !unsynced.syncing {
                return self.fenced().map_or(Ok(()), Err);
            }
            unsynced.flushes.push(flushed);
            self.start_sync(disk, &mut unsynced);
        }
        outcome.await.unwrap_or(Err(LogError::Closed))
    }

    /// Starts a sync where a record would be unsynced for longer than `flush.ms` at the next call, `every_ms` from now: so its age is
    /// bounded by the larger of the two when its sync begins. Costs a lock when there is nothing to do.
    pub fn flush_if_due(self: &Arc<Self>, disk: &Disk, now_ms: i64, every_ms: i64) {
        let Some(flush_ms) = self.config().flush_ms else { return };
        let mut unsynced = lock(&self.unsynced);
        if unsynced.records == 0 {
            return;
        }
        let found_ms = *unsynced.found_ms.get_or_insert(now_ms);
        // It may have come right after the call before the one that found it.
        let oldest_ms = now_ms.saturating_sub(found_ms).saturating_add(every_ms);
        if oldest_ms.saturating_add(every_ms) > flush_ms {
            unsynced.wanted = true;
            self.start_sync(disk, &mut unsynced);
        }
    }

    /// Everything below this offset is on the device.
    #[must_use]
    pub fn recovery_point(&self) -> i64 {
        lock(&self.offsets).synced().offset
    }

    /// Takes note of bytes that were written to `active`, and starts the sync that they ask for. Gives back the acks that
    /// need not wait for it.
    pub(crate) fn note_unsynced(
        self: &Arc<Self>,
        disk: &Disk,
        config: &LogConfig,
        active: &Arc<Segment>,
        records: u64,
        acks: Vec<(Waiting, Appended)>,
    ) -> Vec<(Waiting, Appended)> {
        let mut unsynced = lock(&self.unsynced);
        if records > 0 && !unsynced.segments.last().is_some_and(|last| Arc::ptr_eq(last, active)) {
            unsynced.segments.push(active.clone());
        }
        unsynced.records = unsynced.records.saturating_add(records);
        if config.durability() == Durability::Fsync {
            // A duplicate's first append may still be waiting for its sync: it waits for the next one too.
            unsynced.acks.extend(acks);
            self.start_sync(disk, &mut unsynced);
            return Vec::new();
        }
        if unsynced.records >= config.flush_messages {
            unsynced.wanted = true;
            self.start_sync(disk, &mut unsynced);
        }
        acks
    }

    /// The segment was closed and its indexes are written out: syncs in the background, so that recovery never begins before
    /// its end and may trust its indexes.
    pub(crate) fn sync_behind(self: &Arc<Self>, disk: &Disk, closed: Arc<Segment>) {
        let mut unsynced = lock(&self.unsynced);
        unsynced.closed.push(closed);
        unsynced.names = true;
        unsynced.wanted = true;
        self.start_sync(disk, &mut unsynced);
    }

    /// Files were made, renamed or opened with bytes that may not be on the device.
    pub(crate) fn note_files(&self, segments: impl IntoIterator<Item = Arc<Segment>>, names: bool) {
        let mut unsynced = lock(&self.unsynced);
        unsynced.segments.extend(segments);
        unsynced.names |= names;
    }

    /// A segment was replaced or removed: its old file needs no sync any more.
    pub(crate) fn forget_unsynced(&self, gone: &Arc<Segment>) {
        let mut unsynced = lock(&self.unsynced);
        unsynced.segments.retain(|segment| !Arc::ptr_eq(segment, gone));
        unsynced.closed.retain(|segment| !Arc::ptr_eq(segment, gone));
    }

    fn start_sync(self: &Arc<Self>, disk: &Disk, unsynced: &mut Unsynced) {
        if !std::mem::replace(&mut unsynced.syncing, true) {
            tokio::task::spawn_local(sync(self.clone(), disk.clone()));
        }
    }

    /// One sync of everything that is unsynced now.
    async fn sync_once(&self, disk: &Disk, unsynced: &Unsynced) -> Result<(), LogError> {
        for segment in &unsynced.segments {
            let file = segment.file()?;
            disk.sync_data(file).await.context("sync", file.path())?;
        }
        for segment in &unsynced.closed {
            segment.sync_index_files(disk).await?;
        }
        if unsynced.names {
            disk.sync_dir(self.dir()).context("sync", self.dir())?;
            if let Some(parent) = self.dir().parent().filter(|_| !self.name_is_durable()) {
                disk.sync_dir(parent).context("sync", parent)?;
                self.set_name_durable();
            }
        }
        Ok(())
    }
}

/// Syncs until nobody waits for it any more.
async fn sync(log: Arc<Log>, disk: Disk) {
    let unfinished = FenceUnfinished(&log);
    loop {
        let taken = {
            let mut unsynced = lock(&log.unsynced);
            if unsynced.acks.is_empty() && unsynced.flushes.is_empty() && !unsynced.wanted {
                unsynced.syncing = false;
                break;
            }
            let taken = std::mem::take(&mut *unsynced);
            unsynced.syncing = true;
            taken
        };
        // What is appended from here on may or may not be covered: it counts for the next one.
        let end = lock(&log.offsets).log_end();
        let outcome = match log.fenced() {
            Some(error) => Err(error),
            None => log.sync_once(&disk, &taken).await.map_err(|error| log.fence(error.to_string())),
        };
        if outcome.is_ok() {
            lock(&log.offsets).synced_to(end);
            log.waiters.wake_all();
        }
        for (waiting, appended) in taken.acks {
            answer(waiting, outcome.clone().map(|()| appended));
        }
        for flushed in taken.flushes {
            let _ = flushed.send(outcome.clone());
        }
    }
    std::mem::forget(unfinished);
}

/// A runtime that is shut down drops its tasks wherever they are: those who wait must hear of it.
struct FenceUnfinished<'a>(&'a Arc<Log>);

impl Drop for FenceUnfinished<'_> {
    fn drop(&mut self) {
        self.0.fence("its thread ended during a sync".into());
        *lock(&self.0.unsynced) = Unsynced::default();
    }
}
