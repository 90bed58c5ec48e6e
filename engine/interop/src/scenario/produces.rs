//! Producing, producer ids and their state.

use ringlog_protocol::ApiKey;
use ringlog_protocol::api_versions::ApiVersionsRequest;
use ringlog_protocol::describe_producers::{DescribeProducersRequest, TopicRequest};
use ringlog_protocol::init_producer_id::InitProducerIdRequest;
use ringlog_protocol::produce::ProduceRequest;
use ringlog_record::{BatchBuilder, Compression};

use super::{NO_ID, NOWHERE, TIME, batch, produce, topic, topic_with};
use crate::Talk;

pub(super) fn play(talk: &mut Talk) {
    producer_ids(talk);
    batches(talk);
    refused_batches(talk);
    sequences(talk);
}

fn producer_ids(talk: &mut Talk) {
    // Kafka loads its first block of ids when the first one is asked for.
    const LOADING: &str = "14";
    let first = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 60_000, ..Default::default() };
    while talk.quietly(0, &first).get("error_code") == LOADING {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for v in talk.versions(ApiKey::InitProducerId) {
        let of = |transactional_id: Option<&'static str>| InitProducerIdRequest {
            transactional_id: transactional_id.map(Into::into),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        talk.ask(v, "a new producer", &of(None));
        talk.ask(v, "a transactional id without a character", &of(Some("")));
        if v >= 3 {
            talk.ask(v, "an epoch without an id", &InitProducerIdRequest { producer_epoch: 3, ..of(None) });
            talk.ask(v, "an id without an epoch", &InitProducerIdRequest { producer_id: 3, ..of(None) });
        }
    }
}

fn batches(talk: &mut Talk) {
    for v in talk.versions(ApiKey::Produce) {
        let name = format!("produce-v{v}");
        let id = topic(talk, &name);
        let three = batch(3);
        talk.ask(v, "three records", &produce(&name, id, 0, Some(&three)));
        talk.ask(
            v,
            "three more, acknowledged by the leader alone",
            &ProduceRequest { acks: 1, ..produce(&name, id, 0, Some(&three)) },
        );
        talk.send_unanswered(v, &ProduceRequest { acks: 0, ..produce(&name, id, 0, Some(&three)) });
        let answered = talk.quietly(0, &ApiVersionsRequest::default());
        assert_eq!(answered.get("error_code"), "0", "v{v}: acks=0 was answered");
        talk.ask(v, "and three after three that were not to be acknowledged", &produce(&name, id, 0, Some(&three)));
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            if codec == Compression::Zstd && v < 7 {
                // Kafka refuses zstd before version 7, as old consumers could not read it.
                talk.ask(v, "zstd before its time", &produce(&name, id, 0, Some(&compressed(codec))));
            } else {
                talk.ask(v, &format!("compressed with {codec}"), &produce(&name, id, 0, Some(&compressed(codec))));
            }
        }
        talk.ask(v, "no acks that exist", &ProduceRequest { acks: 7, ..produce(&name, id, 0, Some(&three)) });
        talk.ask(v, "a partition that the topic lacks", &produce(&name, id, 5, Some(&three)));
        talk.ask(v, "a partition below the first", &produce(&name, id, -1, Some(&three)));
        talk.ask(v, "an unknown topic", &produce(NOWHERE, NO_ID, 0, Some(&three)));
        if v < 13 {
            talk.ask(v, "an invalid topic name", &produce("no such topic", NO_ID, 0, Some(&three)));
        }
        talk.ask(v, "no topics", &ProduceRequest { acks: -1, timeout_ms: 1_000, ..Default::default() });
        let stamped = format!("produce-stamped-v{v}");
        let id = topic_with(talk, &stamped, 1, &[("message.timestamp.type", "LogAppendTime")]);
        talk.ask(v, "to a topic with the time of appending", &produce(&stamped, id, 0, Some(&three)));
    }
}

fn compressed(codec: Compression) -> Vec<u8> {
    let mut batch = BatchBuilder::new(codec);
    for i in 0..20 {
        batch.append(TIME + i, None, Some(b"the same words again"), &[]).expect("a small record");
    }
    batch.build().expect("a small batch")
}

