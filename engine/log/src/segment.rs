//! One segment: a run of batches in a `.log` file, with its two indexes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use ringlog_io::{Allocation, Disk, File, Map, Mode};
use ringlog_record::BatchHeader;

use crate::{
    LogConfig, LogError,
    error::IoContext,
    header_walk::HeaderWalk,
    offset_index::{OffsetEntry, OffsetIndex},
    sparse_index::{Entry, SparseIndex, Unpersisted},
    time_index::{TimeEntry, TimeIndex},
};

/// How far behind the end zeros are written at once: some thirty syncs' worth of small appends, and a tenth of a millisecond.
const PREWRITTEN_BYTES: u64 = 256 << 10;
const ZEROS: &[u8] = &[0; 64 << 10];

/// A segment. The active one, the last of its log, grows; the others never change. A closed segment's file and indexes are
/// opened when they are first needed: most are never read again.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    dir: PathBuf,
    file: OnceLock<Arc<File>>,
    size_bytes: AtomicU64,
    /// Blocks are reserved beyond the end.
    is_reserved: AtomicBool,
    /// Where the zeros end that [`Self::prewrite`] has put into the file.
    zeros_end: AtomicU64,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    indexes: Option<Indexes>,
    /// Of the whole segment, once the indexes are there.
    largest: Option<Timestamped>,
    /// Max timestamp of the first batch: what `segment.ms` counts from.
    first_timestamp_ms: Option<i64>,
    bytes_since_entry: u64,
}

#[derive(Debug, Default)]
struct Indexes {
    offsets: OffsetIndex,
    times: TimeIndex,
}

/// What looking an offset up in a segment gives.
enum Lookup {
    Batch(u64, BatchHeader),
    /// The segment ends before the offset.
    End,
    WrongIndex,
}

/// A timestamp and the last offset of the batch that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamped {
    pub(crate) timestamp_ms: i64,
    pub(crate) last_offset: i64,
}

/// The files of a segment, by their suffixes.
pub(crate) const LOG: &str = "log";
pub(crate) const INDEX: &str = "index";
pub(crate) const TIME_INDEX: &str = "timeindex";
pub(crate) const TXN_INDEX: &str = "txnindex";
pub(crate) const SNAPSHOT: &str = "snapshot";

/// The file of a segment or snapshot: the offset in 20 digits, a dot, the suffix.
pub(crate) fn file_path(dir: &Path, offset: i64, suffix: &str) -> PathBuf {
    dir.join(format!("{offset:020}.{suffix}"))
}

/// The path with a dot and `suffix` behind its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

impl Segment {
    /// A segment with an empty new file; an old one of that name, left by a failed roll, is emptied.
    pub(crate) fn create(disk: &Disk, dir: &Path, base_offset: i64) -> Result<Self, LogError> {
        let file = create_empty(disk, &file_path(dir, base_offset, LOG))?;
        // There is nothing to index yet, but Kafka's tools take it for damage when a segment's index has no file.
        for suffix in [INDEX, TIME_INDEX] {
            create_empty(disk, &file_path(dir, base_offset, suffix))?;
        }
        let segment = Self::closed(dir, base_offset, 0);
        segment.state_mut().indexes = Some(Indexes::default());
        segment.file.get_or_init(|| file);
        Ok(segment)
    }

    /// A segment whose file exists and is opened on first use.
    pub(crate) fn closed(dir: &Path, base_offset: i64, size_bytes: u64) -> Self {
        Self {
            base_offset,
            dir: dir.to_owned(),
            file: OnceLock::new(),
            size_bytes: AtomicU64::new(size_bytes),
            is_reserved: AtomicBool::new(false),
            zeros_end: AtomicU64::new(0),
            state: RwLock::default(),
        }
    }

