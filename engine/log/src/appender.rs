//! Appends: a queue per log, and one task that writes whatever has gathered in it.
//!
//! Nobody waits for a batch to fill up. The first append to an idle log starts the drain task, which runs after the tasks that
//! are ready now; what they append is written together, and what comes while that write is in flight is the next write.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use ringlog_io::Disk;
use ringlog_record::{Batch, BatchHeader, NO_TIMESTAMP, RecordError, TimestampType, control, control::Marker, patch};
use tokio::sync::oneshot;

use crate::{
    Durability, Log, LogConfig, LogError,
    error::IoContext,
    log::lock,
    offsets::Boundary,
    producer_state::{Producer, Verdict},
    segment::{self, SNAPSHOT, Segment},
    snapshot,
};

/// Most bytes of one write: larger ones gain nothing and make the first batch wait for the last.
const WRITE_BYTES: usize = 4 << 20;
/// Most buffers of one write: `IOV_MAX`.
const WRITE_BUFFERS: usize = 1024;
/// Index entries are written out after so many bytes of log, so that recovery after kill -9 scans no more than this.
pub(crate) const INDEX_FLUSH_BYTES: u64 = 4 << 20;
/// Producers are written out after so many bytes of log, for the same reason: recovery replays the headers of this much.
const SNAPSHOT_BYTES: u64 = 16 << 20;

/// One batch on its way into the log: checked by the broker, base offset and leader epoch not yet given.
#[derive(Debug)]
pub struct AppendBatch {
    bytes: BytesMut,
    header: BatchHeader,
    now_ms: i64,
}

impl AppendBatch {
    /// The batch in `bytes`, all of them. The log relies on what [`ringlog_record::validate::producer_batch`] checks for a
    /// client, or on the broker having built it; a control batch is a transaction marker. `now_ms` is the time that a
    /// LogAppendTime log stamps.
    ///
    /// # Errors
    /// [`RecordError::TrailingBytes`], [`RecordError::NoBatch`] for one without a record, and those of [`Batch::parse`].
    pub fn new(bytes: BytesMut, now_ms: i64) -> Result<Self, RecordError> {
        let header = *Batch::parse(&bytes)?.header();
        match bytes.len() - header.size_bytes() {
            0 if header.last_offset_delta >= 0 => Ok(Self { bytes, header, now_ms }),
            0 => Err(RecordError::NoBatch),
            trailing => Err(RecordError::TrailingBytes { bytes: trailing }),
        }
    }

    /// Size of the batch.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record; of the first append when it is a duplicate.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// The time that the log stamped, or −1 when the timestamps are the producer's.
    pub log_append_time_ms: i64,
    /// Log start offset.
    pub log_start_offset: i64,
    /// Whether an earlier attempt had already appended it.
    pub duplicate: bool,
}

/// Resolves when the batch has reached the log's durability level. Dropping it does not take the batch back.
#[derive(Debug)]
#[must_use = "the append happens anyway, its outcome is lost"]
pub struct Appending(oneshot::Receiver<Result<Appended, LogError>>);

impl Future for Appending {
    type Output = Result<Appended, LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap_or(Err(LogError::Closed)))
    }
}

/// Who waits for an append.
pub(crate) type Waiting = oneshot::Sender<Result<Appended, LogError>>;

#[derive(Debug)]
struct Pending {
    batch: AppendBatch,
    waiting: Waiting,
}

/// Batches that no write has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pending: VecDeque<Pending>,
    /// A drain task is under way: it will take what is put here.
    draining: bool,
    closed: bool,
}

/// What the task that writes knows; it is locked for as long as files are changed.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Bytes of the active segment when its indexes were last written out.
    pub(crate) indexed_bytes: u64,
    /// Bytes of the active segment when the producers were last written out.
    pub(crate) snapshot_bytes: u64,
    /// Offset of the newest snapshot.
    pub(crate) snapshot: Option<i64>,
}

/// Batches that have their offsets and go into one write.
#[derive(Default)]
struct Round {
    buffers: Vec<Bytes>,
    bytes: u64,
    batches: Vec<(u64, BatchHeader)>,
    acks: Vec<(Waiting, Appended)>,
    undo: Vec<(i64, Option<Producer>)>,
}

