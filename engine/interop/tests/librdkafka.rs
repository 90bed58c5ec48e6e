//! librdkafka through the `rdkafka` crate: the course that the other clients walk, here as Rust tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use ringlog_interop::Broker;

const PARTITIONS: usize = 6;
const PER_CODEC: usize = 60;
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn every_codec_of_an_idempotent_producer_reaches_a_group_of_three() {
    let broker = Broker::start();
    let topic = unique("codecs");
    block_on(create(&broker, &topic, PARTITIONS));
    for codec in CODECS {
        block_on(produce_keyed(&broker, &topic, codec));
    }
    let group = unique("group");
    let expected = keyed_records();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let count = || seen.lock().unwrap().iter().map(|(key, _)| key).collect::<BTreeSet<&String>>().len();

    let mut first = Member::join(&broker, &group, &topic, &seen);
    let mut second = Member::join(&broker, &group, &topic, &seen);
    wait_until("two members share six partitions", || share(&[&first, &second]));
    let mut third = Member::join(&broker, &group, &topic, &seen);
    wait_until("a third joins and each has two", || share(&[&first, &second, &third]));
    second.leave();
    wait_until("one leaves and the others have three each", || share(&[&first, &third]));
    wait_until("the group has seen every record", || count() == expected.len());
    let together: BTreeMap<String, String> = seen.lock().unwrap().iter().cloned().collect();
    assert_eq!(together, expected);
    wait_until("the group commits all it saw", || lag(&broker, &group, &topic) == 0);
    first.leave();
    third.leave();

    block_on(produce_later(&broker, &topic));
    assert_eq!(lag(&broker, &group, &topic), PARTITIONS as i64);
    seen.lock().unwrap().clear();
    let mut again = Member::join(&broker, &group, &topic, &seen);
    wait_until("the group resumes", || seen.lock().unwrap().len() >= PARTITIONS);
    again.leave();
    assert_eq!(
        *seen.lock().unwrap(),
        vec![("later".to_owned(), "later".to_owned()); PARTITIONS],
        "where it had committed"
    );
    broker.stop();
}

#[test]
fn a_timestamp_finds_the_first_record_not_before_it_inside_a_batch() {
    let broker = Broker::start();
    let topic = unique("clock");
    block_on(async {
        create(&broker, &topic, 1).await;
        let producer: FutureProducer = config(&broker).set("linger.ms", "100").create().unwrap();
        let ticks: Vec<_> = (0..10)
            .map(|i| {
                let tick = FutureRecord::<(), _>::to(&topic).payload("tick").timestamp(1_000_000 + 100 * i);
                producer.send_result(tick).map_err(|(e, _)| e).unwrap()
            })
            .collect();
        for tick in ticks {
            tick.await.unwrap().unwrap();
        }
    });
    let consumer: BaseConsumer = config(&broker).set("group.id", unique("alone")).create().unwrap();
    let look_up = |ms| {
        let mut times = TopicPartitionList::new();
        times.add_partition_offset(&topic, 0, Offset::Offset(ms)).unwrap();
        consumer.offsets_for_times(times, PATIENCE).unwrap().elements()[0].offset()
    };
    assert_eq!(look_up(1_000_350), Offset::Offset(4));
    assert_eq!(look_up(1_000_900), Offset::Offset(9));
    assert_eq!(look_up(1_000_901), Offset::End);
    assert_eq!(consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (0, 10));
    broker.stop();
}

#[test]
fn the_admin_creates_alters_describes_and_deletes() {
    let broker = Broker::start();
    let topic = unique("admin");
    block_on(async {
        let admin: AdminClient<DefaultClientContext> = config(&broker).create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        create(&broker, &topic, 1).await;
        let again =
            admin.create_topics([&NewTopic::new(&topic, 1, TopicReplication::Fixed(1))], &options).await.unwrap();
        assert_eq!(again, [Err((topic.clone(), RDKafkaErrorCode::TopicAlreadyExists))]);
        let invalid =
            admin.create_topics([&NewTopic::new("in valid", 1, TopicReplication::Fixed(1))], &options).await.unwrap();
        assert_eq!(invalid, [Err(("in valid".to_owned(), RDKafkaErrorCode::InvalidTopic))]);

        admin.create_partitions([&NewPartitions::new(&topic, 3)], &options).await.unwrap()[0].clone().unwrap();
        let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("retention.ms", "1234567");
        assert!(admin.alter_configs([&altered], &options).await.unwrap()[0].is_ok());
        let consumer: BaseConsumer = config(&broker).create().unwrap();
        wait_until("three partitions", || {
            consumer.fetch_metadata(Some(&topic), PATIENCE).unwrap().topics()[0].partitions().len() == 3
        });
        let described = admin.describe_configs([&ResourceSpecifier::Topic(&topic)], &options).await.unwrap();
        let described = described[0].as_ref().unwrap();
        assert_eq!(described.get("retention.ms").unwrap().value.as_deref(), Some("1234567"));
        assert_eq!(described.get("cleanup.policy").unwrap().value.as_deref(), Some("delete"));

        admin.delete_topics(&[&topic], &options).await.unwrap()[0].clone().unwrap();
        let unknown = admin.delete_topics(&[&unique("never")], &options).await.unwrap();
        assert_eq!(unknown[0].as_ref().unwrap_err().1, RDKafkaErrorCode::UnknownTopicOrPartition);
        wait_until("the topic is gone", || {
            consumer.fetch_metadata(None, PATIENCE).unwrap().topics().iter().all(|t| t.name() != topic)
        });
    });
    broker.stop();
}