    /// Opens the file for appending, with the index entries that are stored and plausible. The caller verifies them
    /// against the log and adds what is missing.
    pub(crate) fn open_active(disk: &Disk, dir: &Path, base_offset: i64) -> Result<Self, LogError> {
        let path = file_path(dir, base_offset, LOG);
        let file = disk.open_file(&path, Mode::Write).context("open", &path)?;
        let segment = Self::closed(dir, base_offset, file.len().context("stat", &path)?);
        segment.file.get_or_init(|| file);
        let indexes = Indexes {
            offsets: OffsetIndex::from_file(&read_or_empty(&segment.path(INDEX))?),
            times: TimeIndex::from_file(&read_or_empty(&segment.path(TIME_INDEX))?),
        };
        let largest = indexes.times.last().map(|entry| segment.timestamped(entry));
        *segment.state_mut() = State { indexes: Some(indexes), largest, ..State::default() };
        Ok(segment)
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Bytes that readers may see.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn set_size_bytes(&self, size_bytes: u64) {
        self.size_bytes.store(size_bytes, Ordering::Release);
    }

    pub(crate) fn path(&self, suffix: &str) -> PathBuf {
        file_path(&self.dir, self.base_offset, suffix)
    }

    /// The log file. A closed segment's is opened by a plain system call: any thread may be the first to read it.
    pub(crate) fn file(&self) -> Result<&Arc<File>, LogError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let path = self.path(LOG);
        let file = Disk::syscall().open_file(&path, Mode::Read).context("open", &path)?;
        Ok(self.file.get_or_init(|| file))
    }

    /// Reserves the blocks of a segment of `bytes`, once; the file's size stays. A file system that can't goes without.
    pub(crate) async fn reserve(&self, disk: &Disk, bytes: u64) -> Result<(), LogError> {
        let missing = bytes.saturating_sub(self.size_bytes());
        if missing == 0 || self.is_reserved.load(Ordering::Relaxed) {
            return Ok(());
        }
        let file = self.file()?;
        match disk.allocate(file, self.size_bytes(), missing, Allocation::KeepSize).await {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            outcome => outcome.context("allocate", file.path())?,
        }
        self.is_reserved.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sees to it that the next `bytes` overwrite zeros: the sync behind them then has no new size and no new blocks to put through
    /// the file system's journal (engine/decisions/0005). Long appends gain nothing by it, and where it fails they go without.
    pub(crate) async fn prewrite(&self, disk: &Disk, bytes: u64, segment_bytes: u64) -> Result<(), LogError> {
        let (end, zeros_end) = (self.size_bytes(), self.zeros_end.load(Ordering::Relaxed));
        let wanted_end = (end + PREWRITTEN_BYTES).min(segment_bytes);
        if bytes > PREWRITTEN_BYTES / 8 || end + bytes <= zeros_end || end + bytes > wanted_end {
            return Ok(());
        }
        let (file, start) = (self.file()?, zeros_end.max(end));
        let mut zeros = vec![Bytes::from_static(ZEROS); ((wanted_end - start) / ZEROS.len() as u64) as usize];
        zeros.push(Bytes::from_static(&ZEROS[..((wanted_end - start) % ZEROS.len() as u64) as usize]));
        self.zeros_end.store(wanted_end, Ordering::Relaxed);
        match disk.write_all_at(file, zeros, start).await {
            Ok(_) => Ok(()),
            Err(_) => self.cut_off(disk),
        }
    }

    /// Takes off what [`Self::reserve`] and [`Self::prewrite`] have put behind the end; says whether the file's size changed.
    pub(crate) fn give_back(&self, disk: &Disk) -> Result<bool, LogError> {
        let has_zeros = self.zeros_end.load(Ordering::Relaxed) > self.size_bytes();
        if has_zeros || self.is_reserved.load(Ordering::Relaxed) {
            self.cut_off(disk)?;
        }
        Ok(has_zeros)
    }

    /// Takes off whatever lies behind the end, where nobody reads.
    pub(crate) fn cut_off(&self, disk: &Disk) -> Result<(), LogError> {
        self.zeros_end.store(0, Ordering::Relaxed);
        self.is_reserved.store(false, Ordering::Relaxed);
        let file = self.file()?;
        disk.truncate(file, self.size_bytes()).context("truncate", file.path())
    }

    /// The headers from `position` on.
    pub(crate) fn headers(&self, position: u64) -> Result<HeaderWalk<'_>, LogError> {
        Ok(HeaderWalk::new(self.file()?, position, self.size_bytes()))
    }

