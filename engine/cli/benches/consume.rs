//! What the broker sends of records that lie in the page cache: `cargo bench -p ringlog-cli --bench consume`, with the same
//! `-- profile=FILE`, `-- build=FILE`, `-- beside=HOST:PORT` and `-- only=NAME` as the bench `produce`.
//!
//! The client, which costs one copy out of the socket, walks again and again through a partition of 256 MiB by ready-made Fetch
//! requests, one in flight on each connection.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each benchmark uses its part")]
mod served;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use ringlog_protocol::encode_request;
use ringlog_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use served::clients::{Watch, connect, drive, receive};
use served::rounds::{Contestant, Outcome, compare, with_topic};
use served::{Served, TOPIC, batch, frame};

const STORED_BYTES: usize = 256 << 20;
/// Every slice is whole batches.
const BATCH_BYTES: usize = 16 << 10;
/// Fetch with topic names.
const VERSION: i16 = 12;
const IN_FLIGHT: usize = 5;

struct Scenario {
    name: &'static str,
    connections: usize,
    slice_bytes: usize,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "1 connection, 16 KiB", connections: 1, slice_bytes: 16 << 10 },
    Scenario { name: "1 connection, 64 KiB", connections: 1, slice_bytes: 64 << 10 },
    Scenario { name: "1 connection, 256 KiB", connections: 1, slice_bytes: 256 << 10 },
    Scenario { name: "1 connection, 1 MiB", connections: 1, slice_bytes: 1 << 20 },
    Scenario { name: "4 connections, 256 KiB", connections: 4, slice_bytes: 256 << 10 },
];

fn main() {
    compare(&[Contestant::Broker], &SCENARIOS, |scenario| scenario.name, measure);
}

fn measure(contestant: &Contestant, scenario: &Scenario) -> Outcome {
    let data = tempfile::tempdir().unwrap();
    let ours = |server: Served| consume(server.address, &|| Some(server.cpu()), scenario);
    match contestant {
        Contestant::Broker | Contestant::Bare => ours(Served::broker(data.path())),
        Contestant::Profiled(file) => ours(Served::profiled(data.path(), file)),
        Contestant::Build(file) => ours(Served::build(data.path(), file)),
        Contestant::Beside(address) => consume(*address, &|| None, scenario),
    }
}

fn consume(address: SocketAddr, cpu_of: &dyn Fn() -> Option<Duration>, scenario: &Scenario) -> Outcome {
    with_topic(address, 1, Vec::new(), || {
        store(address);
        drive(scenario.connections, cpu_of, |_, watch| fetch(address, scenario, watch))
    })
}

/// Fills the partition.
fn store(address: SocketAddr) {
    let mut stream = connect(address);
    let produce = frame(0, BATCH_BYTES);
    let mut answer = Vec::new();
    for sent in 0..STORED_BYTES / BATCH_BYTES {
        stream.write_all(&produce).unwrap();
        if sent >= IN_FLIGHT {
            receive(&mut stream, &mut answer);
        }
    }
    (0..IN_FLIGHT).for_each(|_| receive(&mut stream, &mut answer));
}

/// Asks for one slice after the other, round and round.
fn fetch(address: SocketAddr, scenario: &Scenario, watch: &Watch) {
    let mut stream = connect(address);
    let (_, records) = batch(BATCH_BYTES);
    let requests: Vec<_> = (0..STORED_BYTES / scenario.slice_bytes)
        .map(|n| request((n * scenario.slice_bytes / BATCH_BYTES * records) as i64, scenario.slice_bytes))
        .collect();
    let mut answer = Vec::new();
    for request in requests.iter().cycle() {
        stream.write_all(request).unwrap();
        receive(&mut stream, &mut answer);
        // Batches are a little shorter than their limit: as many as the slice has room for come.
        assert!(answer.len() * 10 > scenario.slice_bytes * 9, "{}: only {} bytes came", scenario.name, answer.len());
        watch.count(answer.len());
        if watch.is_over() {
            return;
        }
    }
}

fn request(fetch_offset: i64, slice_bytes: usize) -> Vec<u8> {
    let partition_max_bytes = slice_bytes as i32;
    let partition = FetchPartition { fetch_offset, partition_max_bytes, ..Default::default() };
    let topics = vec![FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() }];
    let request = FetchRequest { max_wait_ms: 500, min_bytes: 1, topics, ..Default::default() };
    encode_request(&request, VERSION, 1, Some("bench")).unwrap().to_vec()
}
