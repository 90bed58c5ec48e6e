//! What a log keeps when writes fail, syncs fail, the process is killed or the power goes, at every single operation.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use std::{path::Path, sync::Arc, time::Duration};

use fixture::*;
use ringlog_io::{Disk, Fault, Faults, OperationKind, Unsynced};
use ringlog_log::*;

/// Small segments, so that rolls, index writes and snapshots are among the operations that are hit.
fn config(flush_messages: u64) -> LogConfig {
    LogConfig { segment_bytes: 1_500, index_interval_bytes: 100, flush_messages, ..Default::default() }
}

/// Appends 24 records, some one by one and some together, until something fails; returns the acknowledged ones.
async fn append_some(disk: &Disk, root: &Path, config: LogConfig) -> Vec<(i64, String)> {
    let mut acked = Vec::new();
    let Ok((log, _)) = open_with(disk, root, config, after(Shutdown::Clean)).await else { return acked };
    for round in 0..8 {
        let values: Vec<String> = (0..=round % 3).map(|n| format!("{round}.{n} {}", "x".repeat(100))).collect();
        let pending: Vec<_> = values.iter().map(|value| log.append(disk, batch(&[value]))).collect();
        for (value, append) in values.iter().zip(pending) {
            if let Ok(appended) = append.await {
                acked.push((appended.base_offset, value.clone()));
            }
        }
    }
    // Background syncs may still be under way: the cut must be able to fall among them too.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let _ = log.close(disk).await;
    acked
}

/// Cuts at every operation in turn and checks what is left, until a run comes through uncut.
fn cut_at_every_operation(flush_messages: u64, survivors: &[(Unsynced, Shutdown)]) {
    for operation in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("live");
        std::fs::create_dir(&root).unwrap();
        let faults = Faults::with_seed(&root, operation).unwrap();
        faults.at(operation, Fault::PowerCut);
        let acked = run(append_some(&Disk::faulty(faults.clone()), &root, config(flush_messages)));
        let came_through = faults.operations() <= operation;
        for (number, (unsynced, shutdown)) in survivors.iter().enumerate() {
            let after_cut = dir.path().join(format!("after-{number}"));
            faults.power_cut(&after_cut, *unsynced).unwrap();
            run(check(&after_cut, &acked, *shutdown, &format!("cut at operation {operation}, {unsynced:?}")));
        }
        if came_through {
            assert!(operation > 30, "the scenario has only {operation} operations");
            return;
        }
    }
}

async fn check(root: &Path, acked: &[(i64, String)], shutdown: Shutdown, what: &str) {
    let disk = Disk::syscall();
    let opened = open_with(&disk, root, config(u64::MAX), after(shutdown)).await;
    let (log, _) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = contents(&log, Visible::LogEnd);
    for record in acked {
        assert!(found.contains(record), "{what}: lost {record:?}; there is {found:?}");
    }
    let offsets: Vec<i64> = found.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..found.len() as i64).collect::<Vec<_>>(), "{what}");
    let next = log.append(&disk, batch(&["goes on"])).await.unwrap();
    assert_eq!(next.base_offset, found.len() as i64, "{what}");
}

#[test]
fn acked_batches_survive_kill_at_every_operation() {
    cut_at_every_operation(u64::MAX, &[(Unsynced::Kept, Shutdown::ProcessDied)]);
}

#[test]
fn at_the_fsync_level_acked_batches_survive_a_power_cut_at_every_operation() {
    let survivors = [
        (Unsynced::Lost, Shutdown::HostDied),
        (Unsynced::Kept, Shutdown::HostDied),
        (Unsynced::Some(1), Shutdown::HostDied),
        (Unsynced::Some(2), Shutdown::HostDied),
    ];
    cut_at_every_operation(1, &survivors);
}

