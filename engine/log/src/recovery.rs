//! Opening a log: what a stop of any kind can have left, and what is done about it.
//!
//! | found | done | [`RecoveryCase`] |
//! |---|---|---|
//! | no directory, or an empty one | an empty segment is made | – |
//! | clean shutdown, headers agree to the end | trusted | – |
//! | clean shutdown, headers do not agree | scanned; anything but allocated zeros is corruption | `ZeroTail` |
//! | the process died | CRCs from the last stored index entry on are checked | `Scanned` |
//! | the host died | CRCs from the recovery point on are checked, indexes made anew | `Scanned` |
//! | half a batch at the end | truncated | `TornTail` |
//! | zeros to the end | truncated | `ZeroTail` |
//! | the host died; zero sectors, then good batches, beyond the recovery point | truncated, later segments deleted | `LostWriteBack` |
//! | the host died; a closed segment ends early beyond the recovery point | later segments deleted | `LostWriteBack` |
//! | a bad batch, then a good one | refused: [`LogError::Corrupt`] | – |
//! | recovery point beyond the end | the end is the recovery point | `RecoveryPointBeyondEnd` |
//! | log start beyond the end | an empty segment is made there | `LogStartBeyondEnd` |
//! | an index of the active segment is missing, short, or wrong | made anew from the log | `IndexRebuilt` |
//! | an index of a closed segment is | made anew from the log when it is first used | – |
//! | no usable snapshot | producers made anew from the headers | `ProducersRebuilt` |
//! | no usable epoch checkpoint | epochs made anew from the headers | `EpochsRebuilt` |
//! | `.deleted`, `.cleaned`, `.tmp` | removed | `LeftoverRemoved` |
//! | `.swap` of a compaction | put in place of the segments that it covers | `SwapCompleted` |

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ringlog_io::Disk;
use ringlog_record::BatchHeader;

use crate::{
    Durability, Log, LogConfig, LogError, Shutdown, TopicPartition,
    appender::{INDEX_FLUSH_BYTES, Writer},
    error::IoContext,
    leader_epochs::LeaderEpochs,
    leftovers::{self, Listing},
    log::{EPOCHS_FILE, Recovered, high_watermark_mode},
    offsets::{Boundary, Offsets},
    producer_replay::producers_at,
    scan::{Scan, Tail},
    segment::{self, INDEX, LOG, Segment, TIME_INDEX, TXN_INDEX},
    segments::Segments,
};

/// What recovery may trust; [`LogDir::recovery_for`](crate::LogDir::recovery_for) knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// How the last user ended.
    pub shutdown: Shutdown,
    /// From the checkpoint: everything below was synced.
    pub recovery_point: Option<i64>,
    /// From the checkpoint.
    pub log_start: Option<i64>,
    /// From the checkpoint: everything below was compacted.
    pub cleaned_to: Option<i64>,
}

/// One thing that recovery met and did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryCase {
    /// Batches were read and their CRCs checked.
    Scanned {
        /// The segment.
        path: PathBuf,
        /// Bytes read.
        bytes: u64,
    },
    /// A write that had been cut off was removed.
    TornTail {
        /// The segment.
        path: PathBuf,
        /// Where it ends now.
        position: u64,
        /// Bytes removed.
        bytes: u64,
        /// What was wrong there.
        reason: String,
    },
    /// Space that had been allocated and not written was given back.
    ZeroTail {
        /// The segment.
        path: PathBuf,
        /// Where it ends now.
        position: u64,
        /// Zeros removed.
        bytes: u64,
    },
    /// The host died before unsynced bytes had got to the device in order: what followed the gap was removed.
    LostWriteBack {
        /// The segment.
        path: PathBuf,
        /// Where it ends now.
        position: u64,
        /// Bytes removed, later segments included.
        bytes: u64,
    },
    /// An index was made anew.
    IndexRebuilt {
        /// The segment.
        path: PathBuf,
    },
    /// The producers' state was made anew from the headers of the whole log.
    ProducersRebuilt,
    /// Leader epochs were made anew from the headers of the whole log.
    EpochsRebuilt,
    /// A file without use was removed.
    LeftoverRemoved {
        /// The file.
        path: PathBuf,
    },
    /// A compaction that had been cut off was finished.
    SwapCompleted {
        /// The segment that took the place of others.
        path: PathBuf,
    },
    /// The checkpoint spoke of offsets that the log does not have.
    RecoveryPointBeyondEnd {
        /// From the checkpoint.
        recovery_point: i64,
        /// The log's end.
        log_end: i64,
    },
    /// The whole log lay before its start: it is empty, and begins there.
    LogStartBeyondEnd {
        /// From the checkpoint.
        log_start: i64,
        /// The log's end.
        log_end: i64,
    },
}

