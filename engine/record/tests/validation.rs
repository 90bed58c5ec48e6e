//! What a broker refuses of a client's batch, one fault at a time, and what it answers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ringlog_record::validate::{Depth, Limits, producer_batch};
use ringlog_record::*;

const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TIMESTAMP: i16 = 32;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;

fn batch(compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    builder.append(1_000, Some(b"a"), Some(b"1"), &[]).unwrap();
    builder.append(1_010, None, Some(b"2"), &[]).unwrap();
    builder.append(1_005, Some(b"c"), Some(b"3"), &[]).unwrap();
    builder.build().unwrap()
}

/// A batch whose header was changed at `at`, with a CRC that is right again.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = batch(Compression::None);
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A batch with these record bytes, and a header that says so.
fn with_body(count: i32, body: &[u8], compression: Compression) -> Vec<u8> {
    let mut header = *Batch::parse(&batch(compression)).unwrap().header();
    let body = compress(compression, None, body).unwrap();
    (header.record_count, header.last_offset_delta) = (count, count - 1);
    header.length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + body.len()) as i32;
    let mut batch = [&header.to_bytes()[..], &body].concat();
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn refusal(batch: &[u8], limits: &Limits) -> (RecordError, i16) {
    let error = producer_batch(batch, limits).unwrap_err();
    let code = error.kafka_code();
    (error, code)
}

#[test]
fn each_fault_of_the_envelope_has_its_error() {
    let good = batch(Compression::None);
    let size = good.len();
    let limits = Limits::default();
    let twice = [&good[..], &good].concat();
    let mut flipped = good.clone();
    flipped[size - 1] ^= 1;
    let (stored, computed) = (Batch::parse(&good).unwrap().header().crc, crc32c(&flipped[21..]));
    let cases: &[(&[u8], RecordError, i16)] = &[
        (&[], RecordError::NoBatch, INVALID_RECORD),
        (&good[..40], RecordError::Incomplete { needed: 61, available: 40 }, INVALID_RECORD),
        (&good[..size - 1], RecordError::Incomplete { needed: size, available: size - 1 }, INVALID_RECORD),
        (&twice, RecordError::TrailingBytes { bytes: size }, INVALID_RECORD),
        (&flipped, RecordError::BadCrc { stored, computed }, CORRUPT_MESSAGE),
        (&changed(8, &[0, 0, 0, 48]), RecordError::BadLength { length: 48 }, CORRUPT_MESSAGE),
        (&changed(8, &[0xff; 4]), RecordError::BadLength { length: -1 }, CORRUPT_MESSAGE),
        (&changed(16, &[3]), RecordError::UnknownMagic { magic: 3 }, CORRUPT_MESSAGE),
        (&changed(16, &[1]), RecordError::LegacyMagic { magic: 1 }, INVALID_RECORD),
        (&changed(7, &[9]), RecordError::BaseOffset { base_offset: 9 }, INVALID_RECORD),
    ];
    for (bytes, error, code) in cases {
        assert_eq!(refusal(bytes, &limits), (error.clone(), *code));
    }
    let small = Limits { max_message_bytes: size - 1, ..limits };
    assert_eq!(refusal(&good, &small), (RecordError::TooLarge { bytes: size, limit: size - 1 }, MESSAGE_TOO_LARGE));
    assert!(producer_batch(&good, &Limits { max_message_bytes: size, ..limits }).is_ok());
}

#[test]
fn each_fault_of_the_header_has_its_error() {
    let cases = [
        (changed(21, &[0, 0x07]), RecordError::UnknownCompression { id: 7 }, UNSUPPORTED_COMPRESSION_TYPE),
        (changed(21, &[0, 0x08]), RecordError::ClientAppendTime, INVALID_TIMESTAMP),
        (changed(21, &[0, 0x20]), RecordError::ControlBatch, INVALID_RECORD),
        (changed(21, &[0, 0x40]), RecordError::UnusedAttributes { attributes: 0x40 }, INVALID_RECORD),
        (changed(21, &[0x80, 0]), RecordError::UnusedAttributes { attributes: i16::MIN }, INVALID_RECORD),
        (changed(23, &[0, 0, 0, 3]), RecordError::CountMismatch { count: 3, last_offset_delta: 3 }, INVALID_RECORD),
        (changed(57, &[0, 0, 0, 0]), RecordError::CountMismatch { count: 0, last_offset_delta: 2 }, INVALID_RECORD),
        (
            changed(57, &[0x80, 0, 0, 0]),
            RecordError::CountMismatch { count: i32::MIN, last_offset_delta: 2 },
            INVALID_RECORD,
        ),
        (
            changed(43, &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0]),
            RecordError::BadSequence { producer_id: 5, producer_epoch: 0, base_sequence: -1 },
            INVALID_RECORD,
        ),
    ];
    for depth in [Depth::Header, Depth::Records] {
        for (bytes, error, code) in &cases {
            assert_eq!(refusal(bytes, &Limits { depth, ..Limits::default() }), (error.clone(), *code));
        }
    }
    let old_request = Limits { zstd_allowed: false, ..Limits::default() };
    let error = RecordError::CompressionNotAllowed { compression: Compression::Zstd };
    assert_eq!(refusal(&batch(Compression::Zstd), &old_request), (error, UNSUPPORTED_COMPRESSION_TYPE));
}

