//! Our own client: the same tests against our broker and, with `RINGLOG_INTEROP_BOOTSTRAP`, against Apache Kafka; what
//! ours does not serve, against Apache Kafka alone.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "native/transactions.rs"]
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use ringlog_client::{
    Acknowledgement, Acks, Acl, AclFilter, AclOperation, AclPattern, AclPatternFilter, AclPermission, AclResource,
    Admin, Assignor, Client, ClientError, ClientOptions, CommittedOffset, Compression, ConfigChange, ConfigResource,
    Consumer, ConsumerOptions, Election, ErrorCode, FeatureUpdate, LogDir, NewTopic, OffsetReset, OffsetSpec,
    Partitioner, Producer, ProducerOptions, ProducerRecord, QuotaMatch, RebalanceListener, RecordHeader,
    ScramMechanism, Told, TopicPartition, TransactionFilter, partition_of_key,
};
use ringlog_interop::Broker;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

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
fn with_every_strategy_members_come_and_go_and_each_record_is_read_once() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
        with_topic(assignor.name(), PARTITIONS, async |broker, topic| {
            let group = Group::new(&topic, assignor);
            group.produce(&broker, "before").await;
            let first = group.member(&broker).await;
            let second = group.member(&broker).await;
            until("two share six partitions", || share(&[&first, &second])).await;
            group.produce(&broker, "with two").await;
            let third = group.member(&broker).await;
            until("a third joins and each has two", || share(&[&first, &second, &third])).await;
            group.produce(&broker, "with three").await;
            second.leave().await;
            until("one leaves and the others have three each", || share(&[&first, &third])).await;
            group.produce(&broker, "after").await;
            until("the group has seen every record", || group.seen.lock().unwrap().len() >= group.sent()).await;
            first.leave().await;
            third.leave().await;
            let mut seen = std::mem::take(&mut *group.seen.lock().unwrap());
            seen.sort_unstable();
            assert_eq!(seen, group.expected(), "{}", assignor.name());
            let admin = Admin::new(client(&broker).await);
            let ends = (0..PARTITIONS).map(|index| (TopicPartition::new(&topic, index), OffsetSpec::Latest)).collect();
            let ends = admin.offsets(&ends).await.unwrap();
            for (partition, committed) in admin.group_offsets(&group.name).await.unwrap() {
                assert_eq!(Some(committed.offset), ends[&partition].offset, "{partition} is committed to its end");
            }
        });
    }
}

#[test]
fn a_member_of_librdkafka_and_one_of_ours_share_a_group() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
        with_topic("mixed", PARTITIONS, async |broker, topic| {
            let group = Group::new(&topic, assignor);
            let theirs = Theirs::join(&broker, &group);
            until("it has all", || theirs.held.lock().unwrap().len() == 6).await;
            let ours = group.member(&broker).await;
            until("each has half", || theirs.held.lock().unwrap().len() == 3 && ours.held().len() == 3).await;
            let both: BTreeSet<_> =
                ours.held().iter().map(|p| p.partition).chain(theirs.held.lock().unwrap().iter().copied()).collect();
            assert_eq!(both.len(), 6, "{}", assignor.name());
            theirs.leave();
            until("ours has all", || ours.held().len() == 6).await;
            ours.leave().await;
        });
    }
}