impl fmt::Display for RecoveryCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scanned { path, bytes } => write!(f, "{}: checked {bytes} bytes", path.display()),
            Self::TornTail { path, position, bytes, reason } => {
                write!(f, "{}: removed {bytes} bytes of a write cut off at {position} ({reason})", path.display())
            }
            Self::ZeroTail { path, position, bytes } => {
                write!(f, "{}: removed {bytes} allocated zeros behind {position}", path.display())
            }
            Self::LostWriteBack { path, position, bytes } => {
                write!(f, "{}: removed {bytes} unsynced bytes behind a gap at {position}", path.display())
            }
            Self::IndexRebuilt { path } => write!(f, "{}: rebuilt the indexes", path.display()),
            Self::ProducersRebuilt => f.write_str("rebuilt the producers' state from the whole log"),
            Self::EpochsRebuilt => f.write_str("rebuilt the leader epochs from the whole log"),
            Self::LeftoverRemoved { path } => write!(f, "{}: removed, it has no use", path.display()),
            Self::SwapCompleted { path } => write!(f, "{}: finished a compaction", path.display()),
            Self::RecoveryPointBeyondEnd { recovery_point, log_end } => {
                write!(f, "the recovery point {recovery_point} is beyond the log end {log_end}")
            }
            Self::LogStartBeyondEnd { log_start, log_end } => {
                write!(f, "the log start {log_start} is beyond the log end {log_end}: the log is empty")
            }
        }
    }
}

impl RecoveryCase {
    /// Whether bytes of batches are gone.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        matches!(self, Self::TornTail { .. } | Self::LostWriteBack { .. })
    }
}

/// What opening a log met, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The cases; none when everything was as a clean shutdown leaves it.
    pub cases: Vec<RecoveryCase>,
}

impl Log {
    /// Opens the log in `dir`, which is made when it is missing, and repairs what its last user's end left. Reads in the
    /// calling thread. At the fsync level everything is synced before it is served.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when acknowledged batches are damaged: nothing is changed then; [`LogError::BadDirectory`],
    /// [`LogError::Io`], [`LogError::DiskFull`].
    pub async fn open(
        disk: &Disk,
        dir: impl AsRef<Path>,
        name: TopicPartition,
        config: LogConfig,
        recovery: &Recovery,
    ) -> Result<(Arc<Log>, RecoveryReport), LogError> {
        let dir = dir.as_ref();
        let mut opening = Opening { disk, dir, config: &config, recovery, cases: Vec::new(), is_new: false };
        let recovered = opening.recover().await?;
        let (cases, is_new) = (opening.cases, opening.is_new);
        for case in &cases {
            match case.loses_data() {
                true => tracing::warn!(log = %name, "{case}"),
                false => tracing::debug!(log = %name, "{case}"),
            }
        }
        let epochs_changed = cases.contains(&RecoveryCase::EpochsRebuilt);
        let synced = recovered.offsets.synced().offset;
        let is_synced = synced == recovered.offsets.log_end().offset;
        let log = Arc::new(Log::new(name, dir, config, recovered));
        let unsynced = log.segments();
        let unsynced = unsynced.at_and_after(synced).filter(|_| !is_synced).cloned();
        log.note_files(unsynced, is_new || !is_synced);
        log.epochs_changed.store(epochs_changed, std::sync::atomic::Ordering::Relaxed);
        if log.config().durability() == Durability::Fsync {
            log.flush(disk).await?;
        }
        Ok((log, RecoveryReport { cases }))
    }
}

struct Opening<'a> {
    disk: &'a Disk,
    dir: &'a Path,
    config: &'a LogConfig,
    recovery: &'a Recovery,
    cases: Vec<RecoveryCase>,
    is_new: bool,
}

/// What follows a segment that is scanned.
#[derive(Clone, Copy)]
enum Behind {
    Nothing,
    Segments,
}

/// The log up to here is good; what follows is gone.
struct Cut {
    next_offset: i64,
    is_cut: bool,
}