#[test]
fn each_fault_of_a_record_has_its_error_compressed_or_not() {
    // length, attributes, timestamp delta, offset delta, key, value, headers
    const RECORD: [u8; 7] = [12, 0, 0, 0, 1, 1, 0];
    let bad = |index, reason| RecordError::BadRecord { index, reason };
    let ended = RecordError::BadCount { count: 2, reason: "the records end before" };
    let cases: &[(&str, &[u8], RecordError)] = &[
        (
            "two records, both numbered 0",
            &[RECORD, RECORD].concat(),
            RecordError::BadOffsetDelta { index: 1, delta: 0 },
        ),
        ("one record of two", &RECORD, ended.clone()),
        ("no record at all", &[], ended),
        ("a negative length", &[1], bad(0, "its length is negative")),
        ("a key past the end", &[12, 0, 0, 0, 8, 1, 0], bad(0, "its fields are longer than its length")),
        ("a byte too many", &[14, 0, 0, 0, 1, 1, 0, 0], bad(0, "its fields are shorter than its length")),
        ("headers of count -1", &[12, 0, 0, 0, 1, 1, 1], bad(0, "its number of headers is negative")),
        ("a header without key", &[16, 0, 0, 0, 1, 1, 2, 1, 1], bad(0, "a header has no key")),
        ("a length of six bytes", &[0x80, 0x80, 0x80, 0x80, 0x80, 0], bad(0, "an integer is wider than its type")),
    ];
    for (what, body, error) in cases {
        for compression in Compression::ALL {
            let limits = Limits::default();
            let bytes = with_body(2, body, compression);
            assert_eq!(refusal(&bytes, &limits), (error.clone(), INVALID_RECORD), "{what}, {compression}");
            let header_only = Limits { depth: Depth::Header, ..limits };
            assert!(producer_batch(&bytes, &header_only).is_ok(), "{what} is not seen in the header");
        }
    }
    let left = RecordError::BadCount { count: 1, reason: "bytes follow the last one" };
    for compression in Compression::ALL {
        let bytes = with_body(1, &[&RECORD[..], &[0]].concat(), compression);
        assert_eq!(refusal(&bytes, &Limits::default()), (left.clone(), INVALID_RECORD));
    }
}

#[test]
fn records_are_read_across_every_seam_of_the_decompressed_stream() {
    // Records of 10 to 12 bytes, with integers of one to three: the seams of the 32 KiB pieces fall anywhere in them.
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new(compression);
        for at in 0..20_000 {
            builder.append(at % 9_000, Some(b"k"), None, &[]).unwrap();
        }
        let summary = producer_batch(&builder.build().unwrap(), &Limits::default()).unwrap();
        assert_eq!((summary.max_timestamp_ms, summary.max_timestamp_delta), (8_999, 8_999), "{compression}");
    }
}

#[test]
fn a_short_batch_of_many_refused_records_lists_no_more_of_them_than_its_bytes_could_hold() {
    let mut builder = BatchBuilder::new(Compression::Zstd);
    (0..50_000).for_each(|_| builder.append(0, None, None, &[]).map(drop).unwrap());
    let bytes = builder.build().unwrap();
    let (error, _) = refusal(&bytes, &Limits { keys_required: true, ..Limits::default() });
    assert!(matches!(error, RecordError::Refused { count: 50_000, .. }), "{error}");
    assert_eq!(error.refused_records().len(), bytes.len() / 7);
}

