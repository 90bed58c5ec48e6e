//! Quotas of a broker in this process: who uses one up is told to wait, and is made to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod running;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ringlog_protocol::alter_client_quotas::{AlterClientQuotasRequest, EntityData, EntryData, OpData};
use ringlog_protocol::api_versions::ApiVersionsRequest;
use ringlog_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ringlog_protocol::delete_topics::DeleteTopicsRequest;
use ringlog_protocol::describe_client_quotas::DescribeClientQuotasRequest;
use ringlog_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringlog_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ringlog_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringlog_protocol::{Blob, ErrorCode, Message, Reader, Records, Request, ResponseHeader, encode_request};
use ringlog_record::{BatchBuilder, Compression};
use running::{Running, backend, wait};

/// One connection of a client that calls itself something.
struct Connection {
    stream: TcpStream,
    client_id: &'static str,
}

impl Connection {
    fn new(address: SocketAddr, client_id: &'static str) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Connection { stream, client_id }
    }

    fn send<'a, R: Request<'a>>(&mut self, version: i16, request: &R) {
        let frame = encode_request(request, version, 7, Some(self.client_id)).unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    /// `None`: the broker has closed the connection.
    fn receive<'a, R: Request<'a>>(&mut self, version: i16) -> Option<R::Response<'static>> {
        let mut length = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut length) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "no answer in twenty seconds");
            return None;
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        let mut reader = Reader::new(frame.leak());
        ResponseHeader::decode(&mut reader, R::API, version).unwrap();
        Some(<R::Response<'static> as Message>::decode(&mut reader, version).unwrap())
    }

    fn ask<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> R::Response<'static> {
        self.send(version, request);
        self.receive::<R>(version).unwrap()
    }
}

/// Sets a quota; `None` removes it.
fn set(address: SocketAddr, entity: &[(&'static str, Option<&'static str>)], key: &str, value: Option<f64>) {
    let part = |(kind, name): &(&'static str, Option<&'static str>)| EntityData {
        entity_type: (*kind).into(),
        entity_name: name.map(Into::into),
    };
    let entity = entity.iter().map(part).collect();
    let ops = vec![OpData { key: key.into(), value: value.unwrap_or_default(), remove: value.is_none() }];
    let request = AlterClientQuotasRequest { entries: vec![EntryData { entity, ops }], validate_only: false };
    let answer = Connection::new(address, "operator").ask(1, &request);
    assert_eq!(answer.entries[0].error_code, 0, "{answer:?}");
}

/// A batch of one record of so many bytes.
fn batch(bytes: usize) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(1_600_000_000_000, None, Some(&vec![b'x'; bytes]), &[]).unwrap();
    batch.build().unwrap()
}

fn produce(records: &[u8], acks: i16) -> ProduceRequest<'_> {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(Records::Here(Blob::Borrowed(records))) }];
    let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
    ProduceRequest { acks, timeout_ms: 10_000, topic_data, ..Default::default() }
}

fn fetch() -> FetchRequest<'static> {
    let partition = FetchPartition { partition: 0, partition_max_bytes: 1 << 20, ..Default::default() };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }];
    FetchRequest { max_wait_ms: 100, min_bytes: 1, max_bytes: 1 << 20, topics, ..Default::default() }
}

fn create(name: &str, partitions: i32) -> CreateTopicsRequest<'_> {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: partitions, replication_factor: 1, ..Default::default() };
    CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() }
}

fn broker_with_a_topic(data: &std::path::Path) -> Running {
    let broker = Running::with(data, backend(), &[("metrics.listen", "127.0.0.1:0")]);
    let created = Connection::new(broker.address, "operator").ask(5, &create("t", 1));
    assert_eq!(created.topics[0].error_code, 0);
    broker
}

