//! A broker in this process, driven by the native client over loopback, on both disk backends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod running;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringlog_client::Compression;
use ringlog_io::Wanted;
use running::{Running, backends, consume, lines, produce, start, wait};

#[test]
fn what_is_produced_is_consumed_in_order_with_every_codec_and_after_a_restart() {
    let probed = tempfile::tempdir().unwrap();
    for backend in backends(probed.path()) {
        let data = tempfile::tempdir().unwrap();
        let values = lines(500);
        let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let broker = Running::start(data.path(), backend);
        for codec in codecs {
            wait(produce(broker.address, &format!("t-{codec}"), &values, codec));
            assert_eq!(wait(consume(broker.address, &format!("t-{codec}"), values.len())), values, "{codec}");
        }
        broker.stop();
        assert!(data.path().join(".kafka_cleanshutdown").exists());
        let broker = Running::start(data.path(), backend);
        for codec in codecs {
            assert_eq!(wait(consume(broker.address, &format!("t-{codec}"), values.len())), values, "{codec}");
        }
        broker.stop();
    }
}

#[test]
fn noise_and_a_two_gigabyte_prefix_close_their_own_connection_only() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), Wanted::Syscall);
    let noise: Vec<u8> = (0..100u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    for bytes in [&[0x7f, 0xff, 0xff, 0xff][..], &noise, &[0; 64], &[0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 0, 1]] {
        let mut socket = TcpStream::connect(broker.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // The end of the stream or a reset: both say that the broker closed it. A timeout would be an error of another kind.
        match socket.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.is_empty()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    let values = lines(10);
    wait(produce(broker.address, "others", &values, Compression::None));
    assert_eq!(wait(consume(broker.address, "others", 10)), values);
    broker.stop();
}

#[test]
fn a_second_broker_on_the_same_directory_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), Wanted::Syscall);
    let error = start(data.path(), Wanted::Syscall, &[]).err().unwrap().to_string();
    assert!(error.contains(&data.path().display().to_string()), "{error}");
    broker.stop();
}

#[test]
fn an_api_versions_request_from_the_future_is_answered_in_version_0() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), Wanted::Syscall);
    let mut socket = TcpStream::connect(broker.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Key 18, version 99, correlation id 7, a null client id, and tagged fields that no version yet has.
    socket.write_all(b"\0\0\0\x0b\0\x12\0\x63\0\0\0\x07\xff\xff\0").unwrap();
    let mut head = [0; 10];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head[4..], b"\0\0\0\x07\0\x23", "the correlation id, then error 35");
    drop(socket);
    broker.stop();
}

#[test]
fn records_that_have_left_the_page_cache_are_served_all_the_same() {
    let probed = tempfile::tempdir().unwrap();
    for backend in backends(probed.path()) {
        let data = tempfile::tempdir().unwrap();
        let values = lines(20_000);
        let broker = Running::start(data.path(), backend);
        wait(produce(broker.address, "cold", &values, Compression::None));
        // Closed and synced: what is clean can be dropped from the cache.
        broker.stop();
        let broker = Running::start(data.path(), backend);
        let segment = std::fs::File::open(data.path().join("cold-0/00000000000000000000.log")).unwrap();
        nix::fcntl::posix_fadvise(&segment, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
        assert_eq!(wait(consume(broker.address, "cold", values.len())), values, "{backend:?}");
        broker.stop();
    }
}
