//! What an admin changes, and what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use ringlog_client::{
    Acl, AclFilter, AclOperation, AclPattern, AclPatternFilter, AclPermission, AclResource, Admin, ClientError,
    CommittedOffset, ConfigChange, ConfigResource, Election, ErrorCode, FeatureUpdate, LogDir, OffsetSpec,
    ProducerOptions, ProducerRecord, QuotaMatch, ScramMechanism, TopicPartition, TransactionFilter,
};
use ringlog_interop::Broker;

use crate::{client, producer, until_ok, with_topic};

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
            assert_eq!(admin.elect_leaders(Election::Preferred, partitions).await.unwrap(), BTreeMap::new());
        }
        let missing = [TopicPartition::new(&topic, 2)];
        let outcomes = admin.elect_leaders(Election::Unclean, Some(&missing)).await.unwrap();
        let refused = outcomes[&missing[0]].as_ref().unwrap_err();
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
fn where_no_transaction_is_open_none_is_seen_or_ended() {
    with_topic("no-transactions", 1, async |broker, topic| {
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
    });
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