fn scrape(broker: &Running) -> String {
    let mut stream = TcpStream::connect(broker.metrics.unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_producer_over_its_quota_is_answered_at_once_and_heard_again_after_its_pause() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("client-id", Some("slow"))], "producer_byte_rate", Some(100.0));
    let records = batch(1_200);
    let mut slow = Connection::new(broker.address, "slow");
    let sent = Instant::now();
    let answer = slow.ask(9, &produce(&records, -1));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "what is over the quota is written, too");
    // Twelve seconds' worth and the bytes around the record, eleven of them a burst.
    assert!((500..=5_000).contains(&answer.throttle_time_ms), "{}", answer.throttle_time_ms);
    // Others are not concerned.
    let other = Connection::new(broker.address, "other").ask(9, &produce(&records, -1));
    assert_eq!(other.throttle_time_ms, 0);
    slow.ask(0, &ApiVersionsRequest::default());
    assert!(sent.elapsed() >= Duration::from_millis(answer.throttle_time_ms as u64), "it was heard during its pause");
    assert!(scrape(&broker).contains("ringlog_throttle_seconds_total{api=\"Produce\"} "));
    broker.stop();
}

#[test]
fn a_client_is_one_client_on_all_of_its_connections() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("client-id", None)], "producer_byte_rate", Some(100.0));
    let records = batch(5_000);
    let throttles = |client_id| {
        let ask = |_| Connection::new(broker.address, client_id).ask(9, &produce(&records, -1)).throttle_time_ms;
        (0..4).map(ask).collect::<Vec<_>>()
    };
    let (first, second) = (throttles("first"), throttles("second"));
    // Connections are dealt to the shards in turn; each request is worth fifty seconds.
    for throttles in [first, second] {
        assert!(throttles.is_sorted() && throttles[0] < 50_000 && throttles[3] > 150_000, "{throttles:?}");
    }
    broker.stop();
}

#[test]
fn without_an_acknowledgement_the_pause_is_kept_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("user", Some("ANONYMOUS"))], "producer_byte_rate", Some(100.0));
    let records = batch(1_200);
    let mut slow = Connection::new(broker.address, "slow");
    let sent = Instant::now();
    slow.send(9, &produce(&records, 0));
    slow.ask(0, &ApiVersionsRequest::default());
    // More than 1200 bytes take twelve seconds at a hundred a second, of which eleven are a burst.
    assert!(sent.elapsed() >= Duration::from_secs(1), "it was heard during its pause");
    broker.stop();
}

#[test]
fn a_consumer_over_its_quota_gets_what_it_asked_for_and_has_to_wait() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    let records = batch(1_200);
    Connection::new(broker.address, "producer").ask(9, &produce(&records, -1));
    set(broker.address, &[("user", None), ("client-id", Some("slow"))], "consumer_byte_rate", Some(100.0));
    let mut slow = Connection::new(broker.address, "slow");
    let sent = Instant::now();
    let answer = slow.ask(11, &fetch());
    assert_eq!(answer.responses[0].partitions[0].records.as_ref().map(Records::len), Some(records.len()));
    assert!((500..=5_000).contains(&answer.throttle_time_ms), "{}", answer.throttle_time_ms);
    let other = Connection::new(broker.address, "other").ask(11, &fetch());
    assert_eq!(other.throttle_time_ms, 0);
    slow.ask(0, &ApiVersionsRequest::default());
    assert!(sent.elapsed() >= Duration::from_millis(answer.throttle_time_ms as u64), "it was heard during its pause");
    broker.stop();
}

#[test]
fn topics_are_made_and_deleted_no_faster_than_allowed() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("client-id", Some("maker"))], "controller_mutation_rate", Some(0.1));
    let maker = || Connection::new(broker.address, "maker");
    let burst = maker().ask(6, &create("many", 5));
    assert_eq!((burst.topics[0].error_code, burst.throttle_time_ms), (0, 0), "a burst is taken");
    let refused = maker().ask(6, &create("more", 1));
    assert_eq!(refused.topics[0].error_code, ErrorCode::ThrottlingQuotaExceeded as i16);
    assert!(refused.throttle_time_ms > 10_000, "{}", refused.throttle_time_ms);
    let delete = DeleteTopicsRequest { topic_names: vec!["many".into()], timeout_ms: 10_000, ..Default::default() };
    let refused = maker().ask(5, &delete);
    assert_eq!(refused.responses[0].error_code, ErrorCode::ThrottlingQuotaExceeded as i16);
    // Before there was such an error, the client was made to wait instead.
    let made = maker().ask(5, &create("more", 1));
    assert_eq!(made.topics[0].error_code, 0);
    assert!(made.throttle_time_ms > refused.throttle_time_ms, "{}", made.throttle_time_ms);
    let other = Connection::new(broker.address, "other").ask(6, &create("others", 5));
    assert_eq!((other.topics[0].error_code, other.throttle_time_ms), (0, 0));
    broker.stop();
}