#[test]
fn a_full_disk_refuses_appends_and_they_resume_unaided() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let log = open(&disk, dir.path()).await;
        log.append(&disk, produced(1, 0, 0, &["before"])).await.unwrap();
        for _ in 0..3 {
            faults.next(OperationKind::Write, Fault::Enospc);
            let refused = log.append(&disk, produced(1, 0, 1, &["after"])).await;
            assert!(matches!(&refused, Err(error @ LogError::DiskFull { .. }) if error.is_retriable()), "{refused:?}");
            assert_eq!(contents(&log, Visible::HighWatermark), [(0, "before".into())], "reads go on");
        }
        let resumed = log.append(&disk, produced(1, 0, 1, &["after"])).await.unwrap();
        assert_eq!((resumed.base_offset, resumed.duplicate), (1, false), "the sequence was not used up");
    });
}

#[test]
fn a_write_that_fails_half_way_leaves_no_trace() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let log = open(&disk, dir.path()).await;
        log.append(&disk, batch(&["before"])).await.unwrap();
        let size_bytes = log.size_bytes();
        faults.next(OperationKind::Write, Fault::Short(30));
        faults.next(OperationKind::Write, Fault::Eio);
        assert!(matches!(log.append(&disk, batch(&["lost"])).await, Err(LogError::Io { operation: "write", .. })));
        assert_eq!(std::fs::metadata(log.dir().join(format!("{:020}.log", 0))).unwrap().len(), size_bytes);
        assert_eq!(log.append(&disk, batch(&["after"])).await.unwrap().base_offset, 1);
        assert_eq!(contents(&log, Visible::LogEnd), [(0, "before".into()), (1, "after".into())]);
    });
}

#[test]
fn short_writes_are_completed() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        faults.rate(OperationKind::Write, Fault::Short(17), 0.9);
        let disk = Disk::faulty(faults);
        let log = open(&disk, dir.path()).await;
        let pending: Vec<_> = (0..20).map(|n| log.append(&disk, batch(&[&format!("{n:050}")]))).collect();
        for append in pending {
            append.await.unwrap();
        }
        assert_eq!(contents(&log, Visible::LogEnd).len(), 20);
    });
}

#[test]
fn a_write_that_can_not_be_undone_fences_the_log() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let log = open(&disk, dir.path()).await;
        log.append(&disk, batch(&["before"])).await.unwrap();
        faults.next(OperationKind::Write, Fault::Eio);
        faults.next(OperationKind::Truncate, Fault::Eio);
        assert!(log.append(&disk, batch(&["lost"])).await.is_err());
        assert!(matches!(log.append(&disk, batch(&["refused"])).await, Err(LogError::Fenced { .. })));
        assert_eq!(contents(&log, Visible::LogEnd), [(0, "before".into())], "reads go on");
    });
}

#[test]
fn a_failed_sync_is_not_retried_and_fences_the_log() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let (log, _) = open_with(&disk, dir.path(), config(1), after(Shutdown::Clean)).await.unwrap();
        log.append(&disk, batch(&["synced"])).await.unwrap();
        faults.next(OperationKind::Sync, Fault::Eio);
        assert!(matches!(log.append(&disk, batch(&["not synced"])).await, Err(LogError::Fenced { .. })));
        assert!(matches!(log.append(&disk, batch(&["refused"])).await, Err(LogError::Fenced { .. })));
        assert!(matches!(log.fenced(), Some(LogError::Fenced { reason }) if reason.contains("sync")));
        assert!(log.close(&disk).await.is_err());
        assert_eq!((log.high_watermark(), log.recovery_point()), (1, 1), "what is not synced is not shown");
        assert_eq!(contents(&log, Visible::HighWatermark), [(0, "synced".into())]);
    });
}

#[test]
fn reads_and_appends_go_on_while_a_sync_is_slow() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let log: Arc<Log> = open(&disk, dir.path()).await;
        log.append(&disk, batch(&["a"])).await.unwrap();
        faults.next(OperationKind::Sync, Fault::Delay(Duration::from_millis(50)));
        let flush = tokio::task::spawn_local({
            let (log, disk) = (log.clone(), disk.clone());
            async move { log.flush(&disk).await }
        });
        tokio::task::yield_now().await;
        log.append(&disk, batch(&["b"])).await.unwrap();
        assert!(!flush.is_finished());
        assert_eq!(contents(&log, Visible::HighWatermark).len(), 2);
        flush.await.unwrap().unwrap();
        assert_eq!(log.recovery_point(), 1, "what came during the sync waits for the next");
    });
}
