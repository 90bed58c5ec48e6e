//! Our own client: the same tests against our broker and, with `RINGLOG_INTEROP_BOOTSTRAP`, against Apache Kafka; what
//! ours does not serve, against Apache Kafka alone.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "native/admin.rs"]
mod admin;
#[path = "native/groups.rs"]
mod groups;
#[path = "native/transactions.rs"]
mod transactions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use ringlog_client::{
    Acknowledgement, Acks, Admin, Client, ClientError, ClientOptions, Compression, Consumer, ConsumerOptions, NewTopic,
    OffsetReset, OffsetSpec, Partitioner, Producer, ProducerOptions, ProducerRecord, RecordHeader, TopicPartition,
    partition_of_key,
};
use ringlog_interop::Broker;

const PARTITIONS: i32 = 6;
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(100);

#[test]
fn records_of_every_codec_come_back_as_they_were_sent() {
    with_topic("codecs", PARTITIONS, async |broker, topic| {
        let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let mut expected = BTreeMap::new();
        for (index, compression) in codecs.into_iter().enumerate() {
            let producer = producer(&broker, ProducerOptions { compression, ..Default::default() }).await;
            for number in 0..60 {
                let (key, value) = (format!("{compression}-{number}"), format!("record {number} ").repeat(20));
                let timestamp_ms = 1_000_000 * index as i64 + number;
                let record = ProducerRecord {
                    topic: &topic,
                    key: Some(key.as_bytes()),
                    value: Some(value.as_bytes()),
                    headers: &[RecordHeader { key: b"h", value: None }],
                    timestamp_ms: Some(timestamp_ms),
                    ..Default::default()
                };
                drop(producer.send(record).await.unwrap());
                expected.insert(key, (value, timestamp_ms));
            }
            producer.close().await.unwrap();
        }
        let mut consumer = reader(&broker, &topic).await;
        let mut seen = BTreeMap::new();
        let deadline = Instant::now() + PATIENCE;
        while seen.len() < expected.len() && Instant::now() < deadline {
            let records = consumer.poll(POLL).await.unwrap();
            let each = |from: &TopicPartition, record: &ringlog_client::Record<'_>| {
                let key = record.key.unwrap();
                // Where Java's producer would have put it.
                assert_eq!(from.partition as usize, partition_of_key(key, PARTITIONS as usize));
                let headers: Vec<_> = record.headers.map(|header| (header.key, header.value)).collect();
                assert_eq!(headers, [(&b"h"[..], None)]);
                seen.insert(text(key), (text(record.value.unwrap()), record.timestamp_ms));
                Ok::<_, ClientError>(())
            };
            records.try_for_each(each).unwrap();
        }
        assert_eq!(seen, expected);
    });
}

#[test]
fn the_callback_is_told_of_every_record_whatever_acks_and_partitioner() {
    with_topic("callback", PARTITIONS, async |broker, topic| {
        let by_value = Partitioner::custom(|record, _| record.value.map_or(0, |value| usize::from(value[0] % 6)));
        for (acks, partitioner) in [
            (Acks::None, Partitioner::Sticky),
            (Acks::Leader, Partitioner::RoundRobin),
            (Acks::All, by_value),
            (Acks::All, Partitioner::KeyHash),
        ] {
            let told = Arc::new(Mutex::new(Vec::<u64>::new()));
            let notes = Arc::clone(&told);
            let callback = move |batch: &Acknowledgement<'_>| {
                assert_eq!(batch.outcome.unwrap().base_offset < 0, acks == Acks::None);
                notes.lock().unwrap().extend(batch.opaques);
            };
            let options = ProducerOptions { acks, idempotence: acks == Acks::All, partitioner, ..Default::default() };
            let client = client(&broker).await;
            let producer = Producer::with_callback(client, options, callback).unwrap();
            for opaque in 0..500 {
                let value = [opaque as u8; 100];
                let record = ProducerRecord { topic: &topic, value: Some(&value), opaque, ..Default::default() };
                drop(producer.send(record).await.unwrap());
            }
            producer.close().await.unwrap();
            let mut told = std::mem::take(&mut *told.lock().unwrap());
            told.sort_unstable();
            assert_eq!(told, (0..500).collect::<Vec<_>>());
        }
    });
}

