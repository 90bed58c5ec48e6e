//! Properties of batches over random records. A failure prints its seed; `RINGLOG_SEED=…` replays it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ringlog_record::validate::{Limits, producer_batch};
use ringlog_record::*;

const CAP: usize = 16 << 20;

fn config() -> ProptestConfig {
    let given = std::env::var("RINGLOG_SEED").ok().map(|seed| seed.parse().unwrap());
    let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = given.unwrap_or_else(clock);
    println!("RINGLOG_SEED={seed}");
    ProptestConfig { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..ProptestConfig::with_cases(200) }
}

type Bytes = Vec<u8>;

#[derive(Debug, Clone)]
struct Given {
    timestamp_ms: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(Bytes, Option<Bytes>)>,
}

impl Given {
    fn headers(&self) -> Vec<RecordHeader<'_>> {
        self.headers.iter().map(|(key, value)| RecordHeader { key, value: value.as_deref() }).collect()
    }

    fn is(&self, record: &Record<'_>) -> bool {
        record.timestamp_ms == self.timestamp_ms
            && record.key == self.key.as_deref()
            && record.value == self.value.as_deref()
            && record.headers.eq(self.headers())
    }
}

fn given() -> impl Strategy<Value = Given> {
    let bytes = || vec(any::<u8>(), 0..40);
    let value = prop_oneof![9 => vec(any::<u8>(), 0..300), 1 => (any::<u8>(), 0..100_000usize).prop_map(|(byte, len)| vec![byte; len])];
    let headers = vec((bytes(), option::of(bytes())), 0..4);
    (0..=i64::MAX / 2, option::of(bytes()), option::of(value), headers)
        .prop_map(|(timestamp_ms, key, value, headers)| Given { timestamp_ms, key, value, headers })
}

fn codec() -> impl Strategy<Value = Compression> {
    prop::sample::select(Compression::ALL.to_vec())
}

fn build(compression: Compression, records: &[Given]) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    for (index, record) in records.iter().enumerate() {
        let headers = record.headers();
        let delta =
            builder.append(record.timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers).unwrap();
        assert_eq!(delta as usize, index);
    }
    builder.build().unwrap()
}

fn holds(batch: &Batch<'_>, given: &[Given]) -> bool {
    let records = batch.records(CAP).unwrap();
    let read: Vec<_> = records.iter().map(Result::unwrap).collect();
    read.len() == given.len() && read.iter().zip(given).all(|(record, given)| given.is(record))
}

