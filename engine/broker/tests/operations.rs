//! What operators do: topics, settings, groups, restarts, a look at the metrics.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod running;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use ringlog_client::{
    Admin, ClientError, Compression, ConfigChange, ConfigResource, Consumer, ConsumerOptions, NewTopic, OffsetReset,
    OffsetSpec, Producer, ProducerOptions, ProducerRecord, TopicPartition,
};
use ringlog_protocol::api_versions::ApiVersionsRequest;
use ringlog_protocol::create_topics::{CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest};
use ringlog_protocol::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use ringlog_protocol::find_coordinator::FindCoordinatorRequest;
use ringlog_protocol::incremental_alter_configs::{AlterConfigsResource, IncrementalAlterConfigsRequest};
use ringlog_protocol::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ringlog_protocol::unregister_broker::UnregisterBrokerRequest;
use ringlog_protocol::{ErrorCode, encode_request};
use ringlog_settings::{Backend, HostProfile};
use running::{Running, ask, backend, client, consume, lines, produce, start, wait};

async fn admin(address: SocketAddr) -> Admin {
    Admin::new(client(address).await)
}

fn topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> NewTopic {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewTopic { name: name.into(), partitions: Some(partitions), configs, ..Default::default() }
}

fn code(outcome: Result<(), ClientError>) -> ErrorCode {
    match outcome {
        Err(ClientError::Broker { code, .. }) => code,
        other => panic!("not refused: {other:?}"),
    }
}

async fn setting(admin: &Admin, resource: &ConfigResource, name: &str) -> Option<String> {
    let entries = admin.configs(resource).await.unwrap();
    entries.into_iter().find(|entry| entry.name == name).unwrap().value.map(|value| value.to_string())
}

#[test]
fn topics_and_settings_are_as_they_were_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let (kept, every) = (ConfigResource::Topic("kept".into()), ConfigResource::AllBrokers);
    let id = wait(async {
        let admin = admin(broker.address).await;
        admin.create_topic(&topic("kept", 2, &[("retention.ms", "1000")]), false).await.unwrap();
        admin.create_topic(&topic("gone", 1, &[]), false).await.unwrap();
        admin.create_topic(&topic("only-checked", 1, &[]), true).await.unwrap();
        assert_eq!(
            code(admin.create_topic(&topic("bad", 1, &[("retention.ms", "soon")]), false).await),
            ErrorCode::InvalidConfig
        );
        admin.create_partitions("kept", 5).await.unwrap();
        admin.delete_topic("gone").await.unwrap();
        let set = |name: &str, value: &str| ConfigChange::Set(name.into(), value.into());
        admin.alter_configs(&kept, &[set("max.message.bytes", "5000")]).await.unwrap();
        admin.alter_configs(&every, &[set("log.retention.bytes", "12345")]).await.unwrap();
        admin.topic("kept").await.unwrap().id
    });
    broker.stop();
    let broker = Running::start(data.path(), backend());
    wait(async {
        let admin = admin(broker.address).await;
        let names: Vec<String> = admin.topics().await.unwrap().iter().map(|topic| topic.name.to_string()).collect();
        assert_eq!(names, ["kept"]);
        let topic = admin.topic("kept").await.unwrap();
        assert_eq!((topic.id, topic.partitions.len()), (id, 5));
        assert_eq!(setting(&admin, &kept, "retention.ms").await.as_deref(), Some("1000"));
        assert_eq!(setting(&admin, &kept, "max.message.bytes").await.as_deref(), Some("5000"));
        assert_eq!(setting(&admin, &kept, "retention.bytes").await.as_deref(), Some("12345"), "from the broker");
    });
    broker.stop();
}

#[test]
fn a_topic_that_comes_after_a_deleted_one_of_its_name_is_empty() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    wait(async {
        let admin = admin(broker.address).await;
        for _ in 0..3 {
            admin.create_topic(&topic("again", 1, &[]), false).await.unwrap();
            produce(broker.address, "again", &lines(10), Compression::None).await;
            assert_eq!(consume(broker.address, "again", 10).await, lines(10));
            admin.delete_topic("again").await.unwrap();
        }
    });
    broker.stop();
    let left: Vec<_> = std::fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("again")), "{left:?}");
}

