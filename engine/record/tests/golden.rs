//! Batches that Apache Kafka's own builder wrote, read and written here byte for byte.
//!
//! The files in `golden/` were written by `golden/Golden.java`, run with kafka-clients 4.3.1, snappy-java 1.1.10.7,
//! lz4-java 1.10.2 and zstd-jni 1.5.6-10.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ringlog_record::control::{self, Marker, MarkerKind};
use ringlog_record::validate::{Limits, producer_batch};
use ringlog_record::*;

const GOLDEN: [(Compression, &[u8]); 5] = [
    (Compression::None, include_bytes!("golden/none.batch")),
    (Compression::Gzip, include_bytes!("golden/gzip.batch")),
    (Compression::Snappy, include_bytes!("golden/snappy.batch")),
    (Compression::Lz4, include_bytes!("golden/lz4.batch")),
    (Compression::Zstd, include_bytes!("golden/zstd.batch")),
];
const COMMIT: &[u8] = include_bytes!("golden/commit.batch");
const ABORT: &[u8] = include_bytes!("golden/abort.batch");

/// The batch that `Golden.java` builds.
fn builder(compression: Compression) -> BatchBuilder {
    let mut builder = BatchBuilder::new(compression);
    builder.set_producer(4711, 3, 99);
    let headers = [
        RecordHeader { key: b"trace", value: Some(b"0a1b") },
        RecordHeader { key: b"empty", value: Some(b"") },
        RecordHeader { key: b"null", value: None },
    ];
    let value = b"value-0 value-0 value-0 value-0 value-0 value-0";
    builder.append(1_700_000_000_000, Some(b"key-0"), Some(value), &headers).unwrap();
    builder.append(1_700_000_000_250, None, Some(b"no key"), &[]).unwrap();
    builder.append(1_699_999_999_000, Some(b"key-0"), None, &[]).unwrap();
    builder.append(1_700_000_000_100, Some(b""), Some(&[b'x'; 200]), &[]).unwrap();
    builder
}

#[test]
fn an_uncompressed_batch_is_built_byte_for_byte_as_kafka_builds_it() {
    assert_eq!(builder(Compression::None).build().unwrap(), GOLDEN[0].1);
}

#[test]
fn kafkas_batches_hold_the_records_that_ours_hold_in_every_codec() {
    for (compression, golden) in GOLDEN {
        let ours = builder(compression).build().unwrap();
        let (theirs, ours) = (Batch::parse(golden).unwrap(), Batch::parse(&ours).unwrap());
        theirs.check_crc().unwrap();
        assert_eq!(theirs.header().compression(), Ok(compression));
        let summary = producer_batch(golden, &Limits::default()).unwrap();
        assert_eq!((summary.max_timestamp_ms, summary.max_timestamp_delta), (1_700_000_000_250, 1));
        let (theirs, ours) = (theirs.records(4096).unwrap(), ours.records(4096).unwrap());
        assert!(theirs.iter().all(|record| record.is_ok()));
        assert!(theirs.iter().eq(ours.iter()), "{compression}");
    }
}

#[test]
fn recompressing_kafkas_batch_to_none_gives_kafkas_uncompressed_batch() {
    for (_, golden) in GOLDEN {
        let plain = recompress(&Batch::parse(golden).unwrap(), Compression::None, None, 4096).unwrap();
        assert_eq!(plain, GOLDEN[0].1);
    }
}

#[test]
fn transaction_markers_are_kafkas_byte_for_byte() {
    for (kind, golden) in [(MarkerKind::Commit, COMMIT), (MarkerKind::Abort, ABORT)] {
        let marker = Marker { kind, coordinator_epoch: 8 };
        let mut ours = control::marker(marker, 4711, 3, 1_700_000_000_000).unwrap();
        patch::base_offset(&mut ours, 12).unwrap();
        patch::leader_epoch(&mut ours, 5).unwrap();
        assert_eq!(ours, golden);
        assert_eq!(control::parse(&Batch::parse(golden).unwrap()), Ok(Some(marker)));
    }
    assert_eq!(control::parse(&Batch::parse(GOLDEN[0].1).unwrap()), Ok(None), "a data batch has no marker");
}

#[test]
fn messages_of_the_formats_before_v2_are_named_as_such() {
    let (v0, v1) = (&include_bytes!("golden/v0.message")[..], &include_bytes!("golden/v1.message")[..]);
    for (magic, message) in [(0, v0), (1, v1)] {
        assert_eq!(BatchHeader::parse(message), Err(RecordError::LegacyMagic { magic }));
        assert_eq!(producer_batch(message, &Limits::default()), Err(RecordError::LegacyMagic { magic }));
    }
}

#[test]
fn a_header_that_is_parsed_and_written_again_is_the_same() {
    for (_, golden) in GOLDEN {
        assert_eq!(BatchHeader::parse(golden).unwrap().to_bytes(), golden[..HEADER_BYTES]);
    }
}

/// The uncompressed golden batch taken apart by the specification, field by field.
#[test]
fn every_header_field_stands_where_the_format_says() {
    let header = BatchHeader::parse(GOLDEN[0].1).unwrap();
    let expected = BatchHeader {
        base_offset: 0,
        length: 0x172,
        partition_leader_epoch: -1,
        crc: 0x7b99_b99e,
        attributes: Attributes(0),
        last_offset_delta: 3,
        base_timestamp: 0x018b_cfe5_6800,
        max_timestamp: 0x018b_cfe5_68fa,
        producer_id: 0x1267,
        producer_epoch: 3,
        base_sequence: 0x63,
        record_count: 4,
    };
    assert_eq!(header, expected);
    assert_eq!(header.size_bytes(), GOLDEN[0].1.len());
    assert_eq!((header.last_offset(), header.next_offset(), header.last_sequence()), (3, 4, 102));
}
