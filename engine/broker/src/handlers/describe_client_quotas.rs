//! DescribeClientQuotas: the quotas of the entities that match a filter (KIP-546).

use std::collections::BTreeMap;

use ringlog_metadata::{EntityType, QuotaEntity, QuotaValues};
use ringlog_protocol::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse, EntityData, EntryData, ValueData,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::config_resource::Refusal;
use crate::quotas::canonical_name;
use crate::request::Incoming;

/// What the entity's name of one type has to be.
enum Match {
    Exactly(String),
    /// The quota for everyone without one by name.
    Default,
    Any,
}

pub(crate) fn serve(
    incoming: &Incoming,
    request: &DescribeClientQuotasRequest<'_>,
) -> DescribeClientQuotasResponse<'static> {
    let filter = match filter(&request.components) {
        Ok(filter) => filter,
        Err((code, reason)) => {
            let (error_code, error_message) = (code as i16, Some(Str::Owned(reason)));
            return DescribeClientQuotasResponse { error_code, error_message, entries: None, ..Default::default() };
        }
    };
    let all = incoming.broker().quotas.all();
    let matching = all.iter().filter(|(entity, _)| matches(entity, &filter, request.strict));
    DescribeClientQuotasResponse {
        error_message: Some(Str::Borrowed("")),
        entries: Some(matching.map(|(entity, quotas)| entry(entity, quotas)).collect()),
        ..Default::default()
    }
}

fn filter(components: &[ComponentData<'_>]) -> Result<BTreeMap<EntityType, Match>, Refusal> {
    let mut filter = BTreeMap::new();
    for component in components {
        let (kind, wanted) = read(component)?;
        if filter.insert(kind, wanted).is_some() {
            return Err(invalid(format!("{kind} stands more than once in the filter")));
        }
    }
    if filter.contains_key(&EntityType::Ip) && filter.len() > 1 {
        return Err(invalid("no entity is an ip and something else: ask for it alone".to_owned()));
    }
    Ok(filter)
}

fn read(component: &ComponentData<'_>) -> Result<(EntityType, Match), Refusal> {
    let ComponentData { entity_type, match_type, r#match: name } = component;
    let kind: EntityType = entity_type.parse().map_err(|()| {
        // Kafka takes a type that it does not know for one of a later version.
        let code = if entity_type.is_empty() { ErrorCode::InvalidRequest } else { ErrorCode::UnsupportedVersion };
        (code, format!("entity type {entity_type:?}: user, client-id and ip are allowed"))
    })?;
    let wanted = match (match_type, name) {
        (0, Some(name)) => Match::Exactly(canonical_name(kind, name).unwrap_or_else(|| name.to_string())),
        (1, None) => Match::Default,
        (2, None) => Match::Any,
        (0, None) => return Err(invalid(format!("an exact match of {kind} (type 0) needs a name"))),
        (1 | 2, Some(_)) => return Err(invalid(format!("match type {match_type} of {kind} goes without a name"))),
        _ => {
            let allowed = "0 (exactly), 1 (the default) and 2 (any) are allowed";
            return Err(invalid(format!("match type {match_type} of {kind}: {allowed}")));
        }
    };
    Ok((kind, wanted))
}

/// Strictly, an entity matches that has the filter's types and no other.
fn matches(entity: &QuotaEntity, filter: &BTreeMap<EntityType, Match>, strict: bool) -> bool {
    let fits = |(kind, wanted): (&EntityType, &Match)| match (entity.get(kind), wanted) {
        (Some(Some(name)), Match::Exactly(wanted)) => name == wanted,
        (Some(None), Match::Default) | (Some(_), Match::Any) => true,
        _ => false,
    };
    filter.iter().all(fits) && (!strict || entity.len() == filter.len())
}

fn entry(entity: &QuotaEntity, quotas: &QuotaValues) -> EntryData<'static> {
    let part = |(kind, name): (&EntityType, &Option<String>)| EntityData {
        entity_type: Str::Borrowed(kind.name()),
        entity_name: name.clone().map(Str::Owned),
    };
    EntryData {
        entity: entity.iter().map(part).collect(),
        values: quotas.iter().map(|(key, value)| ValueData { key: Str::Borrowed(key.name()), value: *value }).collect(),
    }
}

fn invalid(reason: String) -> Refusal {
    (ErrorCode::InvalidRequest, reason)
}
