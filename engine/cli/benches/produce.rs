//! How much of a bare loop the broker reaches, and how it stands beside others.
//!
//! ```text
//! cargo bench -p ringlog-cli --bench produce                        the broker and the bare loop
//! cargo bench -p ringlog-cli --bench produce -- profile=FILE        and the broker with this io.profile
//! cargo bench -p ringlog-cli --bench produce -- build=FILE          and that other build of ringlog
//! cargo bench -p ringlog-cli --bench produce -- beside=HOST:PORT    and the Kafka broker that runs there: scripts/kafka.sh start DIR
//! cargo bench -p ringlog-cli --bench produce -- only=fsync          scenarios with this in their names
//! ```
//!
//! The same client, which costs almost nothing (it sends one ready-made Produce request again and again), drives the broker and a
//! bare loop of receive, CRC-32C, pwrite and answer, each a process of its own, by turns. A first round is not counted. Ratios are
//! those of one round; what is printed is their median and range.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each benchmark uses its part")]
mod served;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ringlog_record::crc32c;
use served::clients::{Watch, connect, drive, receive};
use served::rounds::{Contestant, Outcome, compare, with_topic};
use served::{Served, TOPIC, frame};

/// Where an answer to one partition has it: behind the correlation id, tags, and the topic's name.
const ERROR_CODE: std::ops::Range<usize> = 12 + TOPIC.len()..14 + TOPIC.len();

struct Scenario {
    name: &'static str,
    connections: usize,
    partitions: usize,
    batch_bytes: usize,
    in_flight: usize,
    /// Every acknowledgement waits for an fdatasync; then the bare loop does one for each request.
    fsync: bool,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "1 connection, 64 KiB, 5 in flight",
        connections: 1,
        partitions: 1,
        batch_bytes: 64 << 10,
        in_flight: 5,
        fsync: false,
    },
    Scenario {
        name: "4 connections, 64 KiB, 5 in flight",
        connections: 4,
        partitions: 4,
        batch_bytes: 64 << 10,
        in_flight: 5,
        fsync: false,
    },
    Scenario {
        name: "50 connections, 100 partitions, 2 KiB",
        connections: 50,
        partitions: 100,
        batch_bytes: 2 << 10,
        in_flight: 5,
        fsync: false,
    },
    Scenario {
        name: "16 connections, 1 partition, 1 KiB, fsync",
        connections: 16,
        partitions: 1,
        batch_bytes: 1 << 10,
        in_flight: 1,
        fsync: true,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "bare") {
        return bare_loop(Path::new(&arguments[at + 1]), arguments[at + 2] == "fsync");
    }
    let always = [Contestant::Broker, Contestant::Bare];
    compare(&always, &SCENARIOS, |scenario| scenario.name, measure);
}

fn measure(contestant: &Contestant, scenario: &Scenario) -> Outcome {
    let data = tempfile::tempdir().unwrap();
    let configs = if scenario.fsync { vec![("flush.messages".to_owned(), "1".to_owned())] } else { Vec::new() };
    let driven = |address, cpu: &dyn Fn() -> Option<Duration>| {
        drive(scenario.connections, cpu, |connection, watch| send(address, scenario, connection, watch))
    };
    let produced = |address, cpu: &dyn Fn() -> Option<Duration>| {
        with_topic(address, scenario.partitions, configs.clone(), || driven(address, cpu))
    };
    let ours = |server: Served| produced(server.address, &|| Some(server.cpu()));
    match contestant {
        Contestant::Broker => ours(Served::broker(data.path())),
        Contestant::Profiled(file) => ours(Served::profiled(data.path(), file)),
        Contestant::Build(file) => ours(Served::build(data.path(), file)),
        Contestant::Beside(address) => produced(*address, &|| None),
        Contestant::Bare => {
            let mut bare = Command::new(std::env::current_exe().unwrap());
            bare.arg("bare").arg(data.path()).arg(if scenario.fsync { "fsync" } else { "page-cache" });
            let server = Served::start(&mut bare, "bare://");
            driven(server.address, &|| Some(server.cpu()))
        }
    }
}

/// Keeps `in_flight` requests on the way; counts record bytes of those that are answered while it is watched.
fn send(address: SocketAddr, scenario: &Scenario, connection: usize, watch: &Watch) {
    let mut stream = connect(address);
    let frames: Vec<Vec<u8>> = (0..scenario.partitions.div_ceil(scenario.connections))
        .map(|n| frame((connection + n * scenario.connections) % scenario.partitions, scenario.batch_bytes))
        .collect();
    let mut frames = frames.iter().cycle();
    for _ in 0..scenario.in_flight {
        stream.write_all(frames.next().unwrap()).unwrap();
    }
    let mut answer = Vec::new();
    while !watch.is_over() {
        receive(&mut stream, &mut answer);
        assert_eq!(answer[ERROR_CODE], [0, 0], "{}: refused", scenario.name);
        watch.count(scenario.batch_bytes);
        stream.write_all(frames.next().unwrap()).unwrap();
    }
}

/// What a broker can't do without, alone: a thread for each connection receives a frame, computes its CRC, writes it to a file of
/// the connection's own and answers.
fn bare_loop(directory: &Path, fsync: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("bare://{}", listener.local_addr().unwrap());
    for (number, stream) in listener.incoming().enumerate() {
        let file = std::fs::File::create(directory.join(number.to_string())).unwrap();
        std::thread::spawn(move || {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut frame, mut position, mut length) = (Vec::new(), 0, [0; 4]);
            while stream.read_exact(&mut length).is_ok() {
                frame.resize(u32::from_be_bytes(length) as usize, 0);
                stream.read_exact(&mut frame).unwrap();
                std::hint::black_box(crc32c(&frame));
                file.write_all_at(&frame, position).unwrap();
                position += frame.len() as u64;
                if fsync {
                    file.sync_data().unwrap();
                }
                // As long as the broker's answer, about; a client that is gone ends it.
                let answered = stream.write_all(&[0, 0, 0, 50]).and_then(|()| stream.write_all(&[0; 50]));
                if answered.is_err() {
                    break;
                }
            }
        });
    }
}
