//! What a reader pays to find its place: by offset and by time, in the active segment and in a closed one, whose indexes are maps.
//!
//! A look-up is the index and what lies behind it: the headers from the indexed batch on, and by time the batch itself.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringlog_io::Disk;
use ringlog_log::{AppendBatch, Log, LogConfig, Recovery, Shutdown, TimestampQuery, TopicPartition, Visible};
use ringlog_record::{BatchBuilder, Compression};
use tokio::task::LocalSet;

/// A kibibyte of records that are 100 B each: four batches between two entries of an index.
const RECORDS: i64 = 10;
const BATCHES: i64 = 1 << 16;
/// Holds a little more than half of them.
const SEGMENT_BYTES: u64 = 40 << 20;
/// Offset 0 was written then, and each record a millisecond after the one before.
const BEGUN_MS: i64 = 1_700_000_000_000;

fn batch(first: i64) -> AppendBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    for offset in first..first + RECORDS {
        builder.append(BEGUN_MS + offset, None, Some(&[b'v'; 100]), &[]).unwrap();
    }
    AppendBatch::new(BytesMut::from(&builder.build().unwrap()[..]), BEGUN_MS).unwrap()
}

/// A log of two segments.
async fn written(dir: &Path) -> Arc<Log> {
    let disk = Disk::syscall();
    let config = LogConfig { segment_bytes: SEGMENT_BYTES, ..LogConfig::default() };
    let recovery = Recovery { shutdown: Shutdown::Clean, recovery_point: None, log_start: None, cleaned_to: None };
    let (log, _) = Log::open(&disk, dir.join("t-0"), TopicPartition::new("t", 0), config, &recovery).await.unwrap();
    for chunk in 0..BATCHES / 512 {
        let appends = (0..512).map(|n| log.append(&disk, batch((512 * chunk + n) * RECORDS)));
        for append in appends.collect::<Vec<_>>() {
            append.await.unwrap();
        }
    }
    log
}

/// Offsets all over a range, and no two of them near each other.
fn scattered(range: &Range<i64>) -> impl FnMut() -> i64 + use<> {
    let (start, length) = (range.start as u64, (range.end - range.start) as u64);
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (start + (state >> 32) % length) as i64
    }
}

fn look_up(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let log = runtime.block_on(LocalSet::new().run_until(written(dir.path())));
    let (first, last) = (
        log.read(0, 1, true, Visible::LogEnd).unwrap(),
        log.read(BATCHES * RECORDS - 1, 1, true, Visible::LogEnd).unwrap(),
    );
    assert_ne!(first.file.path(), last.file.path(), "{SEGMENT_BYTES} bytes hold {BATCHES} batches");
    let mut group = c.benchmark_group("look-up");
    group.throughput(Throughput::Elements(1));
    // The first tenth is in the closed segment, the last one in the active.
    let tenth = BATCHES * RECORDS / 10;
    for (segment, range) in [("closed", 0..tenth), ("active", 9 * tenth..10 * tenth)] {
        group.bench_function(format!("by offset, {segment} segment"), |b| {
            let mut next = scattered(&range);
            b.iter(|| log.read(black_box(next()), 1 << 20, true, Visible::HighWatermark).unwrap());
        });
        group.bench_function(format!("by time, {segment} segment"), |b| {
            let mut next = scattered(&range);
            b.iter(|| {
                let offset = next();
                let query = TimestampQuery::AtOrAfter(black_box(BEGUN_MS + offset));
                let found = log.offset_for_timestamp(query, Visible::HighWatermark).unwrap().unwrap();
                assert_eq!(found.offset, offset);
            });
        });
    }
}

criterion_group! {
    name = look_ups;
    config = Criterion::default()
        .sample_size(10)
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = look_up
}
criterion_main!(look_ups);
