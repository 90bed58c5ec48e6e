//! Both ends of a log: old records go at the start, a diverging tail at the end.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use std::sync::Arc;

use fixture::*;
use ringlog_io::{Disk, Fault, Faults, Unsynced};
use ringlog_log::*;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1_000,
        index_interval_bytes: 100,
        retention_ms: Some(100),
        file_delete_delay_ms: 10,
        ..Default::default()
    }
}

/// Thirty records, timestamps 1000 to 1029, in segments of five.
async fn filled(disk: &Disk, root: &std::path::Path, config: LogConfig) -> Arc<Log> {
    let log = open_with(disk, root, config, after(Shutdown::Clean)).await.unwrap().0;
    for n in 0..30 {
        log.append(disk, batch_at(1_000 + n, &[&format!("{n:0120}")])).await.unwrap();
    }
    log
}

fn names(log: &Log, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}

#[test]
fn segments_whose_records_are_all_too_old_go() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = filled(&disk, dir.path(), config()).await;
        assert_eq!(log.apply_retention(&disk, 1_104).await.unwrap().segments, 0, "the first is just young enough");
        let retained = log.apply_retention(&disk, 1_110).await.unwrap();
        assert_eq!(retained.segments, 2);
        assert_eq!((log.log_start_offset(), contents(&log, Visible::LogEnd).len()), (10, 20));
        assert!(matches!(log.read(9, 100, true, Visible::LogEnd), Err(LogError::OffsetOutOfRange { start: 10, .. })));
    });
}

#[test]
fn an_idle_log_ends_up_empty_and_keeps_its_offsets() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = filled(&disk, dir.path(), config()).await;
        assert_eq!(log.apply_retention(&disk, 10_000).await.unwrap().segments, 6);
        assert_eq!((log.log_start_offset(), log.log_end_offset(), log.size_bytes()), (30, 30, 0));
        assert_eq!(log.append(&disk, batch(&["x"])).await.unwrap().base_offset, 30);
        log.close(&disk).await.unwrap();
        let (log, _) = open_with(&disk, dir.path(), config(), after(Shutdown::Clean)).await.unwrap();
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (30, 31));
    });
}

#[test]
fn the_oldest_segments_go_while_the_log_is_too_large() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = filled(&disk, dir.path(), LogConfig { retention_ms: None, ..config() }).await;
        let segment = log.size_bytes() / 6;
        log.update_config(LogConfig { retention_ms: None, retention_bytes: Some(3 * segment + 1), ..config() });
        assert_eq!(log.apply_retention(&disk, 10_000).await.unwrap().segments, 2);
        assert_eq!(log.log_start_offset(), 10);
    });
}

#[test]
fn deleted_files_stay_for_their_readers_and_then_go() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = filled(&disk, dir.path(), config()).await;
        let slice = log.read(0, 10_000, true, Visible::LogEnd).unwrap();
        let mut before = vec![0; slice.length];
        slice.file.read_exact_at(&mut before, slice.position).unwrap();
        log.apply_retention(&disk, 1_110).await.unwrap();
        assert_eq!(names(&log, ".log.deleted").len(), 2);
        log.update_config(LogConfig { retention_ms: None, ..config() });
        log.apply_retention(&disk, 1_119).await.unwrap();
        assert_eq!(names(&log, ".log.deleted").len(), 2, "before file.delete.delay.ms");
        log.apply_retention(&disk, 1_120).await.unwrap();
        assert_eq!(names(&log, ".deleted"), Vec::<String>::new());
        let mut after = vec![0; slice.length];
        slice.file.read_exact_at(&mut after, slice.position).unwrap();
        assert_eq!(before, after, "who holds the file reads on");
    });
}

#[test]
fn deleted_records_are_gone_at_once_and_their_segments_with_the_next_pass() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = filled(&disk, dir.path(), LogConfig { retention_ms: None, ..config() }).await;
        assert_eq!(log.delete_records_before(12).unwrap(), 12);
        assert_eq!(contents(&log, Visible::LogEnd).first().unwrap().0, 12);
        assert_eq!(log.delete_records_before(3).unwrap(), 12, "it never falls");
        assert!(matches!(log.delete_records_before(31), Err(LogError::OffsetOutOfRange { .. })));
        assert_eq!(log.apply_retention(&disk, 1_000).await.unwrap().segments, 2);
        assert_eq!(names(&log, ".log").len(), 4);
        assert_eq!(log.delete_records_before(-1).unwrap(), 30);
        assert_eq!(contents(&log, Visible::LogEnd), []);
    });
}

