//! Compaction: of the records with the same key only the newest stays.
//!
//! A pass reads the keys of the part that was never compacted, then rewrites all closed segments up to there, several small
//! ones into one. Offsets, sequence numbers and transaction markers stay; a producer's last batch stays even when it is empty,
//! since its sequence number would else be forgotten. A tombstone is kept for `delete.retention.ms` after the first pass that
//! met it (KIP-534), so that a consumer on its way through the log learns of the deletion.
//!
//! A rewritten segment is synced as `.cleaned`, gets the name `.swap` when it is whole, and then takes the place of the
//! segments that it was made from: at every moment either they or it are there, and recovery finishes what was begun.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use bytes::{Bytes, BytesMut};
use ringlog_io::{Disk, File, Mode};
use ringlog_record::{
    Batch, Record, batches,
    control::{self, MarkerKind},
    retain,
};

use crate::{
    Log, LogConfig, LogError,
    batch_chunks::BatchChunks,
    error::IoContext,
    leftovers::{CLEANED, SWAP},
    segment::{LOG, Segment, with_suffix},
    segments::Segments,
};

/// Bound of a batch's decompressed records.
const MAX_BATCH_BYTES: usize = 1 << 30;
/// What an entry of the key table takes besides the key.
const ENTRY_BYTES: usize = 48;

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Size of the rewritten segments before.
    pub bytes_before: u64,
    /// Size after.
    pub bytes_after: u64,
    /// Everything before this offset has been compacted.
    pub cleaned_to: i64,
}

impl Log {
    /// Runs a pass of compaction if `cleanup.policy` asks for it and enough of the log is uncompacted
    /// (`min.cleanable.dirty.ratio`); `None` when there is nothing to do. The active segment, open transactions, and what is
    /// younger than `min.compaction.lag.ms` are left alone. Appends and reads go on meanwhile. Durable on return.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`], [`LogError::Corrupt`], [`LogError::Record`]: the segments are as they were, or
    /// some are compacted. [`LogError::Fenced`] when putting a rewritten segment in place failed half-way.
    pub async fn compact(self: &Arc<Self>, disk: &Disk, now_ms: i64) -> Result<Option<Compacted>, LogError> {
        let _one_at_a_time = self.cleaner.lock().await;
        let config = self.config();
        let segments = self.segments();
        let cleaned_to = self.cleaned_to().max(self.log_start_offset());
        let cleanable = self.cleanable(&segments, &config, now_ms)?;
        let is_due = is_dirty_enough(&cleanable, cleaned_to, config.min_cleanable_dirty_ratio)
            || is_overdue(&cleanable, cleaned_to, &config, now_ms)?;
        if !config.cleanup_compact || !is_due {
            return Ok(None);
        }
        let newest = NewestOffsets::read(disk, &cleanable, cleaned_to, config.dedupe_buffer_bytes).await?;
        let mut compacted = Compacted { cleaned_to: newest.end, ..Compacted::default() };
        let covered = cleanable.iter().filter(|segment| segment.base_offset() < newest.end).cloned();
        for group in groups(covered, &config) {
            compacted.bytes_before += group.iter().map(|segment| segment.size_bytes()).sum::<u64>();
            compacted.bytes_after += self.rewrite(disk, &config, &group, &newest, now_ms).await?;
        }
        self.cleaned_to.store(newest.end, Ordering::Relaxed);
        Ok(Some(compacted))
    }

    /// Everything before this offset has been compacted.
    #[must_use]
    pub fn cleaned_to(&self) -> i64 {
        self.cleaned_to.load(Ordering::Relaxed)
    }

    /// The closed segments whose records are all stable and old enough.
    fn cleanable(&self, segments: &Segments, config: &LogConfig, now_ms: i64) -> Result<Vec<Arc<Segment>>, LogError> {
        let stable = self.last_stable_offset();
        let newest_ms = now_ms.saturating_sub(config.min_compaction_lag_ms);
        let mut cleanable = Vec::new();
        let next_bases = segments.iter().skip(1).map(|segment| segment.base_offset());
        for (segment, next_base) in segments.closed().iter().zip(next_bases) {
            let young = config.min_compaction_lag_ms > 0
                && segment.largest_timestamp()?.is_some_and(|largest| largest.timestamp_ms > newest_ms);
            if next_base > stable || young {
                break;
            }
            cleanable.push(segment.clone());
        }
        Ok(cleanable)
    }

