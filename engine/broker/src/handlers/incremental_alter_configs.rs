//! IncrementalAlterConfigs: changes single settings (KIP-339). Durable before the answer.

use std::collections::{BTreeMap, HashSet};

use ringlog_protocol::ErrorCode;
use ringlog_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use ringlog_settings::{Operation, apply};

use crate::config_resource::{self, Refusal, answer, check_once};
use crate::repeats::times;
use crate::request::Incoming;

/// One setting, and what is to be done with it.
type Alteration = (String, Operation, String);

pub(crate) async fn serve<'a>(
    incoming: &Incoming,
    request: &IncrementalAlterConfigsRequest<'a>,
) -> IncrementalAlterConfigsResponse<'a> {
    let key = |resource: &AlterConfigsResource<'a>| (resource.resource_type, resource.resource_name.clone());
    let times = times(request.resources.iter().map(key));
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in &request.resources {
        let times = times.get(&key(asked)).copied().unwrap_or(1);
        let outcome = match check_once(times).and_then(|()| read(asked)) {
            Ok(alterations) => change(incoming, asked, &alterations, request.validate_only).await,
            Err(refusal) => Err(refusal),
        };
        let (error_code, error_message) = answer(outcome);
        let (resource_type, resource_name) = key(asked);
        responses.push(AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name });
    }
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}

async fn change(
    incoming: &Incoming,
    asked: &AlterConfigsResource<'_>,
    alterations: &[Alteration],
    validate_only: bool,
) -> Result<(), Refusal> {
    let change = |scope| {
        move |set: &mut BTreeMap<String, String>, sources: &_| {
            alterations
                .iter()
                .try_for_each(|(name, operation, value)| apply(scope, set, sources, name, *operation, value))
        }
    };
    config_resource::alter(incoming, (asked.resource_type, &*asked.resource_name), validate_only, change).await
}

fn read(asked: &AlterConfigsResource<'_>) -> Result<Vec<Alteration>, Refusal> {
    let mut names = HashSet::new();
    let alteration = |config: &AlterableConfig<'_>| {
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