/// The batch with a right CRC, whatever was done to it.
fn sealed(mut batch: Bytes) -> Bytes {
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_built_is_valid_and_read_back(codec in codec(), given in vec(given(), 1..30)) {
        let bytes = build(codec, &given);
        let batch = Batch::parse(&bytes).unwrap();
        let summary = producer_batch(&bytes, &Limits { max_message_bytes: CAP, ..Limits::default() }).unwrap();
        prop_assert!(!summary.max_timestamp_is_wrong());
        prop_assert_eq!(summary.max_timestamp_ms, given.iter().map(|given| given.timestamp_ms).max().unwrap());
        prop_assert!(holds(&batch, &given));
        let latest = batch.records(CAP).unwrap();
        prop_assert_eq!(latest.latest().unwrap().unwrap().offset, i64::from(summary.max_timestamp_delta));
    }

    #[test]
    fn recompression_changes_the_codec_and_nothing_else(from in codec(), to in codec(), given in vec(given(), 1..20)) {
        let mut bytes = build(from, &given);
        patch::base_offset(&mut bytes, 1_000).unwrap();
        patch::leader_epoch(&mut bytes, 3).unwrap();
        patch::producer(&mut bytes, 77, 1, i32::MAX).unwrap();
        let batch = Batch::parse(&bytes).unwrap();
        let again = recompress(&batch, to, None, CAP).unwrap();
        let again = Batch::parse(&again).unwrap();
        again.check_crc().unwrap();
        prop_assert!(holds(&again, &given));
        let mut expected = *batch.header();
        expected.attributes = expected.attributes.with_compression(to);
        (expected.length, expected.crc) = (again.header().length, again.header().crc);
        prop_assert_eq!(*again.header(), expected);
    }

    #[test]
    fn compaction_keeps_what_it_is_told_to_with_offsets_and_times(
        codec in codec(),
        given in vec(given(), 1..20),
        keep in vec(any::<bool>(), 20),
        horizon in option::of(0..i64::MAX / 2),
    ) {
        let mut bytes = build(codec, &given);
        patch::base_offset(&mut bytes, 500).unwrap();
        let batch = Batch::parse(&bytes).unwrap();
        let kept = retain(&batch, horizon, None, CAP, |record| keep[(record.offset - 500) as usize]).unwrap();
        let kept = Batch::parse(&kept).unwrap();
        kept.check_crc().unwrap();
        prop_assert_eq!((kept.header().base_offset, kept.header().last_offset()), (500, batch.header().last_offset()));
        prop_assert_eq!(kept.header().delete_horizon_ms(), horizon);
        let records = kept.records(CAP).unwrap();
        let expected: Vec<_> = (500..).zip(&given).zip(&keep).filter(|(_, keep)| **keep).map(|(given, _)| given).collect();
        prop_assert_eq!(kept.header().record_count as usize, expected.len());
        let max_timestamp = expected.iter().map(|(_, given)| given.timestamp_ms).max();
        prop_assert_eq!(kept.header().max_timestamp, max_timestamp.unwrap_or(batch.header().max_timestamp));
        for (record, (offset, given)) in records.iter().zip(expected) {
            let record = record.unwrap();
            prop_assert!(record.offset == offset && given.is(&record));
        }
    }

    #[test]
    fn the_look_up_by_time_finds_what_a_scan_finds(codec in codec(), given in vec(given(), 1..20), pick: prop::sample::Index, step in -1i64..=1) {
        let bytes = build(codec, &given);
        let at = given[pick.index(given.len())].timestamp_ms + step;
        let scan = given.iter().position(|given| given.timestamp_ms >= at);
        let found = Batch::parse(&bytes).unwrap().offset_for_timestamp(at, CAP).unwrap();
        prop_assert_eq!(found.map(|found| found.offset as usize), scan);
    }

    #[test]
    fn a_builder_never_grows_past_what_it_said_would_fit(given in vec(given(), 1..30), limit in 100usize..20_000) {
        let mut builder = BatchBuilder::new(Compression::None);
        for given in &given {
            let headers = given.headers();
            if builder.fits(limit, given.key.as_deref(), given.value.as_deref(), &headers) {
                builder.append(given.timestamp_ms, given.key.as_deref(), given.value.as_deref(), &headers).unwrap();
            }
        }
        prop_assert!(builder.len_bytes() <= limit || builder.record_count() == 1);
        let size = builder.len_bytes();
        prop_assert_eq!(builder.build().unwrap().len(), size);
    }

    #[test]
    fn damaged_records_are_judged_alike_streamed_and_in_place(
        given in vec(given(), 1..8),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = build(Compression::None, &given);
        let body = bytes.len() - HEADER_BYTES;
        for (at, byte) in &damage {
            bytes[HEADER_BYTES + at.index(body)] = *byte;
        }
        let bytes = sealed(bytes);
        let limits = Limits { max_message_bytes: CAP, ..Limits::default() };
        let in_place = producer_batch(&bytes, &limits);
        let batch = Batch::parse(&bytes).unwrap();
        let read: Result<Vec<_>, _> = batch.records(CAP).unwrap().iter().map(|record| record.map(drop)).collect();
        prop_assert!(read.is_ok() || in_place.is_err(), "what validation accepts can be read");
        for codec in Compression::ALL {
            let streamed = recompress(&batch, codec, None, CAP).unwrap();
            let streamed = producer_batch(&streamed, &limits);
            prop_assert_eq!(streamed.is_ok(), in_place.is_ok(), "{} {:?} {:?}", codec, streamed, in_place);
        }
    }

    #[test]
    fn damaged_codec_data_never_panics_nor_passes_the_cap(
        codec in codec(),
        given in vec(given(), 1..8),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cap in 0usize..200_000,
    ) {
        let mut bytes = build(codec, &given);
        let body = bytes.len() - HEADER_BYTES;
        for (at, byte) in &damage {
            bytes[HEADER_BYTES + at.index(body)] = *byte;
        }
        let bytes = sealed(bytes);
        let batch = Batch::parse(&bytes).unwrap();
        if let Ok(plain) = decompress(codec, batch.body(), cap) {
            prop_assert!(plain.len() <= cap || codec == Compression::None);
        }
        let _ = producer_batch(&bytes, &Limits { max_decompressed_bytes: cap, ..Limits::default() });
    }

    #[test]
    fn no_bytes_at_all_make_a_reader_panic(bytes in vec(any::<u8>(), 0..400), magic_2: bool, short_length: Option<u8>) {
        let mut bytes = bytes;
        if let (true, Some(magic)) = (magic_2, bytes.get_mut(16)) {
            *magic = 2;
        }
        if let (Some(length), Some(field)) = (short_length, bytes.get_mut(8..12)) {
            field.copy_from_slice(&u32::from(length).to_be_bytes());
        }
        for batch in batches(&bytes).flatten() {
            if let Ok(records) = batch.records(1 << 16) {
                let _ = (records.iter().count(), records.latest(), control::parse(&batch));
            }
        }
        for codec in Compression::ALL {
            prop_assert!(decompress(codec, &bytes, 1 << 12).map_or(0, |plain| plain.len()) <= 1 << 12);
        }
        let _ = producer_batch(&bytes, &Limits::default());
        let _ = patch::log_append_time(&mut bytes, 1);
    }
}
