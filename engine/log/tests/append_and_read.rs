//! Appends and reads, end to end, on both backends.

mod fixture;

use fixture::*;
use ringlog_io::{Disk, RingLimits};
use ringlog_log::*;

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