    /// The first batch that ends at or after `offset`: where it begins and its header. `None` when the segment ends before.
    pub(crate) fn find(&self, offset: i64) -> Result<Option<(u64, BatchHeader)>, LogError> {
        let found = self.find_by(&self.indexes()?.offsets, offset)?;
        match found {
            Lookup::Batch(position, header) => Ok(Some((position, header))),
            Lookup::End => Ok(None),
            Lookup::WrongIndex => {
                self.rebuild_indexes("an entry does not point to a batch")?;
                self.find(offset)
            }
        }
    }

    fn find_by(&self, index: &OffsetIndex, offset: i64) -> Result<Lookup, LogError> {
        let relative = offset.saturating_sub(self.base_offset).clamp(0, i64::from(u32::MAX)) as u32;
        let entry = index.at_or_before(relative);
        let mut headers = self.headers(entry.map_or(0, |entry| u64::from(entry.position)))?;
        if let Some(entry) = entry {
            match headers.next() {
                Ok(Some((position, header))) if header.last_offset() == self.offset(entry.relative_offset) => {
                    if header.last_offset() >= offset {
                        return Ok(Lookup::Batch(position, header));
                    }
                }
                Ok(_) | Err(LogError::Corrupt { .. }) => return Ok(Lookup::WrongIndex),
                Err(error) => return Err(error),
            }
        }
        while let Some((position, header)) = headers.next()? {
            if header.last_offset() >= offset {
                return Ok(Lookup::Batch(position, header));
            }
        }
        Ok(Lookup::End)
    }

    /// Whether the last entry of the time index, which the largest timestamp is taken from, is there and agrees with the log.
    pub(crate) fn last_time_is_true(&self) -> Result<bool, LogError> {
        let indexes = self.indexes()?;
        Ok(indexes.times.len() > 0 && self.time_is_true(&indexes.offsets, indexes.times.last())?)
    }

    fn time_is_true(&self, offsets: &OffsetIndex, entry: Option<TimeEntry>) -> Result<bool, LogError> {
        let Some(entry) = entry else { return Ok(true) };
        let offset = self.offset(entry.relative_offset);
        Ok(match self.find_by(offsets, offset)? {
            Lookup::Batch(_, header) => header.base_offset <= offset && header.max_timestamp == entry.timestamp,
            Lookup::End | Lookup::WrongIndex => false,
        })
    }

    /// Where to begin the search for timestamps of `timestamp_ms` or later: all batches before are older.
    pub(crate) fn position_before_timestamp(&self, timestamp_ms: i64) -> Result<u64, LogError> {
        let indexes = self.indexes()?;
        let entry = indexes.times.before(timestamp_ms);
        let batch = entry.and_then(|entry| indexes.offsets.at_or_before(entry.relative_offset));
        Ok(batch.map_or(0, |batch| u64::from(batch.position)))
    }

    /// The last place at or before `position` where a batch is known to begin.
    pub(crate) fn batch_start_at_or_before(&self, position: u64) -> Result<Option<u64>, LogError> {
        Ok(self.indexes()?.offsets.batch_start_at_or_before(position))
    }