#[test]
fn topics_and_partitions_that_come_later_are_found() {
    with_topic("later", 1, async |broker, topic| {
        let mut options = ClientOptions::new(broker.bootstrap()).unwrap();
        options.metadata_max_age = Duration::from_millis(200);
        let group = Group::new(&topic, Assignor::Range);
        let mut consumer = Consumer::new(Client::connect(options).await.unwrap(), group.options()).unwrap();
        consumer.subscribe_pattern(&format!("{topic}(-second)?")).unwrap();
        let admin = Admin::new(client(&broker).await);
        let (second, other) = (format!("{topic}-second"), format!("{topic}-other"));
        let holds = |consumer: &Consumer, count: usize| consumer.assignment().len() == count;
        poll_until(&mut consumer, |consumer| holds(consumer, 1)).await;
        for name in [&second, &other] {
            create(&admin, name, 1).await;
        }
        poll_until(&mut consumer, |consumer| holds(consumer, 2)).await;
        admin.create_partitions(&topic, 3).await.unwrap();
        poll_until(&mut consumer, |consumer| holds(consumer, 4)).await;
        assert!(consumer.assignment().iter().all(|partition| partition.topic != other));
        consumer.close().await.unwrap();
        for name in [&second, &other] {
            admin.delete_topic(name).await.unwrap();
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

#[test]
fn commits_that_are_begun_and_one_that_is_waited_for_take_effect_in_order() {
    with_topic("commit", 1, async |broker, topic| {
        let partition = TopicPartition::new(&topic, 0);
        let options = || ConsumerOptions { group_id: Some(topic.clone()), auto_commit: None, ..Default::default() };
        let mut consumer = Consumer::new(client(&broker).await, options()).unwrap();
        let at = |offset| BTreeMap::from([(partition.clone(), CommittedOffset { offset, ..Default::default() })]);
        let mut pending = Vec::new();
        for offset in 1..=50 {
            pending.push(consumer.begin_commit(&at(offset)).await.unwrap());
        }
        consumer.commit_offsets(&at(7)).await.unwrap();
        for pending in pending {
            pending.await.unwrap();
        }
        let committed = consumer.committed(std::slice::from_ref(&partition)).await.unwrap();
        assert_eq!(committed[&partition].offset, 7);
        let mut resumed = Consumer::new(client(&broker).await, options()).unwrap();
        resumed.assign([partition.clone()]);
        let _ = resumed.poll(Duration::ZERO).await;
        assert_eq!(resumed.committed(std::slice::from_ref(&partition)).await.unwrap()[&partition].offset, 7);
    });
}

#[test]
fn quotas_are_as_they_were_set_until_they_are_removed() {
    with_topic("quotas", 1, async |broker, name| {
        let admin = Admin::new(client(&broker).await);
        let entity = BTreeMap::from([("client-id".to_owned(), Some(name.clone()))]);
        let filter = BTreeMap::from([("client-id".to_owned(), QuotaMatch::Name(name))]);
        let rate = "producer_byte_rate".to_owned();
        for value in [Some(12_345.0), Some(67_890.0), None] {
            admin.alter_quotas(&entity, &BTreeMap::from([(rate.clone(), value)])).await.unwrap();
            let is_known = async || {
                let quotas = admin.quotas(&filter, true).await.unwrap();
                quotas.get(&entity).and_then(|quotas| quotas.get(&rate)).copied() == value
            };
            until_ok("the quota", is_known).await;
        }
        let refused =
            admin.alter_quotas(&entity, &BTreeMap::from([("speed".to_owned(), Some(1.0))])).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::InvalidRequest), "{refused}");
    });
}

#[test]
fn credentials_are_as_they_were_set_until_they_are_deleted() {
    with_topic("credentials", 1, async |broker, user| {
        let admin = Admin::new(client(&broker).await);
        for (mechanism, iterations) in [(ScramMechanism::Sha256, 4096), (ScramMechanism::Sha512, 8192)] {
            admin.set_scram_credential(&user, mechanism, iterations, "pencil").await.unwrap();
        }
        let both = BTreeMap::from([(ScramMechanism::Sha256, 4096), (ScramMechanism::Sha512, 8192)]);
        // Kafka's broker hears some moments later what its controller has acknowledged.
        let are_known = async || admin.scram_credentials(&[]).await.unwrap().get(&user) == Some(&both);
        until_ok("both credentials", are_known).await;
        for mechanism in both.into_keys() {
            admin.delete_scram_credential(&user, mechanism).await.unwrap();
        }
        let are_gone = async || match admin.scram_credentials(&[&user]).await {
            Ok(_) => false,
            Err(error) => error.code() == Some(ErrorCode::ResourceNotFound),
        };
        until_ok("none is left", are_gone).await;
        let gone = admin.delete_scram_credential(&user, ScramMechanism::Sha256).await.unwrap_err();
        assert_eq!(gone.code(), Some(ErrorCode::ResourceNotFound), "{gone}");
    });
}

/// Kafka enforces them with `authorizer.class.name`; it and ours refuse them without.
#[test]
fn access_rules_are_as_they_were_made_where_they_are_enforced_and_refused_elsewhere() {
    with_topic("acls", 1, async |broker, topic| {
        let admin = Admin::new(client(&broker).await);
        let rule = |pattern, operation| Acl {
            resource: AclResource::Topic,
            name: topic.clone(),
            pattern,
            principal: "User:alice".to_owned(),
            host: "*".to_owned(),
            operation,
            permission: AclPermission::Allow,
        };
        let rules = [rule(AclPattern::Literal, AclOperation::Read), rule(AclPattern::Prefixed, AclOperation::Write)];
        let of_topic = AclFilter { name: Some(topic.clone()), ..Default::default() };
        if let Err(refused) = admin.acls(&of_topic).await {
            let also = [
                refused,
                admin.create_acls(&rules).await.unwrap_err(),
                admin.delete_acls(&of_topic).await.unwrap_err(),
            ];
            assert!(also.iter().all(|error| error.code() == Some(ErrorCode::SecurityDisabled)), "{also:?}");
            return;
        }
        admin.create_acls(&rules).await.unwrap();
        // Kafka's broker hears some moments later what its controller has acknowledged.
        until_ok("both rules", async || admin.acls(&of_topic).await.unwrap() == rules).await;
        let applying = AclFilter {
            name: Some(format!("{topic}-longer")),
            pattern: AclPatternFilter::Applies,
            principal: Some("User:alice".to_owned()),
            ..Default::default()
        };
        assert_eq!(admin.acls(&applying).await.unwrap(), rules[1..]);
        let reading = AclFilter { operation: Some(AclOperation::Read), ..of_topic.clone() };
        assert_eq!(admin.delete_acls(&reading).await.unwrap(), rules[..1]);
        assert_eq!(admin.delete_acls(&of_topic).await.unwrap(), rules[1..]);
        until_ok("no rule", async || admin.acls(&of_topic).await.unwrap().is_empty()).await;
    });
}

#[test]
fn one_broker_leads_already_and_has_nowhere_to_move_a_partition() {
    with_topic("replicas", 2, async |broker, topic| {
        let admin = Admin::new(client(&broker).await);
        let partition = TopicPartition::new(&topic, 1);
        let only = *admin.cluster().await.unwrap().brokers.keys().next().unwrap();
        let named = std::slice::from_ref(&partition);
        for partitions in [Some(named), None] {
            assert_eq!(admin.elect_leaders(Election::Preferred, partitions).await.unwrap(), []);
        }
        let missing = [TopicPartition::new(&topic, 2)];
        let refused = admin.elect_leaders(Election::Unclean, Some(&missing)).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition), "{refused}");

        let to = |replicas: Option<Vec<i32>>| BTreeMap::from([(partition.clone(), replicas)]);
        admin.reassign(&to(Some(vec![only]))).await.unwrap();
        assert_eq!(admin.reassignments().await.unwrap(), BTreeMap::new());
        let nowhere = admin.reassign(&to(Some(vec![only + 1000]))).await.unwrap_err();
        assert_eq!(nowhere.code(), Some(ErrorCode::InvalidReplicaAssignment), "{nowhere}");
        let nothing = admin.reassign(&to(None)).await.unwrap_err();
        assert_eq!(nothing.code(), Some(ErrorCode::NoReassignmentInProgress), "{nothing}");
    });
}

