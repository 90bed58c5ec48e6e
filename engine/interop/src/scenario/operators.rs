//! Elections, the quorum, moves between log directories, features, brokers that are gone.

use ringlog_protocol::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use ringlog_protocol::delete_topics::DeleteTopicsRequest;
use ringlog_protocol::describe_log_dirs::DescribeLogDirsRequest;
use ringlog_protocol::describe_quorum::{DescribeQuorumRequest, PartitionData, TopicData};
use ringlog_protocol::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use ringlog_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ringlog_protocol::unregister_broker::UnregisterBrokerRequest;
use ringlog_protocol::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use ringlog_protocol::{ApiKey, Str};

use super::{NOWHERE, topic_with};
use crate::Talk;

pub(super) fn play(talk: &mut Talk) {
    topic_with(talk, TOPIC, 2, &[]);
    elect(talk);
    quorum(talk);
    move_between_directories(talk);
    features(talk);
    for v in talk.versions(ApiKey::UnregisterBroker) {
        talk.ask(v, "a broker that is not registered", &UnregisterBrokerRequest { broker_id: 77 });
        talk.ask(v, "a broker with no possible id", &UnregisterBrokerRequest { broker_id: -1 });
    }
    delete(talk);
}

/// The one topic of these cases: they come first, and leave none behind, so that "all topics" are few here and there.
const TOPIC: &str = "operated";

/// Deletes it, and waits until nobody hears of it any more.
fn delete(talk: &mut Talk) {
    let delete = DeleteTopicsRequest { topic_names: vec![TOPIC.into()], timeout_ms: 10_000, ..Default::default() };
    talk.quietly(1, &delete);
    let topics = Some(vec![MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    for _ in 0..100 {
        if talk.quietly(4, &request).get(&format!("topics[{TOPIC}].error_code")) != "0" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{TOPIC} is still there, five seconds after its deletion");
}

fn elect(talk: &mut Talk) {
    for v in talk.versions(ApiKey::ElectLeaders) {
        let of = |topic: &'static str, partitions: &[i32]| TopicPartitions {
            topic: topic.into(),
            partitions: partitions.to_vec(),
        };
        let mut ask = |title: &str, election_type, topics: Option<Vec<TopicPartitions<'_>>>| {
            let request = ElectLeadersRequest { election_type, topic_partitions: topics, timeout_ms: 10_000 };
            talk.ask(v, title, &request);
        };
        ask("two partitions", 0, Some(vec![of(TOPIC, &[0, 1])]));
        ask("a partition twice", 0, Some(vec![of(TOPIC, &[0, 0])]));
        ask("a topic twice", 0, Some(vec![of(TOPIC, &[0]), of(TOPIC, &[1])]));
        ask("a partition that the topic lacks", 0, Some(vec![of(TOPIC, &[0, 5, -1])]));
        ask("an unknown topic", 0, Some(vec![of(NOWHERE, &[0]), of(TOPIC, &[0])]));
        ask("no partitions", 0, Some(vec![of(TOPIC, &[])]));
        ask("an unknown topic without partitions", 0, Some(vec![of(NOWHERE, &[])]));
        ask("no topics", 0, Some(vec![]));
        ask("all topics", 0, None);
        if v >= 1 {
            ask("unclean", 1, Some(vec![of(TOPIC, &[0]), of(NOWHERE, &[0])]));
            ask("all topics, unclean", 1, None);
            ask("all topics, an election that nobody knows", 2, None);
            ask("an election that nobody knows", 2, Some(vec![of(TOPIC, &[0])]));
        }
    }
}

fn quorum(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DescribeQuorum) {
        let of = |topic: &'static str, partitions: &[i32]| TopicData {
            topic_name: topic.into(),
            partitions: partitions.iter().map(|index| PartitionData { partition_index: *index }).collect(),
        };
        let mut ask = |title: &str, topics| talk.ask(v, title, &DescribeQuorumRequest { topics });
        ask("the metadata log", vec![of("__cluster_metadata", &[0])]);
        ask("a partition that it lacks", vec![of("__cluster_metadata", &[1])]);
        ask("two partitions of it", vec![of("__cluster_metadata", &[0, 1])]);
        ask("a topic", vec![of(TOPIC, &[0])]);
        ask("an unknown topic", vec![of(NOWHERE, &[0, 1])]);
        ask("the metadata log and a topic", vec![of("__cluster_metadata", &[0]), of(TOPIC, &[0])]);
        ask("no partitions", vec![of("__cluster_metadata", &[])]);
        ask("no topics", vec![]);
    }
}

