//! How much of a bare loop the broker reaches: `cargo bench -p ringlog-cli --bench produce`.
//!
//! The same client, which costs almost nothing (it sends one ready-made Produce request again and again), drives the broker and a
//! bare loop of receive, CRC-32C, pwrite and answer, each a process of its own, by turns. Ratios are those of one round; what is
//! printed is their median and range.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each benchmark uses its part")]
mod served;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringlog_client::{Admin, Client, ClientOptions, NewTopic};
use ringlog_record::crc32c;
use served::{Served, TOPIC, frame};

const ROUNDS: usize = 5;
const WATCHED: Duration = Duration::from_secs(2);

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
    for scenario in &SCENARIOS {
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            // By turns, and each first as often as the other.
            let measured = match round % 2 {
                0 => (broker(scenario), bare(scenario)),
                _ => {
                    let bare = bare(scenario);
                    (broker(scenario), bare)
                }
            };
            rounds.push(measured);
        }
        let of = |value: fn(&(Outcome, Outcome)) -> f64| spread(rounds.iter().map(value).collect());
        println!("{}", scenario.name);
        println!("  broker {} MB/s, {} CPU s/GB", of(|round| round.0.mb_per_second), of(|round| round.0.cpu_per_gb));
        println!("  bare   {} MB/s, {} CPU s/GB", of(|round| round.1.mb_per_second), of(|round| round.1.cpu_per_gb));
        println!("  share  {}", of(|round| round.0.mb_per_second / round.1.mb_per_second));
    }
}

#[derive(Clone, Copy)]
struct Outcome {
    mb_per_second: f64,
    cpu_per_gb: f64,
}

/// Median, and in brackets the least and the most.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2}–{:.2})", values[values.len() / 2], values[0], values[values.len() - 1])
}

fn broker(scenario: &Scenario) -> Outcome {
    let data = tempfile::tempdir().unwrap();
    let server = Served::broker(data.path());
    let configs = if scenario.fsync { vec![("flush.messages".to_owned(), "1".to_owned())] } else { Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(ClientOptions::new(&server.address.to_string()).unwrap()).await.unwrap();
        let partitions = Some(scenario.partitions as i32);
        let topic = NewTopic { name: TOPIC.into(), partitions, configs, ..Default::default() };
        Admin::new(client).create_topic(&topic, false).await.unwrap();
    });
    drive(&server, scenario)
}

fn bare(scenario: &Scenario) -> Outcome {
    let data = tempfile::tempdir().unwrap();
    let mut bare = Command::new(std::env::current_exe().unwrap());
    bare.arg("bare").arg(data.path()).arg(if scenario.fsync { "fsync" } else { "page-cache" });
    drive(&Served::start(bare, "bare://"), scenario)
}

/// Loads the server for a while.
fn drive(server: &Served, scenario: &Scenario) -> Outcome {
    let (done, bytes) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut cpu, mut took) = (Duration::ZERO, Duration::ZERO);
    std::thread::scope(|threads| {
        for connection in 0..scenario.connections {
            let (done, bytes) = (&done, &bytes);
            let address = server.address;
            threads.spawn(move || send(address, scenario, connection, done, bytes));
        }
        std::thread::sleep(Duration::from_millis(300));
        let (begun, cpu_before, bytes_before) = (Instant::now(), server.cpu(), bytes.load(Ordering::Relaxed));
        std::thread::sleep(WATCHED);
        took = begun.elapsed();
        cpu = server.cpu() - cpu_before;
        let watched = bytes.load(Ordering::Relaxed) - bytes_before;
        done.store(true, Ordering::Relaxed);
        bytes.store(watched, Ordering::Relaxed);
    });
    let gigabytes = bytes.load(Ordering::Relaxed) as f64 / 1e9;
    Outcome { mb_per_second: gigabytes * 1e3 / took.as_secs_f64(), cpu_per_gb: cpu.as_secs_f64() / gigabytes }
}

/// Keeps `in_flight` requests on the way; counts record bytes of those that are answered while it is watched.
fn send(address: SocketAddr, scenario: &Scenario, connection: usize, done: &AtomicBool, bytes: &AtomicU64) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let frames: Vec<Vec<u8>> = (0..scenario.partitions.div_ceil(scenario.connections))
        .map(|n| frame((connection + n * scenario.connections) % scenario.partitions, scenario.batch_bytes))
        .collect();
    let mut frames = frames.iter().cycle();
    for _ in 0..scenario.in_flight {
        stream.write_all(frames.next().unwrap()).unwrap();
    }
    let mut answer = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        answer.resize(u32::from_be_bytes(length) as usize, 0);
        stream.read_exact(&mut answer).unwrap();
        if !done.load(Ordering::Relaxed) {
            bytes.fetch_add(scenario.batch_bytes as u64, Ordering::Relaxed);
        }
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