impl Log {
    /// Appends a batch. The order of the calls is the order in the log; the batch is queued when the call returns, and written
    /// by a local task of whichever thread finds the log idle: call it inside of a `LocalSet`. The future resolves once the
    /// batch is in the page cache (survives kill -9) or, at the fsync level, on the device.
    ///
    /// # Errors
    /// Through the future: the producer's state refuses it ([`LogError::OutOfOrderSequence`], [`LogError::FencedProducer`],
    /// [`LogError::InvalidTransactionState`], [`LogError::FencedCoordinator`]); [`LogError::DiskFull`], [`LogError::Io`]: the
    /// log is as it was; [`LogError::Fenced`], [`LogError::Closed`].
    pub fn append(self: &Arc<Self>, disk: &Disk, batch: AppendBatch) -> Appending {
        let (waiting, outcome) = oneshot::channel();
        let mut queue = lock(&self.queue);
        if queue.closed || self.fenced().is_some() {
            let error = self.fenced().unwrap_or(LogError::Closed);
            answer(waiting, Err(error));
            return Appending(outcome);
        }
        queue.pending.push_back(Pending { batch, waiting });
        if !std::mem::replace(&mut queue.draining, true) {
            tokio::task::spawn_local(drain(self.clone(), disk.clone()));
        }
        Appending(outcome)
    }

    /// Refuses all further appends; those that are queued are still written.
    pub(crate) fn close_queue(&self) {
        lock(&self.queue).closed = true;
    }

    /// Whether every batch that was queued has been written or refused.
    pub(crate) fn queue_is_idle(&self) -> bool {
        !lock(&self.queue).draining
    }

    /// What one write can carry from the front of the queue; ends the drain task when there is nothing.
    fn take_queued(&self) -> Option<VecDeque<Pending>> {
        let mut queue = lock(&self.queue);
        if queue.pending.is_empty() {
            queue.draining = false;
            return None;
        }
        Some(std::mem::take(&mut queue.pending))
    }

    /// Writes the first of `pending`, as many as fit into one write and the active segment.
    async fn write_round(self: &Arc<Self>, disk: &Disk, writer: &mut Writer, pending: &mut VecDeque<Pending>) {
        let config = self.config();
        if let Some(first) = pending.front()
            && must_roll(self.segments().active(), &config, &first.batch, 0, self.log_end_offset())
            && let Err(error) = self.roll(disk, writer).await
        {
            return refuse(pending, &error);
        }
        let active = self.segments().active().clone();
        if config.preallocate
            && let Err(error) = active.reserve(disk, config.segment_bytes).await
        {
            return refuse(pending, &error);
        }
        let start = lock(&self.offsets).log_end();
        let mut round = self.assign_offsets(&config, &active, start, pending);
        if let Err(error) = self.write(disk, &config, &active, start.position, &mut round).await {
            let mut producers = lock(&self.producers);
            round.undo.into_iter().rev().for_each(|undo| producers.restore(undo));
            drop(producers);
            round.acks.into_iter().for_each(|(waiting, _)| answer(waiting, Err(error.clone())));
            return refuse(pending, &error);
        }
        let end = round.batches.last().map_or(start.offset, |(_, header)| header.next_offset());
        self.publish(
            disk,
            &config,
            &active,
            Boundary { offset: end, position: start.position + round.bytes, ..start },
            round,
        );
        if let Err(error) = self.persist_derived(disk, writer, &active, end).await {
            tracing::warn!(log = %self.name(), %error, "indexes or a snapshot could not be written; recovery will take longer");
        }
    }

    /// Checks the batches against the producers' state and gives them offsets, up to one that needs a new segment.
    fn assign_offsets(
        &self,
        config: &LogConfig,
        active: &Segment,
        start: Boundary,
        pending: &mut VecDeque<Pending>,
    ) -> Round {
        let mut round = Round::default();
        let mut producers = lock(&self.producers);
        let mut next_offset = start.offset;
        let leader_epoch = self.leader_epoch.load(Ordering::Relaxed);
        let log_start_offset = self.log_start_offset();
        while let Some(Pending { mut batch, waiting }) = pending.pop_front() {
            let full = round.bytes as usize + batch.bytes.len() > WRITE_BYTES || round.buffers.len() == WRITE_BUFFERS;
            if !round.buffers.is_empty() && (full || must_roll(active, config, &batch, round.bytes, next_offset)) {
                pending.push_front(Pending { batch, waiting });
                break;
            }
            let marker = match check(&producers, &batch) {
                Ok((Verdict::Append, marker)) => marker,
                Ok((Verdict::Duplicate(first), _)) => {
                    let by_log = config.message_timestamp_type == TimestampType::LogAppendTime;
                    let appended = Appended {
                        base_offset: first.first_offset(),
                        last_offset: first.last_offset,
                        log_append_time_ms: if by_log { first.timestamp_ms } else { NO_TIMESTAMP },
                        log_start_offset,
                        duplicate: true,
                    };
                    round.acks.push((waiting, appended));
                    continue;
                }
                Err(error) => {
                    answer(waiting, Err(error));
                    continue;
                }
            };
            let log_append_time_ms = match finish(&mut batch, config, next_offset, leader_epoch) {
                Ok(log_append_time_ms) => log_append_time_ms,
                Err(error) => {
                    answer(waiting, Err(error.into()));
                    continue;
                }
            };
            let header = batch.header;
            if header.has_producer() {
                round.undo.push(producers.before(header.producer_id));
                producers.apply(&header, marker);
            }
            next_offset = header.next_offset();
            let (base_offset, last_offset) = (header.base_offset, header.last_offset());
            let appended =
                Appended { base_offset, last_offset, log_append_time_ms, log_start_offset, duplicate: false };
            round.acks.push((waiting, appended));
            round.batches.push((start.position + round.bytes, header));
            round.bytes += batch.bytes.len() as u64;
            round.buffers.push(batch.bytes.freeze());
        }
        round
    }