#[test]
fn keys_and_timestamps_are_checked_where_the_topic_asks_for_it() {
    for compression in Compression::ALL {
        let bytes = batch(compression);
        let compacted = Limits { keys_required: true, ..Limits::default() };
        let refused = |listed: &[i32], named: RecordError, bytes: &[u8], limits: &Limits| {
            let RecordError::Refused { count, listed: found, fault } = producer_batch(bytes, limits).unwrap_err()
            else {
                panic!("not refused record by record")
            };
            assert_eq!(found.iter().map(|&(index, _)| index).collect::<Vec<_>>(), listed);
            assert_eq!((count as usize, *fault), (listed.len(), named));
        };
        refused(&[1], RecordError::MissingKey { index: 1 }, &bytes, &compacted);
        assert_eq!(refusal(&bytes, &compacted).1, INVALID_RECORD);
        let within = |oldest_ms, newest_ms| Limits { timestamps_ms: Some((oldest_ms, newest_ms)), ..Limits::default() };
        assert!(producer_batch(&bytes, &within(1_000, 1_010)).is_ok());
        let error = RecordError::TimestampOutOfRange { index: 1, timestamp_ms: 1_010, oldest_ms: 0, newest_ms: 1_009 };
        refused(&[1], error, &bytes, &within(0, 1_009));
        let both = Limits { keys_required: true, ..within(1_001, 1_009) };
        let first =
            RecordError::TimestampOutOfRange { index: 0, timestamp_ms: 1_000, oldest_ms: 1_001, newest_ms: 1_009 };
        refused(&[0, 1], first, &bytes, &both);
        assert_eq!(refusal(&bytes, &both).1, INVALID_TIMESTAMP);
    }
    let mut untimed = BatchBuilder::new(Compression::None);
    untimed.append(NO_TIMESTAMP, None, None, &[]).unwrap();
    let limits = Limits { timestamps_ms: Some((0, 1)), ..Limits::default() };
    assert!(producer_batch(&untimed.build().unwrap(), &limits).is_ok(), "a record without timestamp passes");
}

#[test]
fn a_wrong_max_timestamp_is_told_and_can_be_corrected() {
    let mut bytes = changed(35, &77_777_i64.to_be_bytes());
    let summary = producer_batch(&bytes, &Limits::default()).unwrap();
    assert!(summary.max_timestamp_is_wrong());
    assert_eq!((summary.max_timestamp_ms, summary.max_timestamp_delta), (1_010, 1));
    patch::max_timestamp(&mut bytes, summary.max_timestamp_ms).unwrap();
    assert_eq!(bytes, batch(Compression::None));
}

#[test]
fn a_decompression_bomb_stops_at_the_cap() {
    let bomb = vec![0; 2 << 20];
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let cap = 1 << 18;
        let too_large = RecordError::DecompressedTooLarge { compression, cap };
        let body = compress(compression, None, &bomb).unwrap();
        assert_eq!(decompress(compression, &body, cap), Err(too_large.clone()));
        assert_eq!(decompress(compression, &body, bomb.len()).unwrap(), bomb, "exactly the cap passes");
        assert!(decompress(compression, &body, bomb.len() - 1).is_err());

        let mut builder = BatchBuilder::new(compression);
        builder.append(0, None, Some(&bomb), &[]).unwrap();
        let limits = Limits { max_decompressed_bytes: cap, ..Limits::default() };
        assert_eq!(refusal(&builder.build().unwrap(), &limits), (too_large, INVALID_RECORD));
    }
}

#[test]
fn snappy_without_the_xerial_frame_is_read_and_a_lying_length_reserves_nothing() {
    let plain = b"raw snappy, raw snappy, raw snappy".repeat(100);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    assert_eq!(decompress(Compression::Snappy, &raw, 1 << 20).unwrap(), plain);
    // A raw block that says it holds 4 GiB less one byte.
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    assert!(matches!(decompress(Compression::Snappy, &lie, usize::MAX), Err(RecordError::Decompress { .. })));
}

#[test]
fn names_and_ids_of_codecs_are_kafkas() {
    for (id, name) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let codec: Compression = name.parse().unwrap();
        assert_eq!((codec.id() as usize, codec.to_string().as_str()), (id, name));
        assert_eq!(Compression::from_id(id as u8), Ok(codec));
    }
    assert!("lzma".parse::<Compression>().unwrap_err().to_string().contains("lzma"));
}

#[test]
fn a_level_that_a_codec_does_not_have_is_refused() {
    for (codec, level) in
        [(Compression::Gzip, 0), (Compression::Gzip, 10), (Compression::Lz4, 18), (Compression::Zstd, 23)]
    {
        assert!(matches!(compress(codec, Some(level), b"x"), Err(RecordError::Compress { .. })), "{codec} {level}");
    }
    for (codec, level) in
        [(Compression::Gzip, -1), (Compression::Gzip, 9), (Compression::Lz4, 17), (Compression::Zstd, -5)]
    {
        let bytes = compress(codec, Some(level), b"x").unwrap();
        assert_eq!(decompress(codec, &bytes, 9).unwrap(), b"x");
    }
}