#[test]
fn a_topic_is_made_whole_though_its_creators_connection_is_reset() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    for name in ["a", "b", "c"] {
        let asked =
            CreatableTopic { name: name.into(), num_partitions: 20, replication_factor: 1, ..Default::default() };
        let create = CreateTopicsRequest { topics: vec![asked], timeout_ms: 20_000, ..Default::default() };
        let both = [
            encode_request(&ApiVersionsRequest::default(), 0, 1, None).unwrap(),
            encode_request(&create, 5, 2, None).unwrap(),
        ];
        let mut socket = TcpStream::connect(broker.address).unwrap();
        socket.write_all(&both.concat()).unwrap();
        // The first answer says that both requests have arrived; what of it is not read makes the close a reset.
        socket.read_exact(&mut [0; 4]).unwrap();
        drop(socket);
        wait(async {
            let admin = admin(broker.address).await;
            match admin.create_topic(&topic(name, 20, &[]), false).await {
                Ok(_) => {}
                Err(ClientError::Broker { code: ErrorCode::TopicAlreadyExists, .. }) => {}
                Err(error) => panic!("{name}: {error}"),
            }
            assert_eq!(admin.topic(name).await.unwrap().partitions.len(), 20, "{name}");
        });
    }
    broker.stop();
}

/// With a look at every pair of them, or an answer to each, either would take the broker minutes or gigabytes.
#[test]
fn a_request_that_says_the_same_fifty_thousand_times_is_answered() {
    const TIMES: usize = 50_000;
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let nobody = AlterConfigsResource { resource_type: 4, resource_name: "9".into(), ..Default::default() };
    let alter = IncrementalAlterConfigsRequest { resources: vec![nobody; TIMES], ..Default::default() };
    ask(broker.address, &alter, 1, |response| {
        assert_eq!(response.responses.len(), TIMES);
        assert_eq!(response.responses[0].error_code, ErrorCode::InvalidRequest as i16);
    });
    let own = DescribeConfigsResource { resource_type: 4, resource_name: "1".into(), configuration_keys: None };
    let describe =
        DescribeConfigsRequest { resources: vec![own; TIMES], include_documentation: true, ..Default::default() };
    ask(broker.address, &describe, 4, |response| assert_eq!(response.results.len(), 1));
    broker.stop();
}

#[test]
fn a_directory_that_somebody_put_there_is_neither_used_nor_removed() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    for name in ["copied-0", "grown-1", "__cluster_metadata-0"] {
        std::fs::create_dir(data.path().join(name)).unwrap();
        std::fs::write(data.path().join(name).join("precious"), "bytes").unwrap();
    }
    wait(async {
        let admin = admin(broker.address).await;
        assert_eq!(code(admin.create_topic(&topic("copied", 1, &[]), false).await), ErrorCode::TopicAlreadyExists);
        assert_eq!(
            code(admin.create_topic(&topic("__cluster_metadata", 1, &[]), false).await),
            ErrorCode::InvalidRequest
        );
        admin.create_topic(&topic("grown", 1, &[]), false).await.unwrap();
        assert_eq!(code(admin.create_partitions("grown", 2).await), ErrorCode::TopicAlreadyExists);
    });
    for name in ["copied-0", "grown-1", "__cluster_metadata-0"] {
        assert_eq!(std::fs::read_dir(data.path().join(name)).unwrap().count(), 1, "{name}");
    }
    broker.stop();
}

