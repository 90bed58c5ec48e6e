//! Appends and reads, end to end, on both backends.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use std::{os::unix::fs::MetadataExt, sync::Arc};

use fixture::*;
use ringlog_io::{Disk, Faults, RingLimits};
use ringlog_log::*;
use ringlog_record::{TimestampType, batches};

/// Runs the scenario on plain system calls, and on a ring where the host has one.
fn on_both_backends(scenario: impl AsyncFn(Disk)) {
    run(async {
        scenario(Disk::syscall()).await;
        match Disk::uring(RingLimits::default()) {
            Ok(disk) => scenario(disk).await,
            Err(error) => eprintln!("no ring here: {error}"),
        }
    });
}

async fn configured(disk: &Disk, dir: &tempfile::TempDir, config: LogConfig) -> Arc<Log> {
    open_with(disk, dir.path(), config, after(Shutdown::ProcessDied)).await.unwrap().0
}

fn segments_of(log: &Log) -> Vec<i64> {
    let names = std::fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut bases: Vec<i64> = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
    bases.sort_unstable();
    bases
}

#[test]
fn what_is_appended_is_read_in_the_order_of_the_calls() {
    on_both_backends(async |disk| {
        let dir = tempfile::tempdir().unwrap();
        let log = open(&disk, dir.path()).await;
        let pending: Vec<_> =
            (0..100).map(|n| log.append(&disk, batch(&[&format!("a{n}"), &format!("b{n}")]))).collect();
        for (n, append) in pending.into_iter().enumerate() {
            let appended = append.await.unwrap();
            assert_eq!((appended.base_offset, appended.last_offset), (2 * n as i64, 2 * n as i64 + 1));
        }
        let expected: Vec<_> =
            (0..100).flat_map(|n| [(2 * n, format!("a{n}")), (2 * n + 1, format!("b{n}"))]).collect();
        assert_eq!(contents(&log, Visible::HighWatermark), expected);
        assert_eq!((log.log_start_offset(), log.high_watermark(), log.log_end_offset()), (0, 200, 200));
    });
}

#[test]
fn a_closed_log_opens_with_everything_it_had() {
    on_both_backends(async |disk| {
        let dir = tempfile::tempdir().unwrap();
        let log = open(&disk, dir.path()).await;
        log.set_leader_epoch(4);
        for n in 0..50 {
            log.append(&disk, produced(7, 1, n, &[&format!("{n:0100}")])).await.unwrap();
        }
        let (before, producers) = (contents(&log, Visible::LogEnd), log.producers());
        log.close(&disk).await.unwrap();
        assert!(matches!(log.append(&disk, batch(&["late"])).await, Err(LogError::Closed)));
        drop(log);
        let (log, report) = open_with(&disk, dir.path(), LogConfig::default(), after(Shutdown::Clean)).await.unwrap();
        assert_eq!(report.cases, []);
        assert_eq!(contents(&log, Visible::HighWatermark), before);
        assert_eq!(log.producers(), producers);
        assert_eq!(log.end_offset_for_epoch(4), Some((4, 50)));
        assert_eq!(log.recovery_point(), 50);
        let next = log.append(&disk, produced(7, 1, 50, &["next"])).await.unwrap();
        assert_eq!(next.base_offset, 50);
        let again = log.append(&disk, produced(7, 1, 48, &[&format!("{:0100}", 48)])).await.unwrap();
        assert!(again.duplicate && again.base_offset == 48);
    });
}

#[test]
fn batches_that_queue_together_go_into_one_write() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let log = open(&disk, dir.path()).await;
        log.append(&disk, batch(&["the epoch checkpoint is written once"])).await.unwrap();
        tokio::task::yield_now().await;
        let before = faults.operations();
        let pending: Vec<_> = (0..500).map(|n| log.append(&disk, batch(&[&n.to_string()]))).collect();
        for append in pending {
            append.await.unwrap();
        }
        assert_eq!(faults.operations() - before, 1);
    });
}

