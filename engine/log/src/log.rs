//! The log of one partition: what its parts share, and what is asked of it as a whole.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering},
    },
};

use ringlog_io::Disk;

use crate::{
    Durability, LogConfig, LogError, Producer, TopicPartition, Waiter,
    appender::{Queue, Writer},
    leader_epochs::LeaderEpochs,
    offsets::{HighWatermarkMode, Offsets},
    producer_state::Producers,
    retention::Doomed,
    segment::write_derived,
    segments::Segments,
    syncer::Unsynced,
    waiter::Waiters,
};

/// The log of one partition. Any thread may append to it and read it.
///
/// Locks are held for a few instructions each; only `writer`, which belongs to whoever changes files (the drain task,
/// truncation, retention, compaction), is held across disk operations. Readers never wait for it.
#[derive(Debug)]
pub struct Log {
    name: TopicPartition,
    dir: PathBuf,
    config: RwLock<Arc<LogConfig>>,
    pub(crate) offsets: Mutex<Offsets>,
    segments: RwLock<Arc<Segments>>,
    pub(crate) queue: Mutex<Queue>,
    pub(crate) writer: tokio::sync::Mutex<Writer>,
    pub(crate) unsynced: Mutex<Unsynced>,
    pub(crate) producers: Mutex<Producers>,
    pub(crate) epochs: Mutex<LeaderEpochs>,
    pub(crate) epochs_changed: AtomicBool,
    /// The epoch that appended batches get.
    pub(crate) leader_epoch: AtomicI32,
    pub(crate) waiters: Waiters,
    pub(crate) doomed: Mutex<Vec<Doomed>>,
    /// Held by the one compaction that may run.
    pub(crate) cleaner: tokio::sync::Mutex<()>,
    pub(crate) cleaned_to: AtomicI64,
    fenced: OnceLock<Arc<str>>,
    /// Whether the data directory's entry for this log is on the device.
    name_is_durable: AtomicBool,
}

/// What recovery found in a directory: the state that a log begins with.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) segments: Segments,
    pub(crate) offsets: Offsets,
    pub(crate) producers: Producers,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) writer: Writer,
    pub(crate) cleaned_to: i64,
}

impl Log {
    pub(crate) fn new(name: TopicPartition, dir: &Path, config: LogConfig, found: Recovered) -> Self {
        Self {
            name,
            dir: dir.to_owned(),
            config: RwLock::new(Arc::new(config)),
            offsets: Mutex::new(found.offsets),
            segments: RwLock::new(Arc::new(found.segments)),
            queue: Mutex::default(),
            writer: tokio::sync::Mutex::new(found.writer),
            unsynced: Mutex::default(),
            producers: Mutex::new(found.producers),
            leader_epoch: AtomicI32::new(found.epochs.latest().max(0)),
            epochs: Mutex::new(found.epochs),
            epochs_changed: AtomicBool::new(false),
            waiters: Waiters::default(),
            doomed: Mutex::default(),
            cleaner: tokio::sync::Mutex::default(),
            cleaned_to: AtomicI64::new(found.cleaned_to),
            fenced: OnceLock::new(),
            name_is_durable: AtomicBool::new(false),
        }
    }