    /// The largest timestamp of the segment; `None` when it has no records, or none with a timestamp.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<Timestamped>, LogError> {
        drop(self.indexes()?);
        Ok(self.state().largest)
    }

    /// Max timestamp of the first batch.
    pub(crate) fn first_timestamp_ms(&self) -> Option<i64> {
        self.state().first_timestamp_ms
    }

    /// Takes batches that were appended to the file into the indexes, each at its position.
    pub(crate) fn index<'a>(&self, batches: impl Iterator<Item = (u64, &'a BatchHeader)>, interval_bytes: u64) {
        let mut state = self.state_mut();
        for (position, header) in batches {
            self.index_one(&mut state, position, header, interval_bytes);
        }
    }

    fn index_one(&self, state: &mut State, position: u64, header: &BatchHeader, interval_bytes: u64) {
        let last_offset = header.last_offset();
        if header.max_timestamp > state.largest.map_or(-1, |largest| largest.timestamp_ms) {
            state.largest = Some(Timestamped { timestamp_ms: header.max_timestamp, last_offset });
        }
        state.first_timestamp_ms.get_or_insert(header.max_timestamp);
        if state.bytes_since_entry > interval_bytes
            && let (Ok(relative_offset), Ok(position)) = (self.relative(last_offset), u32::try_from(position))
        {
            let largest = state.largest;
            if let Some(indexes) = &mut state.indexes {
                indexes.offsets.push(OffsetEntry { relative_offset, position });
                self.index_time(indexes, largest);
            }
            state.bytes_since_entry = 0;
        }
        state.bytes_since_entry += header.size_bytes() as u64;
    }

    fn index_time(&self, indexes: &mut Indexes, largest: Option<Timestamped>) {
        if let Some(largest) = largest
            && let Ok(relative_offset) = self.relative(largest.last_offset)
        {
            indexes.times.push(TimeEntry { timestamp: largest.timestamp_ms, relative_offset });
        }
    }

    /// Whether the offset index, in memory or mapped, has an entry.
    pub(crate) fn has_index_entries(&self) -> bool {
        self.state().indexes.as_ref().is_some_and(|indexes| indexes.offsets.len() > 0)
    }

    /// The last index entry that points to a batch with the right offset, after dropping those that do not: position and
    /// header of that batch.
    pub(crate) fn last_true_entry(&self) -> Result<Option<(u64, BatchHeader)>, LogError> {
        loop {
            let Some(entry) = self.indexes()?.offsets.last() else { return Ok(None) };
            let batch = self.headers(u64::from(entry.position))?.next();
            match batch {
                Ok(Some((position, header))) if header.last_offset() == self.offset(entry.relative_offset) => {
                    return Ok(Some((position, header)));
                }
                Err(error @ LogError::Io { .. }) => return Err(error),
                _ => {
                    let mut state = self.state_mut();
                    if let Some(indexes) = &mut state.indexes {
                        indexes.offsets.truncate_where(|known| known.position < entry.position);
                    }
                }
            }
        }
    }

    /// Forgets time index entries that point past `last_offset`: the log lacks what they speak of.
    pub(crate) fn forget_times_after(&self, last_offset: i64) {
        let mut state = self.state_mut();
        let largest = state.indexes.as_mut().and_then(|indexes| {
            indexes.times.truncate_where(|entry| self.offset(entry.relative_offset) <= last_offset);
            indexes.times.last()
        });
        state.largest = largest.map(|entry| self.timestamped(entry));
    }

    /// Takes the indexed prefix for what precedes the batches that are indexed next.
    pub(crate) fn begin_indexing_at(&self, first_timestamp_ms: Option<i64>, bytes_since_entry: u64) {
        let mut state = self.state_mut();
        state.first_timestamp_ms = first_timestamp_ms;
        state.bytes_since_entry = bytes_since_entry;
    }

    /// Empties the indexes, in memory; the files follow with the next [`Self::persist_indexes`].
    pub(crate) fn clear_indexes(&self) {
        *self.state_mut() = State { indexes: Some(Indexes::default()), ..State::default() };
    }

    /// Makes the indexes anew from the log, in memory: one walk over the headers.
    pub(crate) fn reindex(&self, interval_bytes: u64) -> Result<(), LogError> {
        self.clear_indexes();
        let mut headers = self.headers(0)?;
        let mut state = self.state_mut();
        while let Some((position, header)) = headers.next()? {
            self.index_one(&mut state, position, &header, interval_bytes);
        }
        Ok(())
    }

    /// The same for an index file that turned out to be unusable.
    fn rebuild_indexes(&self, reason: &str) -> Result<(), LogError> {
        tracing::warn!(segment = %self.path(LOG).display(), reason, "rebuilding the indexes");
        self.reindex(LogConfig::default().index_interval_bytes)
    }

    /// Whether an index has reached `limit_bytes`, one entry less for the last timestamp.
    pub(crate) fn index_is_full(&self, limit_bytes: u64) -> bool {
        let state = self.state();
        state.indexes.as_ref().is_some_and(|indexes| {
            indexes.offsets.size_bytes() + OffsetEntry::BYTES as u64 > limit_bytes
                || indexes.times.size_bytes() + 2 * TimeEntry::BYTES as u64 > limit_bytes
        })
    }

    /// Whether `offset` can be expressed relative to the base.
    pub(crate) fn can_hold(&self, offset: i64) -> bool {
        offset.checked_sub(self.base_offset).is_some_and(|relative| (0..=i64::from(i32::MAX)).contains(&relative))
    }

    /// Adds the last time entry, which makes the largest timestamp known without reading the log.
    pub(crate) fn finish_time_index(&self) {
        let mut state = self.state_mut();
        let largest = state.largest;
        if let Some(indexes) = &mut state.indexes {
            self.index_time(indexes, largest);
        }
    }

    /// Appends to the index files the entries that they lack. In the page cache on return: indexes are derived.
    ///
    /// The times go first: recovery drops those that are ahead of the offsets, but could not know that one is missing.
    pub(crate) async fn persist_indexes(&self, disk: &Disk) -> Result<(), LogError> {
        let (offsets, times) = match &self.state().indexes {
            Some(indexes) => (indexes.offsets.unpersisted(), indexes.times.unpersisted()),
            None => return Ok(()),
        };
        if let Some(times) = times {
            let end = persist(disk, &self.path(TIME_INDEX), times).await?;
            self.state_mut().indexes.iter_mut().for_each(|indexes| indexes.times.mark_persisted(end));
        }
        if let Some(offsets) = offsets {
            let end = persist(disk, &self.path(INDEX), offsets).await?;
            self.state_mut().indexes.iter_mut().for_each(|indexes| indexes.offsets.mark_persisted(end));
        }
        Ok(())
    }

    /// Removes the index files before the log is changed under them: an entry that was true of what stood there before might
    /// look true of what comes to stand there. Whoever opens the segment in between makes them anew.
    pub(crate) fn remove_index_files(&self, disk: &Disk) -> Result<(), LogError> {
        for suffix in [INDEX, TIME_INDEX] {
            let path = self.path(suffix);
            if path.exists() {
                disk.remove_file(&path).context("remove", &path)?;
            }
        }
        Ok(())
    }

    /// Makes the index files of a closed segment durable. One that retention has removed in the meantime needs nothing.
    pub(crate) async fn sync_index_files(&self, disk: &Disk) -> Result<(), LogError> {
        for suffix in [TIME_INDEX, INDEX] {
            let path = self.path(suffix);
            match disk.open_file(&path, Mode::Read) {
                Ok(file) => disk.sync_data(&file).await.context("sync", &path)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(LogError::io("open", &path, error)),
            }
        }
        Ok(())
    }

    /// Drops the indexes of a segment that has just been closed from memory; they are mapped when they are needed.
    pub(crate) fn unload_indexes(&self) {
        self.state_mut().indexes = None;
    }

    /// The indexes, mapped first if they are not there.
    fn indexes(&self) -> Result<IndexGuard<'_>, LogError> {
        loop {
            let state = self.state();
            if state.indexes.is_some() {
                return Ok(IndexGuard(state));
            }
            drop(state);
            self.load_indexes()?;
        }
    }

    fn load_indexes(&self) -> Result<(), LogError> {
        let offsets = map::<OffsetEntry>(&self.path(INDEX))?;
        let times = map::<TimeEntry>(&self.path(TIME_INDEX))?;
        let (Some(offsets), Some(times)) = (offsets, times) else {
            return self.rebuild_indexes("an index is missing or has a wrong size");
        };
        if let Some(last) = offsets.last()
            && !matches!(self.find_by(&offsets, self.offset(last.relative_offset))?, Lookup::Batch(..))
        {
            return self.rebuild_indexes("the offset index does not point to a batch");
        }
        if !self.time_is_true(&offsets, times.last())? {
            return self.rebuild_indexes("the time index contradicts the log");
        }
        if times.len() == 0 && self.size_bytes() > 0 {
            return self.rebuild_indexes("the time index is empty");
        }
        let largest = times.last().map(|entry| self.timestamped(entry));
        let mut state = self.state_mut();
        if state.indexes.is_none() {
            state.indexes = Some(Indexes { offsets, times });
            state.largest = largest;
        }
        Ok(())
    }

    fn timestamped(&self, entry: TimeEntry) -> Timestamped {
        Timestamped { timestamp_ms: entry.timestamp, last_offset: self.offset(entry.relative_offset) }
    }

    fn relative(&self, offset: i64) -> Result<u32, std::num::TryFromIntError> {
        u32::try_from(offset.saturating_sub(self.base_offset))
    }

    fn offset(&self, relative: u32) -> i64 {
        self.base_offset.saturating_add(i64::from(relative))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Indexes that are there for as long as the guard is.
struct IndexGuard<'a>(RwLockReadGuard<'a, State>);

