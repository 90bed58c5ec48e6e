//! The table of `recovery.rs`, a test per row.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use std::{
    fs,
    path::{Path, PathBuf},
};

use fixture::*;
use ringlog_log::*;

const BATCHES: i64 = 30;

/// Four segments of 8 batches or less, index entries every other batch, a producer, two leader epochs.
fn config() -> LogConfig {
    LogConfig { segment_bytes: 1_500, index_interval_bytes: 200, ..Default::default() }
}

/// A directory as a clean shutdown leaves it.
async fn closed_log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let disk = disk();
    let (log, _) = open_with(&disk, dir.path(), config(), after(Shutdown::Clean)).await.unwrap();
    for n in 0..BATCHES {
        log.set_leader_epoch(if n < 20 { 1 } else { 2 });
        log.append(&disk, produced(9, 0, n as i32, &[&format!("{n:0100}")])).await.unwrap();
    }
    log.close(&disk).await.unwrap();
    dir
}

fn partition(root: &Path) -> PathBuf {
    root.join("t-0")
}

fn files(root: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(partition(root)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
    files.sort();
    files
}

fn last_log(root: &Path) -> PathBuf {
    files(root, ".log").pop().unwrap()
}

/// Opens and gives the cases met, the records, and the log for more questions.
async fn reopen(root: &Path, recovery: Recovery) -> (std::sync::Arc<Log>, Vec<RecoveryCase>) {
    let (log, report) = open_with(&disk(), root, config(), recovery).await.unwrap();
    (log, report.cases)
}

/// All of the first `batches` are there with their producer and epochs, and the log goes on behind them.
async fn assert_whole(log: &std::sync::Arc<Log>, batches: i64) {
    let expected: Vec<_> = (0..batches).map(|n| (n, format!("{n:0100}"))).collect();
    assert_eq!(contents(log, Visible::HighWatermark), expected);
    assert_eq!(log.producers()[0].last_sequence(), batches as i32 - 1);
    assert_eq!(log.end_offset_for_epoch(1), Some((1, 20)));
    assert_eq!(log.end_offset_for_epoch(2), Some((2, batches)));
    let next = log.append(&disk(), produced(9, 0, batches as i32, &["next"])).await.unwrap();
    assert_eq!(next.base_offset, batches);
}

fn append_bytes(path: &Path, bytes: &[u8]) {
    let mut content = fs::read(path).unwrap();
    content.extend(bytes);
    fs::write(path, content).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 0x40;
    fs::write(path, content).unwrap();
}

/// All batches have one size.
fn batch_bytes() -> usize {
    produced(9, 0, 0, &[&format!("{:0100}", 0)]).size_bytes()
}

type Damage = (&'static str, fn(&Path));

const ANY: [Shutdown; 3] = [Shutdown::Clean, Shutdown::ProcessDied, Shutdown::HostDied];

#[test]
fn no_directory_gives_an_empty_log_at_the_checkpointed_start() {
    run(async {
        for log_start in [None, Some(17)] {
            let dir = tempfile::tempdir().unwrap();
            let (log, cases) = reopen(dir.path(), Recovery { log_start, ..after(Shutdown::HostDied) }).await;
            assert_eq!(cases, []);
            assert_eq!(log.log_end_offset(), log_start.unwrap_or(0));
        }
    });
}

#[test]
fn after_a_clean_shutdown_the_headers_are_trusted() {
    run(async {
        let dir = closed_log().await;
        let (log, cases) = reopen(dir.path(), after(Shutdown::Clean)).await;
        assert_eq!(cases, []);
        assert_eq!(log.recovery_point(), BATCHES);
        assert_whole(&log, BATCHES).await;
    });
}

#[test]
fn after_the_process_died_only_the_tail_behind_the_index_is_checked() {
    run(async {
        let dir = closed_log().await;
        // Damage before the last index entry of the active segment is not looked at; that is what the checks of readers are for.
        flip(&files(dir.path(), ".log")[0], 100);
        let (log, cases) = reopen(dir.path(), after(Shutdown::ProcessDied)).await;
        let active = last_log(dir.path());
        assert!(matches!(&cases[..], [] | [RecoveryCase::Scanned { .. }]), "{cases:?}");
        if let [RecoveryCase::Scanned { path, bytes }] = &cases[..] {
            assert_eq!(path, &active);
            assert!(*bytes < 600, "{bytes}");
        }
        assert_eq!(log.log_end_offset(), BATCHES);
    });
}

#[test]
fn after_the_host_died_everything_behind_the_recovery_point_is_checked() {
    run(async {
        let dir = closed_log().await;
        let (log, cases) = reopen(dir.path(), Recovery { recovery_point: Some(11), ..after(Shutdown::HostDied) }).await;
        let scanned: u64 = cases
            .iter()
            .map(|case| match case {
                RecoveryCase::Scanned { bytes, .. } => *bytes,
                other => panic!("{other:?}"),
            })
            .sum();
        let all: u64 = files(dir.path(), ".log").iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(scanned, all / BATCHES as u64 * (BATCHES as u64 - 11));
        assert_whole(&log, BATCHES).await;
    });
}

#[test]
fn a_torn_tail_is_truncated_and_reported() {
    run(async {
        for shutdown in [Shutdown::ProcessDied, Shutdown::HostDied] {
            let dir = closed_log().await;
            let active = last_log(dir.path());
            let size = fs::metadata(&active).unwrap().len();
            let batch = fs::read(&files(dir.path(), ".log")[0]).unwrap();
            // Zeros behind it: the write fell on some that were there before.
            for (cut, zeros) in [12, 60, 61, 100].into_iter().flat_map(|cut| [(cut, 0), (cut, 5_000)]) {
                append_bytes(&active, &batch[..cut]);
                append_bytes(&active, &vec![0; zeros]);
                let (log, cases) = reopen(dir.path(), after(shutdown)).await;
                let torn = cases.iter().find(|case| matches!(case, RecoveryCase::TornTail { .. }));
                let Some(RecoveryCase::TornTail { path, position, bytes, .. }) = torn else {
                    panic!("{cut}: {cases:?}")
                };
                assert_eq!((path, *position, *bytes), (&active, size, (cut + zeros) as u64));
                assert_eq!(log.log_end_offset(), BATCHES);
            }
            assert_whole(&reopen(dir.path(), after(shutdown)).await.0, BATCHES).await;
        }
    });
}

#[test]
fn a_last_batch_that_is_damaged_was_torn() {
    run(async {
        let dir = closed_log().await;
        let active = last_log(dir.path());
        let size = fs::metadata(&active).unwrap().len() as usize;
        flip(&active, size - 10);
        let (log, cases) = reopen(dir.path(), after(Shutdown::HostDied)).await;
        assert!(cases.iter().any(|case| matches!(case, RecoveryCase::TornTail { .. })), "{cases:?}");
        assert_whole(&log, BATCHES - 1).await;
    });
}

#[test]
fn zeros_that_synced_appends_fall_on_never_outlive_their_segment() {
    run(async {
        let synced = LogConfig { flush_messages: 1, ..config() };
        let dir = tempfile::tempdir().unwrap();
        let disk = disk();
        let (log, _) = open_with(&disk, dir.path(), synced.clone(), after(Shutdown::Clean)).await.unwrap();
        for n in 0..BATCHES {
            log.set_leader_epoch(if n < 20 { 1 } else { 2 });
            log.append(&disk, produced(9, 0, n as i32, &[&format!("{n:0100}")])).await.unwrap();
        }
        let lengths = || -> Vec<usize> {
            files(dir.path(), ".log").iter().map(|path| fs::metadata(path).unwrap().len() as usize).collect()
        };
        let batch = batch_bytes();
        assert_eq!(lengths()[..3], [8 * batch; 3], "closed segments end with their last batch");
        assert_eq!(lengths()[3] as u64, synced.segment_bytes, "the active one has zeros behind it");
        drop(log);
        let (log, report) = open_with(&disk, dir.path(), synced, after(Shutdown::ProcessDied)).await.unwrap();
        assert!(report.cases.iter().any(|case| matches!(case, RecoveryCase::ZeroTail { .. })), "{report:?}");
        assert!(report.cases.iter().all(|case| !case.loses_data()), "{report:?}");
        assert_whole(&log, BATCHES).await;
        log.close(&disk).await.unwrap();
        drop(log);
        let (_, cases) = reopen(dir.path(), after(Shutdown::Clean)).await;
        assert_eq!(cases, [], "a close takes them off");
    });
}

#[test]
fn allocated_zeros_behind_the_end_are_given_back() {
    run(async {
        for shutdown in ANY {
            let dir = closed_log().await;
            let active = last_log(dir.path());
            let size = fs::metadata(&active).unwrap().len();
            append_bytes(&active, &[0; 5_000]);
            let (log, cases) = reopen(dir.path(), after(shutdown)).await;
            let expected = RecoveryCase::ZeroTail { path: active.clone(), position: size, bytes: 5_000 };
            assert!(cases.contains(&expected), "{shutdown:?}: {cases:?}");
            assert_eq!(fs::metadata(&active).unwrap().len(), size);
            assert_whole(&log, BATCHES).await;
        }
    });
}

#[test]
fn a_bad_batch_with_good_ones_behind_it_is_refused_and_nothing_changes() {
    run(async {
        let dir = closed_log().await;
        let first = files(dir.path(), ".log")[0].clone();
        let size = batch_bytes();
        for at in [size + 70, size + 16, size + 9, size + 23] {
            let before = fs::read(&first).unwrap();
            flip(&first, at);
            let opened = open_with(&disk(), dir.path(), config(), after(Shutdown::HostDied)).await;
            let Err(LogError::Corrupt { path, position, reason }) = opened else { panic!("byte {at}: {opened:?}") };
            assert_eq!((&path, position), (&first, size as u64), "{reason}");
            assert!(reason.contains(&format!("good batch follows at {}", 2 * size)), "{reason}");
            assert_eq!(fs::metadata(&first).unwrap().len(), before.len() as u64);
            fs::write(&first, before).unwrap();
        }
        assert_whole(&reopen(dir.path(), after(Shutdown::HostDied)).await.0, BATCHES).await;
    });
}

#[test]
fn damage_after_a_clean_shutdown_is_never_taken_for_a_torn_write() {
    run(async {
        let dir = closed_log().await;
        let active = last_log(dir.path());
        append_bytes(&active, &fs::read(&active).unwrap()[..50]);
        let opened = open_with(&disk(), dir.path(), config(), after(Shutdown::Clean)).await;
        assert!(matches!(&opened, Err(LogError::Corrupt { path, .. }) if *path == active), "{opened:?}");
    });
}

#[test]
fn a_hole_that_write_back_left_ends_the_log_and_takes_later_segments_with_it() {
    run(async {
        let dir = closed_log().await;
        let logs = files(dir.path(), ".log");
        let mut content = fs::read(&logs[1]).unwrap();
        content[512..1024].fill(0);
        fs::write(&logs[1], content).unwrap();
        let recovery = Recovery { recovery_point: Some(9), ..after(Shutdown::HostDied) };
        let (log, cases) = reopen(dir.path(), recovery).await;
        assert_eq!(
            cases.iter().filter(|case| matches!(case, RecoveryCase::LostWriteBack { .. })).count(),
            3,
            "{cases:?}"
        );
        assert_eq!(files(dir.path(), ".log"), logs[..2]);
        let end = log.log_end_offset();
        assert!(end > 8 && end < 16, "{end}");
        assert_eq!(contents(&log, Visible::LogEnd).len(), end as usize);
        assert_eq!(log.producers()[0].last_sequence(), end as i32 - 1);
        assert_eq!(log.latest_epoch(), 1);
    });
}

#[test]
fn a_closed_segment_that_ends_early_ends_the_log_there() {
    run(async {
        let dir = closed_log().await;
        let logs = files(dir.path(), ".log");
        let size = batch_bytes();
        let content = fs::read(&logs[1]).unwrap();
        fs::write(&logs[1], &content[..2 * size]).unwrap();
        let (log, cases) = reopen(dir.path(), after(Shutdown::HostDied)).await;
        assert!(cases.iter().any(|case| matches!(case, RecoveryCase::LostWriteBack { .. })), "{cases:?}");
        let base: i64 = logs[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
        assert_eq!(log.log_end_offset(), base + 2);
    });
}

#[test]
fn a_recovery_point_beyond_the_end_is_lowered() {
    run(async {
        for shutdown in ANY {
            let dir = closed_log().await;
            let (log, cases) = reopen(dir.path(), Recovery { recovery_point: Some(99), ..after(shutdown) }).await;
            let expected = RecoveryCase::RecoveryPointBeyondEnd { recovery_point: 99, log_end: BATCHES };
            assert!(cases.contains(&expected), "{cases:?}");
            assert_eq!(log.recovery_point(), BATCHES);
            assert_whole(&log, BATCHES).await;
        }
    });
}

#[test]
fn a_log_start_beyond_the_end_gives_an_empty_log_there() {
    run(async {
        let dir = closed_log().await;
        let (log, cases) = reopen(dir.path(), Recovery { log_start: Some(99), ..after(Shutdown::HostDied) }).await;
        assert!(cases.contains(&RecoveryCase::LogStartBeyondEnd { log_start: 99, log_end: BATCHES }), "{cases:?}");
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (99, 99));
        assert_eq!(log.append(&disk(), batch(&["x"])).await.unwrap().base_offset, 99);
        drop(log);
        let (log, _) = reopen(dir.path(), Recovery { log_start: Some(99), ..after(Shutdown::ProcessDied) }).await;
        assert_eq!(contents(&log, Visible::LogEnd), [(99, "x".into())]);
    });
}

#[test]
fn missing_short_and_wrong_indexes_are_made_anew() {
    run(async {
        for suffix in [".index", ".timeindex"] {
            for shutdown in ANY {
                let damages: [Damage; 5] = [
                    ("missing", |path| fs::remove_file(path).unwrap()),
                    ("empty", |path| fs::write(path, "").unwrap()),
                    ("half an entry", |path| append_bytes(path, &[1, 2, 3])),
                    ("noise", |path| fs::write(path, [0x5a; 48]).unwrap()),
                    ("zeros", |path| fs::write(path, [0; 240]).unwrap()),
                ];
                for (what, damage) in damages {
                    let dir = closed_log().await;
                    files(dir.path(), suffix).iter().for_each(|path| damage(path));
                    let (log, _) = reopen(dir.path(), after(shutdown)).await;
                    for offset in 0..BATCHES {
                        let from = read_from(&log, offset, 300, Visible::LogEnd);
                        assert_eq!(from.len() as i64, BATCHES - offset, "{what} {suffix} after {shutdown:?}");
                    }
                    let largest = log.offset_for_timestamp(TimestampQuery::Largest, Visible::LogEnd).unwrap().unwrap();
                    assert_eq!(
                        (largest.timestamp_ms, largest.offset),
                        (1_000, 0),
                        "{what} {suffix} after {shutdown:?}"
                    );
                    assert_whole(&log, BATCHES).await;
                }
            }
        }
    });
}

#[test]
fn a_wrong_index_of_the_active_segment_is_reported() {
    run(async {
        let dir = closed_log().await;
        fs::write(files(dir.path(), ".index").pop().unwrap(), [0x11; 16]).unwrap();
        let (log, cases) = reopen(dir.path(), after(Shutdown::ProcessDied)).await;
        assert!(cases.contains(&RecoveryCase::IndexRebuilt { path: last_log(dir.path()) }), "{cases:?}");
        assert_whole(&log, BATCHES).await;
    });
}

#[test]
fn missing_and_damaged_snapshots_are_replaced_by_the_headers() {
    run(async {
        for shutdown in ANY {
            let dir = closed_log().await;
            for (number, snapshot) in files(dir.path(), ".snapshot").iter().enumerate() {
                if number % 2 == 0 { fs::remove_file(snapshot).unwrap() } else { flip(snapshot, 20) }
            }
            let (log, cases) = reopen(dir.path(), after(shutdown)).await;
            assert!(cases.contains(&RecoveryCase::ProducersRebuilt), "{cases:?}");
            assert_whole(&log, BATCHES).await;
        }
    });
}

#[test]
fn a_snapshot_from_beyond_the_end_is_removed() {
    run(async {
        let dir = closed_log().await;
        let last = files(dir.path(), ".snapshot").pop().unwrap();
        let beyond = last.with_file_name(format!("{:020}.snapshot", BATCHES + 5));
        fs::copy(&last, &beyond).unwrap();
        let (log, cases) = reopen(dir.path(), after(Shutdown::ProcessDied)).await;
        assert!(cases.contains(&RecoveryCase::LeftoverRemoved { path: beyond }), "{cases:?}");
        assert_whole(&log, BATCHES).await;
    });
}

#[test]
fn missing_and_damaged_epoch_checkpoints_are_made_anew() {
    run(async {
        for content in [None, Some("0\n3\n1 0\n"), Some("\u{0}\u{0}")] {
            let dir = closed_log().await;
            let path = partition(dir.path()).join("leader-epoch-checkpoint");
            assert_eq!(fs::read_to_string(&path).unwrap(), "0\n2\n1 0\n2 20\n");
            match content {
                None => fs::remove_file(&path).unwrap(),
                Some(content) => fs::write(&path, content).unwrap(),
            }
            let (log, cases) = reopen(dir.path(), after(Shutdown::Clean)).await;
            assert!(cases.contains(&RecoveryCase::EpochsRebuilt), "{cases:?}");
            assert_whole(&log, BATCHES).await;
            assert_eq!(fs::read_to_string(&path).unwrap(), "0\n2\n1 0\n2 20\n");
        }
    });
}

#[test]
fn half_done_deletions_compactions_and_writes_are_cleared_away() {
    run(async {
        for shutdown in ANY {
            let dir = closed_log().await;
            let names = [
                "00000000000000000003.log.deleted",
                "00000000000000000000.log.cleaned",
                "leader-epoch-checkpoint.tmp",
                "00000000000000000077.index",
                "00000000000000000000.index.swap",
            ];
            for name in names {
                fs::write(partition(dir.path()).join(name), b"anything").unwrap();
            }
            let (log, cases) = reopen(dir.path(), after(shutdown)).await;
            for name in names {
                let path = partition(dir.path()).join(name);
                assert!(!path.exists() && cases.contains(&RecoveryCase::LeftoverRemoved { path }), "{name}: {cases:?}");
            }
            assert_whole(&log, BATCHES).await;
        }
    });
}

#[test]
fn a_whole_swap_takes_the_place_of_what_it_was_made_from() {
    run(async {
        for shutdown in ANY {
            for originals_left in [2, 1, 0] {
                let dir = closed_log().await;
                let logs = files(dir.path(), ".log");
                let merged = [fs::read(&logs[0]).unwrap(), fs::read(&logs[1]).unwrap()].concat();
                fs::write(logs[0].with_extension("log.swap"), merged).unwrap();
                logs[originals_left..2].iter().for_each(|path| fs::remove_file(path).unwrap());
                let (log, cases) = reopen(dir.path(), after(shutdown)).await;
                assert!(cases.contains(&RecoveryCase::SwapCompleted { path: logs[0].clone() }), "{cases:?}");
                assert_eq!(files(dir.path(), ".log").len(), logs.len() - 1);
                assert_whole(&log, BATCHES).await;
            }
        }
    });
}

#[test]
fn a_damaged_swap_is_dropped_while_its_originals_are_there_and_refused_after() {
    run(async {
        let dir = closed_log().await;
        let logs = files(dir.path(), ".log");
        let swap = logs[0].with_extension("log.swap");
        fs::write(&swap, &fs::read(&logs[0]).unwrap()[..300]).unwrap();
        let (log, cases) = reopen(dir.path(), after(Shutdown::HostDied)).await;
        assert!(cases.contains(&RecoveryCase::LeftoverRemoved { path: swap.clone() }), "{cases:?}");
        assert_whole(&log, BATCHES).await;
        drop(log);
        fs::write(&swap, &fs::read(&logs[0]).unwrap()[..300]).unwrap();
        fs::remove_file(&logs[0]).unwrap();
        let opened = open_with(&disk(), dir.path(), config(), after(Shutdown::HostDied)).await;
        assert!(matches!(&opened, Err(LogError::Corrupt { path, .. }) if *path == swap), "{opened:?}");
    });
}

#[test]
fn the_window_of_five_batches_survives_every_kind_of_stop() {
    run(async {
        for shutdown in ANY {
            let dir = closed_log().await;
            let (log, _) = reopen(dir.path(), after(shutdown)).await;
            for n in BATCHES - 5..BATCHES {
                let again = log.append(&disk(), produced(9, 0, n as i32, &["again"])).await.unwrap();
                assert!(again.duplicate && again.base_offset == n, "{shutdown:?}, batch {n}: {again:?}");
            }
        }
    });
}

/// Appends a batch of one record for each of the timestamps.
async fn append_at(log: &std::sync::Arc<Log>, timestamps_ms: impl IntoIterator<Item = i64>) {
    for timestamp_ms in timestamps_ms {
        log.append(&disk(), batch_at(timestamp_ms, &[&format!("{timestamp_ms:0100}")])).await.unwrap();
    }
}

/// Every look-up by time finds what a walk over the records finds.
fn assert_times(log: &Log, case: &str) {
    let records: Vec<(i64, i64)> = contents(log, Visible::HighWatermark)
        .into_iter()
        .map(|(offset, value)| (offset, value.parse().unwrap()))
        .collect();
    let newest = records.iter().map(|(_, timestamp_ms)| *timestamp_ms).max().unwrap();
    for sought in 0..=newest + 1 {
        let query = TimestampQuery::AtOrAfter(sought);
        let found = log.offset_for_timestamp(query, Visible::HighWatermark).unwrap();
        let expected = records.iter().find(|(_, timestamp_ms)| *timestamp_ms >= sought).copied();
        assert_eq!(found.map(|found| (found.offset, found.timestamp_ms)), expected, "{case}: {sought} is sought");
    }
}

#[test]
fn a_truncation_takes_the_times_of_what_it_cuts_with_it_even_if_the_process_dies_next() {
    run(async {
        for keep in 1..BATCHES {
            let dir = tempfile::tempdir().unwrap();
            let (log, _) = reopen(dir.path(), after(Shutdown::Clean)).await;
            append_at(&log, (0..BATCHES).map(|n| 100 + 10 * n)).await;
            log.close(&disk()).await.unwrap();
            let (log, _) = reopen(dir.path(), after(Shutdown::Clean)).await;
            let end = log.truncate_to(&disk(), keep).await.unwrap();
            // What the old entries say is true of the new batches, too, but for the first.
            append_at(&log, (end..BATCHES).map(|n| if n == end { 500 } else { 100 + 10 * n })).await;
            assert_times(&log, "before");
            drop(log);
            let (log, _) = reopen(dir.path(), after(Shutdown::ProcessDied)).await;
            assert_times(&log, &format!("truncated to {keep}"));
        }
    });
}

#[test]
fn closed_segments_that_were_checked_know_their_largest_timestamp_at_every_later_start() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = reopen(dir.path(), after(Shutdown::Clean)).await;
        append_at(&log, (0..BATCHES).map(|n| 100 + 10 * n)).await;
        for shutdown in [Shutdown::HostDied, Shutdown::ProcessDied, Shutdown::HostDied, Shutdown::Clean] {
            let (log, _) = reopen(dir.path(), after(shutdown)).await;
            assert_times(&log, &format!("after {shutdown:?}"));
        }
    });
}