#[test]
fn a_read_inside_a_batch_begins_with_the_batch() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        for _ in 0..20 {
            log.append(&disk, batch(&["a", "b", "c", "d", "e"])).await.unwrap();
        }
        for offset in 0..100 {
            let slice = log.read(offset, 1 << 20, true, Visible::HighWatermark).unwrap();
            let mut bytes = vec![0; slice.length];
            slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
            let first = batches(&bytes).next().unwrap().unwrap();
            assert_eq!(first.header().base_offset, offset / 5 * 5);
            assert_eq!(batches(&bytes).count(), 20 - offset as usize / 5);
        }
    });
}

#[test]
fn the_first_batch_comes_whole_when_asked_for_and_else_only_if_it_fits() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        let first = batch(&["x".repeat(1000).as_str()]);
        let size = first.size_bytes();
        log.append(&disk, first).await.unwrap();
        log.append(&disk, batch(&["y"])).await.unwrap();
        let length =
            |max_bytes, min_one_batch| log.read(0, max_bytes, min_one_batch, Visible::HighWatermark).unwrap().length;
        assert_eq!(length(10, true), size);
        assert_eq!(length(10, false), 0);
        assert_eq!(length(0, true), size);
        assert_eq!(length(size, false), size);
        assert_eq!(length(1 << 20, false) as u64, log.size_bytes());
    });
}

#[test]
fn a_limited_slice_ends_between_batches_where_the_index_knows_one() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        let size = batch(&["x".repeat(6000).as_str()]).size_bytes();
        for _ in 0..20 {
            log.append(&disk, batch(&["x".repeat(6000).as_str()])).await.unwrap();
        }
        for max_bytes in [size, 2 * size, 3 * size + 1, 5 * size - 1, 7 * size] {
            let slice = log.read(4, max_bytes, true, Visible::HighWatermark).unwrap();
            assert_eq!((slice.position, slice.length), (4 * size as u64, max_bytes / size * size), "{max_bytes}");
        }
    });
}

#[test]
fn offsets_outside_are_refused_and_the_end_is_empty() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        log.append(&disk, batch(&["a", "b"])).await.unwrap();
        assert_eq!(log.read(2, 100, true, Visible::HighWatermark).unwrap().length, 0);
        for offset in [-1, 3] {
            let refused = log.read(offset, 100, true, Visible::HighWatermark);
            assert!(matches!(refused, Err(LogError::OffsetOutOfRange { start: 0, end: 2, .. })), "{refused:?}");
        }
        log.delete_records_before(1).unwrap();
        assert!(matches!(log.read(0, 100, true, Visible::LogEnd), Err(LogError::OffsetOutOfRange { start: 1, .. })));
        assert_eq!(contents(&log, Visible::HighWatermark), [(1, "b".into())]);
    });
}

#[test]
fn consumers_see_what_is_below_the_high_watermark() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        log.advance_high_watermark(0).unwrap();
        for n in 0..6 {
            log.append(&disk, batch(&[&n.to_string(), "x"])).await.unwrap();
        }
        assert_eq!(contents(&log, Visible::HighWatermark), []);
        assert_eq!(contents(&log, Visible::LogEnd).len(), 12);
        log.advance_high_watermark(4).unwrap();
        assert_eq!(contents(&log, Visible::HighWatermark).len(), 4);
        assert_eq!(log.read(6, 100, true, Visible::HighWatermark).unwrap().length, 0, "between high watermark and end");
        log.advance_high_watermark(2).unwrap();
        assert_eq!(log.high_watermark(), 4);
    });
}

#[test]
fn segments_are_closed_by_size_time_and_full_index() {
    run(async {
        let disk = Disk::syscall();
        let value = "x".repeat(300);
        let small = LogConfig { segment_bytes: 2_000, ..Default::default() };
        let brief = LogConfig { segment_ms: 10, ..Default::default() };
        let few = LogConfig { segment_index_bytes: 40, index_interval_bytes: 300, ..Default::default() };
        for (config, expected) in
            [(small, vec![0, 5, 10, 15]), (brief, vec![0, 11]), (few, vec![0, 3, 6, 9, 12, 15, 18])]
        {
            let dir = tempfile::tempdir().unwrap();
            let log = configured(&disk, &dir, config).await;
            for n in 0..20 {
                log.append(&disk, batch_at(1_000 + n, &[&value])).await.unwrap();
            }
            assert_eq!(segments_of(&log), expected);
            assert_eq!(contents(&log, Visible::HighWatermark).len(), 20);
            for offset in 0..20 {
                assert_eq!(read_from(&log, offset, 100, Visible::LogEnd).len(), 20 - offset as usize);
            }
        }
    });
}

