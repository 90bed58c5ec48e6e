//! kill -9 at random moments under load, with a ledger outside of the broker: nothing acknowledged is lost, nothing is there twice,
//! and the order holds. `RINGLOG_KILLS` says how often (5); a failure is replayed with `RINGLOG_SEED`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringlog_client::{
    Admin, Client, ClientError, ClientOptions, Consumer, ConsumerOptions, Delivery, NewTopic, OffsetSpec, Producer,
    ProducerOptions, ProducerRecord, TopicPartition,
};

const PARTITIONS: usize = 3;
const TOPIC: &str = "ledger";

fn serve(data: &Path, address: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringlog"))
        .args(["serve", "--listen", address, "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.starts_with("ringlog ready"), "{ready:?}");
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn connect(address: &str) -> Client {
    Client::connect(ClientOptions::new(address).unwrap()).await.unwrap()
}

/// Produces until it is told to stop; gives how many records of each partition were acknowledged. Each holds its number.
async fn produce(address: &str, stop: &AtomicBool) -> Vec<u64> {
    let options = ProducerOptions { linger: Duration::ZERO, ..Default::default() };
    let producer = Producer::new(connect(address).await, options).unwrap();
    let mut sent = vec![0u64; PARTITIONS];
    let mut acknowledged = vec![0u64; PARTITIONS];
    let mut waiting: VecDeque<(usize, Delivery)> = VecDeque::new();
    while !stop.load(Ordering::Relaxed) || !waiting.is_empty() {
        if !stop.load(Ordering::Relaxed) {
            for (partition, sent) in sent.iter_mut().enumerate() {
                let value = sent.to_string();
                let record = ProducerRecord {
                    topic: TOPIC,
                    partition: Some(partition as i32),
                    value: Some(value.as_bytes()),
                    ..Default::default()
                };
                waiting.push_back((partition, producer.send(record).await.unwrap()));
                *sent += 1;
            }
        }
        // Some stay on the way, so that kills meet requests in flight.
        while waiting.len() > 300 || (stop.load(Ordering::Relaxed) && !waiting.is_empty()) {
            let (partition, delivery) = waiting.pop_front().unwrap();
            // An idempotent producer gets every record through in the end.
            delivery.await.unwrap();
            acknowledged[partition] += 1;
        }
    }
    assert_eq!(sent, acknowledged);
    acknowledged
}

/// The numbers in each partition, in the order of their offsets.
async fn stored(address: &str, expected: &[u64]) -> Vec<Vec<u64>> {
    let options = ConsumerOptions { auto_commit: None, ..Default::default() };
    let mut consumer = Consumer::new(connect(address).await, options).unwrap();
    let partition = |number: usize| TopicPartition { topic: TOPIC.into(), partition: number as i32 };
    consumer.assign((0..PARTITIONS).map(partition));
    (0..PARTITIONS).for_each(|number| consumer.seek_to(&partition(number), OffsetSpec::Earliest).unwrap());
    let mut found = vec![Vec::new(); PARTITIONS];
    let mut last_progress = Instant::now();
    while last_progress.elapsed() < Duration::from_secs(2)
        || found.iter().zip(expected).any(|(f, e)| f.len() < *e as usize)
    {
        assert!(
            last_progress.elapsed() < Duration::from_secs(20),
            "records are missing: {:?} of {expected:?}",
            found.iter().map(Vec::len).collect::<Vec<_>>()
        );
        let records = consumer.poll(Duration::from_millis(100)).await.unwrap();
        if !records.is_empty() {
            last_progress = Instant::now();
        }
        records
            .try_for_each(|partition, record| {
                let number = std::str::from_utf8(record.value.unwrap()).unwrap().parse().unwrap();
                found[partition.partition as usize].push(number);
                Ok::<_, ClientError>(())
            })
            .unwrap();
    }
    found
}

fn kill_loop(configs: &[(&str, &str)]) {
    let kills: u32 = std::env::var("RINGLOG_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let seed: u64 = std::env::var("RINGLOG_SEED").map_or(std::process::id().into(), |seed| seed.parse().unwrap());
    eprintln!("RINGLOG_SEED={seed}");
    let mut state = seed | 1;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let data = tempfile::tempdir().unwrap();
    // A port that is free now, and stays the broker's over its lives.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut broker = serve(data.path(), &address);
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let topic = NewTopic { name: TOPIC.into(), partitions: Some(PARTITIONS as i32), configs, ..Default::default() };
    wait(async { Admin::new(connect(&address).await).create_topic(&topic, false).await.unwrap() });

    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|threads| {
        let producing = threads.spawn(|| wait(produce(&address, &stop)));
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(50 + random(250)));
            broker.kill().unwrap();
            broker.wait().unwrap();
            broker = serve(data.path(), &address);
        }
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        producing.join().unwrap()
    });
    let found = wait(stored(&address, &acknowledged));
    kill(broker);
    for (partition, (found, acknowledged)) in found.iter().zip(&acknowledged).enumerate() {
        let expected: Vec<u64> = (0..*acknowledged).collect();
        assert!(*found == expected, "partition {partition}: {} stored, {acknowledged} acknowledged", found.len());
    }
    eprintln!("{kills} kills, {} records acknowledged: 0 lost, 0 twice, in order", acknowledged.iter().sum::<u64>());
}

#[test]
fn at_page_cache_level_nothing_acknowledged_is_lost_to_kill_9() {
    kill_loop(&[]);
}

#[test]
fn at_fsync_level_nothing_acknowledged_is_lost_to_kill_9() {
    kill_loop(&[("flush.messages", "1")]);
}
