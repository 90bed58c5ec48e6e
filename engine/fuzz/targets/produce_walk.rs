//! The records of a Produce request, found without copying: their ranges lie in the body, and rise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringlog_protocol::produce;

fuzz_target!(|input: &[u8]| {
    let Some((version, body)) = input.split_first() else { return };
    let Ok(walk) = produce::walk(body, i16::from(*version) % 16) else { return };
    let mut end = 0;
    for range in walk.topics.iter().flat_map(|topic| &topic.partitions).filter_map(|p| p.records.clone()) {
        assert!(end <= range.start && range.start <= range.end && range.end <= body.len());
        end = range.end;
    }
});
