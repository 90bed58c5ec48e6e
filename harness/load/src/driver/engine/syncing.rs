//! Logs that are synced every so often: of a broker the upkeep does that.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ringlog_io::{Choice, Disk};
use ringlog_log::Log;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use crate::LoadError;

/// The thread that syncs them, so that no load thread is kept from its records.
#[derive(Debug)]
pub(super) struct Syncing {
    end: watch::Sender<()>,
    thread: JoinHandle<Result<(), LoadError>>,
}

impl Syncing {
    /// Begins a sync of each log every `period`, which is longer than 0.
    pub(super) fn start(choice: Choice, logs: Vec<Arc<Log>>, period: Duration) -> Syncing {
        let (end, ended) = watch::channel(());
        Syncing { end, thread: std::thread::spawn(move || sync(&choice, logs, period, &ended)) }
    }

    /// Waits for the syncs under way.
    ///
    /// # Errors
    /// [`LoadError`] when a log was not synced.
    pub(super) fn end(self) -> Result<(), LoadError> {
        drop(self.end);
        self.thread.join().unwrap_or(Err(LoadError::Panicked))
    }
}

fn sync(choice: &Choice, logs: Vec<Arc<Log>>, period: Duration, ended: &watch::Receiver<()>) -> Result<(), LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)?;
    let tasks = LocalSet::new();
    let synced = tasks.block_on(&runtime, async {
        let disk = Disk::open(choice).map_err(LoadError::Runtime)?;
        let each = |log| spawn_local(sync_one(log, disk.clone(), period, ended.clone()));
        let each: Vec<_> = logs.into_iter().map(each).collect();
        for synced in each {
            synced.await.map_err(|_| LoadError::Panicked)??;
        }
        Ok(())
    });
    // A log whose sync is broken off takes no more.
    runtime.block_on(tasks);
    synced
}

async fn sync_one(
    log: Arc<Log>,
    disk: Disk,
    period: Duration,
    mut ended: watch::Receiver<()>,
) -> Result<(), LoadError> {
    let mut ticks = tokio::time::interval(period);
    loop {
        tokio::select! {
            _ = ended.changed() => return Ok(()),
            _ = ticks.tick() => log.flush(&disk).await?,
        }
    }
}
