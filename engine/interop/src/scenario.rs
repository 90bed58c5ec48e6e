//! The scenario that Apache Kafka and we are both asked: every API in every version, and its error cases.
//!
//! It reads as it is asked, from top to bottom. Names carry the version, so that no case sees what the same case of
//! another version left behind.

mod cluster;
mod configs;
mod fetches;
mod groups;
mod offsets;
mod operators;
mod produces;
mod quotas;
mod security;
mod topics;

use ringlog_protocol::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use ringlog_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ringlog_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringlog_protocol::{ApiKey, Blob, Records, Uuid, metadata::*};
use ringlog_record::{BatchBuilder, Compression};

use crate::{Answer, Talk};

/// Asks everything. The broker must be new: what it lists is part of the answers.
pub fn play(talk: &mut Talk) {
    operators::play(talk);
    cluster::play(talk);
    topics::play(talk);
    configs::play(talk);
    produces::play(talk);
    fetches::play(talk);
    offsets::play(talk);
    groups::play(talk);
    quotas::play(talk);
    security::play(talk);
}

/// A topic that no case creates.
const NOWHERE: &str = "nowhere";
/// An id that no topic has.
const NO_ID: Uuid = Uuid([9; 16]);
/// The time of the first record of every batch here, in milliseconds.
const TIME: i64 = 1_600_000_000_000;

/// Creates a topic with one partition, and gives its id (zero before Metadata 10).
fn topic(talk: &mut Talk, name: &str) -> Uuid {
    topic_with(talk, name, 1, &[])
}

fn topic_with(talk: &mut Talk, name: &str, partitions: i32, configs: &[(&'static str, &'static str)]) -> Uuid {
    let configs =
        configs.iter().map(|(k, v)| CreatableTopicConfig { name: (*k).into(), value: Some((*v).into()) }).collect();
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs,
        ..Default::default()
    };
    let answer = talk.quietly(4, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    let code = answer.get(&format!("topics[{name}].error_code")).to_owned();
    assert_eq!(code, "0", "the scenario could not create {name}");
    until_led(talk, name, partitions);
    id_of(talk, name)
}

/// Kafka acknowledges a topic some moments before its partitions answer.
fn until_led(talk: &mut Talk, name: &str, partitions: i32) {
    let asked = |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: name.into(), partitions: (0..partitions).map(asked).collect() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    for _ in 0..100 {
        let answer = talk.quietly(4, &request);
        let is_led = |p| answer.get(&format!("topics[{name}].partitions[{p}].error_code")) == "0";
        if (0..partitions).all(is_led) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the partitions of {name} have no leader after five seconds");
}

fn id_of(talk: &mut Talk, name: &str) -> Uuid {
    let Some(version) = talk.versions(ApiKey::Metadata).filter(|v| *v >= 10).last() else { return Uuid([0; 16]) };
    let wanted = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(vec![wanted]), allow_auto_topic_creation: false, ..Default::default() };
    talk.quietly(version, &request).get(&format!("topics[{name}].topic_id")).parse().unwrap_or(Uuid([0; 16]))
}

/// A batch of records without keys, a tenth of a second between them, each value its number.
fn batch(count: i64) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Compression::None);
    for i in 0..count {
        batch.append(TIME + 100 * i, None, Some(format!("value {i}").as_bytes()), &[]).expect("a small record");
    }
    batch.build().expect("a small batch")
}

/// A Produce request of one partition. Both of the topic's names are given; each version sends the one that it has.
fn produce<'a>(name: &'a str, topic_id: Uuid, index: i32, records: Option<&'a [u8]>) -> ProduceRequest<'a> {
    let records = records.map(|r| Records::Here(Blob::Borrowed(r)));
    let partition_data = vec![PartitionProduceData { index, records }];
    let topic_data = vec![TopicProduceData { name: name.into(), topic_id, partition_data }];
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data, ..Default::default() }
}

/// Produces without a case of its own.
fn fill(talk: &mut Talk, name: &str, id: Uuid, index: i32, records: &[u8]) -> Answer {
    talk.quietly(9, &produce(name, id, index, Some(records)))
}
