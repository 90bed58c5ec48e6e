//! AlterConfigs: replaces all that is set on a resource. Older than IncrementalAlterConfigs, and still used. Durable before the
//! answer.

use std::collections::BTreeMap;

use ringlog_protocol::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use ringlog_protocol::{ErrorCode, Str};
use ringlog_settings::{Scope, SettingsError, check_change};

use super::incremental_alter_configs::{explain, nothing_to_set};
use crate::config_resource::{ConfigResource, Refusal};
use crate::dispatch::Incoming;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &AlterConfigsRequest<'a>) -> AlterConfigsResponse<'a> {
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in &request.resources {
        let same = |other: &&AlterConfigsResource<'a>| {
            (other.resource_type, &other.resource_name) == (asked.resource_type, &asked.resource_name)
        };
        let outcome = match request.resources.iter().filter(same).count() {
            1 => alter(incoming, asked, request.validate_only).await,
            _ => Err((ErrorCode::InvalidRequest, "the resource stands more than once in the request".to_owned())),
        };
        let (error_code, error_message) = match outcome {
            Ok(()) => (ErrorCode::None as i16, None),
            Err((code, reason)) => (code as i16, Some(Str::Owned(reason))),
        };
        let (resource_type, resource_name) = (asked.resource_type, asked.resource_name.clone());
        responses.push(AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name });
    }
    AlterConfigsResponse { responses, ..Default::default() }
}

async fn alter(incoming: &Incoming, asked: &AlterConfigsResource<'_>, validate_only: bool) -> Result<(), Refusal> {
    let mut configs = BTreeMap::new();
    for config in &asked.configs {
        let Some(value) = &config.value else {
            return Err((
                ErrorCode::InvalidRequest,
                format!("{} has no value: give one, or leave it out", config.name),
            ));
        };
        configs.insert(config.name.to_string(), value.to_string());
    }
    let replace = |scope| {
        move |set: &mut BTreeMap<String, String>, _: &_| -> Result<(), SettingsError> {
            configs.iter().try_for_each(|(name, value)| check_change(scope, name, Some(value)))?;
            *set = configs;
            Ok(())
        }
    };
    let (topics, disk) = (&incoming.broker().topics, &incoming.shard.disk);
    let changed = match ConfigResource::find(incoming.broker(), asked.resource_type, &asked.resource_name)? {
        ConfigResource::Topic(topic) => topics.alter_topic(disk, &topic, replace(Scope::Topic), validate_only).await,
        ConfigResource::Broker => topics.alter_broker(disk, false, replace(Scope::Broker), validate_only).await,
        ConfigResource::EveryBroker => topics.alter_broker(disk, true, replace(Scope::Broker), validate_only).await,
        ConfigResource::Empty => return Err(nothing_to_set(asked.resource_type)),
    };
    changed.map_err(explain)
}
