//! What has to be done from time to time, on two threads of its own: flushes that are due, retention, producers that are
//! forgotten, checkpoints and the clock of groups on one; compaction, which may take minutes, on the other.

use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ringlog_io::{Choice, Disk};
use ringlog_log::Log;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{error, info};

use crate::broker::Broker;
use crate::clock::{now_ms, steady_ms};
use crate::detached::on_own_runtime;
use crate::drain::DRAIN_LIMIT;

/// A smaller `flush.ms` is as good as this.
const FLUSH_EVERY_MS: u32 = 100;

/// How soon a disk that somebody else filled is noticed, and producers may go on once it has room again.
const ROOM_EVERY: Duration = Duration::from_secs(1);

/// How soon a changed rest of the cleaner counts.
const CHANGE_WITHIN: Duration = Duration::from_secs(1);

/// Starts both threads. They end when the broker drains.
pub(crate) fn spawn(broker: &Arc<Broker>, choice: &Choice) -> std::io::Result<[JoinHandle<()>; 2]> {
    let upkeep = |broker: Arc<Broker>, disk: Disk| async move {
        tokio::join!(
            flush(&broker, &disk),
            retain(&broker, &disk),
            checkpoint(&broker, &disk),
            make_room(&broker, &disk),
            forget(&broker),
            broker.groups.keep_time(&broker, &disk),
            expire_offsets(&broker, &disk),
        );
    };
    let cleaner = |broker: Arc<Broker>, disk: Disk| async move { compact(&broker, &disk).await };
    Ok([on_thread("upkeep", broker, choice, upkeep)?, on_thread("cleaner", broker, choice, cleaner)?])
}

fn on_thread<W: Future<Output = ()>>(
    name: &'static str,
    broker: &Arc<Broker>,
    choice: &Choice,
    work: impl FnOnce(Arc<Broker>, Disk) -> W + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let (broker, choice) = (broker.clone(), choice.clone());
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let ended = on_own_runtime(async {
            let drain = broker.drain.clone();
            let disk = Disk::open(&choice)?;
            let over = async {
                drain.started().await;
                tokio::time::sleep(DRAIN_LIMIT).await;
            };
            tokio::select! {
                () = work(broker, disk) => {}
                () = over => info!(name, limit = ?DRAIN_LIMIT, "left unfinished: the broker stops"),
            }
            Ok(())
        });
        if let Err(error) = ended.flatten() {
            error!(name, %error, "the thread could not start: its work is not done");
        }
    })
}

/// A timer needs a period, though 0 may be asked for.
fn at_least(period: Duration) -> Duration {
    period.max(Duration::from_millis(1))
}

/// Calls `work` every `period` until the broker drains.
async fn every<W: Future<Output = ()>>(broker: &Broker, period: Duration, mut work: impl FnMut() -> W) {
    let mut ticks = interval(at_least(period));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            biased;
            () = broker.drain.started() => return,
            _ = ticks.tick() => work().await,
        }
    }
}

async fn flush(broker: &Broker, disk: &Disk) {
    every(broker, Duration::from_millis(FLUSH_EVERY_MS.into()), async || {
        let now_ms = steady_ms();
        broker.topics.logs().iter().for_each(|log| log.flush_if_due(disk, now_ms, FLUSH_EVERY_MS.into()));
    })
    .await;
}

async fn retain(broker: &Broker, disk: &Disk) {
    every(broker, broker.config.log_retention_check_interval, async || {
        for log in broker.topics.logs() {
            match log.apply_retention(disk, now_ms()).await {
                Ok(removed) if removed.segments == 0 => {}
                Ok(removed) => {
                    info!(log = %log.name(), segments = removed.segments, bytes = removed.bytes, "old segments deleted");
                }
                Err(error) => error!(log = %log.name(), %error, "old segments could not be deleted"),
            }
        }
    })
    .await;
}

async fn checkpoint(broker: &Broker, disk: &Disk) {
    every(broker, broker.config.log_flush_offset_checkpoint_interval, async || {
        if let Err(error) = broker.topics.write_checkpoints(disk) {
            error!(%error, "checkpoints could not be written");
        }
    })
    .await;
}

async fn make_room(broker: &Broker, disk: &Disk) {
    every(broker, ROOM_EVERY, || broker.topics.reserve().look(disk)).await;
}

async fn forget(broker: &Broker) {
    every(broker, broker.config.producer_id_expiration_check_interval, async || {
        broker.topics.logs().iter().for_each(|log| log.expire_producers(now_ms()));
    })
    .await;
}

async fn expire_offsets(broker: &Arc<Broker>, disk: &Disk) {
    every(broker, broker.config.offsets_retention_check_interval, async || broker.groups.expire_offsets(broker, disk))
        .await;
}

async fn compact(broker: &Broker, disk: &Disk) {
    // A log that can't be compacted is left alone until the next start: the same pass would fail the same way. One that comes
    // after it by the same name is another.
    let mut given_up: Vec<Weak<Log>> = Vec::new();
    if !broker.config.log_cleaner_enable {
        return;
    }
    loop {
        tokio::select! {
            biased;
            () = broker.drain.started() => return,
            () = rest(broker) => {}
        }
        given_up.retain(|log| log.strong_count() > 0);
        for log in broker.topics.logs() {
            if broker.drain.is_draining() {
                return;
            }
            let weak = Arc::downgrade(&log);
            if !given_up.iter().any(|other| other.ptr_eq(&weak)) && !compact_one(&log, disk).await {
                given_up.push(weak);
            }
        }
    }
}

/// For as long as is set, also where that is changed meanwhile.
async fn rest(broker: &Broker) {
    let since = Instant::now();
    while let Some(left) = at_least(broker.topics.live().log_cleaner_backoff).checked_sub(since.elapsed()) {
        tokio::time::sleep(left.min(CHANGE_WITHIN)).await;
    }
}

/// Whether the log may be looked at again.
async fn compact_one(log: &Arc<Log>, disk: &Disk) -> bool {
    match log.compact(disk, now_ms()).await {
        Ok(None) => true,
        Ok(Some(pass)) => {
            let (before, after) = (pass.bytes_before, pass.bytes_after);
            info!(log = %log.name(), before, after, cleaned_to = pass.cleaned_to, "log compacted");
            true
        }
        Err(error) => {
            error!(log = %log.name(), %error, "the log could not be compacted: it is left as it is until the next start");
            error.is_retriable()
        }
    }
}