/// Ours has no transactions: it says so by name.
#[test]
fn a_transaction_is_seen_while_it_is_open_and_can_be_ended_from_outside() {
    with_topic("transactions", 1, async |broker, topic| {
        let admin = Admin::new(client(&broker).await);
        let partition = TopicPartition::new(&topic, 0);
        let here = std::slice::from_ref(&partition);
        assert_eq!(admin.producers(here).await.unwrap(), BTreeMap::from([(partition.clone(), Vec::new())]));
        assert_eq!(admin.hanging_transactions(here, Duration::ZERO).await.unwrap(), []);
        let none = admin.abort_transaction(&partition, 0).await.unwrap_err();
        assert!(matches!(none, ClientError::NoTransaction { start_offset: 0, .. }), "{none}");
        if let Err(refused) = admin.transactions(&TransactionFilter::default()).await {
            let unsupported = |error| matches!(error, ClientError::Unsupported { served: None, .. });
            assert!(unsupported(refused) && unsupported(admin.transaction(&topic).await.unwrap_err()));
            return;
        }
        let missing = admin.fence_producer(&topic).await.unwrap_err();
        assert_eq!(missing.code(), Some(ErrorCode::TransactionalIdNotFound), "{missing}");

        let theirs = begin(&broker, &topic);
        let of_topic = TransactionFilter { pattern: Some(topic.clone()), ..Default::default() };
        let listed = admin.transactions(&of_topic).await.unwrap();
        let described = admin.transaction(&topic).await.unwrap();
        let producer = &admin.producers(here).await.unwrap()[&partition][0];
        assert_eq!(
            listed.iter().map(|one| (&*one.transactional_id, &*one.state)).collect::<Vec<_>>(),
            [(&*topic, "Ongoing")]
        );
        assert_eq!((&*described.state, &described.partitions[..]), ("Ongoing", here));
        assert_eq!((described.producer_id, Some(0)), (producer.producer_id, producer.transaction_start_offset));
        // It is open for long enough, but its coordinator knows of it.
        assert_eq!(admin.hanging_transactions(here, Duration::ZERO).await.unwrap(), []);

        admin.abort_transaction(&partition, 0).await.unwrap();
        let producer = &admin.producers(here).await.unwrap()[&partition][0];
        assert_eq!(producer.transaction_start_offset, None);
        admin.fence_producer(&topic).await.unwrap();
        let fenced = admin.transaction(&topic).await.unwrap();
        assert_eq!((&*fenced.state, &fenced.partitions[..]), ("Empty", &[][..]));
        assert!(fenced.producer_epoch > described.producer_epoch || fenced.producer_id != described.producer_id);
        assert!(theirs.commit_transaction(PATIENCE).is_err());
    });
}