#[test]
fn what_can_not_be_made_uses_no_quota_up() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("client-id", Some("asker"))], "controller_mutation_rate", Some(0.1));
    let topic = |name: &'static str| MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let topics = ["no name", "neither/this", "nor:this", "a-name"].map(topic).into();
    let request = MetadataRequest { topics: Some(topics), allow_auto_topic_creation: true, ..Default::default() };
    let answer = Connection::new(broker.address, "asker").ask(4, &request);
    let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
    let invalid = ErrorCode::InvalidTopicException as i16;
    assert_eq!(codes, [invalid, invalid, invalid, 0]);
    broker.stop();
}

#[test]
fn an_address_that_connects_too_often_is_closed_unheard() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    let mut operator = Connection::new(broker.address, "operator");
    let quota = |value: Option<f64>| {
        let entity = vec![EntityData { entity_type: "ip".into(), entity_name: Some("127.0.0.1".into()) }];
        let key = "connection_creation_rate".into();
        let ops = vec![OpData { key, value: value.unwrap_or_default(), remove: value.is_none() }];
        AlterClientQuotasRequest { entries: vec![EntryData { entity, ops }], validate_only: false }
    };
    operator.ask(1, &quota(Some(1.0)));
    let is_heard = || {
        let mut connection = Connection::new(broker.address, "caller");
        connection.send(0, &ApiVersionsRequest::default());
        connection.receive::<ApiVersionsRequest<'_>>(0).is_some()
    };
    // One a second, after a burst of eleven.
    let heard = (0..1_000).position(|_| !is_heard()).unwrap();
    assert!(heard >= 11, "{heard}");
    operator.ask(1, &quota(None));
    assert!(is_heard());
    broker.stop();
}

#[test]
fn quotas_are_set_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("client-id", Some("slow"))], "producer_byte_rate", Some(10.0));
    set(broker.address, &[("user", Some("gone"))], "consumer_byte_rate", Some(10.0));
    set(broker.address, &[("user", Some("gone"))], "consumer_byte_rate", None);
    set(broker.address, &[("client-id", None)], "controller_mutation_rate", Some(1e9 / 3.0));
    let described = |broker: &Running| {
        let everything = DescribeClientQuotasRequest::default();
        Connection::new(broker.address, "operator").ask(1, &everything).entries.unwrap()
    };
    let before = described(&broker);
    broker.stop();
    let broker = Running::start(data.path(), backend());
    assert_eq!(described(&broker), before);
    assert_eq!(before.len(), 2, "{before:?}");
    let answer = Connection::new(broker.address, "slow").ask(9, &produce(&batch(1_200), -1));
    assert!(answer.throttle_time_ms > 0);
    broker.stop();
}

#[test]
fn a_client_of_ours_goes_on_when_it_was_made_to_wait() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    set(broker.address, &[("user", None)], "producer_byte_rate", Some(100.0));
    let values: Vec<String> = (0..3).map(|n| format!("{n}{}", "x".repeat(600))).collect();
    wait(running::produce(broker.address, "t", &values, ringlog_client::Compression::None));
    assert_eq!(wait(running::consume(broker.address, "t", values.len())), values);
    broker.stop();
}

/// Otherwise a client that waits for nothing would fill the memory with what the disk has not taken yet.
#[test]
fn what_nobody_is_told_of_is_in_flight_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_topic(data.path());
    let records = batch(10_000);
    let mut hasty = Connection::new(broker.address, "hasty");
    for count in 1..=5 {
        let mut frames = Vec::new();
        for _ in 0..100 {
            frames.extend(encode_request(&produce(&records, 0), 9, 7, Some("hasty")).unwrap());
        }
        frames.extend(encode_request(&FetchRequest { max_wait_ms: 0, ..fetch() }, 11, 8, Some("hasty")).unwrap());
        hasty.stream.write_all(&frames).unwrap();
        let answer = hasty.receive::<FetchRequest<'_>>(11).unwrap();
        assert_eq!(answer.responses[0].partitions[0].high_watermark, count * 100, "it was begun before they were done");
    }
    broker.stop();
}
