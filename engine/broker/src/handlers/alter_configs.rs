//! AlterConfigs: replaces all that is set on a resource. Older than IncrementalAlterConfigs, and still used. Durable before the
//! answer.

use std::collections::BTreeMap;

use ringlog_protocol::ErrorCode;
use ringlog_protocol::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use ringlog_settings::{SettingsError, check_change};

use crate::config_resource::{self, Refusal, answer, check_once};
use crate::repeats::times;
use crate::request::Incoming;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &AlterConfigsRequest<'a>) -> AlterConfigsResponse<'a> {
    let key = |resource: &AlterConfigsResource<'a>| (resource.resource_type, resource.resource_name.clone());
    let times = times(request.resources.iter().map(key));
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in &request.resources {
        let times = times.get(&key(asked)).copied().unwrap_or(1);
        let outcome = match check_once(times).and_then(|()| wanted(asked)) {
            Ok(configs) => replace(incoming, asked, configs, request.validate_only).await,
            Err(refusal) => Err(refusal),
        };
        let (error_code, error_message) = answer(outcome);
        let (resource_type, resource_name) = key(asked);
        responses.push(AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name });
    }
    AlterConfigsResponse { responses, ..Default::default() }
}

fn wanted(asked: &AlterConfigsResource<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let pairs = asked.configs.iter().map(|config| match &config.value {
        Some(value) => Ok((config.name.to_string(), value.to_string())),
        None => Err((ErrorCode::InvalidRequest, format!("{} has no value: give one, or leave it out", config.name))),
    });
    pairs.collect()
}

async fn replace(
    incoming: &Incoming,
    asked: &AlterConfigsResource<'_>,
    configs: BTreeMap<String, String>,
    validate_only: bool,
) -> Result<(), Refusal> {
    let resource = (asked.resource_type, &*asked.resource_name);
    let change = |scope| {
        move |set: &mut BTreeMap<String, String>, _: &_| -> Result<(), SettingsError> {
            configs.iter().try_for_each(|(name, value)| check_change(scope, name, Some(value)))?;
            *set = configs;
            Ok(())
        }
    };
    config_resource::alter(incoming, resource, validate_only, change).await
}