    async fn write(
        &self,
        disk: &Disk,
        config: &LogConfig,
        active: &Segment,
        position: u64,
        round: &mut Round,
    ) -> Result<(), LogError> {
        if round.buffers.is_empty() {
            return Ok(());
        }
        if config.durability() == Durability::Fsync {
            active.prewrite(disk, round.bytes, config.segment_bytes).await?;
        }
        let file = active.file()?;
        let Err(error) = disk.write_all_at(file, std::mem::take(&mut round.buffers), position).await else {
            return Ok(());
        };
        if let Err(undo) = active.cut_off(disk) {
            self.fence(format!("a failed write ({error}) could not be undone: {undo}"));
        }
        Err(LogError::io("write", file.path(), error))
    }

    /// Makes written batches visible, and acknowledges them or hands them to the next sync.
    fn publish(self: &Arc<Self>, disk: &Disk, config: &LogConfig, active: &Arc<Segment>, end: Boundary, round: Round) {
        if let Some((_, first)) = round.batches.first() {
            self.assign_epoch(first.partition_leader_epoch, first.base_offset);
            active
                .index(round.batches.iter().map(|(position, header)| (*position, header)), config.index_interval_bytes);
            active.set_size_bytes(end.position);
            let first_open_transaction = lock(&self.producers).first_open_transaction();
            lock(&self.offsets).appended(end, first_open_transaction);
        }
        let records: i64 = round.batches.iter().map(|(_, header)| i64::from(header.last_offset_delta) + 1).sum();
        let acks = self.note_unsynced(disk, config, active, records.unsigned_abs(), round.acks);
        acks.into_iter().for_each(|(waiting, appended)| answer(waiting, Ok(appended)));
        if !round.batches.is_empty() && config.durability() != Durability::Fsync {
            self.waiters.wake_all();
        }
    }

    /// Writes out what recovery would else have to find out again.
    async fn persist_derived(
        &self,
        disk: &Disk,
        writer: &mut Writer,
        active: &Segment,
        end: i64,
    ) -> Result<(), LogError> {
        let size_bytes = active.size_bytes();
        if self.epochs_changed.swap(false, Ordering::Relaxed) {
            self.write_epochs(disk).await?;
        }
        if size_bytes.saturating_sub(writer.indexed_bytes) >= INDEX_FLUSH_BYTES {
            writer.indexed_bytes = size_bytes;
            active.persist_indexes(disk).await?;
        }
        if size_bytes.saturating_sub(writer.snapshot_bytes) >= SNAPSHOT_BYTES {
            writer.snapshot_bytes = size_bytes;
            self.write_snapshot(disk, writer, end).await?;
        }
        Ok(())
    }

    /// Writes the producers out as they are at `offset`, the log end. The snapshot before goes, unless a segment begins there.
    pub(crate) async fn write_snapshot(&self, disk: &Disk, writer: &mut Writer, offset: i64) -> Result<(), LogError> {
        if writer.snapshot == Some(offset) {
            return Ok(());
        }
        let content = snapshot::encode(&lock(&self.producers));
        segment::write_derived(disk, &segment::file_path(self.dir(), offset, SNAPSHOT), content).await?;
        match writer.snapshot.replace(offset) {
            Some(old) if self.segments().with_base(old).is_none() => {
                let path = segment::file_path(self.dir(), old, SNAPSHOT);
                disk.remove_file(&path).context("remove", &path)
            }
            _ => Ok(()),
        }
    }

