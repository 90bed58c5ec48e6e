//! IncrementalAlterConfigs: changes single settings (KIP-339). Durable before the answer.

use std::collections::HashSet;

use ringlog_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use ringlog_protocol::{ErrorCode, Str};
use ringlog_settings::{Operation, Scope, apply};

use crate::config_resource::{ConfigResource, Refusal};
use crate::dispatch::Incoming;
use crate::topics::TopicError;

/// One setting, and what is to be done with it.
type Alteration = (String, Operation, String);

pub(crate) async fn serve<'a>(
    incoming: &Incoming,
    request: &IncrementalAlterConfigsRequest<'a>,
) -> IncrementalAlterConfigsResponse<'a> {
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
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}

async fn alter(incoming: &Incoming, asked: &AlterConfigsResource<'_>, validate_only: bool) -> Result<(), Refusal> {
    let alterations = read(asked)?;
    let (topics, disk) = (&incoming.broker().topics, &incoming.shard.disk);
    let change = |scope| {
        move |set: &mut _, sources: &_| {
            alterations
                .iter()
                .try_for_each(|(name, operation, value)| apply(scope, set, sources, name, *operation, value))
        }
    };
    let changed = match ConfigResource::find(incoming.broker(), asked.resource_type, &asked.resource_name)? {
        ConfigResource::Topic(topic) => topics.alter_topic(disk, &topic, change(Scope::Topic), validate_only).await,
        ConfigResource::Broker => topics.alter_broker(disk, false, change(Scope::Broker), validate_only).await,
        ConfigResource::EveryBroker => topics.alter_broker(disk, true, change(Scope::Broker), validate_only).await,
        ConfigResource::Empty => return Err(nothing_to_set(asked.resource_type)),
    };
    changed.map_err(explain)
}

fn read(asked: &AlterConfigsResource<'_>) -> Result<Vec<Alteration>, Refusal> {
    let mut names = HashSet::new();
    let alteration = |config: &ringlog_protocol::incremental_alter_configs::AlterableConfig<'_>| {
        let name = config.name.to_string();
        if !names.insert(name.clone()) {
            return Err((ErrorCode::InvalidRequest, format!("{name} stands more than once in the request")));
        }
        let operation = Operation::from_code(config.config_operation).ok_or_else(|| {
            let reason = format!(
                "operation {}: 0 (set), 1 (delete), 2 (append), 3 (subtract) are allowed",
                config.config_operation
            );
            (ErrorCode::InvalidRequest, reason)
        })?;
        let value = match (&config.value, operation) {
            (Some(value), _) => value.to_string(),
            (None, Operation::Delete) => String::new(),
            (None, _) => {
                return Err((
                    ErrorCode::InvalidRequest,
                    format!("{name} has no value: give one, or delete the setting"),
                ));
            }
        };
        Ok((name, operation, value))
    };
    asked.configs.iter().map(alteration).collect()
}

pub(super) fn nothing_to_set(resource_type: i8) -> Refusal {
    (ErrorCode::InvalidRequest, format!("resource type {resource_type}: 2 (topics) and 4 (brokers) have settings"))
}

pub(super) fn explain(error: TopicError) -> Refusal {
    let code = match &error {
        TopicError::Settings(ringlog_settings::SettingsError::ReadOnly { .. }) => ErrorCode::InvalidRequest,
        other => other.code(),
    };
    (code, error.to_string())
}