#[test]
fn a_topics_settings_decide_what_is_taken_and_how_it_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let address = broker.address;
    wait(async {
        let admin = admin(address).await;
        let create = |name: &'static str, configs: &'static [(&str, &str)]| {
            let (admin, new) = (&admin, topic(name, 1, configs));
            async move { admin.create_topic(&new, false).await.unwrap() }
        };
        create("zipped", &[("compression.type", "zstd")]).await;
        create("stamped", &[("message.timestamp.type", "LogAppendTime")]).await;
        create("small", &[("max.message.bytes", "1000")]).await;
        create("punctual", &[("message.timestamp.before.max.ms", "1000")]).await;
        create("keyed", &[("cleanup.policy", "compact")]).await;
        let send = async |topic: &str, value: &[u8], timestamp_ms: Option<i64>| {
            let producer = Producer::new(client(address).await, ProducerOptions::default()).unwrap();
            let record = ProducerRecord { topic, value: Some(value), timestamp_ms, ..Default::default() };
            let delivery = producer.send(record).await.unwrap();
            producer.flush().await.ok();
            delivery.await.map(|written| written.timestamp_ms)
        };
        let refused = async |topic: &str, value: &[u8], timestamp_ms: Option<i64>| {
            code(send(topic, value, timestamp_ms).await.map(drop))
        };
        assert_eq!(refused("small", &[b'x'; 2_000], None).await, ErrorCode::MessageTooLarge);
        assert_eq!(refused("punctual", b"old", Some(5)).await, ErrorCode::InvalidTimestamp);
        assert_eq!(refused("keyed", b"no key", None).await, ErrorCode::InvalidRecord);
        assert!(send("stamped", b"now", Some(5)).await.unwrap() > 1_000_000_000_000, "the broker's clock");
        produce(address, "zipped", &lines(500), Compression::None).await;
        assert_eq!(consume(address, "zipped", 500).await, lines(500));
    });
    broker.stop();
    let log = std::fs::read(data.path().join("zipped-0/00000000000000000000.log")).unwrap();
    const ATTRIBUTES_LOW: usize = 22;
    assert_eq!(log[ATTRIBUTES_LOW] & 7, 4, "the codec bits say zstd");
    assert!(log.len() < lines(500).concat().len() / 2);
}

#[test]
fn the_only_broker_cannot_be_unregistered() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let node_id = wait(async { admin(broker.address).await.cluster().await.unwrap().controller.unwrap() });
    for (broker_id, expected) in [(node_id, ErrorCode::InvalidRequest), (77, ErrorCode::BrokerIdNotRegistered)] {
        let code = ask(broker.address, &UnregisterBrokerRequest { broker_id }, 0, |response| response.error_code);
        assert_eq!(ErrorCode::from_code(code), expected, "{broker_id}");
    }
    broker.stop();
}

#[test]
fn a_group_goes_on_where_it_was_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let settings = [("group.initial.rebalance.delay.ms", "0")];
    let read = async |address: SocketAddr, count: usize| -> Vec<String> {
        let options = ConsumerOptions {
            group_id: Some("readers".into()),
            offset_reset: OffsetReset::Earliest,
            auto_commit: None,
            max_poll_records: count,
            ..Default::default()
        };
        let mut consumer = Consumer::new(client(address).await, options).unwrap();
        consumer.subscribe(["t"]).unwrap();
        let mut values = Vec::new();
        while values.len() < count {
            let records = consumer.poll(Duration::from_millis(100)).await.unwrap();
            records
                .try_for_each(|_, record| {
                    values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
                    Ok::<_, ClientError>(())
                })
                .unwrap();
        }
        consumer.commit().await.unwrap();
        consumer.close().await.unwrap();
        values
    };
    let broker = Running::with(data.path(), backend(), &settings);
    wait(async {
        produce(broker.address, "t", &lines(10), Compression::None).await;
        assert_eq!(read(broker.address, 4).await, lines(10)[..4]);
    });
    broker.stop();
    let broker = Running::with(data.path(), backend(), &settings);
    wait(async {
        assert_eq!(read(broker.address, 6).await, lines(10)[4..]);
        let admin = admin(broker.address).await;
        let partition = TopicPartition { topic: "t".into(), partition: 0 };
        let committed = admin.group_offsets("readers").await.unwrap();
        assert_eq!(committed[&partition].offset, 10);
        admin.delete_group("readers").await.unwrap();
        assert!(admin.groups().await.unwrap().is_empty());
    });
    broker.stop();
}