/// A producer of librdkafka's with an open transaction, which has written a record.
fn begin(broker: &Broker, topic: &str) -> ThreadedProducer<DefaultProducerContext> {
    let producer: ThreadedProducer<_> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("transactional.id", topic)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), _>::to(topic).payload("uncommitted")).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
    producer
}

/// Kafka has levels of its features and refuses what it can't be brought to; ours has none.
#[test]
fn a_cluster_tells_of_its_quorum_and_of_what_has_settings_and_stays_whole() {
    with_topic("cluster", 1, async |broker, topic| {
        let admin = Admin::new(client(&broker).await);
        let only = *admin.cluster().await.unwrap().brokers.keys().next().unwrap();
        let quorum = admin.quorum().await.unwrap();
        assert_eq!(quorum.leader, Some(only));
        assert_eq!(quorum.voters.iter().map(|voter| voter.id).collect::<Vec<_>>(), [only]);
        assert!(quorum.high_watermark > 0 && quorum.nodes.contains_key(&only), "{quorum:?}");

        let resources = admin.config_resources().await.unwrap();
        for resource in [ConfigResource::Topic(topic.clone()), ConfigResource::Broker(only)] {
            assert!(resources.contains(&resource), "{resource} is not among {resources:?}");
        }
        let unknown = BTreeMap::from([("a.feature".to_owned(), FeatureUpdate::Upgrade(1))]);
        let refused = admin.update_features(&unknown, true).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::InvalidUpdateVersion), "{refused}");
        let missing = admin.unregister_broker(only + 1000).await.unwrap_err();
        assert_eq!(missing.code(), Some(ErrorCode::BrokerIdNotRegistered), "{missing}");

        let partition = TopicPartition::new(&topic, 0);
        let holds = |dir: &LogDir| dir.partitions.iter().any(|log| log.partition == partition && !log.future);
        let here = admin.log_dirs().await.unwrap().into_iter().find(holds).unwrap().path;
        let to = |path: String| BTreeMap::from([(partition.clone(), path)]);
        admin.move_to_log_dirs(only, &to(here.clone())).await.unwrap();
        let nowhere = admin.move_to_log_dirs(only, &to(here + "-not")).await.unwrap_err();
        assert_eq!(nowhere.code(), Some(ErrorCode::LogDirNotFound), "{nowhere}");
    });
}

