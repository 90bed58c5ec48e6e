//! A client's records field: validated at both depths, read, looked up, re-encoded; with the CRC as sent and with a right one,
//! so that the fuzzer gets past it. Nothing may panic, and what validation accepts must be readable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringlog_record::validate::{Depth, Limits, producer_batch};
use ringlog_record::{Batch, Compression, batches, control, patch, recompress, retain};

const CAP: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut sealed = bytes.to_vec();
    // Setting a timestamp computes the CRC anew.
    if let Ok(batch) = Batch::parse(bytes)
        && patch::max_timestamp(&mut sealed, batch.header().max_timestamp).is_ok()
    {
        check(&sealed);
    }
});

fn check(bytes: &[u8]) {
    let limits = Limits { max_decompressed_bytes: CAP, ..Limits::default() };
    let accepted = producer_batch(bytes, &limits).is_ok();
    if accepted {
        assert!(producer_batch(bytes, &Limits { depth: Depth::Header, ..limits }).is_ok());
    }
    for batch in batches(bytes).flatten() {
        let readable = batch.records(CAP).is_ok_and(|records| records.iter().all(|record| record.is_ok()));
        assert!(readable || !accepted, "accepted and not readable");
        let _ = batch.offset_for_timestamp(0, CAP);
        let _ = control::parse(&batch);
        let _ = recompress(&batch, Compression::Lz4, None, CAP);
        let _ = retain(&batch, Some(0), None, CAP, |record| record.key.is_some());
    }
}