#[test]
fn truncation_cuts_at_the_batch_and_the_log_goes_on_there() {
    run(async {
        for offset in 0..30 {
            let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
            let log = filled(&disk, dir.path(), config()).await;
            let slice = log.read(20, 1 << 20, true, Visible::LogEnd).unwrap();
            let mut before = vec![0; slice.length];
            slice.file.read_exact_at(&mut before, slice.position).unwrap();
            assert_eq!(log.truncate_to(&disk, offset).await.unwrap(), offset);
            assert_eq!((log.log_end_offset(), log.high_watermark(), log.recovery_point()), (offset, offset, offset));
            assert_eq!(contents(&log, Visible::LogEnd).len() as i64, offset);
            let mut after_it = vec![0; slice.length];
            slice.file.read_exact_at(&mut after_it, slice.position).unwrap();
            assert_eq!(before, after_it, "what is being sent is never touched");
            assert_eq!(log.append(&disk, batch(&["other history"])).await.unwrap().base_offset, offset);
            let expected = contents(&log, Visible::LogEnd);
            drop(log);
            let (log, _) = open_with(&disk, dir.path(), config(), after(Shutdown::HostDied)).await.unwrap();
            assert_eq!(contents(&log, Visible::LogEnd), expected, "truncated to {offset}");
        }
    });
}

#[test]
fn truncation_inside_a_batch_takes_the_batch() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        log.append(&disk, batch(&["a", "b", "c"])).await.unwrap();
        log.append(&disk, batch(&["d", "e", "f"])).await.unwrap();
        assert_eq!(log.truncate_to(&disk, 5).await.unwrap(), 3);
        assert_eq!(contents(&log, Visible::LogEnd).len(), 3);
    });
}

#[test]
fn truncation_takes_producers_and_epochs_back() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open_with(&disk, dir.path(), config(), after(Shutdown::Clean)).await.unwrap().0;
        for n in 0..30 {
            log.set_leader_epoch(n / 10);
            log.append(&disk, produced(1, 0, n, &[&format!("{n:0100}")])).await.unwrap();
        }
        log.truncate_to(&disk, 17).await.unwrap();
        assert_eq!(log.producers()[0].last_sequence(), 16);
        assert_eq!((log.latest_epoch(), log.end_offset_for_epoch(1)), (1, Some((1, 17))));
        let text = std::fs::read_to_string(log.dir().join("leader-epoch-checkpoint")).unwrap();
        assert_eq!(text, "0\n2\n0 0\n1 10\n");
        assert_eq!(log.append(&disk, produced(1, 0, 17, &["x"])).await.unwrap().base_offset, 17);
    });
}

#[test]
fn a_truncation_that_a_crash_ends_anywhere_leaves_a_prefix() {
    for operation in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("live");
        std::fs::create_dir(&root).unwrap();
        let (faults, first) = run(async {
            filled(&disk(), &root, config()).await.close(&disk()).await.unwrap();
            let faults = Faults::with_seed(&root, operation).unwrap();
            let disk = Disk::faulty(faults.clone());
            let log = open_with(&disk, &root, config(), after(Shutdown::Clean)).await.unwrap().0;
            let first = faults.operations();
            faults.at(first + operation, Fault::PowerCut);
            let _ = log.truncate_to(&disk, 12).await;
            (faults, first)
        });
        let came_through = faults.operations() <= first + operation;
        for (number, unsynced) in [Unsynced::Lost, Unsynced::Kept, Unsynced::Some(5)].into_iter().enumerate() {
            let after_cut = dir.path().join(format!("after-{number}"));
            faults.power_cut(&after_cut, unsynced).unwrap();
            run(async {
                let opened = open_with(&disk(), &after_cut, config(), after(Shutdown::HostDied)).await;
                let log = opened.unwrap_or_else(|error| panic!("cut at {operation}, {unsynced:?}: {error}")).0;
                let found = contents(&log, Visible::LogEnd);
                let expected: Vec<_> = (0..found.len() as i64).map(|n| (n, format!("{n:0120}"))).collect();
                assert_eq!(found, expected, "cut at {operation}, {unsynced:?}");
                let least = if came_through { 12..=12 } else { 12..=30 };
                assert!(least.contains(&found.len()), "cut at {operation}, {unsynced:?}: {}", found.len());
            });
        }
        if came_through {
            return;
        }
    }
}