/// What a batch can be refused for. The places are those of the format: length 8, magic 16, CRC 17, attributes 21,
/// last offset delta 23, count 57.
fn refused_batches(talk: &mut Talk) {
    for v in talk.versions(ApiKey::Produce) {
        let name = format!("refuse-v{v}");
        let id = topic(talk, &name);
        let good = batch(3);
        let changed = |place: usize, value: u8| {
            let mut bytes = good.clone();
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
            bytes
        };
        let sealed = |place: usize, value: u8| {
            let mut bytes = changed(place, value);
            let crc = ringlog_record::crc32c(bytes.get(21..).unwrap_or_default()).to_be_bytes();
            bytes.splice(17..21, crc);
            bytes
        };
        let mut ask = |title: &str, records: Option<&[u8]>| {
            talk.ask(v, title, &produce(&name, id, 0, records));
        };
        if v == 9 {
            // Kafka never answers this one; one wait for it is enough.
            ask("null for records", None);
        }
        ask("no records", Some(b""));
        ask("a byte changed", Some(&changed(good.len() - 2, 0x55)));
        ask("two batches", Some(&[&good[..], &good].concat()));
        ask("cut short", good.get(..good.len() - 3));
        ask("less than a header", good.get(..30));
        ask("an unknown magic", Some(&changed(16, 3)));
        ask("an old magic", Some(&changed(16, 1)));
        ask("a count of records that is not theirs", Some(&sealed(60, 4)));
        ask("a last offset that is not its last record's", Some(&sealed(26, 9)));
        ask("a codec that nobody knows", Some(&sealed(22, 7)));
        ask("a codec that the records are not in", Some(&sealed(22, 1)));
        ask("a control batch", Some(&sealed(22, 0x20)));
        ask("a base offset that is not zero", Some(&changed(7, 5)));

        let small = format!("refuse-small-v{v}");
        let id = topic_with(talk, &small, 1, &[("max.message.bytes", "100")]);
        talk.ask(v, "larger than its topic allows", &produce(&small, id, 0, Some(&batch(10))));
        let compacted = format!("refuse-compacted-v{v}");
        let id = topic_with(talk, &compacted, 1, &[("cleanup.policy", "compact")]);
        talk.ask(v, "a record without a key to a compacted topic", &produce(&compacted, id, 0, Some(&batch(2))));
        let punctual = format!("refuse-punctual-v{v}");
        let id = topic_with(talk, &punctual, 1, &[("message.timestamp.before.max.ms", "1000")]);
        talk.ask(v, "older than its topic takes", &produce(&punctual, id, 0, Some(&batch(2))));
    }
}

fn sequences(talk: &mut Talk) {
    let new = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() };
    for v in talk.versions(ApiKey::Produce) {
        let name = format!("sequence-v{v}");
        let id = topic(talk, &name);
        let producer: i64 = talk.quietly(1, &new).get("producer_id").parse().expect("a producer id");
        let from = |epoch, sequence, count: i64| {
            let mut batch = BatchBuilder::new(Compression::None);
            batch.set_producer(producer, epoch, sequence);
            for i in 0..count {
                batch.append(TIME + i, None, Some(b"once"), &[]).expect("a small record");
            }
            batch.build().expect("a small batch")
        };
        let mut ask = |title: &str, records: Vec<u8>| {
            talk.ask(v, title, &produce(&name, id, 0, Some(&records)));
        };
        ask("sequence 0 of epoch 0", from(0, 0, 2));
        ask("the same again", from(0, 0, 2));
        ask("sequence 2", from(0, 2, 3));
        ask("sequence 0 again, two batches later", from(0, 0, 2));
        ask("a part of what is there", from(0, 2, 2));
        ask("a sequence that leaves a gap", from(0, 9, 1));
        ask("a sequence of the past", from(0, 1, 1));
        ask("a later epoch that begins with 1", from(2, 1, 1));
        ask("a later epoch", from(2, 0, 1));
        ask("an epoch of the past", from(1, 0, 1));
        let of = |name: &str, partition_indexes| DescribeProducersRequest {
            topics: vec![TopicRequest { name: name.to_owned().into(), partition_indexes }],
        };
        for d in talk.versions(ApiKey::DescribeProducers).filter(|_| v == 9) {
            talk.ask(d, "the producer of a partition", &of(&name, vec![0]));
            talk.ask(d, "a partition that the topic lacks", &of(&name, vec![4]));
            talk.ask(d, "an unknown topic", &of(NOWHERE, vec![0]));
            talk.ask(d, "an invalid name", &of("no such topic", vec![0]));
            talk.ask(d, "no topics", &DescribeProducersRequest::default());
        }
    }
}
