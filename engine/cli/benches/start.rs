//! How soon the broker is ready, and what memory it takes: `cargo bench -p ringlog-cli --bench start`.
//!
//! `RINGLOG_BENCH_GIB` (1) is how much lies in the hundred partitions that are recovered after kill -9.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each benchmark uses its part")]
mod served;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ringlog_client::{Admin, Client, ClientOptions, NewTopic};
use served::{Served, TOPIC, frame};

const BATCH_BYTES: usize = 64 << 10;
const REPEATS: usize = 9;

fn main() {
    let empty: Vec<f64> =
        (0..REPEATS).map(|_| ready_ms(&Served::broker(tempfile::tempdir().unwrap().path()))).collect();
    println!("ready, empty directory            {} ms", spread(empty));

    let data = tempfile::tempdir().unwrap();
    let broker = Served::broker(data.path());
    create(&broker, 2_000);
    let idle_mib = broker.resident_mib();
    broker.stop();
    let clean = (0..REPEATS).map(|_| {
        let broker = Served::broker(data.path());
        let ready = ready_ms(&broker);
        broker.stop();
        ready
    });
    println!("ready, 2,000 partitions           {} ms", spread(clean.collect()));
    let killed = (0..REPEATS).map(|_| ready_ms(&Served::broker(data.path())));
    println!("ready, 2,000 partitions, kill -9  {} ms", spread(killed.collect()));
    println!("resident, 2,000 partitions idle   {idle_mib:.0} MiB");

    let gib: f64 = std::env::var("RINGLOG_BENCH_GIB").map_or(1.0, |gib| gib.parse().unwrap());
    let data = tempfile::tempdir().unwrap();
    let broker = Served::broker(data.path());
    println!("resident, idle                    {:.0} MiB", broker.resident_mib());
    create(&broker, 100);
    let loaded_mib = fill(&broker, 100, (gib * f64::from(1 << 30)) as usize);
    println!("resident, most under load         {loaded_mib:.0} MiB");
    drop(broker);
    let killed = (0..REPEATS).map(|_| {
        // Each is killed while it is written to.
        let broker = Served::broker(data.path());
        let ready = ready_ms(&broker);
        fill(&broker, 100, 32 << 20);
        ready
    });
    println!("ready, {gib} GiB in 100 partitions, kill -9  {} ms", spread(killed.collect()));

    connections(data.path());
}

fn ready_ms(broker: &Served) -> f64 {
    broker.ready_after.as_secs_f64() * 1e3
}

/// Median, and in brackets the least and the most.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.0} ({:.0}–{:.0})", values[values.len() / 2], values[0], values[values.len() - 1])
}

fn create(broker: &Served, partitions: i32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(ClientOptions::new(&broker.address.to_string()).unwrap()).await.unwrap();
        let topic = NewTopic { name: TOPIC.into(), partitions: Some(partitions), ..Default::default() };
        Admin::new(client).create_topic(&topic, false).await.unwrap();
    });
}

/// Writes so many bytes over four connections; gives the most memory that was resident meanwhile.
fn fill(broker: &Served, partitions: usize, bytes: usize) -> f64 {
    let requests = bytes / BATCH_BYTES / 4;
    let mut most = 0f64;
    std::thread::scope(|threads| {
        let senders: Vec<_> = (0..4)
            .map(|connection| {
                threads.spawn(move || {
                    let frames: Vec<Vec<u8>> =
                        (connection..partitions).step_by(4).map(|partition| frame(partition, BATCH_BYTES)).collect();
                    let mut stream = TcpStream::connect(broker.address).unwrap();
                    let mut frames = frames.iter().cycle();
                    (0..5).for_each(|_| stream.write_all(frames.next().unwrap()).unwrap());
                    for _ in 0..requests {
                        answer(&mut stream);
                        stream.write_all(frames.next().unwrap()).unwrap();
                    }
                    (0..5).for_each(|_| answer(&mut stream));
                })
            })
            .collect();
        while senders.iter().any(|sender| !sender.is_finished()) {
            most = most.max(broker.resident_mib());
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    most
}

fn answer(stream: &mut TcpStream) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
}

/// Ten thousand connections that have said hello and are idle, and how long one more waits for its answer.
fn connections(data: &Path) {
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, limit.1, limit.1);
    let wanted = 10_000.min(limit.1.saturating_sub(200) as usize);
    let broker = Served::broker(data);
    let before = broker.resident_mib();
    let hello = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let idle: Vec<TcpStream> = (0..wanted)
        .map(|_| {
            let mut stream = TcpStream::connect(broker.address).unwrap();
            stream.write_all(&hello).unwrap();
            answer(&mut stream);
            stream
        })
        .collect();
    let mut stream = TcpStream::connect(broker.address).unwrap();
    let waits = (0..100).map(|_| {
        let begun = Instant::now();
        stream.write_all(&hello).unwrap();
        answer(&mut stream);
        begun.elapsed().as_secs_f64() * 1e6
    });
    let waits = spread(waits.collect());
    println!("resident, {} idle connections   {:.0} MiB ({before:.0} before)", idle.len(), broker.resident_mib());
    println!("an answer beside them             {waits} µs");
}
