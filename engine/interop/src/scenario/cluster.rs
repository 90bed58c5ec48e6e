//! Versions, metadata, the cluster, coordinators, log directories.

use ringlog_protocol::api_versions::ApiVersionsRequest;
use ringlog_protocol::describe_cluster::DescribeClusterRequest;
use ringlog_protocol::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use ringlog_protocol::describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest, TopicRequest};
use ringlog_protocol::find_coordinator::FindCoordinatorRequest;
use ringlog_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ringlog_protocol::{ApiKey, Uuid};

use super::{NO_ID, NOWHERE, batch, fill, topic, topic_with};
use crate::Talk;

pub(super) fn play(talk: &mut Talk) {
    api_versions(talk);
    metadata(talk);
    topic_partitions(talk);
    for v in talk.versions(ApiKey::DescribeCluster) {
        talk.ask(v, "the cluster", &DescribeClusterRequest::default());
        talk.ask(
            v,
            "with authorized operations",
            &DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() },
        );
        if v >= 1 {
            talk.ask(
                v,
                "the controllers' endpoints, asked of a broker",
                &DescribeClusterRequest { endpoint_type: 2, ..Default::default() },
            );
            talk.ask(
                v,
                "endpoints of no known type",
                &DescribeClusterRequest { endpoint_type: 7, ..Default::default() },
            );
        }
    }
    coordinators(talk);
    log_dirs(talk);
}

fn api_versions(talk: &mut Talk) {
    for v in talk.versions(ApiKey::ApiVersions) {
        let request =
            ApiVersionsRequest { client_software_name: "beside".into(), client_software_version: "1.0".into() };
        talk.ask(v, "what is advertised", &request);
        if v >= 3 {
            talk.ask(v, "a client without a name", &ApiVersionsRequest::default());
            let odd =
                ApiVersionsRequest { client_software_name: "be side".into(), client_software_version: "1".into() };
            talk.ask(v, "a client's name with a space", &odd);
        }
    }
    // Key 18, version 99, correlation id 7, client "c"; what follows can't be known and must not matter.
    let newer = b"\0\x12\0\x63\0\0\0\x07\0\x01c\0what a later version sends";
    talk.ask_raw::<ApiVersionsRequest<'_>>(99, 0, "a version that is not served is answered in version 0", newer);
    talk.ask_raw::<MetadataRequest<'_>>(99, 0, "a version that is not served", b"\0\x03\0\x63\0\0\0\x08\0\x01c\0\0");
    talk.ask_raw::<MetadataRequest<'_>>(0, 0, "half a request", b"\0\x03\0\0\0\0\0\x09\0\x01c\0\0");
    talk.ask_raw::<MetadataRequest<'_>>(
        1,
        1,
        "an array longer than its frame",
        b"\0\x03\0\x01\0\0\0\x0a\0\x01c\x7f\xff\xff\xff",
    );
    talk.ask_raw::<MetadataRequest<'_>>(2, 2, "an API that nobody has", b"\x03\xe7\0\0\0\0\0\x0b\0\x01c");
    talk.ask_raw::<MetadataRequest<'_>>(3, 3, "an empty frame", b"");
}

fn named<'a>(name: &'a str) -> MetadataRequestTopic<'a> {
    MetadataRequestTopic { name: Some(name.into()), ..Default::default() }
}