#[test]
fn a_death_between_the_two_index_files_costs_no_timestamp() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = reopen(dir.path(), after(Shutdown::Clean)).await;
        append_at(&log, (0..BATCHES).map(|n| 100 + 10 * n)).await;
        log.close(&disk()).await.unwrap();
        // The times are written first, so death leaves the offsets shorter, by any number of entries.
        let index = files(dir.path(), ".index").pop().unwrap();
        let entries = fs::metadata(&index).unwrap().len() / 8;
        assert!(entries > 1, "{entries}");
        for kept in (0..entries).rev() {
            fs::File::options().write(true).open(&index).unwrap().set_len(kept * 8).unwrap();
            let (log, _) = reopen(dir.path(), after(Shutdown::ProcessDied)).await;
            assert_times(&log, &format!("{kept} offset entries"));
        }
    });
}

#[test]
fn without_the_time_index_the_times_are_found_all_the_same() {
    run(async {
        for shutdown in ANY {
            let dir = tempfile::tempdir().unwrap();
            let (log, _) = reopen(dir.path(), after(Shutdown::Clean)).await;
            append_at(&log, (0..BATCHES).map(|n| 100 + 10 * n)).await;
            log.close(&disk()).await.unwrap();
            fs::remove_file(files(dir.path(), ".timeindex").pop().unwrap()).unwrap();
            let (log, _) = reopen(dir.path(), after(shutdown)).await;
            assert_times(&log, &format!("after {shutdown:?}"));
        }
    });
}