#[test]
fn a_record_larger_than_the_topic_allows_is_refused_and_the_next_one_accepted() {
    let broker = Broker::start();
    let topic = unique("large");
    block_on(async {
        let admin: AdminClient<DefaultClientContext> = config(&broker).create().unwrap();
        let small = NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "2000");
        admin.create_topics([&small], &AdminOptions::new()).await.unwrap()[0].clone().unwrap();
        let producer: FutureProducer = config(&broker).create().unwrap();
        let send = async |bytes: usize| {
            let payload = vec![b'x'; bytes];
            producer
                .send(FutureRecord::<(), _>::to(&topic).payload(&payload), PATIENCE)
                .await
                .map(|d| d.offset)
                .map_err(|(e, _)| e)
        };
        assert_eq!(send(1_000).await, Ok(0));
        assert_eq!(send(3_000).await, Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)));
        assert_eq!(send(1_000).await, Ok(1));
    });
    broker.stop();
}

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap());
    config
}

async fn create(broker: &Broker, topic: &str, partitions: usize) {
    let admin: AdminClient<DefaultClientContext> = config(broker).create().unwrap();
    let topic = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    admin.create_topics([&topic], &options).await.unwrap()[0].clone().unwrap();
}

fn keyed_records() -> BTreeMap<String, String> {
    CODECS.iter().flat_map(|codec| records_of(codec)).collect()
}

fn records_of(codec: &str) -> impl Iterator<Item = (String, String)> {
    (0..PER_CODEC).map(move |i| (format!("{codec}-{i}"), format!("{codec} record {i} ").repeat(8)))
}

async fn produce_keyed(broker: &Broker, topic: &str, codec: &str) {
    let producer: FutureProducer = config(broker)
        .set("enable.idempotence", "true")
        .set("compression.type", codec)
        .set("linger.ms", "20")
        .create()
        .unwrap();
    let records: Vec<_> = records_of(codec).collect();
    let header = || OwnedHeaders::new().insert(Header { key: "codec", value: Some(codec) });
    let sent: Vec<_> = records
        .iter()
        .map(|(key, value)| {
            let record = FutureRecord::to(topic).key(key).payload(value).headers(header());
            producer.send_result(record).map_err(|(e, _)| e).unwrap()
        })
        .collect();
    for ack in sent {
        ack.await.unwrap().map_err(|(e, _)| e).unwrap();
    }
}

async fn produce_later(broker: &Broker, topic: &str) {
    let producer: FutureProducer = config(broker).create().unwrap();
    for partition in 0..PARTITIONS as i32 {
        let record = FutureRecord::to(topic).partition(partition).key("later").payload("later");
        producer.send(record, PATIENCE).await.map_err(|(e, _)| e).unwrap();
    }
}

/// One member of the group, on a thread of its own.
struct Member {
    assigned: Arc<Mutex<Vec<i32>>>,
    leaving: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    fn join(broker: &Broker, group: &str, topic: &str, seen: &Arc<Mutex<Vec<(String, String)>>>) -> Member {
        let consumer: BaseConsumer = config(broker)
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("heartbeat.interval.ms", "300")
            .set("session.timeout.ms", "10000")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let (assigned, leaving) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let member = (Arc::clone(&assigned), Arc::clone(&leaving), Arc::clone(seen));
        let thread = std::thread::spawn(move || {
            let (assigned, leaving, seen) = member;
            let mut is_behind = false;
            while !leaving.load(Ordering::Relaxed) {
                if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                    let message = message.unwrap();
                    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
                    let (key, value) = (text(message.key()), text(message.payload()));
                    if let Some(headers) = message.headers() {
                        let header = headers.get_as::<str>(0).unwrap();
                        assert_eq!((header.key, header.value), ("codec", key.split('-').next()));
                    }
                    seen.lock().unwrap().push((key, value));
                    is_behind = true;
                } else if is_behind {
                    is_behind = !commits(&consumer);
                }
                *assigned.lock().unwrap() =
                    consumer.assignment().unwrap().elements().iter().map(|e| e.partition()).collect();
            }
        });
        Member { assigned, leaving, thread: Some(thread) }
    }

    fn leave(&mut self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// What a rebalance refuses is committed the next time, or read again by the partition's next owner.
fn commits(consumer: &BaseConsumer) -> bool {
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => true,
        Err(KafkaError::ConsumerCommit(
            RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::RebalanceInProgress,
        )) => false,
        Err(e) => panic!("a commit: {e}"),
    }
}

/// Whether the members hold every partition between them, evenly.
fn share(members: &[&Member]) -> bool {
    let held: Vec<Vec<i32>> = members.iter().map(|m| m.assigned.lock().unwrap().clone()).collect();
    held.iter().all(|h| h.len() == PARTITIONS / members.len())
        && held.iter().flatten().collect::<BTreeSet<_>>().len() == PARTITIONS
}

fn lag(broker: &Broker, group: &str, topic: &str) -> i64 {
    let consumer: BaseConsumer = config(broker).set("group.id", group).create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(topic, 0, PARTITIONS as i32 - 1);
    let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
    let lag_of = |p: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let end = consumer.fetch_watermarks(topic, p.partition(), PATIENCE).unwrap().1;
        end - p.offset().to_raw().unwrap().max(0)
    };
    committed.elements().iter().map(lag_of).sum()
}

fn unique(what: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("interop-librdkafka-{what}-{}-{}", std::process::id(), now.as_nanos())
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