    /// Closes the active segment and begins one at the log end.
    pub(crate) async fn roll(self: &Arc<Self>, disk: &Disk, writer: &mut Writer) -> Result<(), LogError> {
        let old = self.segments().active().clone();
        let offset = self.log_end_offset();
        if old.give_back(disk)? {
            // Zeros that came back would lie within the log: the next sync, which the new segment's acks wait for, covers their end.
            self.note_files([old.clone()], false);
        }
        old.finish_time_index();
        old.persist_indexes(disk).await?;
        self.write_snapshot(disk, writer, offset).await?;
        let new = Arc::new(Segment::create(disk, self.dir(), offset)?);
        self.change_segments(|segments| segments.roll(new.clone()));
        lock(&self.offsets).rolled(Boundary { offset, segment: offset, position: 0 });
        old.unload_indexes();
        self.sync_behind(disk, old);
        (writer.indexed_bytes, writer.snapshot_bytes) = (0, 0);
        Ok(())
    }
}

/// Whether `batch`, appended after `round_bytes` more at `next_offset`, belongs into a new segment.
fn must_roll(active: &Segment, config: &LogConfig, batch: &AppendBatch, round_bytes: u64, next_offset: i64) -> bool {
    let size = active.size_bytes() + round_bytes;
    if size == 0 {
        return false;
    }
    let by_log = config.message_timestamp_type == TimestampType::LogAppendTime;
    let timestamp_ms = if by_log { batch.now_ms } else { batch.header.max_timestamp };
    let age_ms =
        active.first_timestamp_ms().filter(|&first| first >= 0).map_or(0, |first| timestamp_ms.saturating_sub(first));
    size + batch.bytes.len() as u64 > config.segment_bytes
        || age_ms > config.segment_ms
        || active.index_is_full(config.segment_index_bytes)
        || !active.can_hold(next_offset.saturating_add(i64::from(batch.header.last_offset_delta)))
}

/// Writes what is queued until the queue is empty.
async fn drain(log: Arc<Log>, disk: Disk) {
    let unfinished = FenceUnfinished(&log);
    while let Some(mut pending) = log.take_queued() {
        let mut writer = log.writer.lock().await;
        while !pending.is_empty() {
            match log.fenced() {
                Some(error) => refuse(&mut pending, &error),
                None => log.write_round(&disk, &mut writer, &mut pending).await,
            }
        }
    }
    std::mem::forget(unfinished);
}

/// A runtime that is shut down drops its tasks wherever they are: a write may be in flight, and nobody knows its end.
struct FenceUnfinished<'a>(&'a Arc<Log>);

impl Drop for FenceUnfinished<'_> {
    fn drop(&mut self) {
        self.0.fence("its thread ended during an append".into());
        let mut queue = lock(&self.0.queue);
        queue.draining = false;
        queue.pending.clear();
    }
}

fn check(
    producers: &crate::producer_state::Producers,
    batch: &AppendBatch,
) -> Result<(Verdict, Option<Marker>), LogError> {
    let header = &batch.header;
    if !header.has_producer() {
        return Ok((Verdict::Append, None));
    }
    if !header.attributes.is_control() {
        return Ok((producers.check(header)?, None));
    }
    let marker = control::parse(&Batch::parse(&batch.bytes)?)?;
    if let Some(marker) = marker {
        producers.check_marker(header, marker)?;
    }
    Ok((Verdict::Append, marker))
}

/// Puts offset, epoch and, where the log stamps it, the time into the batch; returns that time.
fn finish(batch: &mut AppendBatch, config: &LogConfig, offset: i64, leader_epoch: i32) -> Result<i64, RecordError> {
    let mut stamped_ms = NO_TIMESTAMP;
    if config.message_timestamp_type == TimestampType::LogAppendTime {
        patch::log_append_time(&mut batch.bytes, batch.now_ms)?;
        stamped_ms = batch.now_ms;
    }
    patch::base_offset(&mut batch.bytes, offset)?;
    patch::leader_epoch(&mut batch.bytes, leader_epoch)?;
    batch.header = BatchHeader::parse(&batch.bytes)?;
    Ok(stamped_ms)
}

fn refuse(pending: &mut VecDeque<Pending>, error: &LogError) {
    pending.drain(..).for_each(|pending| answer(pending.waiting, Err(error.clone())));
}

/// Whoever asked may have gone: then nobody needs the answer.
pub(crate) fn answer(waiting: Waiting, outcome: Result<Appended, LogError>) {
    let _ = waiting.send(outcome);
}