    /// Writes what stays of the group into one segment and puts it in their place; returns its size.
    async fn rewrite(
        self: &Arc<Self>,
        disk: &Disk,
        config: &LogConfig,
        group: &[Arc<Segment>],
        newest: &NewestOffsets,
        now_ms: i64,
    ) -> Result<u64, LogError> {
        let Some(first) = group.first() else { return Ok(0) };
        let path = with_suffix(&first.path(LOG), CLEANED);
        let cleaned = disk.open_file(&path, Mode::Create).context("create", &path)?;
        disk.truncate(&cleaned, 0).context("truncate", &path)?;
        let last_batches: HashMap<i64, i64> = self
            .producers()
            .iter()
            .filter_map(|producer| Some((producer.producer_id, producer.batches.back()?.last_offset)))
            .collect();
        let cleaning = Cleaning { newest, last_batches, now_ms, delete_retention_ms: config.delete_retention_ms };
        let mut size_bytes = 0;
        for segment in group {
            size_bytes = cleaning.append_kept(disk, segment, &cleaned, size_bytes).await?;
        }
        disk.sync_data(&cleaned).await.context("sync", &path)?;
        self.swap_in(disk, config, group, size_bytes).await
    }

    async fn swap_in(
        self: &Arc<Self>,
        disk: &Disk,
        config: &LogConfig,
        group: &[Arc<Segment>],
        size_bytes: u64,
    ) -> Result<u64, LogError> {
        let (Some((first, others)), _writer) = (group.split_first(), self.writer.lock().await) else { return Ok(0) };
        let path = first.path(LOG);
        let (cleaned, swap) = (with_suffix(&path, CLEANED), with_suffix(&path, SWAP));
        let segments = self.segments();
        let is_there = |segment: &Arc<Segment>| segments.closed().iter().any(|known| Arc::ptr_eq(known, segment));
        if !group.iter().all(is_there) {
            // Retention or a truncation came first: what was rewritten is no longer what is there.
            disk.remove_file(&cleaned).context("remove", &cleaned)?;
            return Ok(group.iter().map(|segment| segment.size_bytes()).sum());
        }
        disk.rename(&cleaned, &swap).context("rename", &cleaned)?;
        disk.sync_dir(self.dir()).context("sync", self.dir())?;
        let replaced = self.replace(disk, (first, others), config).await;
        let compacted = replaced.map_err(|error| self.fence(format!("a compaction failed half-way: {error}")))?;
        self.change_segments(|segments| {
            segments.replace(|segment| group.iter().any(|old| Arc::ptr_eq(old, segment)), compacted);
        });
        Ok(size_bytes)
    }

    /// Takes the group's names away, gives the first one's to the `.swap` and indexes it.
    async fn replace(
        &self,
        disk: &Disk,
        (first, others): (&Arc<Segment>, &[Arc<Segment>]),
        config: &LogConfig,
    ) -> Result<Arc<Segment>, LogError> {
        for segment in others.iter().rev() {
            self.retire(disk, segment, i64::MIN)?;
        }
        // Whoever has the segment but not yet its file must get the old one.
        first.file()?;
        self.forget_unsynced(first);
        first.remove_index_files(disk)?;
        let path = first.path(LOG);
        let swap = with_suffix(&path, SWAP);
        disk.rename(&swap, &path).context("rename", &swap)?;
        let compacted = Segment::open_active(disk, self.dir(), first.base_offset())?;
        compacted.reindex(config.index_interval_bytes)?;
        compacted.finish_time_index();
        compacted.persist_indexes(disk).await?;
        compacted.unload_indexes();
        compacted.sync_index_files(disk).await?;
        disk.sync_dir(self.dir()).context("sync", self.dir())?;
        Ok(Arc::new(compacted))
    }
}

