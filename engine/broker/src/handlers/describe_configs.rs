//! DescribeConfigs: every setting of a topic or of this broker, with where its value comes from.

use ringlog_protocol::Str;
use ringlog_protocol::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use ringlog_settings::{Described, describe_broker, describe_broker_defaults, describe_topic};

use crate::config_resource::{ConfigResource, Refusal};
use crate::repeats::distinct;
use crate::request::Incoming;

pub(crate) fn serve<'a>(incoming: &Incoming, request: &DescribeConfigsRequest<'a>) -> DescribeConfigsResponse<'a> {
    let key = |asked: &'_ DescribeConfigsResource<'a>| {
        (asked.resource_type, asked.resource_name.clone(), asked.configuration_keys.clone())
    };
    let results = distinct(&request.resources, key).map(|asked| {
        let result = DescribeConfigsResult {
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            // Kafka says nothing with an empty text.
            error_message: Some(Str::Borrowed("")),
            ..Default::default()
        };
        match describe(incoming, asked) {
            Ok(described) => {
                let configs = described.into_iter().filter(|described| is_asked(asked, described.setting.name));
                DescribeConfigsResult {
                    configs: configs.map(|described| entry(request, described)).collect(),
                    ..result
                }
            }
            Err((code, reason)) => {
                DescribeConfigsResult { error_code: code as i16, error_message: Some(Str::Owned(reason)), ..result }
            }
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..Default::default() }
}

fn describe(incoming: &Incoming, asked: &DescribeConfigsResource<'_>) -> Result<Vec<Described>, Refusal> {
    let topics = &incoming.broker().topics;
    let sources = topics.sources();
    match ConfigResource::find(incoming.broker(), asked.resource_type, &asked.resource_name)? {
        ConfigResource::Topic(topic) => Ok(describe_topic(&topic.configs, &sources)),
        ConfigResource::Broker => Ok(describe_broker(&sources)),
        ConfigResource::EveryBroker => Ok(describe_broker_defaults(&sources)),
        // Groups and client metrics have settings in newer protocols only: there is nothing to tell.
        ConfigResource::Empty => Ok(Vec::new()),
    }
}

/// No list, and an empty one, ask for all.
fn is_asked(asked: &DescribeConfigsResource<'_>, name: &str) -> bool {
    let keys = asked.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.iter().any(|key| *key == name)
}

fn entry(request: &DescribeConfigsRequest<'_>, described: Described) -> DescribeConfigsResourceResult<'static> {
    let synonym = |synonym: ringlog_settings::Synonym| DescribeConfigsSynonym {
        name: Str::Borrowed(synonym.name),
        value: Some(Str::Owned(synonym.value)),
        source: synonym.source as i8,
    };
    let setting = described.setting;
    DescribeConfigsResourceResult {
        name: Str::Borrowed(setting.name),
        value: described.value.map(Str::Owned),
        read_only: described.read_only,
        config_source: described.source as i8,
        is_sensitive: false,
        synonyms: match request.include_synonyms {
            true => described.synonyms.into_iter().map(synonym).collect(),
            false => Vec::new(),
        },
        config_type: setting.config_type(),
        documentation: request.include_documentation.then_some(Str::Borrowed(setting.doc)),
    }
}
