//! Compaction: what stays, what goes, and that a crash in the middle changes neither.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::BytesMut;
use fixture::*;
use ringlog_io::{Disk, Fault, Faults, Unsynced};
use ringlog_log::*;
use ringlog_record::{
    BatchBuilder, BatchHeader, Compression, batches,
    control::{self, Marker, MarkerKind},
};

const HOUR_MS: i64 = 3_600_000;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1_000,
        index_interval_bytes: 100,
        cleanup_delete: false,
        cleanup_compact: true,
        delete_retention_ms: HOUR_MS,
        ..Default::default()
    }
}

async fn open_compacted(disk: &Disk, root: &Path) -> Arc<Log> {
    open_with(disk, root, config(), after(Shutdown::ProcessDied)).await.unwrap().0
}

/// Keys and values with their offsets, as a consumer from the beginning sees them.
fn records(log: &Log) -> Vec<(i64, String, Option<String>)> {
    let (mut records, mut offset) = (Vec::new(), log.log_start_offset());
    loop {
        let slice = log.read(offset, 1 << 20, true, Visible::LogEnd).unwrap();
        if slice.length == 0 {
            return records;
        }
        let mut bytes = vec![0; slice.length];
        slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
        for batch in batches(&bytes) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            offset = batch.header().next_offset();
            for record in batch.records(1 << 20).unwrap().iter().filter(|_| !batch.header().attributes.is_control()) {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                records.push((record.offset, text(record.key.unwrap_or(b"")), record.value.map(text)));
            }
        }
    }
}

/// What a reader that keeps a table has at the end.
fn table(log: &Log) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for (_, key, value) in records(log) {
        match value {
            Some(value) => table.insert(key, value),
            None => table.remove(&key),
        };
    }
    table
}

fn batch_headers(log: &Log) -> Vec<BatchHeader> {
    let mut names: Vec<_> = std::fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|suffix| suffix == "log"));
    names.sort();
    let contents: Vec<u8> = names.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    batches(&contents).map(|batch| *batch.unwrap().header()).collect()
}

async fn fill(disk: &Disk, log: &Arc<Log>, rounds: std::ops::Range<i32>) {
    for round in rounds {
        for key in ["a", "b", "c", "d"] {
            let _ = log.append(disk, keyed(1_000, &[(key, Some(&format!("{key}{round}")))])).await;
        }
    }
}

#[test]
fn the_newest_record_of_each_key_stays_at_its_offset() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open_compacted(&disk, dir.path()).await;
        fill(&disk, &log, 0..30).await;
        let (before, size_bytes) = (records(&log), log.size_bytes());
        let expected = table(&log);
        let compacted = log.compact(&disk, 2_000).await.unwrap().unwrap();
        assert!(compacted.bytes_after < compacted.bytes_before / 5, "{compacted:?}");
        assert!(log.size_bytes() < size_bytes / 3);
        assert_eq!(table(&log), expected);
        let after = records(&log);
        assert!(after.iter().all(|record| before.contains(record)), "records keep their offsets");
        let cleaned: Vec<_> = after.iter().filter(|(offset, ..)| *offset < compacted.cleaned_to).collect();
        assert_eq!(cleaned.len(), 4);
        assert_eq!(log.compact(&disk, 2_000).await.unwrap(), None, "nothing is dirty");
        for offset in 0..log.log_end_offset() {
            let first = read_from(&log, offset, 10, Visible::LogEnd).first().map(|(offset, _)| *offset);
            assert_eq!(first, after.iter().map(|(known, ..)| *known).find(|known| *known >= offset), "from {offset}");
        }
    });
}

#[test]
fn a_compacted_log_opens_again_and_goes_on() {
    run(async {
        for shutdown in [Shutdown::ProcessDied, Shutdown::HostDied] {
            let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
            let log = open_compacted(&disk, dir.path()).await;
            fill(&disk, &log, 0..30).await;
            log.compact(&disk, 2_000).await.unwrap().unwrap();
            fill(&disk, &log, 30..60).await;
            log.compact(&disk, 2_000).await.unwrap().unwrap();
            let (before, end) = (records(&log), log.log_end_offset());
            drop(log);
            let (log, _) = open_with(&disk, dir.path(), config(), after(shutdown)).await.unwrap();
            assert_eq!((records(&log), log.log_end_offset()), (before, end));
        }
    });
}

#[test]
fn a_tombstone_outlives_the_first_pass_by_delete_retention() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open_compacted(&disk, dir.path()).await;
        fill(&disk, &log, 0..5).await;
        log.append(&disk, keyed(1_000, &[("a", None), ("b", Some("kept"))])).await.unwrap();
        fill_other(&disk, &log, 40).await;
        let has_tombstone = |log: &Log| records(log).iter().any(|(_, key, value)| key == "a" && value.is_none());
        log.compact(&disk, 10_000).await.unwrap().unwrap();
        assert!(has_tombstone(&log) && !table(&log).contains_key("a"));
        fill_other(&disk, &log, 400).await;
        log.compact(&disk, 10_000 + HOUR_MS - 1).await.unwrap().unwrap();
        assert!(has_tombstone(&log), "before its horizon");
        fill_other(&disk, &log, 2_000).await;
        log.compact(&disk, 10_000 + HOUR_MS).await.unwrap().unwrap();
        assert!(!has_tombstone(&log), "after its horizon");
        assert_eq!(table(&log)["b"], "kept");
    });
}

