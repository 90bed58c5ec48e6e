//! Batches through every codec, there and back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ringlog_record::*;

fn sample(compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    builder.set_producer(7, 1, 40);
    let header = [RecordHeader { key: b"trace", value: Some(b"42") }, RecordHeader { key: b"null", value: None }];
    builder.append(1_000, Some(b"k1"), Some(b"v1"), &header).unwrap();
    builder.append(3_000, None, Some(&[b'x'; 100_000]), &[]).unwrap();
    builder.append(2_000, Some(b"k1"), None, &[]).unwrap();
    builder.build().unwrap()
}

#[test]
fn every_codec_gives_back_what_was_built() {
    for compression in Compression::ALL {
        let bytes = sample(compression);
        let batch = Batch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        let summary = validate::producer_batch(&bytes, &validate::Limits::default()).unwrap();
        assert_eq!((summary.max_timestamp_ms, summary.max_timestamp_delta), (3_000, 1), "{compression}");
        assert!(!summary.max_timestamp_is_wrong());
        assert_eq!(batch.header().last_sequence(), 42);
        let records = batch.records(1 << 20).unwrap();
        let records: Vec<_> = records.iter().map(Result::unwrap).collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].headers.len(), 2);
        assert_eq!(records[0].headers.clone().next().unwrap().value, Some(&b"42"[..]));
        assert_eq!((records[1].key, records[1].value.unwrap().len(), records[1].offset), (None, 100_000, 1));
        assert!(records[2].is_tombstone());
        assert_eq!(batch.offset_for_timestamp(1_500, 1 << 20).unwrap().unwrap().offset, 1);
    }
}