/// Bytes that the file system holds for a segment, which may be more than the file is long.
fn blocks_of(log: &Log, base_offset: i64) -> u64 {
    std::fs::metadata(log.dir().join(format!("{base_offset:020}.log"))).unwrap().blocks() * 512
}

#[test]
fn a_segment_is_reserved_whole_when_the_topic_asks_for_it_and_the_rest_is_given_back() {
    on_both_backends(async |disk| {
        let dir = tempfile::tempdir().unwrap();
        let segment_bytes = 1 << 20;
        let log = configured(&disk, &dir, LogConfig { segment_bytes, preallocate: true, ..Default::default() }).await;
        let value = "x".repeat(300 << 10);
        for _ in 0..4 {
            log.append(&disk, batch(&[&value])).await.unwrap();
        }
        assert_eq!(segments_of(&log), [0, 3]);
        if blocks_of(&log, 3) < segment_bytes {
            eprintln!("!!! NOT TESTED: this file system reserves nothing");
            return;
        }
        assert!(blocks_of(&log, 0) < segment_bytes, "{} after the roll", blocks_of(&log, 0));
        log.close(&disk).await.unwrap();
        assert!(blocks_of(&log, 3) < segment_bytes, "{} after the end", blocks_of(&log, 3));
        drop(log);
        let log = open(&disk, dir.path()).await;
        assert_eq!(contents(&log, Visible::HighWatermark).len(), 4);
    });
}

#[test]
fn the_log_stamps_batches_when_the_topic_asks_for_it() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let config = LogConfig { message_timestamp_type: TimestampType::LogAppendTime, ..Default::default() };
        let log = configured(&disk, &dir, config).await;
        let appended = log.append(&disk, batch(&["a", "b"])).await.unwrap();
        assert_eq!(appended.log_append_time_ms, 5_000);
        let slice = log.read(0, 1000, true, Visible::LogEnd).unwrap();
        let mut bytes = vec![0; slice.length];
        slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
        let batch = batches(&bytes).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        assert_eq!(batch.header().max_timestamp, 5_000);
        assert_eq!(batch.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
    });
}

#[test]
fn a_retry_gets_the_first_offset_and_writes_nothing() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = open(&disk, dir.path()).await;
        let together = [produced(1, 0, 0, &["a", "b"]), produced(1, 0, 2, &["c"]), produced(1, 0, 0, &["a", "b"])];
        let together: Vec<_> = together.into_iter().map(|batch| log.append(&disk, batch)).collect();
        let mut offsets = Vec::new();
        for append in together {
            let appended = append.await.unwrap();
            offsets.push((appended.base_offset, appended.duplicate));
        }
        assert_eq!(offsets, [(0, false), (2, false), (0, true)]);
        let gap = log.append(&disk, produced(1, 0, 9, &["x"])).await;
        assert!(matches!(gap, Err(LogError::OutOfOrderSequence { expected: 3, found: 9, .. })));
        log.append(&disk, produced(1, 1, 0, &["d"])).await.unwrap();
        assert!(matches!(log.append(&disk, produced(1, 0, 3, &["x"])).await, Err(LogError::FencedProducer { .. })));
        assert_eq!(contents(&log, Visible::LogEnd).len(), 4);
    });
}

