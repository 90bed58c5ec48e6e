//! Describing and altering configurations.

use ringlog_protocol::ApiKey;
use ringlog_protocol::alter_configs::{self, AlterConfigsRequest};
use ringlog_protocol::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use ringlog_protocol::incremental_alter_configs::{self as incremental, IncrementalAlterConfigsRequest};
use ringlog_protocol::list_config_resources::ListConfigResourcesRequest;

use super::{NOWHERE, topic, topic_with};
use crate::Talk;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) fn play(talk: &mut Talk) {
    describe(talk);
    alter(talk);
    alter_incrementally(talk);
    for v in talk.versions(ApiKey::ListConfigResources) {
        if v >= 1 {
            talk.ask(v, "the brokers", &ListConfigResourcesRequest { resource_types: vec![BROKER] });
            talk.ask(v, "a type that nobody knows", &ListConfigResourcesRequest { resource_types: vec![99] });
        } else {
            talk.ask(v, "client metrics", &ListConfigResourcesRequest::default());
        }
    }
}

fn one<'a>(resource_type: i8, name: &'a str, keys: Option<&[&'static str]>) -> DescribeConfigsRequest<'a> {
    let configuration_keys = keys.map(|keys| keys.iter().map(|k| (*k).into()).collect());
    let resource = DescribeConfigsResource { resource_type, resource_name: name.into(), configuration_keys };
    DescribeConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn describe(talk: &mut Talk) {
    topic_with(talk, "described", 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact,delete")]);
    for v in talk.versions(ApiKey::DescribeConfigs) {
        talk.ask(v, "all of a topic", &one(TOPIC, "described", None));
        let synonyms = DescribeConfigsRequest {
            include_synonyms: true,
            ..one(TOPIC, "described", Some(&["retention.ms", "segment.bytes", "compression.type"]))
        };
        talk.ask(v, "some of a topic with synonyms", &synonyms);
        if v >= 3 {
            let documented = DescribeConfigsRequest {
                include_documentation: true,
                ..one(TOPIC, "described", Some(&["retention.ms"]))
            };
            talk.ask(v, "with documentation", &documented);
        }
        talk.ask(v, "a key that nobody knows", &one(TOPIC, "described", Some(&["no.such.thing"])));
        talk.ask(v, "no keys", &one(TOPIC, "described", Some(&[])));
        talk.ask(v, "an unknown topic", &one(TOPIC, NOWHERE, None));
        talk.ask(v, "an invalid topic name", &one(TOPIC, "no such topic", None));
        let keys = [
            "num.partitions",
            "message.max.bytes",
            "log.retention.ms",
            "auto.create.topics.enable",
            "group.min.session.timeout.ms",
        ];
        talk.ask(v, "some of the broker", &one(BROKER, "1", Some(&keys)));
        talk.ask(
            v,
            "some of the broker with synonyms",
            &DescribeConfigsRequest { include_synonyms: true, ..one(BROKER, "1", Some(&keys)) },
        );
        talk.ask(v, "the default of all brokers", &one(BROKER, "", None));
        talk.ask(v, "another broker", &one(BROKER, "77", None));
        talk.ask(v, "a broker that is no number", &one(BROKER, "one", None));
        talk.ask(v, "a type that nobody knows", &one(99, "described", None));
        talk.ask(v, "nothing", &DescribeConfigsRequest::default());
    }
}

fn alter(talk: &mut Talk) {
    use alter_configs::{AlterConfigsResource, AlterableConfig};
    for v in talk.versions(ApiKey::AlterConfigs) {
        let name = format!("altered-v{v}");
        topic(talk, &name);
        let resource =
            |resource_type, name: &str, configs: &[(&'static str, Option<&'static str>)]| AlterConfigsResource {
                resource_type,
                resource_name: name.to_owned().into(),
                configs: configs
                    .iter()
                    .map(|(k, value)| AlterableConfig { name: (*k).into(), value: value.map(Into::into) })
                    .collect(),
            };
        let mut ask = |title: &str, resources: Vec<AlterConfigsResource<'_>>, validate_only| {
            talk.ask(v, title, &AlterConfigsRequest { resources, validate_only });
        };
        ask("one key", vec![resource(TOPIC, &name, &[("retention.ms", Some("1000"))])], false);
        ask("only validated", vec![resource(TOPIC, &name, &[("retention.ms", Some("2000"))])], true);
        ask(
            "another key, which takes the first away",
            vec![resource(TOPIC, &name, &[("max.message.bytes", Some("5000"))])],
            false,
        );
        ask("a value of null", vec![resource(TOPIC, &name, &[("retention.ms", None)])], false);
        ask("no number", vec![resource(TOPIC, &name, &[("retention.ms", Some("soon"))])], false);
        ask("a key that nobody knows", vec![resource(TOPIC, &name, &[("no.such.thing", Some("1"))])], false);
        ask("an unknown topic", vec![resource(TOPIC, NOWHERE, &[("retention.ms", Some("1000"))])], false);
        ask("a type that nobody knows", vec![resource(99, &name, &[])], false);
        if v == 2 {
            // Kafka never answers this one; one wait for it is enough.
            let twice = resource(TOPIC, &name, &[("retention.ms", Some("1"))]);
            ask("one topic twice", vec![twice.clone(), twice], false);
        }
        let keys = ["retention.ms", "max.message.bytes"];
        if v == 2 && talk.versions(ApiKey::DescribeConfigs).any(|v| v == 4) {
            let request = DescribeConfigsRequest { include_synonyms: true, ..one(TOPIC, &name, Some(&keys)) };
            talk.ask(4, "after the alterations", &request);
        }
    }
}

fn alter_incrementally(talk: &mut Talk) {
    use incremental::{AlterConfigsResource, AlterableConfig};
    for v in talk.versions(ApiKey::IncrementalAlterConfigs) {
        let name = format!("incremental-v{v}");
        topic(talk, &name);
        let resource =
            |resource_type, name: &str, configs: &[(&'static str, i8, Option<&'static str>)]| AlterConfigsResource {
                resource_type,
                resource_name: name.to_owned().into(),
                configs: configs
                    .iter()
                    .map(|(k, config_operation, value)| AlterableConfig {
                        name: (*k).into(),
                        config_operation: *config_operation,
                        value: value.map(Into::into),
                    })
                    .collect(),
            };
        let mut ask = |title: &str, resource: AlterConfigsResource<'_>, validate_only| {
            talk.ask(v, title, &IncrementalAlterConfigsRequest { resources: vec![resource], validate_only });
        };
        ask(
            "set two keys",
            resource(TOPIC, &name, &[("retention.ms", SET, Some("1000")), ("segment.bytes", SET, Some("2000000"))]),
            false,
        );
        ask("only validated", resource(TOPIC, &name, &[("retention.ms", SET, Some("9"))]), true);
        ask("delete one", resource(TOPIC, &name, &[("segment.bytes", DELETE, None)]), false);
        ask("delete one that is not set", resource(TOPIC, &name, &[("segment.ms", DELETE, None)]), false);
        ask("append to a list", resource(TOPIC, &name, &[("cleanup.policy", APPEND, Some("compact"))]), false);
        ask("subtract from a list", resource(TOPIC, &name, &[("cleanup.policy", SUBTRACT, Some("delete"))]), false);
        ask("append to what is no list", resource(TOPIC, &name, &[("retention.ms", APPEND, Some("1"))]), false);
        ask("set null", resource(TOPIC, &name, &[("retention.ms", SET, None)]), false);
        ask("no number", resource(TOPIC, &name, &[("retention.ms", SET, Some("soon"))]), false);
        ask("out of range", resource(TOPIC, &name, &[("min.cleanable.dirty.ratio", SET, Some("2"))]), false);
        ask("a key that nobody knows", resource(TOPIC, &name, &[("no.such.thing", SET, Some("1"))]), false);
        ask("an operation that nobody knows", resource(TOPIC, &name, &[("retention.ms", 9, Some("1"))]), false);
        ask(
            "one key twice",
            resource(TOPIC, &name, &[("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))]),
            false,
        );
        ask("an unknown topic", resource(TOPIC, NOWHERE, &[("retention.ms", SET, Some("1"))]), false);
        ask("another broker", resource(BROKER, "77", &[("message.max.bytes", SET, Some("2000000"))]), false);
        ask("a read-only key of the broker", resource(BROKER, "1", &[("num.partitions", SET, Some("3"))]), true);
        ask(
            "a dynamic key of the broker",
            resource(BROKER, "1", &[("message.max.bytes", SET, Some("2000000"))]),
            false,
        );
        ask(
            "a dynamic key of all brokers",
            resource(BROKER, "", &[("message.max.bytes", SET, Some("3000000"))]),
            false,
        );
        if v == 1 && talk.versions(ApiKey::DescribeConfigs).any(|v| v == 4) {
            std::thread::sleep(std::time::Duration::from_secs(1));
            let keys = ["retention.ms", "segment.bytes", "cleanup.policy", "max.message.bytes"];
            let request = DescribeConfigsRequest { include_synonyms: true, ..one(TOPIC, &name, Some(&keys)) };
            talk.ask(4, "a topic after incremental alterations", &request);
            let request =
                DescribeConfigsRequest { include_synonyms: true, ..one(BROKER, "1", Some(&["message.max.bytes"])) };
            talk.ask(4, "the broker after incremental alterations", &request);
        }
        let mut quietly = |resource: AlterConfigsResource<'_>| {
            talk.quietly(v, &IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false });
        };
        quietly(resource(BROKER, "1", &[("message.max.bytes", DELETE, None)]));
        quietly(resource(BROKER, "", &[("message.max.bytes", DELETE, None)]));
    }
}
