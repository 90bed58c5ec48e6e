//! Creating, growing and deleting topics.

use ringlog_protocol::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use ringlog_protocol::create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic};
use ringlog_protocol::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ringlog_protocol::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ringlog_protocol::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use ringlog_protocol::{ApiKey, Uuid};

use super::{NO_ID, NOWHERE, topic, topic_with};
use crate::Talk;

pub(super) fn play(talk: &mut Talk) {
    create(talk);
    grow(talk);
    reassign(talk);
    delete(talk);
}

fn create(talk: &mut Talk) {
    for v in talk.versions(ApiKey::CreateTopics) {
        let named = |what: &str| format!("create-{what}-v{v}");
        let of = |name: String, num_partitions, replication_factor| CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor,
            ..Default::default()
        };
        let mut ask = |title: &str, topic: CreatableTopic<'_>| {
            talk.ask(v, title, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
        };
        ask("two partitions", of(named("two"), 2, 1));
        ask("the same again", of(named("two"), 2, 1));
        ask("a name with a space", of("no such topic".into(), 1, 1));
        ask("an empty name", of(String::new(), 1, 1));
        ask("two dots", of("..".into(), 1, 1));
        ask("a name of 249 characters", of(format!("{:x<249}", named("long")), 1, 1));
        ask("a name of 250 characters", of("x".repeat(250), 1, 1));
        ask("a name with a dot", of(named("a.b"), 1, 1));
        ask("a name that collides with it", of(named("a_b"), 1, 1));
        ask("no partitions", of(named("none"), 0, 1));
        ask("fewer than no partitions", of(named("fewer"), -2, 1));
        ask("no replicas", of(named("no-replicas"), 1, 0));
        ask("more replicas than brokers", of(named("replicas"), 1, 3));
        if v >= 4 {
            ask("the broker's defaults", of(named("defaults"), -1, -1));
        }
        let with = |what: &str, name: &'static str, value: Option<&'static str>| CreatableTopic {
            configs: vec![CreatableTopicConfig { name: name.into(), value: value.map(Into::into) }],
            ..of(named(what), 1, 1)
        };
        ask("a configuration", with("config", "retention.ms", Some("1000")));
        ask("a configuration that nobody knows", with("unknown-config", "no.such.thing", Some("1")));
        ask("a configuration that is no number", with("not-a-number", "retention.ms", Some("soon")));
        ask("a configuration out of range", with("out-of-range", "segment.bytes", Some("1")));
        ask("a configuration of null", with("null-config", "retention.ms", None));
        ask("a cleanup policy that nobody knows", with("policy", "cleanup.policy", Some("burn")));

        let assigned = |what: &str, assignments: &[(i32, &[i32])]| CreatableTopic {
            assignments: assignments
                .iter()
                .map(|(partition_index, ids)| CreatableReplicaAssignment {
                    partition_index: *partition_index,
                    broker_ids: ids.to_vec(),
                })
                .collect(),
            ..of(named(what), -1, -1)
        };
        ask("replicas named by hand", assigned("by-hand", &[(0, &[1]), (1, &[1])]));
        ask("replicas by hand on an unknown broker", assigned("unknown-broker", &[(0, &[77])]));
        ask("replicas by hand, a partition left out", assigned("gap", &[(0, &[1]), (2, &[1])]));
        ask("replicas by hand, one broker twice", assigned("twice", &[(0, &[1, 1])]));
        ask("replicas by hand and a count", CreatableTopic { num_partitions: 1, ..assigned("both", &[(0, &[1])]) });

        let several = |topics, validate_only| CreateTopicsRequest { topics, validate_only, ..Default::default() };
        talk.ask(
            v,
            "one name twice in a request",
            &several(vec![of(named("double"), 1, 1), of(named("double"), 1, 1)], false),
        );
        talk.ask(v, "one good, one bad", &several(vec![of(named("good"), 1, 1), of(named("bad"), 0, 1)], false));
        talk.ask(v, "only validated", &several(vec![of(named("validated"), 1, 1)], true));
        talk.ask(v, "what was only validated is not there", &several(vec![of(named("validated"), 1, 1)], false));
        talk.ask(v, "no topics", &several(vec![], false));
    }
}