async fn fill_other(disk: &Disk, log: &Arc<Log>, records: usize) {
    for n in 0..records {
        log.append(disk, keyed(1_000, &[("other", Some(&n.to_string()))])).await.unwrap();
    }
}

#[test]
fn a_producers_last_batch_stays_even_when_it_is_empty() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open_compacted(&disk, dir.path()).await;
        for sequence in 0..6 {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.append(1_000, Some(b"key"), Some(b"value"), &[]).unwrap();
            builder.set_producer(5, 0, sequence);
            log.append(&disk, finished(builder)).await.unwrap();
        }
        fill_keys(&disk, &log, "key", 20).await;
        log.compact(&disk, 2_000).await.unwrap().unwrap();
        let of_producer: Vec<_> = batch_headers(&log).into_iter().filter(|header| header.producer_id == 5).collect();
        let found: Vec<_> = of_producer.iter().map(|header| (header.last_sequence(), header.record_count)).collect();
        assert_eq!(found, [(5, 0)]);
        drop(log);
        std::fs::read_dir(dir.path().join("t-0")).unwrap().map(|entry| entry.unwrap().path()).for_each(|path| {
            if path.extension().is_some_and(|suffix| suffix == "snapshot") {
                std::fs::remove_file(path).unwrap();
            }
        });
        let log = open_compacted(&disk, dir.path()).await;
        assert_eq!(log.producers()[0].last_sequence(), 5);
    });
}

async fn fill_keys(disk: &Disk, log: &Arc<Log>, key: &str, records: usize) {
    for n in 0..records {
        log.append(disk, keyed(1_000, &[(key, Some(&n.to_string()))])).await.unwrap();
    }
}

#[test]
fn aborted_records_replace_nothing_and_markers_stay() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open_compacted(&disk, dir.path()).await;
        fill_keys(&disk, &log, "k", 3).await;
        for (sequence, kind) in [(0, MarkerKind::Abort), (1, MarkerKind::Commit), (2, MarkerKind::Abort)] {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.append(1_000, Some(b"k"), Some(format!("{kind:?}{sequence}").as_bytes()), &[]).unwrap();
            builder.set_producer(5, 0, sequence).set_transactional();
            log.append(&disk, finished(builder)).await.unwrap();
            assert_eq!(log.last_stable_offset(), log.log_end_offset() - 1);
            let marker = control::marker(Marker { kind, coordinator_epoch: 1 }, 5, 0, 1_000).unwrap();
            log.append(&disk, AppendBatch::new(BytesMut::from(&marker[..]), 1_000).unwrap()).await.unwrap();
            assert_eq!(log.last_stable_offset(), log.log_end_offset());
        }
        fill_keys(&disk, &log, "other", 20).await;
        log.compact(&disk, 2_000).await.unwrap().unwrap();
        let of_key: Vec<_> =
            records(&log).into_iter().filter(|(_, key, _)| key == "k").map(|(.., value)| value.unwrap()).collect();
        assert_eq!(of_key, ["Commit1", "Abort2"]);
        assert_eq!(batch_headers(&log).iter().filter(|header| header.attributes.is_control()).count(), 3);
    });
}

#[test]
fn young_records_and_what_is_clean_enough_are_left_alone() {
    run(async {
        let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
        let log = open_compacted(&disk, dir.path()).await;
        fill(&disk, &log, 0..10).await;
        log.update_config(LogConfig { min_compaction_lag_ms: HOUR_MS, ..config() });
        assert_eq!(log.compact(&disk, 1_000 + HOUR_MS - 1).await.unwrap(), None);
        log.update_config(LogConfig { cleanup_compact: false, ..config() });
        assert_eq!(log.compact(&disk, 2_000).await.unwrap(), None);
        log.update_config(config());
        assert!(log.compact(&disk, 2_000).await.unwrap().is_some());
    });
}

#[test]
fn a_pass_that_a_crash_ends_anywhere_loses_no_key() {
    for operation in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("live");
        std::fs::create_dir(&root).unwrap();
        let (faults, expected, first) = run(async {
            let disk = disk();
            let log = open_compacted(&disk, &root).await;
            fill(&disk, &log, 0..20).await;
            let expected = table(&log);
            log.close(&disk).await.unwrap();
            drop(log);
            let faults = Faults::with_seed(&root, operation).unwrap();
            let disk = Disk::faulty(faults.clone());
            let log = open_compacted(&disk, &root).await;
            let first = faults.operations();
            faults.at(first + operation, Fault::PowerCut);
            let _ = log.compact(&disk, 2_000).await;
            (faults, expected, first)
        });
        let came_through = faults.operations() <= first + operation;
        for (number, unsynced) in [Unsynced::Lost, Unsynced::Kept, Unsynced::Some(3)].into_iter().enumerate() {
            let after_cut = dir.path().join(format!("after-{number}"));
            faults.power_cut(&after_cut, unsynced).unwrap();
            run(async {
                let opened = open_with(&disk(), &after_cut, config(), after(Shutdown::HostDied)).await;
                let log = opened.unwrap_or_else(|error| panic!("cut at {operation}, {unsynced:?}: {error}")).0;
                assert_eq!(table(&log), expected, "cut at {operation}, {unsynced:?}");
            });
        }
        if came_through {
            assert!(operation > 15, "a pass has only {operation} operations");
            return;
        }
    }
}