fn is_dirty_enough(cleanable: &[Arc<Segment>], cleaned_to: i64, least_ratio: f64) -> bool {
    let bytes = |dirty: bool| -> u64 {
        let of_kind = cleanable.iter().filter(|segment| (segment.base_offset() >= cleaned_to) == dirty);
        of_kind.map(|segment| segment.size_bytes()).sum()
    };
    let (dirty, clean) = (bytes(true), bytes(false));
    dirty > 0 && dirty as f64 >= least_ratio * (dirty + clean) as f64
}

/// Whether a record that was never compacted is older than `max.compaction.lag.ms`.
fn is_overdue(cleanable: &[Arc<Segment>], cleaned_to: i64, config: &LogConfig, now_ms: i64) -> Result<bool, LogError> {
    let Some(lag_ms) = config.max_compaction_lag_ms else { return Ok(false) };
    let Some(oldest) = cleanable.iter().find(|segment| segment.base_offset() >= cleaned_to) else { return Ok(false) };
    let timestamp_ms = match oldest.first_timestamp_ms() {
        Some(first_ms) => Some(first_ms),
        // Not known of a segment that was closed before the last start: its newest record is old enough, too, soon after.
        None => oldest.largest_timestamp()?.map(|largest| largest.timestamp_ms),
    };
    Ok(timestamp_ms.is_some_and(|timestamp_ms| now_ms.saturating_sub(timestamp_ms) > lag_ms))
}

/// Neighbours that fit into one segment together.
fn groups(segments: impl Iterator<Item = Arc<Segment>>, config: &LogConfig) -> Vec<Vec<Arc<Segment>>> {
    let mut groups: Vec<Vec<Arc<Segment>>> = Vec::new();
    let mut group_bytes = 0;
    for segment in segments {
        let size_bytes = segment.size_bytes();
        match groups.last_mut() {
            // A segment's offsets end before the next one's base: comparing the next base would ask too much by one.
            Some(group)
                if group_bytes + size_bytes <= config.segment_bytes
                    && group
                        .first()
                        .is_some_and(|first| first.can_hold(segment.base_offset().saturating_add(OFFSET_RESERVE))) =>
            {
                group_bytes += size_bytes;
                group.push(segment);
            }
            _ => {
                group_bytes = size_bytes;
                groups.push(vec![segment]);
            }
        }
    }
    groups
}

/// Most offsets that a segment is taken to span: groups end before relative offsets can overflow.
const OFFSET_RESERVE: i64 = 1 << 30;

/// Keys and offsets of each producer's transaction whose marker has not come yet.
type OpenTransactions = HashMap<i64, Vec<(Box<[u8]>, i64)>>;

/// The newest offset of each key.
struct NewestOffsets {
    by_key: HashMap<Box<[u8]>, i64>,
    bytes: usize,
    /// Records from here on are not in the table.
    end: i64,
}

impl NewestOffsets {
    /// Reads the keys from `start` on, until the end or until the table takes `limit_bytes`. Records of aborted transactions
    /// replace nothing; those of a transaction count once its marker is there.
    async fn read(disk: &Disk, segments: &[Arc<Segment>], start: i64, limit_bytes: usize) -> Result<Self, LogError> {
        let mut newest = Self { by_key: HashMap::new(), bytes: 0, end: start };
        let mut open = OpenTransactions::new();
        for segment in segments {
            let Some((position, _)) = segment.find(start)? else { continue };
            let mut chunks = BatchChunks::new(segment, position)?;
            while let Some(chunk) = chunks.next(disk).await? {
                for batch in batches(&chunk) {
                    newest.note(&batch?, start, &mut open)?;
                }
                if newest.bytes > limit_bytes && open.values().all(Vec::is_empty) {
                    return Ok(newest);
                }
            }
        }
        Ok(newest)
    }