#[test]
fn a_topic_without_a_cleanup_policy_keeps_everything_but_what_is_deleted_by_name() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::with(data.path(), backend(), &[("log.retention.check.interval.ms", "1")]);
    let (resource, partition) =
        (ConfigResource::Topic("kept".into()), TopicPartition { topic: "kept".into(), partition: 0 });
    wait(async {
        let admin = admin(broker.address).await;
        let configs = [("cleanup.policy", ""), ("retention.ms", "0"), ("segment.ms", "1")];
        admin.create_topic(&topic("kept", 1, &configs), false).await.unwrap();
        assert_eq!(setting(&admin, &resource, "cleanup.policy").await.as_deref(), Some(""));
        produce(broker.address, "kept", &lines(10), Compression::None).await;
        assert_eq!(consume(broker.address, "kept", 10).await, lines(10));
        let only =
            |operation: fn(String, String) -> ConfigChange| [operation("cleanup.policy".into(), "delete".into())];
        admin.alter_configs(&resource, &only(ConfigChange::Set)).await.unwrap();
        admin.alter_configs(&resource, &only(ConfigChange::Subtract)).await.unwrap();
        assert_eq!(setting(&admin, &resource, "cleanup.policy").await.as_deref(), Some(""));
        admin.delete_records(&std::collections::BTreeMap::from([(partition, 7)])).await.unwrap();
    });
    broker.stop();
}

#[test]
fn replicas_are_named_by_hand_in_any_order_but_each_partition_once() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let outcome = |name: &'static str, indexes: &[i32]| {
        let assignment = |&partition_index: &i32| CreatableReplicaAssignment { partition_index, broker_ids: vec![1] };
        let new = CreatableTopic {
            name: name.into(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: indexes.iter().map(assignment).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![new], ..Default::default() };
        ask(broker.address, &request, 7, |answer| (answer.topics[0].error_code, answer.topics[0].num_partitions))
    };
    assert_eq!(outcome("shuffled", &[2, 0, 1]), (0, 3));
    let refused = ErrorCode::InvalidReplicaAssignment as i16;
    assert_eq!(outcome("twice", &[1, 0, 1]).0, refused);
    assert_eq!(outcome("gap", &[0, 2]).0, refused);
    broker.stop();
}

#[test]
fn a_topic_that_is_made_by_asking_is_known_at_once_but_one_just_deleted_is_called_unknown_first() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let asked = || {
        let topics = Some(vec![MetadataRequestTopic { name: Some("made".into()), ..Default::default() }]);
        let request = MetadataRequest { topics, ..Default::default() };
        let topic = |answer: MetadataResponse<'_>| (answer.topics[0].error_code, answer.topics[0].partitions.len());
        ask(broker.address, &request, 9, topic)
    };
    assert_eq!(asked(), (0, 1));
    wait(async { admin(broker.address).await.delete_topic("made").await.unwrap() });
    assert_eq!(asked(), (ErrorCode::UnknownTopicOrPartition as i16, 0));
    assert_eq!(asked(), (0, 1));
    broker.stop();
}

#[test]
fn the_coordinator_that_is_found_alone_comes_with_kafkas_word_for_no_error() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    for version in 1..=3 {
        let request = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
        ask(broker.address, &request, version, |answer| {
            assert_eq!((answer.error_code, answer.error_message.as_deref()), (0, Some("NONE")), "version {version}");
        });
    }
    broker.stop();
}