#[test]
fn an_admin_sees_what_it_has_changed() {
    with_topic("admin", 2, async |broker, topic| {
        let admin = Admin::new(client(&broker).await);
        let resource = ConfigResource::Topic(topic.clone());
        let change = ConfigChange::Set("retention.ms".to_owned(), "12345".to_owned());
        admin.alter_configs(&resource, &[change]).await.unwrap();
        let configs = admin.configs(&resource).await.unwrap();
        let retention = configs.iter().find(|entry| entry.name == "retention.ms").unwrap();
        assert_eq!(retention.value.as_deref(), Some("12345"));

        let producer = producer(&broker, ProducerOptions::default()).await;
        for _ in 0..10 {
            let record = ProducerRecord { topic: &topic, partition: Some(1), value: Some(b"v"), ..Default::default() };
            drop(producer.send(record).await.unwrap());
        }
        producer.close().await.unwrap();
        let partition = TopicPartition::new(&topic, 1);
        let low = admin.delete_records(&BTreeMap::from([(partition.clone(), 4)])).await.unwrap();
        assert_eq!(low[&partition], 4);
        let asked = BTreeMap::from([(partition.clone(), OffsetSpec::Earliest)]);
        assert_eq!(admin.offsets(&asked).await.unwrap()[&partition].offset, Some(4));

        admin.create_partitions(&topic, 3).await.unwrap();
        until_ok("three partitions", async || admin.topic(&topic).await.unwrap().partitions.len() == 3).await;
        let dirs = admin.log_dirs().await.unwrap();
        assert!(dirs.iter().flat_map(|dir| &dir.partitions).any(|log| log.partition == partition));
        assert!(!admin.cluster().await.unwrap().brokers.is_empty());
        // Only Kafka tells of any.
        let features = admin.features().await.unwrap();
        let kafka = features.get("metadata.version");
        assert!(
            kafka.map_or(broker.data().is_some(), |version| version.supported.contains(&version.finalized.unwrap()))
        );

        let offsets = BTreeMap::from([(partition.clone(), CommittedOffset { offset: 6, ..Default::default() })]);
        admin.alter_group_offsets(&topic, &offsets).await.unwrap();
        let groups = admin.groups().await.unwrap();
        assert_eq!(groups.iter().find(|listed| listed.group == topic).unwrap().kind, "classic");
        assert_eq!(admin.group(&topic).await.unwrap().state, "Empty");
        assert_eq!(admin.group_offsets(&topic).await.unwrap()[&partition].offset, 6);
        admin.delete_group_offsets(&topic, &[partition]).await.unwrap();
        admin.delete_group(&topic).await.or_else(gone).unwrap();
        if kafka.is_some() {
            assigned_by_the_broker(&broker, &admin, &topic).await;
        }
    });
}

/// A group of the protocol in which the broker assigns (KIP-848): a member of librdkafka's gets three partitions.
async fn assigned_by_the_broker(broker: &Broker, admin: &Admin, topic: &str) {
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", topic)
        .set("group.protocol", "consumer")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let has_all = async || {
        drop(consumer.poll(Duration::from_millis(50)));
        // There is no such group before its first member.
        let members = admin.group(topic).await.map_or(Vec::new(), |described| described.members);
        members.iter().any(|member| member.assignment.len() == 3)
    };
    until_ok("it has all", has_all).await;
    let described = admin.group(topic).await.unwrap();
    assert_eq!((&*described.state, &*described.assignor, &*described.protocol_type), ("Stable", "uniform", "consumer"));
    let (epochs, target) = (described.epochs.unwrap(), described.members[0].target.clone().unwrap());
    assert_eq!((epochs.group, &target.assignment), (target.epoch, &described.members[0].assignment));
    let groups = admin.groups().await.unwrap();
    assert_eq!(groups.iter().find(|listed| listed.group == topic).unwrap().kind, "consumer");
    drop(consumer);
    until_ok("it is empty", async || admin.group(topic).await.unwrap().members.is_empty()).await;
    admin.delete_group(topic).await.unwrap();
}

/// A group whose last offset was deleted may be gone with it.
fn gone(error: ClientError) -> Result<(), ClientError> {
    if error.code() == Some(ringlog_client::ErrorCode::GroupIdNotFound) { Ok(()) } else { Err(error) }
}

/// A group that reads one topic, and what is sent to it and seen by it.
struct Group {
    name: String,
    topic: String,
    assignor: Assignor,
    phases: Mutex<Vec<&'static str>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// Who reads what, by the members' own words; a partition never has two readers.
    readers: Arc<Mutex<BTreeSet<TopicPartition>>>,
}

const PER_PHASE: usize = 120;

impl Group {
    fn new(topic: &str, assignor: Assignor) -> Group {
        Group {
            name: format!("{topic}-group"),
            topic: topic.to_owned(),
            assignor,
            phases: Mutex::default(),
            seen: Arc::default(),
            readers: Arc::default(),
        }
    }

    fn options(&self) -> ConsumerOptions {
        ConsumerOptions {
            group_id: Some(self.name.clone()),
            offset_reset: OffsetReset::Earliest,
            auto_commit: None,
            heartbeat_interval: Duration::from_millis(200),
            session_timeout: Duration::from_secs(10),
            assignors: vec![self.assignor],
            ..Default::default()
        }
    }

