//! A response as a broker may send it to our client. The first two bytes choose the API and the version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringlog_protocol::{ApiKey, Reader, ResponseHeader};

fuzz_target!(|input: &[u8]| {
    let Some(([api, version], frame)) = input.split_first_chunk() else { return };
    let api = ApiKey::ALL[usize::from(*api) % ApiKey::ALL.len()];
    let version = i16::from(*version) % 20;
    let mut r = Reader::new(frame);
    if ResponseHeader::decode(&mut r, api, version).is_ok() {
        ringlog_fuzz::response(api, version, r.rest());
    }
});