#[test]
fn deleted_records_stay_deleted() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let partition = TopicPartition { topic: "t".into(), partition: 0 };
    wait(async {
        produce(broker.address, "t", &lines(10), Compression::None).await;
        let before = std::collections::BTreeMap::from([(partition.clone(), 7)]);
        admin(broker.address).await.delete_records(&before).await.unwrap();
    });
    broker.stop();
    let broker = Running::start(data.path(), backend());
    wait(async {
        let asked = [(partition.clone(), OffsetSpec::Earliest)];
        let found = admin(broker.address).await.offsets(&asked.into()).await.unwrap();
        assert_eq!(found[&partition].offset, Some(7));
        assert_eq!(consume(broker.address, "t", 3).await, lines(10)[7..]);
    });
    broker.stop();
}

#[test]
fn metrics_and_health_are_answered_over_http() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::with(data.path(), backend(), &[("metrics.listen", "127.0.0.1:0")]);
    wait(produce(broker.address, "t", &lines(10), Compression::None));
    let get = |path: &str| {
        let mut stream = TcpStream::connect(broker.metrics.unwrap()).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let metrics = get("/metrics");
    for line in [
        "ringlog_request_duration_seconds_count{api=\"Produce\"} ",
        "ringlog_log_end_offset{topic=\"t\",partition=\"0\"} 10",
        "ringlog_disk_backend{backend=\"",
        "ringlog_connections ",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    assert!(get("/healthz").ends_with("ok\n"));
    assert!(get("/nothing").starts_with("HTTP/1.1 404"));
    broker.stop();
}

#[test]
fn a_profile_of_this_host_is_used_and_one_of_another_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let here = ringlog_io::Place::of(data.path()).unwrap();
    let path = data.path().join("host.profile");
    let profile = |place: &ringlog_io::Place, sendfile_min_bytes| {
        let profile = HostProfile {
            kernel: place.kernel.clone(),
            filesystem: place.filesystem.clone(),
            write_backend: Backend::Syscall,
            write_inline_max_bytes: 0,
            sendfile_min_bytes,
        };
        std::fs::write(&path, profile.render(&[])).unwrap();
    };
    let named = path.display().to_string();
    let settings = [("io.profile", named.as_str()), ("io.backend", "auto")];
    // Everything by sendfile, then nothing: the same records either way.
    for sendfile_min_bytes in [0, 1 << 30] {
        profile(&here, sendfile_min_bytes);
        let broker = Running::with(data.path(), backend(), &settings);
        let topic = format!("t{sendfile_min_bytes}");
        wait(async {
            produce(broker.address, &topic, &lines(3_000), Compression::None).await;
            assert_eq!(consume(broker.address, &topic, 3_000).await, lines(3_000));
        });
        broker.stop();
    }
    let refused = || start(data.path(), backend(), &settings).map(drop).unwrap_err().to_string();
    profile(&ringlog_io::Place { filesystem: "zfs".to_owned(), ..here.clone() }, 0);
    assert!(refused().contains(&format!("made for filesystem zfs, and this is {}", here.filesystem)), "{}", refused());
    std::fs::write(&path, "host.kernel=1\n").unwrap();
    assert!(refused().contains("host.filesystem is missing"), "{}", refused());
    std::fs::remove_file(&path).unwrap();
    assert!(refused().contains(&named) && refused().contains("No such file"), "{}", refused());
}

#[test]
fn how_many_may_connect_is_changed_while_the_broker_runs_and_kept_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    let resource = ConfigResource::Broker(1);
    let is_let_in = |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // Who is refused reads the end at once; who is let in waits for an answer to a question that was not asked.
        !matches!(stream.read(&mut [0]), Ok(0))
    };
    assert!(is_let_in(broker.address));
    let set = ConfigChange::Set("max.connections".into(), "1".into());
    wait(async {
        let admin = admin(broker.address).await;
        admin.alter_configs(&resource, &[set]).await.unwrap();
        assert_eq!(setting(&admin, &resource, "max.connections").await.as_deref(), Some("1"));
        assert!(!is_let_in(broker.address), "the administrator's connection is the one");
    });
    broker.stop();
    let broker = Running::start(data.path(), backend());
    let _one = TcpStream::connect(broker.address).unwrap();
    assert!(!is_let_in(broker.address));
    broker.stop();
}