fn grow(talk: &mut Talk) {
    for v in talk.versions(ApiKey::CreatePartitions) {
        let name = format!("grow-v{v}");
        topic_with(talk, &name, 2, &[]);
        let of = |name: &str, count, assignments: Option<&[&[i32]]>| {
            let assignments = assignments
                .map(|a| a.iter().map(|ids| CreatePartitionsAssignment { broker_ids: ids.to_vec() }).collect());
            CreatePartitionsTopic { name: name.to_owned().into(), count, assignments }
        };
        let mut ask = |title: &str, topics: Vec<CreatePartitionsTopic<'_>>, validate_only| {
            talk.ask(v, title, &CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only });
        };
        ask("only validated", vec![of(&name, 3, None)], true);
        ask("from two to three", vec![of(&name, 3, None)], false);
        ask("as many as there are", vec![of(&name, 3, None)], false);
        ask("fewer than there are", vec![of(&name, 1, None)], false);
        ask("none", vec![of(&name, 0, None)], false);
        ask("an unknown topic", vec![of(NOWHERE, 3, None)], false);
        ask("a replica named by hand", vec![of(&name, 4, Some(&[&[1]]))], false);
        ask("a replica on an unknown broker", vec![of(&name, 5, Some(&[&[77]]))], false);
        ask("too few replicas named", vec![of(&name, 6, Some(&[&[1]]))], false);
        ask("one topic twice", vec![of(&name, 7, None), of(&name, 8, None)], false);
        ask("no topics", vec![], false);
    }
}

fn reassign(talk: &mut Talk) {
    topic(talk, "reassigned");
    for v in talk.versions(ApiKey::AlterPartitionReassignments) {
        let to = |name: &'static str, partition_index: i32, replicas: Option<Vec<i32>>| {
            let partitions = vec![ReassignablePartition { partition_index, replicas }];
            let topics = vec![ReassignableTopic { name: name.into(), partitions }];
            AlterPartitionReassignmentsRequest { topics, ..Default::default() }
        };
        talk.ask(v, "to where it is", &to("reassigned", 0, Some(vec![1])));
        talk.ask(v, "to a broker that is not there", &to("reassigned", 0, Some(vec![9])));
        talk.ask(v, "to one broker twice", &to("reassigned", 0, Some(vec![1, 1])));
        talk.ask(v, "to nowhere", &to("reassigned", 0, Some(Vec::new())));
        talk.ask(v, "nothing to cancel", &to("reassigned", 0, None));
        talk.ask(v, "a partition that the topic lacks", &to("reassigned", 7, Some(vec![1])));
        talk.ask(v, "an unknown topic", &to(NOWHERE, 0, Some(vec![1])));
        talk.ask(v, "no topics", &AlterPartitionReassignmentsRequest { topics: Vec::new(), ..Default::default() });
    }
    for v in talk.versions(ApiKey::ListPartitionReassignments) {
        let of = |name: &'static str| {
            let topic = ListPartitionReassignmentsTopics { name: name.into(), partition_indexes: vec![0] };
            ListPartitionReassignmentsRequest { topics: Some(vec![topic]), ..Default::default() }
        };
        talk.ask(v, "of all topics", &ListPartitionReassignmentsRequest { topics: None, ..Default::default() });
        talk.ask(v, "of one", &of("reassigned"));
        talk.ask(v, "of an unknown topic", &of(NOWHERE));
    }
}

fn delete(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DeleteTopics) {
        let name = format!("delete-v{v}");
        let id = topic(talk, &name);
        let by_name = |names: &[&str]| {
            let (mut topics, mut topic_names) = (Vec::new(), Vec::new());
            for name in names {
                if v >= 6 {
                    topics.push(DeleteTopicState { name: Some((*name).to_owned().into()), ..Default::default() });
                } else {
                    topic_names.push((*name).to_owned().into());
                }
            }
            DeleteTopicsRequest { topics, topic_names, timeout_ms: 10_000 }
        };
        talk.ask(v, "a topic and an unknown one", &by_name(&[&name, NOWHERE]));
        talk.ask(v, "the same again", &by_name(&[&name]));
        talk.ask(v, "an invalid name", &by_name(&["no such topic"]));
        talk.ask(v, "no topics", &by_name(&[]));
        if v >= 6 {
            let by_id = |topic_id: Uuid, name: Option<&'static str>| DeleteTopicsRequest {
                topics: vec![DeleteTopicState { name: name.map(Into::into), topic_id }],
                timeout_ms: 10_000,
                ..Default::default()
            };
            talk.ask(v, "the id of a deleted topic", &by_id(id, None));
            talk.ask(v, "an id that no topic has", &by_id(NO_ID, None));
            let living = topic(talk, "delete-by-id");
            talk.ask(v, "both name and id", &by_id(living, Some("delete-by-id")));
            talk.ask(v, "by id", &by_id(living, None));
        }
    }
}
