//! How fast one thread sends: records of 100 bytes through the accumulator and the sender to a broker that throws them
//! away. The whole of it counts: partitioning, batching, CRC, the request, the socket, the acknowledgement.
#![allow(clippy::unwrap_used, reason = "a bench may fail by it")]

#[allow(dead_code, clippy::allow_attributes, reason = "the tests use all of it")]
#[path = "../tests/scripted/broker.rs"]
mod broker;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringlog_client::{Acks, Client, ClientOptions, Producer, ProducerOptions, ProducerRecord};
use ringlog_protocol::ApiKey;
use ringlog_protocol::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use tokio::runtime::{Builder, Runtime};

use self::broker::{Answer, Received};

const RECORDS: u64 = 100_000;
/// How many are sent before the sender gets its turn.
const AT_ONCE: u64 = 64;

fn sends(criterion: &mut Criterion) {
    let address = sink();
    let runtime = runtime();
    let mut group = criterion.benchmark_group("send");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(RECORDS));
    for (name, acks) in [("acks=0", Acks::None), ("acks=all", Acks::All)] {
        for batch_kib in [16, 64] {
            let options = ProducerOptions {
                acks,
                idempotence: acks == Acks::All,
                batch_bytes: batch_kib << 10,
                ..ProducerOptions::default()
            };
            group.bench_function(format!("{name}, {batch_kib} KiB"), |bencher| {
                bencher.iter_custom(|times| runtime.block_on(send(&address, &options, times)));
            });
        }
    }
}

/// Sends [`RECORDS`] so many times and waits for the last acknowledgement of each.
async fn send(address: &str, options: &ProducerOptions, times: u64) -> Duration {
    let client = Client::connect(ClientOptions::new(address).unwrap()).await.unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&acknowledged);
    let counting = move |batch: &ringlog_client::Acknowledgement<'_>| {
        count.fetch_add(batch.opaques.len() as u64, Ordering::Relaxed);
    };
    let producer = Producer::with_callback(client, options.clone(), counting).unwrap();
    let value = [7; 100];
    let begun = Instant::now();
    for _ in 0..times {
        for opaque in 0..RECORDS {
            let record = ProducerRecord { topic: "t", value: Some(&value), opaque, ..Default::default() };
            drop(black_box(producer.send(record).await.unwrap()));
            if opaque % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        producer.flush().await.unwrap();
    }
    let took = begun.elapsed();
    assert_eq!(acknowledged.load(Ordering::Relaxed), RECORDS * times);
    took
}

/// A broker on a thread of its own that acknowledges everything and keeps nothing.
fn sink() -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            tell.send(broker::start(acknowledge).await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

fn acknowledge(received: &Received) -> Answer {
    if received.api != ApiKey::Produce {
        return Answer::Usual;
    }
    let request = received.read::<ProduceRequest<'_>>();
    if request.acks == 0 {
        return Answer::Silence;
    }
    let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        partition_responses: topic
            .partition_data
            .iter()
            .map(|partition| PartitionProduceResponse { index: partition.index, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    received.answer(&ProduceResponse { responses: topics.collect(), ..Default::default() })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

criterion_group!(benches, sends);
criterion_main!(benches);