/// Settings of a topic whose every record, produced by [`produce_apart`], closes the segment before it.
const COMPACTED: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("segment.ms", "1"), ("min.cleanable.dirty.ratio", "0")];

/// Records of one key.
async fn produce_apart(address: SocketAddr, records: usize) {
    for _ in 0..records {
        let producer = Producer::new(client(address).await, ProducerOptions::default()).unwrap();
        let value = [b'v'; 1000];
        let record = ProducerRecord { topic: "keyed", key: Some(b"k"), value: Some(&value), ..Default::default() };
        producer.send(record).await.unwrap().await.unwrap();
        // The next record finds the segment a millisecond old, and begins another.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn segment_bytes(partition: &Path) -> u64 {
    let files = std::fs::read_dir(partition).unwrap().map(|entry| entry.unwrap());
    let logs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

async fn wait_for_compaction(partition: &Path, before: u64) {
    let mut looks = 0;
    while segment_bytes(partition) >= before {
        looks += 1;
        assert!(looks < 400, "nothing was compacted: {before} bytes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn the_cleaner_rests_no_longer_than_is_set_at_the_moment() {
    let data = tempfile::tempdir().unwrap();
    let partition = data.path().join("keyed-0");
    let broker = Running::with(data.path(), backend(), &[("log.cleaner.backoff.ms", "1000000000")]);
    wait(async {
        let admin = admin(broker.address).await;
        admin.create_topic(&topic("keyed", 1, &COMPACTED), false).await.unwrap();
        produce_apart(broker.address, 4).await;
        let before = segment_bytes(&partition);
        let soon = ConfigChange::Set("log.cleaner.backoff.ms".into(), "10".into());
        admin.alter_configs(&ConfigResource::AllBrokers, &[soon]).await.unwrap();
        wait_for_compaction(&partition, before).await;
    });
    broker.stop();
}

#[test]
fn a_broker_stops_cleanly_though_a_closed_segment_is_being_synced() {
    let data = tempfile::tempdir().unwrap();
    for start in 0..10 {
        let broker = Running::with(data.path(), backend(), &[("log.cleaner.enable", "false")]);
        wait(async {
            if start == 0 {
                admin(broker.address).await.create_topic(&topic("keyed", 1, &COMPACTED), false).await.unwrap();
            }
            let producer = Producer::new(client(broker.address).await, ProducerOptions::default()).unwrap();
            for value in [&b"closes the segment before it"[..], b"and so does this"] {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let record =
                    ProducerRecord { topic: "keyed", key: Some(b"k"), value: Some(value), ..Default::default() };
                producer.send(record).await.unwrap().await.unwrap();
            }
        });
        broker.stop();
    }
}

#[test]
fn a_topic_is_compacted_though_one_of_its_name_could_not_be() {
    let data = tempfile::tempdir().unwrap();
    let partition = data.path().join("keyed-0");
    let broker = Running::with(data.path(), backend(), &[("log.cleaner.backoff.ms", "10")]);
    wait(async {
        let admin = admin(broker.address).await;
        admin.create_topic(&topic("keyed", 1, &COMPACTED), false).await.unwrap();
        produce_apart(broker.address, 1).await;
        let segment = std::fs::OpenOptions::new().write(true).open(partition.join("00000000000000000000.log")).unwrap();
        segment.write_all_at(b"flipped", 500).unwrap();
        produce_apart(broker.address, 3).await;
        // Time for the cleaner to find out.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(segment_bytes(&partition) > 4_000, "what is damaged is left as it is");
        admin.delete_topic("keyed").await.unwrap();
        admin.create_topic(&topic("keyed", 1, &COMPACTED), false).await.unwrap();
        produce_apart(broker.address, 4).await;
        wait_for_compaction(&partition, 4_000).await;
    });
    broker.stop();
}