fn move_between_directories(talk: &mut Talk) {
    let of_all = DescribeLogDirsRequest { topics: None };
    let here = talk.quietly(1, &of_all).get("results[0].log_dir").to_owned();
    for v in talk.versions(ApiKey::AlterReplicaLogDirs) {
        let to = |path: &str, topics: &[(&'static str, &[i32])]| AlterReplicaLogDir {
            path: Str::Owned(path.to_owned()),
            topics: topics
                .iter()
                .map(|(name, partitions)| AlterReplicaLogDirTopic {
                    name: (*name).into(),
                    partitions: partitions.to_vec(),
                })
                .collect(),
        };
        let mut ask = |title: &str, dirs| talk.ask(v, title, &AlterReplicaLogDirsRequest { dirs });
        ask("where it is", vec![to(&here, &[(TOPIC, &[0, 1])])]);
        ask("to an unknown directory", vec![to("/nowhere", &[(TOPIC, &[0])])]);
        ask("to a directory without a name", vec![to("", &[(TOPIC, &[0])])]);
        ask("where it is, in other words", vec![to(&format!("{here}/."), &[(TOPIC, &[0])])]);
        ask("an unknown topic", vec![to(&here, &[(NOWHERE, &[0]), (TOPIC, &[0])])]);
        ask("a partition that the topic lacks", vec![to(&here, &[(TOPIC, &[5, -1])])]);
        ask("an unknown topic to an unknown directory", vec![to("/nowhere", &[(NOWHERE, &[0])])]);
        ask("an impossible name", vec![to(&here, &[("no such topic", &[0])])]);
        ask("one partition to two directories", vec![to(&here, &[(TOPIC, &[0])]), to("/nowhere", &[(TOPIC, &[0])])]);
        ask("one partition twice", vec![to(&here, &[(TOPIC, &[0, 0])])]);
        ask("a topic to two directories", vec![to(&here, &[(TOPIC, &[0])]), to("/nowhere", &[(TOPIC, &[1])])]);
        ask("no partitions", vec![to(&here, &[(TOPIC, &[])])]);
        ask("no directories", vec![]);
    }
}

fn features(talk: &mut Talk) {
    for v in talk.versions(ApiKey::UpdateFeatures) {
        let to = |feature: &'static str, max_version_level, upgrade_type| FeatureUpdateKey {
            feature: feature.into(),
            max_version_level,
            upgrade_type,
            ..Default::default()
        };
        let mut ask = |title: &str, feature_updates, validate_only| {
            talk.ask(v, title, &UpdateFeaturesRequest { timeout_ms: 10_000, feature_updates, validate_only });
        };
        ask("nothing", vec![], false);
        ask("a feature that nobody knows", vec![to("no.such.feature", 1, 1)], false);
        ask("a feature that nobody knows, to a negative level", vec![to("no.such.feature", -1, 1)], false);
        ask("a feature without a name", vec![to("", 1, 1)], false);
        ask("a feature twice", vec![to("no.such.feature", 1, 1), to("no.such.feature", 2, 1)], false);
        ask("two features", vec![to("no.such.feature", 1, 1), to("nor.this.one", 1, 1)], false);
        ask("one of Kafka's features", vec![to("group.version", 1, 1)], false);
        if v >= 1 {
            ask("only validated", vec![to("no.such.feature", 1, 1)], true);
            ask("an upgrade of a kind that nobody knows", vec![to("no.such.feature", 1, 0)], false);
            ask("a safe downgrade", vec![to("no.such.feature", 0, 2)], false);
        }
    }
}