#[test]
fn look_ups_by_time_are_exact_inside_a_batch() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let config = LogConfig { segment_bytes: 3_000, index_interval_bytes: 200, ..Default::default() };
        let log = configured(&disk, &dir, config).await;
        // Each batch holds timestamps base, base + 3, base + 1; bases rise by ten, with one batch from the past.
        let mut model = Vec::new();
        for n in 0..60i64 {
            let base = if n == 30 { 50 } else { 1_000 + n * 10 };
            let mut builder = ringlog_record::BatchBuilder::new(ringlog_record::Compression::Lz4);
            for timestamp in [base, base + 3, base + 1] {
                builder.append(timestamp, None, Some(b"value"), &[]).unwrap();
                model.push((timestamp, model.len() as i64));
            }
            log.append(&disk, finished(builder)).await.unwrap();
        }
        assert!(segments_of(&log).len() > 2);
        for timestamp in (0..1_700).step_by(7).chain([50, 53, 1_000, 1_593]) {
            let expected = model.iter().find(|(known, _)| *known >= timestamp).copied();
            let found = log.offset_for_timestamp(TimestampQuery::AtOrAfter(timestamp), Visible::HighWatermark).unwrap();
            assert_eq!(found.map(|found| (found.timestamp_ms, found.offset)), expected, "timestamp {timestamp}");
        }
        let largest = log.offset_for_timestamp(TimestampQuery::Largest, Visible::HighWatermark).unwrap().unwrap();
        assert_eq!((largest.timestamp_ms, largest.offset), (1_593, 178));
        let empty = configured(&disk, &tempfile::tempdir().unwrap(), LogConfig::default()).await;
        assert_eq!(empty.offset_for_timestamp(TimestampQuery::Largest, Visible::LogEnd).unwrap(), None);
    });
}

#[test]
fn one_waiter_is_woken_by_whichever_of_its_logs_moves() {
    run(async {
        let disk = Disk::syscall();
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let logs = [open(&disk, dirs[0].path()).await, open(&disk, dirs[1].path()).await];
        let waiter = Waiter::new();
        for moving in &logs {
            logs.iter().for_each(|log| log.register_waiter(&waiter));
            let append = moving.append(&disk, batch(&["x"]));
            waiter.woken().await;
            assert_eq!(append.await.unwrap().base_offset + 1, moving.high_watermark());
        }
    });
}

#[test]
fn at_the_fsync_level_one_sync_acknowledges_all_that_came_before_it() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::with_seed(dir.path(), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        let config = LogConfig { flush_messages: 1, ..Default::default() };
        let log = configured(&disk, &dir, config).await;
        log.append(&disk, batch(&["first"])).await.unwrap();
        assert_eq!((log.recovery_point(), log.high_watermark()), (1, 1));
        let before = faults.operations();
        let pending: Vec<_> = (0..100).map(|_| log.append(&disk, batch(&["x"]))).collect();
        for append in pending {
            append.await.unwrap();
        }
        assert_eq!(log.recovery_point(), 101);
        assert_eq!(faults.operations() - before, 2, "a write and a sync");
    });
}

#[test]
fn with_flush_ms_records_are_synced_before_they_can_be_older() {
    run(async {
        let (disk, dir) = (Disk::syscall(), tempfile::tempdir().unwrap());
        let log = configured(&disk, &dir, LogConfig { flush_ms: Some(100), ..Default::default() }).await;
        log.append(&disk, batch(&["x"])).await.unwrap();
        // It may be ten milliseconds old already, and is a hundred at the call after the last one.
        log.flush_if_due(&disk, 1_000, 10);
        log.flush_if_due(&disk, 1_080, 10);
        tokio::task::yield_now().await;
        assert_eq!(log.recovery_point(), 0);
        let waiter = Waiter::new();
        log.register_waiter(&waiter);
        log.flush_if_due(&disk, 1_090, 10);
        waiter.woken().await;
        assert_eq!(log.recovery_point(), 1);
    });
}

#[test]
fn threads_append_to_one_log_and_every_record_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = run(async { open(&Disk::syscall(), dir.path()).await });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                run(async {
                    let disk = Disk::syscall();
                    for n in 0..200 {
                        log.append(&disk, batch(&[&format!("{thread}-{n}")])).await.unwrap();
                    }
                });
            });
        }
    });
    let records: Vec<String> = contents(&log, Visible::HighWatermark).into_iter().map(|(_, value)| value).collect();
    assert_eq!(records.len(), 800);
    for thread in 0..4 {
        let own: Vec<_> = records.iter().filter(|value| value.starts_with(&format!("{thread}-"))).collect();
        assert_eq!(own, (0..200).map(|n| format!("{thread}-{n}")).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }
}