impl Opening<'_> {
    async fn recover(&mut self) -> Result<Recovered, LogError> {
        let listing = self.list()?;
        let mut epochs = self.read_epochs()?;
        let (segments, end_offset) = match listing.logs.split_last() {
            None => {
                let base_offset = self.recovery.log_start.unwrap_or(0);
                self.is_new = true;
                let active = Arc::new(Segment::create(self.disk, self.dir, base_offset)?);
                (Segments::new(Vec::new(), active), base_offset)
            }
            Some((last, closed)) => self.recover_segments(last, closed, &mut epochs).await?,
        };
        let (segments, end_offset) = self.apply_log_start(segments, end_offset)?;
        let active = segments.active();
        let log_end = Boundary { offset: end_offset, segment: active.base_offset(), position: active.size_bytes() };
        let log_start = self.recovery.log_start.unwrap_or(0).max(segments.first().base_offset()).min(end_offset);
        let synced = self.synced(&segments, log_end)?;
        let (producers, snapshot) =
            producers_at(self.disk, self.dir, &listing.snapshots, &segments, end_offset, &mut self.cases)?;
        let mut epochs = match epochs {
            Some(epochs) => epochs,
            None => self.rebuild_epochs(&segments)?,
        };
        epochs.truncate_to(end_offset);
        let mut offsets = Offsets::new(log_start, synced, log_end, high_watermark_mode(self.config));
        offsets.appended(log_end, producers.first_open_transaction());
        let size_bytes = active.size_bytes();
        let writer = Writer { indexed_bytes: size_bytes, snapshot_bytes: size_bytes, snapshot };
        let cleaned_to = self.recovery.cleaned_to.unwrap_or(0).min(end_offset);
        Ok(Recovered { segments, offsets, producers, epochs, writer, cleaned_to })
    }

    /// The directory's files, once what a crash left half-done is finished or removed.
    fn list(&mut self) -> Result<Listing, LogError> {
        self.disk.create_dir_all(self.dir).context("create", self.dir)?;
        let listing = Listing::of(self.dir)?;
        if listing.is_settled() {
            return Ok(listing);
        }
        leftovers::settle(self.disk, self.dir, &listing, &mut self.cases)?;
        Listing::of(self.dir)
    }

    async fn recover_segments(
        &mut self,
        last: &(i64, u64),
        closed: &[(i64, u64)],
        epochs: &mut Option<LeaderEpochs>,
    ) -> Result<(Segments, i64), LogError> {
        let mut good: Vec<Arc<Segment>> = Vec::new();
        if self.recovery.shutdown == Shutdown::HostDied {
            let recovery_point = self.recovery.recovery_point.unwrap_or(0);
            let all = || closed.iter().chain([last]);
            let next_bases = all().map(|(base, _)| *base).skip(1).chain([i64::MAX]);
            for (&(base, size), next_base) in all().zip(next_bases) {
                if next_base <= recovery_point {
                    good.push(Arc::new(Segment::closed(self.dir, base, size)));
                    continue;
                }
                let segment = Segment::open_active(self.disk, self.dir, base)?;
                let cut = self.scan_unsynced(&segment, recovery_point, next_base, epochs)?;
                let is_active = cut.is_cut || next_base == i64::MAX;
                if !is_active {
                    segment.finish_time_index();
                }
                segment.persist_indexes(self.disk).await?;
                let segment = Arc::new(segment);
                if is_active {
                    self.remove_segments(&all().filter(|(other, _)| *other > base).copied().collect::<Vec<_>>())?;
                    return Ok((Segments::new(good, segment), cut.next_offset));
                }
                good.push(segment);
            }
        }
        good = closed.iter().map(|&(base, size)| Arc::new(Segment::closed(self.dir, base, size))).collect();
        let active = Segment::open_active(self.disk, self.dir, last.0)?;
        let end = self.recover_active(&active, epochs)?;
        active.persist_indexes(self.disk).await?;
        Ok((Segments::new(good, Arc::new(active)), end))
    }

    /// The active segment of a process that ended: complete but for its last write.
    fn recover_active(&mut self, active: &Segment, epochs: &mut Option<LeaderEpochs>) -> Result<i64, LogError> {
        let size_bytes = active.size_bytes();
        let had_entries = active.has_index_entries();
        let indexed = active.last_true_entry()?;
        let (mut position, mut next_offset, mut since_entry) = (0, active.base_offset(), 0);
        if let Some((start, header)) = indexed {
            since_entry = header.size_bytes() as u64;
            (position, next_offset) = (start + since_entry, header.next_offset());
            active.forget_times_after(header.last_offset());
        }
        if position == 0 || !active.last_time_is_true()? {
            if had_entries || size_bytes > INDEX_FLUSH_BYTES {
                self.cases.push(RecoveryCase::IndexRebuilt { path: active.path(LOG) });
            }
            active.clear_indexes();
            (position, next_offset, since_entry) = (0, active.base_offset(), 0);
        }
        let first = if position > 0 { active.headers(0)?.next()? } else { None };
        active.begin_indexing_at(first.map(|(_, header)| header.max_timestamp), since_entry);
        if self.recovery.shutdown == Shutdown::Clean
            && let Some(end) = self.walk_trusted(active, position, next_offset, epochs)?
        {
            return Ok(end);
        }
        let file = active.file()?;
        let scan = Scan::new(file, position, size_bytes, next_offset);
        let cut = self.scan(active, scan, next_offset, epochs, Behind::Nothing)?;
        Ok(cut.next_offset)
    }

    /// Follows the headers to the end; `None` when they do not lead there.
    fn walk_trusted(
        &self,
        active: &Segment,
        position: u64,
        mut next_offset: i64,
        epochs: &mut Option<LeaderEpochs>,
    ) -> Result<Option<i64>, LogError> {
        let mut headers = active.headers(position)?;
        let mut walked = Vec::new();
        loop {
            match headers.next() {
                Ok(Some((_, header))) if header.base_offset < next_offset => return Ok(None),
                Ok(Some(batch)) => {
                    next_offset = batch.1.next_offset();
                    walked.push(batch);
                }
                Ok(None) => break,
                Err(LogError::Corrupt { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        active.index(walked.iter().map(|(position, header)| (*position, header)), self.config.index_interval_bytes);
        for (_, header) in &walked {
            note_epoch(epochs, header);
        }
        Ok(Some(next_offset))
    }

    /// A segment that may have lost unsynced bytes: headers up to the recovery point, then CRCs.
    fn scan_unsynced(
        &mut self,
        segment: &Segment,
        recovery_point: i64,
        next_base: i64,
        epochs: &mut Option<LeaderEpochs>,
    ) -> Result<Cut, LogError> {
        segment.clear_indexes();
        let mut headers = segment.headers(0)?;
        let (mut position, mut next_offset) = (0, segment.base_offset());
        while next_offset < recovery_point {
            let Some((start, header)) = headers.next()? else { break };
            segment.index([(start, &header)].into_iter(), self.config.index_interval_bytes);
            (position, next_offset) = (start + header.size_bytes() as u64, header.next_offset());
        }
        if let Some(epochs) = epochs {
            epochs.truncate_to(next_offset.max(recovery_point));
        }
        let file = segment.file()?;
        let scan = Scan::new(file, position, segment.size_bytes(), next_offset);
        let behind = if next_base == i64::MAX { Behind::Nothing } else { Behind::Segments };
        let mut cut = self.scan(segment, scan, next_offset, epochs, behind)?;
        if !cut.is_cut && next_base != i64::MAX && cut.next_offset < next_base && !self.config.cleanup_compact {
            let (path, position) = (segment.path(LOG), segment.size_bytes());
            self.cases.push(RecoveryCase::LostWriteBack { path, position, bytes: 0 });
            cut.is_cut = true;
        }
        Ok(cut)
    }

    /// Takes good batches into indexes and epochs, and cuts off what follows them if that is harmless.
    fn scan(
        &mut self,
        segment: &Segment,
        mut scan: Scan<'_>,
        mut next_offset: i64,
        epochs: &mut Option<LeaderEpochs>,
        behind: Behind,
    ) -> Result<Cut, LogError> {
        let path = segment.path(LOG);
        let start = scan.position();
        let tail = loop {
            match scan.next()? {
                Ok((position, header)) => {
                    segment.index([(position, &header)].into_iter(), self.config.index_interval_bytes);
                    note_epoch(epochs, &header);
                    next_offset = header.next_offset();
                }
                Err(tail) => break tail,
            }
        };
        let (position, size_bytes) = (scan.position(), segment.size_bytes());
        if position > start {
            self.cases.push(RecoveryCase::Scanned { path: path.clone(), bytes: position - start });
        }
        let bytes = size_bytes - position;
        let shutdown = self.recovery.shutdown;
        let corrupt = |reason: String| LogError::Corrupt { path: path.clone(), position, reason };
        let case = match (tail, behind) {
            (Tail::Clean, _) => return Ok(Cut { next_offset, is_cut: false }),
            (Tail::Zeros, Behind::Nothing) => RecoveryCase::ZeroTail { path, position, bytes },
            (Tail::Zeros | Tail::Holes { .. }, _) if shutdown == Shutdown::HostDied => {
                RecoveryCase::LostWriteBack { path, position, bytes }
            }
            (Tail::Torn { reason }, Behind::Nothing) if shutdown != Shutdown::Clean => {
                RecoveryCase::TornTail { path, position, bytes, reason }
            }
            (Tail::Torn { reason }, _) => return Err(corrupt(reason)),
            (Tail::Zeros, Behind::Segments) => return Err(corrupt("zeros, and later segments follow".into())),
            (Tail::Holes { next_good }, _) => {
                return Err(corrupt(format!("zeros, and a good batch follows at {next_good}")));
            }
            (Tail::Corrupt { next_good, reason }, _) => {
                return Err(corrupt(format!("{reason}; a good batch follows at {next_good}")));
            }
        };
        self.disk.truncate(segment.file()?, position).context("truncate", &segment.path(LOG))?;
        segment.set_size_bytes(position);
        self.cases.push(case);
        Ok(Cut { next_offset, is_cut: true })
    }

    fn remove_segments(&mut self, gone: &[(i64, u64)]) -> Result<(), LogError> {
        for &(base_offset, bytes) in gone.iter().rev() {
            for suffix in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
                let path = segment::file_path(self.dir, base_offset, suffix);
                if suffix == LOG || path.exists() {
                    self.disk.remove_file(&path).context("remove", &path)?;
                }
            }
            let path = segment::file_path(self.dir, base_offset, LOG);
            self.cases.push(RecoveryCase::LostWriteBack { path, position: 0, bytes });
        }
        Ok(())
    }

    /// When the log start lies behind the end, what is there is not to be served any more.
    fn apply_log_start(&mut self, segments: Segments, end_offset: i64) -> Result<(Segments, i64), LogError> {
        let Some(log_start) = self.recovery.log_start.filter(|&log_start| log_start > end_offset) else {
            return Ok((segments, end_offset));
        };
        self.cases.push(RecoveryCase::LogStartBeyondEnd { log_start, log_end: end_offset });
        let active = Arc::new(Segment::create(self.disk, self.dir, log_start)?);
        for segment in segments.iter() {
            for suffix in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
                let path = segment.path(suffix);
                if suffix == LOG || path.exists() {
                    self.disk.remove_file(&path).context("remove", &path)?;
                }
            }
        }
        Ok((Segments::new(Vec::new(), active), log_start))
    }

    fn synced(&mut self, segments: &Segments, log_end: Boundary) -> Result<Boundary, LogError> {
        let end_offset = log_end.offset;
        let recovery_point = match (self.recovery.shutdown, self.recovery.recovery_point) {
            (Shutdown::Clean, None) => end_offset,
            (_, None) => segments.first().base_offset(),
            (_, Some(recovery_point)) => recovery_point,
        };
        if recovery_point > end_offset {
            self.cases.push(RecoveryCase::RecoveryPointBeyondEnd { recovery_point, log_end: end_offset });
        }
        if recovery_point >= end_offset {
            return Ok(log_end);
        }
        // Its place in the file is not needed before the next sync moves it.
        let offset = recovery_point.max(segments.first().base_offset()).min(end_offset);
        let segment = segments.at_and_after(offset).next().map_or(0, |segment| segment.base_offset());
        Ok(Boundary { offset, segment, position: 0 })
    }

    fn read_epochs(&self) -> Result<Option<LeaderEpochs>, LogError> {
        let bytes = segment::read_or_empty(&self.dir.join(EPOCHS_FILE))?;
        Ok(std::str::from_utf8(&bytes).ok().and_then(LeaderEpochs::decode))
    }

    fn rebuild_epochs(&mut self, segments: &Segments) -> Result<LeaderEpochs, LogError> {
        let mut epochs = LeaderEpochs::default();
        for segment in segments.iter().filter(|segment| segment.size_bytes() > 0) {
            let mut headers = segment.headers(0)?;
            while let Some((_, header)) = headers.next()? {
                epochs.assign(header.partition_leader_epoch, header.base_offset);
            }
        }
        if epochs.latest() >= 0 {
            self.cases.push(RecoveryCase::EpochsRebuilt);
        }
        Ok(epochs)
    }
}

fn note_epoch(epochs: &mut Option<LeaderEpochs>, header: &BatchHeader) {
    if let Some(epochs) = epochs {
        epochs.assign(header.partition_leader_epoch, header.base_offset);
    }
}
