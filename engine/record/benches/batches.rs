//! What a broker and a producer pay for a batch: CRC, validation at both depths, building, compression.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringlog_record::validate::{Depth, Limits, producer_batch};
use ringlog_record::{Batch, BatchBuilder, Compression, compress, crc32c, decompress};

/// `batch.size` of a producer that is tuned for throughput.
const BATCH_BYTES: usize = 64 << 10;

/// A batch of records of `value_bytes` each, text-like: it compresses to about a third.
fn batch(compression: Compression, value_bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let words = ["partition", "offset", "the", "segment", "of", "leader", "fetch", "epoch", "42", "in-sync"];
    let mut text = String::new();
    while text.len() < 2 * BATCH_BYTES {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(words[(state >> 16) as usize % words.len()]);
        text.push((b' ' + (state >> 24) as u8 % 64) as char);
    }
    let mut builder = BatchBuilder::new(compression).with_capacity(BATCH_BYTES);
    for value in text.as_bytes().chunks(value_bytes) {
        if !builder.fits(BATCH_BYTES, Some(b"key-0001"), Some(value), &[]) {
            break;
        }
        builder.append(1_700_000_000_000, Some(b"key-0001"), Some(value), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn crc(c: &mut Criterion) {
    let mut group = c.benchmark_group("crc32c");
    for size in [128, 1 << 10, BATCH_BYTES, 16 << 20] {
        let bytes = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("crc-fast {size}"), |b| b.iter(|| crc32c(black_box(&bytes))));
        group.bench_function(format!("crc32c {size}"), |b| b.iter(|| ::crc32c::crc32c(black_box(&bytes))));
    }
}

fn validate(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate 64 KiB");
    group.throughput(Throughput::Bytes(BATCH_BYTES as u64));
    for value_bytes in [100, 1024] {
        let bytes = batch(Compression::None, value_bytes);
        for depth in [Depth::Header, Depth::Records] {
            let limits = Limits { depth, ..Limits::default() };
            let name = format!("none, {value_bytes} B records, {depth:?}");
            group.bench_function(name, |b| b.iter(|| producer_batch(black_box(&bytes), &limits).unwrap()));
        }
    }
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let bytes = batch(compression, 100);
        let name = format!("{compression}, 100 B records, Records");
        group.bench_function(name, |b| b.iter(|| producer_batch(black_box(&bytes), &Limits::default()).unwrap()));
    }
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("build 64 KiB");
    group.throughput(Throughput::Bytes(BATCH_BYTES as u64));
    for value_bytes in [100, 1024] {
        group.bench_function(format!("none, {value_bytes} B records"), |b| {
            let value = vec![b'v'; value_bytes];
            b.iter(|| {
                let mut builder = BatchBuilder::new(Compression::None).with_capacity(BATCH_BYTES);
                while builder.fits(BATCH_BYTES, Some(b"key-0001"), Some(&value), &[]) {
                    builder.append(1_700_000_000_000, Some(b"key-0001"), Some(&value), &[]).unwrap();
                }
                builder.build().unwrap()
            });
        });
    }
}

fn codecs(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec 64 KiB");
    let batch = batch(Compression::None, 100);
    let plain = Batch::parse(&batch).unwrap().body();
    group.throughput(Throughput::Bytes(plain.len() as u64));
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let packed = compress(compression, None, plain).unwrap();
        println!("{compression}: {} of {} bytes", packed.len(), plain.len());
        group.bench_function(format!("compress {compression}"), |b| {
            b.iter(|| compress(compression, None, black_box(plain)).unwrap())
        });
        group.bench_function(format!("decompress {compression}"), |b| {
            b.iter(|| decompress(compression, black_box(&packed), 1 << 20).unwrap())
        });
    }
}

criterion_group! {
    name = batches;
    config = Criterion::default()
        .sample_size(10)
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = crc, validate, build, codecs
}
criterion_main!(batches);