#[test]
fn reading_goes_on_wherever_it_is_told_to() {
    with_topic("seek", 1, async |broker, topic| {
        let producer = producer(&broker, ProducerOptions { compression: Compression::Lz4, ..Default::default() }).await;
        for number in 0..100 {
            let value = number.to_string();
            let timestamp_ms = Some(1000 + number);
            let record =
                ProducerRecord { topic: &topic, value: Some(value.as_bytes()), timestamp_ms, ..Default::default() };
            drop(producer.send(record).await.unwrap());
            if number % 20 == 19 {
                producer.flush().await.unwrap();
            }
        }
        let partition = TopicPartition::new(&topic, 0);
        let mut consumer = reader(&broker, &topic).await;
        let next = async |consumer: &mut Consumer| {
            let mut first = None;
            let deadline = Instant::now() + PATIENCE;
            while first.is_none() && Instant::now() < deadline {
                let records = consumer.poll(POLL).await.unwrap();
                let each = |_: &TopicPartition, record: &ringlog_client::Record<'_>| {
                    first.get_or_insert(record.offset);
                    Ok::<_, ClientError>(())
                };
                records.try_for_each(each).unwrap();
            }
            first
        };
        consumer.seek(&partition, 50).unwrap();
        assert_eq!(next(&mut consumer).await, Some(50));
        consumer.seek_to(&partition, OffsetSpec::Earliest).unwrap();
        assert_eq!(next(&mut consumer).await, Some(0));
        consumer.seek_to(&partition, OffsetSpec::Timestamp(1070)).unwrap();
        assert_eq!(next(&mut consumer).await, Some(70));
        consumer.seek_to(&partition, OffsetSpec::Latest).unwrap();
        poll_until(&mut consumer, |consumer| consumer.position(&partition) == Some(100)).await;
        consumer.pause(std::slice::from_ref(&partition));
        let record = ProducerRecord { topic: &topic, value: Some(b"last"), ..Default::default() };
        assert_eq!(producer.send(record).await.unwrap().await.unwrap().offset, 100);
        assert!(consumer.poll(POLL).await.unwrap().is_empty());
        consumer.resume(std::slice::from_ref(&partition));
        assert_eq!(next(&mut consumer).await, Some(100));
    });
}

/// Runs a test on a topic of its own.
fn with_topic(what: &str, partitions: i32, test: impl AsyncFnOnce(Arc<Broker>, String)) {
    with_topic_at(Broker::start(), what, partitions, test);
}

fn with_topic_at(broker: Broker, what: &str, partitions: i32, test: impl AsyncFnOnce(Arc<Broker>, String)) {
    let broker = Arc::new(broker);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let topic = format!("interop-native-{what}-{}-{}", std::process::id(), now.as_nanos());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let admin = Admin::new(client(&broker).await);
        create(&admin, &topic, partitions).await;
        test(Arc::clone(&broker), topic.clone()).await;
        admin.delete_topic(&topic).await.unwrap();
    });
    Arc::into_inner(broker).unwrap().stop();
}

async fn create(admin: &Admin, name: &str, partitions: i32) {
    let topic = NewTopic { name: name.to_owned(), partitions: Some(partitions), ..Default::default() };
    admin.create_topic(&topic, false).await.unwrap();
}

async fn client(broker: &Broker) -> Client {
    Client::connect(ClientOptions::new(broker.bootstrap()).unwrap()).await.unwrap()
}

async fn producer(broker: &Broker, options: ProducerOptions) -> Producer {
    Producer::new(client(broker).await, options).unwrap()
}

/// Reads the whole topic, in no group.
async fn reader(broker: &Broker, topic: &str) -> Consumer {
    let client = client(broker).await;
    let partitions = client.topic(topic, false, PATIENCE).await.unwrap().partitions.len() as i32;
    let options = ConsumerOptions { offset_reset: OffsetReset::Earliest, ..Default::default() };
    let mut consumer = Consumer::new(client, options).unwrap();
    consumer.assign((0..partitions).map(|index| TopicPartition::new(topic, index)));
    consumer
}

async fn poll_until(consumer: &mut Consumer, mut condition: impl FnMut(&Consumer) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        drop(consumer.poll(Duration::from_millis(1)).await.unwrap());
        if condition(consumer) {
            return;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}");
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_ok(what, async || condition()).await;
}

async fn until_ok(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