    fn note(&mut self, batch: &Batch<'_>, start: i64, open: &mut OpenTransactions) -> Result<(), LogError> {
        let header = batch.header();
        self.end = self.end.max(header.next_offset());
        if header.attributes.is_control() {
            let records = open.remove(&header.producer_id).unwrap_or_default();
            if control::parse(batch)?.is_some_and(|marker| marker.kind == MarkerKind::Commit) {
                records.into_iter().for_each(|(key, offset)| self.insert(key, offset));
            }
            return Ok(());
        }
        for record in &batch.records(MAX_BATCH_BYTES)? {
            let record = record?;
            let Some(key) = record.key.filter(|_| record.offset >= start).map(Box::from) else { continue };
            match header.attributes.is_transactional() {
                true => open.entry(header.producer_id).or_default().push((key, record.offset)),
                false => self.insert(key, record.offset),
            }
        }
        Ok(())
    }

    fn insert(&mut self, key: Box<[u8]>, offset: i64) {
        let key_bytes = key.len();
        match self.by_key.entry(key) {
            // A commit comes later than the records, and newer ones may have been noted since.
            std::collections::hash_map::Entry::Occupied(mut known) => {
                *known.get_mut() = offset.max(*known.get());
            }
            std::collections::hash_map::Entry::Vacant(new) => {
                self.bytes += key_bytes + ENTRY_BYTES;
                new.insert(offset);
            }
        }
    }

    /// Whether no newer record has the key. A record without a key has no place in a compacted log.
    fn is_newest(&self, record: &Record<'_>) -> bool {
        record.key.is_some_and(|key| self.by_key.get(key).is_none_or(|&newest| record.offset >= newest))
    }
}

/// How one pass decides.
struct Cleaning<'a> {
    newest: &'a NewestOffsets,
    /// Last offset of the newest batch of each producer.
    last_batches: HashMap<i64, i64>,
    now_ms: i64,
    delete_retention_ms: i64,
}

impl Cleaning<'_> {
    /// Appends what stays of `segment` to `cleaned`; returns where it ends then.
    async fn append_kept(
        &self,
        disk: &Disk,
        segment: &Arc<Segment>,
        cleaned: &Arc<File>,
        mut position: u64,
    ) -> Result<u64, LogError> {
        let mut chunks = BatchChunks::new(segment, 0)?;
        while let Some(chunk) = chunks.next(disk).await? {
            let mut kept = BytesMut::new();
            for batch in batches(&chunk) {
                self.keep(&batch?, &mut kept)?;
            }
            let kept: Bytes = kept.freeze();
            position += disk.write_all_at(cleaned, vec![kept], position).await.context("write", cleaned.path())?;
        }
        Ok(position)
    }

    fn keep(&self, batch: &Batch<'_>, kept: &mut BytesMut) -> Result<(), LogError> {
        batch.check_crc()?;
        let header = batch.header();
        if header.attributes.is_control() || header.base_offset >= self.newest.end {
            kept.extend_from_slice(batch.bytes());
            return Ok(());
        }
        let horizon_ms = header.attributes.has_delete_horizon().then_some(header.base_timestamp);
        let stays = |record: &Record<'_>| {
            self.newest.is_newest(record)
                && !(record.is_tombstone() && horizon_ms.is_some_and(|horizon_ms| horizon_ms <= self.now_ms))
        };
        let (mut records, mut staying, mut tombstones) = (0, 0, 0);
        for record in &batch.records(MAX_BATCH_BYTES)? {
            let record = record?;
            records += 1;
            staying += i32::from(stays(&record));
            tombstones += i32::from(stays(&record) && record.is_tombstone());
        }
        let is_last = self.last_batches.get(&header.producer_id) == Some(&header.last_offset());
        let needs_horizon = tombstones > 0 && horizon_ms.is_none();
        if staying == 0 && !(is_last && header.has_producer()) {
            return Ok(());
        }
        if staying == records && !needs_horizon {
            kept.extend_from_slice(batch.bytes());
            return Ok(());
        }
        let new_horizon_ms = needs_horizon.then(|| self.now_ms.saturating_add(self.delete_retention_ms));
        kept.extend_from_slice(&retain(batch, new_horizon_ms, None, MAX_BATCH_BYTES, stays)?);
        Ok(())
    }
}
