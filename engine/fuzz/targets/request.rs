//! A frame as a client may send it: a header, and the request that it announces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringlog_protocol::{Reader, RequestHeader};

fuzz_target!(|frame: &[u8]| {
    let mut r = Reader::new(frame);
    if let Ok(header) = RequestHeader::decode(&mut r) {
        ringlog_fuzz::request(header.api, header.version, r.rest());
    }
});