fn metadata(talk: &mut Talk) {
    let id = topic_with(talk, "plain", 3, &[]);
    for v in talk.versions(ApiKey::Metadata) {
        let mut ask = |title: &str, topics: Option<Vec<MetadataRequestTopic<'_>>>, create: bool| {
            // Before version 4 a request cannot say no to creation.
            let allow_auto_topic_creation = create || v < 4;
            talk.ask(v, title, &MetadataRequest { topics, allow_auto_topic_creation, ..Default::default() });
        };
        if v >= 1 {
            ask("all topics", None, false);
        }
        ask(if v == 0 { "an empty list means all" } else { "no topics" }, Some(vec![]), false);
        ask("one topic", Some(vec![named("plain")]), false);
        ask("names that are no topic's", Some(vec![named("no such topic"), named(".."), named("")]), false);
        if v >= 4 {
            ask("an unknown topic that is not to be created", Some(vec![named("plain"), named(NOWHERE)]), false);
        }
        if v >= 8 {
            let request = MetadataRequest {
                topics: Some(vec![named("plain")]),
                include_topic_authorized_operations: true,
                include_cluster_authorized_operations: v <= 10,
                ..Default::default()
            };
            talk.ask(v, "with authorized operations", &request);
        }
        if v >= 12 {
            let by_id = |topic_id: Uuid| {
                let topics = Some(vec![MetadataRequestTopic { topic_id, name: None }]);
                MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() }
            };
            talk.ask(v, "a topic by its id", &by_id(id));
            talk.ask(v, "an id that no topic has", &by_id(NO_ID));
        }
    }
    for v in talk.versions(ApiKey::Metadata) {
        let name = format!("created-by-asking-v{v}");
        let request = MetadataRequest { topics: Some(vec![named(&name)]), ..Default::default() };
        // The first answer may come before the topic has a leader: what matters is that it comes into being.
        talk.quietly(v, &request);
        std::thread::sleep(std::time::Duration::from_millis(300));
        talk.ask(v, "a topic that asking has created", &request);
    }
}

fn topic_partitions(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DescribeTopicPartitions) {
        let of = |name: &'static str| vec![TopicRequest { name: name.into() }];
        talk.ask(v, "one topic", &DescribeTopicPartitionsRequest { topics: of("plain"), ..Default::default() });
        talk.ask(v, "an unknown topic", &DescribeTopicPartitionsRequest { topics: of(NOWHERE), ..Default::default() });
        talk.ask(
            v,
            "an invalid name",
            &DescribeTopicPartitionsRequest { topics: of("no such topic"), ..Default::default() },
        );
        let two = DescribeTopicPartitionsRequest { topics: of("plain"), response_partition_limit: 2, cursor: None };
        talk.ask(v, "two partitions and a cursor for the rest", &two);
        let cursor = Some(Cursor { topic_name: "plain".into(), partition_index: 2 });
        talk.ask(
            v,
            "from a cursor on",
            &DescribeTopicPartitionsRequest { topics: of("plain"), cursor, ..Default::default() },
        );
        let cursor = Some(Cursor { topic_name: "plain".into(), partition_index: -1 });
        talk.ask(
            v,
            "a cursor at no partition",
            &DescribeTopicPartitionsRequest { topics: of("plain"), cursor, ..Default::default() },
        );
    }
}

fn coordinators(talk: &mut Talk) {
    for v in talk.versions(ApiKey::FindCoordinator) {
        let ask = |key: &'static str, key_type| {
            let mut request = FindCoordinatorRequest { key_type, ..Default::default() };
            if v < 4 {
                request.key = key.into();
            } else {
                request.coordinator_keys = vec![key.into()];
            }
            request
        };
        // The first request may find the offsets topic still being created.
        for _ in 0..40 {
            let answer = talk.quietly(v, &ask("group", 0));
            if answer.get("error_code") == "0" || answer.get("coordinators[group].error_code") == "0" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        talk.ask(v, "of a group", &ask("group", 0));
        talk.ask(v, "of a group without a name", &ask("", 0));
        if v >= 1 {
            talk.ask(v, "of an unknown kind", &ask("group", 9));
        }
        if v >= 4 {
            let request =
                FindCoordinatorRequest { coordinator_keys: vec!["one".into(), "two".into()], ..Default::default() };
            talk.ask(v, "of two groups", &request);
        }
    }
}

fn log_dirs(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DescribeLogDirs) {
        let name = format!("on-disk-v{v}");
        let id = topic(talk, &name);
        fill(talk, &name, id, 0, &batch(3));
        let of = |topic: &str, partitions: Vec<i32>| DescribeLogDirsRequest {
            topics: Some(vec![DescribableLogDirTopic { topic: topic.to_owned().into(), partitions }]),
        };
        talk.ask(v, "one partition", &of(&name, vec![0]));
        talk.ask(v, "a partition that the topic lacks", &of(&name, vec![5]));
        talk.ask(v, "an unknown topic", &of(NOWHERE, vec![0]));
        talk.ask(v, "no topics", &DescribeLogDirsRequest { topics: Some(vec![]) });
    }
}