    async fn produce(&self, broker: &Broker, phase: &'static str) {
        let options = ProducerOptions { partitioner: Partitioner::RoundRobin, ..Default::default() };
        let producer = producer(broker, options).await;
        for number in 0..PER_PHASE {
            let value = format!("{phase} {number}");
            let record = ProducerRecord { topic: &self.topic, value: Some(value.as_bytes()), ..Default::default() };
            drop(producer.send(record).await.unwrap());
        }
        producer.close().await.unwrap();
        self.phases.lock().unwrap().push(phase);
    }

    fn sent(&self) -> usize {
        self.phases.lock().unwrap().len() * PER_PHASE
    }

    fn expected(&self) -> Vec<String> {
        let phases = self.phases.lock().unwrap();
        let values = phases.iter().flat_map(|phase| (0..PER_PHASE).map(move |number| format!("{phase} {number}")));
        let mut values: Vec<_> = values.collect();
        values.sort_unstable();
        values
    }

    async fn member(&self, broker: &Broker) -> Member {
        let mut consumer = Consumer::new(client(broker).await, self.options()).unwrap();
        let held = Arc::new(Mutex::new(BTreeSet::new()));
        consumer.listen(Exclusive { held: Arc::clone(&held), readers: Arc::clone(&self.readers) });
        consumer.subscribe([self.topic.as_str()]).unwrap();
        let seen = Arc::clone(&self.seen);
        let (leave, mut left) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            loop {
                let records = tokio::select! {
                    records = consumer.poll(POLL) => records.unwrap(),
                    _ = &mut left => break,
                };
                let each = |_: &TopicPartition, record: &ringlog_client::Record<'_>| {
                    seen.lock().unwrap().push(text(record.value.unwrap()));
                    Ok::<_, ClientError>(())
                };
                records.try_for_each(each).unwrap();
            }
            consumer.close().await.unwrap();
        });
        Member { held, leave, task }
    }
}

/// Commits what it gives up, and sees to it that nobody else reads what it is given.
struct Exclusive {
    held: Arc<Mutex<BTreeSet<TopicPartition>>>,
    readers: Arc<Mutex<BTreeSet<TopicPartition>>>,
}

impl Exclusive {
    fn drop_all(&self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.held.lock().unwrap().remove(partition);
            self.readers.lock().unwrap().remove(partition);
        }
    }
}

impl RebalanceListener for Exclusive {
    fn assigned<'a>(&'a self, _: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        Box::pin(async move {
            for partition in partitions {
                self.held.lock().unwrap().insert(partition.clone());
                assert!(self.readers.lock().unwrap().insert(partition.clone()), "{partition} has two readers");
            }
            Ok(())
        })
    }

    fn revoked<'a>(&'a self, consumer: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        Box::pin(async move {
            consumer.commit().await?;
            self.drop_all(partitions);
            Ok(())
        })
    }

    fn lost<'a>(&'a self, _: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        panic!("{partitions:?} were lost: no member of these tests is late");
    }
}

struct Member {
    held: Arc<Mutex<BTreeSet<TopicPartition>>>,
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Member {
    fn held(&self) -> BTreeSet<TopicPartition> {
        self.held.lock().unwrap().clone()
    }

    async fn leave(self) {
        self.leave.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// Whether the members hold every partition between them, evenly.
fn share(members: &[&Member]) -> bool {
    let held: Vec<_> = members.iter().map(|member| member.held()).collect();
    held.iter().all(|held| held.len() == PARTITIONS as usize / members.len())
        && held.iter().flatten().collect::<BTreeSet<_>>().len() == PARTITIONS as usize
}

/// A member that librdkafka's consumer is.
struct Theirs {
    held: Arc<Mutex<Vec<i32>>>,
    leave: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Theirs {
    fn join(broker: &Broker, group: &Group) -> Theirs {
        let consumer: BaseConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            .set("group.id", &group.name)
            .set("heartbeat.interval.ms", "300")
            .set("session.timeout.ms", "10000")
            .set("partition.assignment.strategy", group.assignor.name())
            .create()
            .unwrap();
        consumer.subscribe(&[&group.topic]).unwrap();
        let held = Arc::new(Mutex::new(Vec::new()));
        let (leave, left) = std::sync::mpsc::channel();
        let shown = Arc::clone(&held);
        let thread = std::thread::spawn(move || {
            while left.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                drop(consumer.poll(Duration::from_millis(50)));
                let assigned = consumer.assignment().unwrap();
                *shown.lock().unwrap() = assigned.elements().iter().map(|element| element.partition()).collect();
            }
        });
        Theirs { held, leave, thread }
    }

    fn leave(self) {
        self.leave.send(()).unwrap();
        self.thread.join().unwrap();
    }
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
