//! A damaged batch is found, whichever bit it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ringlog_record::validate::{Limits, producer_batch};
use ringlog_record::*;

const CAP: usize = 1 << 20;

fn batch(compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    builder.set_producer(9, 0, 0);
    let header = [RecordHeader { key: b"h", value: Some(b"1") }];
    for at in 0..20 {
        builder.append(1_000 + at, Some(b"key"), Some(b"some value, some value"), &header).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn a_flip_of_any_bit_under_the_crc_is_found_by_the_crc() {
    for compression in Compression::ALL {
        let mut bytes = batch(compression);
        // Attributes to the end, and the CRC itself.
        for bit in 17 * 8..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Batch::parse(&bytes).unwrap();
            assert!(matches!(flipped.check_crc(), Err(RecordError::BadCrc { .. })), "{compression}, bit {bit}");
            assert!(producer_batch(&bytes, &Limits::default()).is_err());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_flip_of_any_bit_before_the_crc_is_found_but_for_the_leader_epoch() {
    let mut bytes = batch(Compression::None);
    for bit in 0..17 * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found = producer_batch(&bytes, &Limits::default()).is_err();
        let is_leader_epoch = (12..16).contains(&(bit / 8));
        assert_eq!(found, !is_leader_epoch, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn reading_past_a_flip_without_asking_the_crc_never_panics() {
    for compression in Compression::ALL {
        let mut bytes = batch(compression);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            for batch in batches(&bytes).flatten() {
                if let Ok(records) = batch.records(CAP) {
                    let _ = (records.iter().count(), records.first_at_or_after(1_010).is_ok());
                }
                let _ = recompress(&batch, Compression::None, None, CAP);
                let _ = retain(&batch, Some(1), None, CAP, |record| record.key.is_some());
                let _ = control::parse(&batch);
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_torn_tail_is_told_with_the_bytes_it_needs_and_where_it_begins() {
    let whole = [batch(Compression::None), batch(Compression::Lz4)].concat();
    let first = Batch::parse(&whole).unwrap().bytes().len();
    for end in first + 1..whole.len() {
        let mut seen = batches(&whole[..end]);
        assert!(seen.next().unwrap().is_ok());
        let needed = if end < first + HEADER_BYTES { HEADER_BYTES } else { whole.len() - first };
        assert_eq!(seen.next(), Some(Err(RecordError::Incomplete { needed, available: end - first })));
        assert_eq!((seen.next(), seen.position()), (None, first));
    }
    let mut seen = batches(&whole);
    assert_eq!((seen.by_ref().filter(Result::is_ok).count(), seen.position()), (2, whole.len()));
}

#[test]
fn patches_leave_a_batch_whole() {
    for compression in Compression::ALL {
        let mut bytes = batch(compression);
        let crc = Batch::parse(&bytes).unwrap().header().crc;
        patch::base_offset(&mut bytes, i64::MAX - 19).unwrap();
        patch::leader_epoch(&mut bytes, 17).unwrap();
        let batch = Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        assert_eq!((batch.header().crc, batch.header().last_offset()), (crc, i64::MAX));

        patch::log_append_time(&mut bytes, 5_000).unwrap();
        let batch = Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        assert_eq!(batch.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(batch.header().compression(), Ok(compression));
        assert!(batch.records(CAP).unwrap().iter().all(|record| record.unwrap().timestamp_ms == 5_000));
        assert_eq!(batch.offset_for_timestamp(5_000, CAP).unwrap().unwrap().offset, i64::MAX - 19);
        assert_eq!(batch.offset_for_timestamp(5_001, CAP).unwrap(), None);
    }
    assert!(patch::base_offset(&mut [0; 60], 0).is_err());
}

#[test]
fn sequence_numbers_wrap_from_the_largest_to_zero() {
    let mut bytes = batch(Compression::None);
    patch::producer(&mut bytes, 9, 0, i32::MAX - 1).unwrap();
    assert_eq!(Batch::parse(&bytes).unwrap().header().last_sequence(), 17);
}
