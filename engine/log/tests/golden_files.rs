//! The bytes of every file that a log writes, as Kafka would write them.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use fixture::*;
use ringlog_log::*;
use ringlog_record::{BatchHeader, crc32c};

/// Five batches of two records: producer 7 in epoch 3 from sequence 0 on, timestamps 1000 and on, leader epoch 2; the second
/// segment begins with the last.
async fn written(dir: &std::path::Path) -> std::path::PathBuf {
    let disk = disk();
    let config = LogConfig { segment_bytes: 500, index_interval_bytes: 150, ..Default::default() };
    let (log, _) = open_with(&disk, dir, config, after(Shutdown::Clean)).await.unwrap();
    log.set_leader_epoch(2);
    for n in 0..5 {
        let mut builder = ringlog_record::BatchBuilder::new(ringlog_record::Compression::None);
        for _ in 0..2 {
            builder.append(1_000 + i64::from(n), Some(b"key"), Some(&[b'v'; 20]), &[]).unwrap();
        }
        builder.set_producer(7, 3, 2 * n);
        log.append(&disk, finished(builder)).await.unwrap();
    }
    log.close(&disk).await.unwrap();
    log.dir().to_owned()
}

/// Each batch: 61 bytes of header; two records of 1 (length) + 1 + 1 + 1 + 1 + 3 + 1 + 20 + 1 bytes.
const BATCH_BYTES: u8 = 61 + 2 * 30;

#[test]
fn the_directory_holds_kafkas_files_and_no_others() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path()).await;
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let expected = [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000008.index",
            "00000000000000000008.log",
            "00000000000000000008.snapshot",
            "00000000000000000008.timeindex",
            "00000000000000000010.snapshot",
            "leader-epoch-checkpoint",
        ];
        assert_eq!(names, expected);
    });
}

#[test]
fn a_segment_is_the_producers_batches_with_offsets_and_leader_epoch() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let content = std::fs::read(written(dir.path()).await.join("00000000000000000000.log")).unwrap();
        assert_eq!(content.len(), 4 * usize::from(BATCH_BYTES));
        for (n, batch) in content.chunks(BATCH_BYTES.into()).enumerate() {
            assert_eq!(batch[..8], (2 * n as u64).to_be_bytes(), "base offset");
            assert_eq!(batch[8..12], [0, 0, 0, BATCH_BYTES - 12], "length");
            assert_eq!(batch[12..16], [0, 0, 0, 2], "leader epoch");
            assert_eq!(batch[17..21], crc32c(&batch[21..]).to_be_bytes());
            assert_eq!(BatchHeader::parse(batch).unwrap().base_sequence, 2 * n as i32);
        }
    });
}

#[test]
fn the_offset_index_has_the_last_offset_and_the_start_of_the_batch_after_each_interval() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path()).await;
        // More than 150 bytes have gathered before the third batch.
        let expected = [0, 0, 0, 5, 0, 0, 0, 2 * BATCH_BYTES];
        assert_eq!(std::fs::read(path.join("00000000000000000000.index")).unwrap(), expected);
        assert_eq!(std::fs::read(path.join("00000000000000000008.index")).unwrap(), []);
    });
}

#[test]
fn the_time_index_ends_with_the_largest_timestamp_and_the_last_offset_of_its_batch() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path()).await;
        let entry = |timestamp_ms: i64, offset: i32| [&timestamp_ms.to_be_bytes()[..], &offset.to_be_bytes()].concat();
        let first = std::fs::read(path.join("00000000000000000000.timeindex")).unwrap();
        assert_eq!(first, [entry(1_002, 5), entry(1_003, 7)].concat());
        assert_eq!(std::fs::read(path.join("00000000000000000008.timeindex")).unwrap(), entry(1_004, 1));
    });
}

#[test]
fn the_snapshot_holds_the_producers_last_batch() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path()).await;
        let body = [
            &1i32.to_be_bytes()[..],
            &7i64.to_be_bytes(),
            &3i16.to_be_bytes(),
            &9i32.to_be_bytes(),
            &9i64.to_be_bytes(),
            &1i32.to_be_bytes(),
            &1_004i64.to_be_bytes(),
            &(-1i32).to_be_bytes(),
            &(-1i64).to_be_bytes(),
        ]
        .concat();
        let expected = [&1i16.to_be_bytes()[..], &crc32c(&body).to_be_bytes(), &body].concat();
        assert_eq!(std::fs::read(path.join("00000000000000000010.snapshot")).unwrap(), expected);
    });
}

#[test]
fn the_epoch_checkpoint_is_text() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path()).await;
        assert_eq!(std::fs::read_to_string(path.join("leader-epoch-checkpoint")).unwrap(), "0\n1\n2 0\n");
    });
}