impl std::ops::Deref for IndexGuard<'_> {
    type Target = Indexes;

    fn deref(&self) -> &Indexes {
        static NONE: OnceLock<Indexes> = OnceLock::new();
        self.0.indexes.as_ref().unwrap_or_else(|| NONE.get_or_init(Indexes::default))
    }
}

/// Replaces a derived file: readers see the old or the new one, whole. Not synced: after a power cut it may be anything, which
/// its reader notices.
pub(crate) async fn write_derived(disk: &Disk, path: &Path, content: Vec<u8>) -> Result<(), LogError> {
    let temporary = with_suffix(path, "tmp");
    let file = disk.open_file(&temporary, Mode::Create).context("create", &temporary)?;
    if !file.is_empty().context("stat", &temporary)? {
        disk.truncate(&file, 0).context("truncate", &temporary)?;
    }
    disk.write_all_at(&file, vec![Bytes::from(content)], 0).await.context("write", &temporary)?;
    disk.rename(&temporary, path).context("rename", &temporary)
}

fn create_empty(disk: &Disk, path: &Path) -> Result<Arc<File>, LogError> {
    let file = disk.open_file(path, Mode::Create).context("create", path)?;
    if !file.is_empty().context("stat", path)? {
        disk.truncate(&file, 0).context("truncate", path)?;
    }
    Ok(file)
}

/// The file's bytes; none without a file.
pub(crate) fn read_or_empty(path: &Path) -> Result<Vec<u8>, LogError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.context("read", path),
    }
}

/// Writes an index's new entries at the end of those that the file has; returns where they end.
async fn persist(disk: &Disk, path: &Path, Unpersisted { position, bytes }: Unpersisted) -> Result<u64, LogError> {
    let end = position + bytes.len() as u64;
    let file = disk.open_file(path, Mode::Create).context("create", path)?;
    if file.len().context("stat", path)? > position {
        disk.truncate(&file, position).context("truncate", path)?;
    }
    if !bytes.is_empty() {
        disk.write_all_at(&file, vec![Bytes::from(bytes)], position).await.context("write", path)?;
    }
    Ok(end)
}

fn map<E: Entry>(path: &Path) -> Result<Option<SparseIndex<E>>, LogError> {
    match Disk::syscall().open_file(path, Mode::Read) {
        Ok(file) => Ok(SparseIndex::mapped(Map::of(&file).context("map", path)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("open", path, error)),
    }
}