    /// The partition.
    #[must_use]
    pub fn name(&self) -> &TopicPartition {
        &self.name
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other settings, from the next append on.
    pub fn update_config(&self, config: LogConfig) {
        lock(&self.offsets).set_mode(high_watermark_mode(&config));
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// First offset that is served.
    #[must_use]
    pub fn log_start_offset(&self) -> i64 {
        lock(&self.offsets).log_start()
    }

    /// Offset that the next record will get.
    #[must_use]
    pub fn log_end_offset(&self) -> i64 {
        lock(&self.offsets).log_end().offset
    }

    /// First offset that consumers do not see. Of a single replica it follows the log end (at the fsync level: what is synced)
    /// until [`Self::advance_high_watermark`] is called.
    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        lock(&self.offsets).high_watermark().offset
    }

    /// First offset that read_committed consumers do not see: min(high watermark, first open transaction).
    #[must_use]
    pub fn last_stable_offset(&self) -> i64 {
        lock(&self.offsets).last_stable()
    }

    /// Sets the high watermark of a replicated log, and from then on nothing else does. Lower values, and those above the log
    /// end, are ignored.
    ///
    /// # Errors
    /// [`LogError::Corrupt`], [`LogError::Io`] when the place of the offset can't be found.
    pub fn advance_high_watermark(&self, offset: i64) -> Result<(), LogError> {
        let log_end = lock(&self.offsets).log_end();
        let boundary = if offset == log_end.offset { log_end } else { self.boundary(&self.segments(), offset)? };
        lock(&self.offsets).raise_high_watermark(boundary);
        self.waiters.wake_all();
        Ok(())
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments().size_bytes()
    }

    /// The producers that the log remembers, by id.
    #[must_use]
    pub fn producers(&self) -> Vec<Producer> {
        lock(&self.producers).list()
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`.
    pub fn expire_producers(&self, now_ms: i64) {
        let oldest_ms = now_ms.saturating_sub(self.config().producer_id_expiration_ms);
        lock(&self.producers).expire(oldest_ms);
    }

    /// The epoch that batches appended from now on carry.
    pub fn set_leader_epoch(&self, epoch: i32) {
        self.leader_epoch.fetch_max(epoch, Ordering::Relaxed);
    }

    /// The newest leader epoch that the log holds batches of; −1 without any.
    #[must_use]
    pub fn latest_epoch(&self) -> i32 {
        lock(&self.epochs).latest()
    }

    /// Leader epoch of the batch at `offset`.
    #[must_use]
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        lock(&self.epochs).at(offset)
    }

    /// The largest epoch in the log that is not above `epoch`, and the offset where it ends (OffsetForLeaderEpoch).
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let log_end_offset = self.log_end_offset();
        lock(&self.epochs).end_offset_for(epoch, log_end_offset)
    }

    /// Has `waiter` woken at the next append, sync, truncation or deletion, once: register it before each read that it waits
    /// on. Dropping the waiter unregisters it.
    pub fn register_waiter(&self, waiter: &Arc<Waiter>) {
        self.waiters.register(waiter);
    }

    /// Why the log takes no appends any more: a failed sync, or a failed write that could not be undone. Its directory needs
    /// an operator's eye; reads go on.
    #[must_use]
    pub fn fenced(&self) -> Option<LogError> {
        self.fenced.get().map(|reason| LogError::Fenced { reason: reason.clone() })
    }

    /// Closes the log cleanly: refuses further appends, waits for those under way, syncs, and writes out what makes the next
    /// opening quick.
    ///
    /// # Errors
    /// [`LogError::Fenced`], [`LogError::Io`], [`LogError::DiskFull`]: then the data directory must not be marked clean.
    pub async fn close(self: &Arc<Self>, disk: &Disk) -> Result<(), LogError> {
        self.discard().await;
        self.flush(disk).await?;
        let mut writer = self.writer.lock().await;
        let end = self.log_end_offset();
        let active = self.segments().active().clone();
        active.give_back(disk)?;
        active.finish_time_index();
        active.persist_indexes(disk).await?;
        if self.epochs_changed.swap(false, Ordering::Relaxed) {
            self.write_epochs(disk).await?;
        }
        if active.size_bytes() > 0 {
            self.write_snapshot(disk, &mut writer, end).await?;
        }
        self.waiters.wake_all();
        Ok(())
    }

    /// Refuses further appends, waits for those under way and wakes whoever waits for more. What was appended is not made
    /// durable: this is how the log of a partition ends that is about to be deleted.
    pub async fn discard(&self) {
        self.close_queue();
        while !self.queue_is_idle() {
            // The drain task holds the writer while it works: waiting for it is waiting for a round.
            drop(self.writer.lock().await);
            tokio::task::yield_now().await;
        }
        self.waiters.wake_all();
    }

    /// Takes no more appends; gives the error that says so.
    pub(crate) fn fence(&self, reason: String) -> LogError {
        let reason = self.fenced.get_or_init(|| {
            tracing::error!(log = %self.name, reason, "the log is fenced");
            reason.into()
        });
        LogError::Fenced { reason: reason.clone() }
    }

    pub(crate) fn segments(&self) -> Arc<Segments> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn change_segments<T>(&self, change: impl FnOnce(&mut Segments) -> T) -> T {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut segments))
    }

    pub(crate) fn assign_epoch(&self, epoch: i32, start_offset: i64) {
        if lock(&self.epochs).assign(epoch, start_offset) {
            self.epochs_changed.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) async fn write_epochs(&self, disk: &Disk) -> Result<(), LogError> {
        let content = lock(&self.epochs).encode();
        write_derived(disk, &self.dir.join(EPOCHS_FILE), content.into_bytes()).await
    }

    pub(crate) fn name_is_durable(&self) -> bool {
        self.name_is_durable.load(Ordering::Relaxed)
    }

    pub(crate) fn set_name_durable(&self) {
        self.name_is_durable.store(true, Ordering::Relaxed);
    }
}

/// Where each leader epoch began.
pub(crate) const EPOCHS_FILE: &str = "leader-epoch-checkpoint";

/// What the high watermark of a single replica follows.
pub(crate) fn high_watermark_mode(config: &LogConfig) -> HighWatermarkMode {
    match config.durability() {
        Durability::Fsync => HighWatermarkMode::WithSync,
        Durability::PageCache | Durability::Interval => HighWatermarkMode::WithLogEnd,
    }
}

/// Locks; a panic elsewhere while the lock was held is that thread's failure, not this one's.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
