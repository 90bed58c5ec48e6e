//! What a broker and a client pay for a message on its way to or from bytes: Produce, Fetch, Metadata, in their newest versions.
//!
//! Counted in partitions: record bytes are borrowed or left out, so that their number says nothing.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use ringlog_protocol::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};
use ringlog_protocol::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ringlog_protocol::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse, walk,
};
use ringlog_protocol::{Message, Reader, Records, Uuid, Writer, encode_response_pieces};

/// One partition is a producer that has one topic; a hundred are a broker's usual consumer.
const PARTITIONS: [i32; 2] = [1, 100];
const BATCH_BYTES: usize = 64 << 10;

fn newest<'a, M: Message<'a>>() -> i16 {
    *M::API.versions().end()
}

fn encoded<'a, M: Message<'a>>(message: &M) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w, newest::<M>()).unwrap();
    w.into_bytes().into()
}

/// Both directions of a message whose bytes are `bytes`.
fn both<'a, M: Message<'a>>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, message: &M, bytes: &'a [u8]) {
    let version = newest::<M>();
    group.bench_function(format!("{name}, encode"), |b| b.iter(|| encoded(black_box(message))));
    group.bench_function(format!("{name}, decode"), |b| {
        b.iter(|| M::decode(&mut Reader::new(black_box(bytes)), version).unwrap());
    });
}

/// As many partitions as are asked for, of one topic.
fn each<T>(partitions: i32, partition: impl Fn(i32) -> T) -> Vec<T> {
    (0..partitions).map(partition).collect()
}

const TOPIC: Uuid = Uuid([7; 16]);

fn produce(c: &mut Criterion) {
    let mut group = c.benchmark_group("produce");
    for partitions in PARTITIONS {
        group.throughput(Throughput::Elements(partitions as u64));
        let batch = vec![0x5a; BATCH_BYTES / partitions as usize];
        let partition = |index| PartitionProduceData { index, records: Some(Records::Here((&batch).into())) };
        let topic =
            TopicProduceData { topic_id: TOPIC, partition_data: each(partitions, partition), ..Default::default() };
        let request = ProduceRequest { acks: -1, timeout_ms: 1500, topic_data: vec![topic], ..Default::default() };
        let bytes = encoded(&request);
        both(&mut group, &format!("request, 64 KiB in {partitions}"), &request, &bytes);
        group.bench_function(format!("request, 64 KiB in {partitions}, walk"), |b| {
            b.iter(|| walk(black_box(&bytes), newest::<ProduceRequest<'_>>()).unwrap());
        });
        let partition = |index| PartitionProduceResponse { index, base_offset: 1 << 40, ..Default::default() };
        let topic = TopicProduceResponse {
            topic_id: TOPIC,
            partition_responses: each(partitions, partition),
            ..Default::default()
        };
        let response = ProduceResponse { responses: vec![topic], ..Default::default() };
        both(&mut group, &format!("response, {partitions}"), &response, &encoded(&response));
    }
}

fn fetch(c: &mut Criterion) {
    let mut group = c.benchmark_group("fetch");
    for partitions in PARTITIONS {
        group.throughput(Throughput::Elements(partitions as u64));
        let partition = |partition| FetchPartition {
            partition,
            fetch_offset: 1 << 40,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topic = FetchTopic { topic_id: TOPIC, partitions: each(partitions, partition), ..Default::default() };
        let request = FetchRequest { max_wait_ms: 500, min_bytes: 1, topics: vec![topic], ..Default::default() };
        both(&mut group, &format!("request, {partitions}"), &request, &encoded(&request));
        let respond = |records: Records<'static>| {
            let partition = |partition_index| PartitionData {
                partition_index,
                high_watermark: 1 << 40,
                last_stable_offset: 1 << 40,
                log_start_offset: 0,
                records: Some(records.clone()),
                ..Default::default()
            };
            let topic = FetchableTopicResponse {
                topic_id: TOPIC,
                partitions: each(partitions, partition),
                ..Default::default()
            };
            FetchResponse { responses: vec![topic], ..Default::default() }
        };
        let response = respond(Records::Here(vec![0x5a; BATCH_BYTES / partitions as usize].into()));
        both(&mut group, &format!("response, 64 KiB in {partitions}"), &response, &encoded(&response));
        let from_files = respond(Records::Elsewhere(BATCH_BYTES));
        group.bench_function(format!("response, records of {partitions} in files, encode"), |b| {
            b.iter(|| encode_response_pieces(black_box(&from_files), newest::<FetchResponse<'_>>(), 7).unwrap());
        });
    }
}

fn metadata(c: &mut Criterion) {
    let mut group = c.benchmark_group("metadata");
    for topics in [1, 100] {
        const PARTITIONS: i32 = 12;
        group.throughput(Throughput::Elements(topics * PARTITIONS as u64));
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 1,
            leader_epoch: 3,
            replica_nodes: vec![1, 2, 3],
            isr_nodes: vec![1, 2, 3],
            ..Default::default()
        };
        let topic = |n| MetadataResponseTopic {
            name: Some(format!("orders.shipped.{n}").into()),
            topic_id: TOPIC,
            partitions: each(PARTITIONS, partition),
            ..Default::default()
        };
        let broker = |node_id| MetadataResponseBroker {
            node_id,
            host: "broker.example.net".into(),
            port: 9092,
            ..Default::default()
        };
        let response = MetadataResponse {
            brokers: each(3, broker),
            cluster_id: Some("cmluZ2xvZy1pbnRlcm9wMQ".into()),
            controller_id: 1,
            topics: (0..topics).map(topic).collect(),
            ..Default::default()
        };
        both(&mut group, &format!("response, {topics} topics of {PARTITIONS}"), &response, &encoded(&response));
    }
}

criterion_group! {
    name = messages;
    config = Criterion::default()
        .sample_size(10)
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = produce, fetch, metadata
}
criterion_main!(messages);
