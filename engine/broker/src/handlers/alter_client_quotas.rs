//! AlterClientQuotas: quotas set and removed (KIP-546). Durable, and in force, before the answer.

use std::collections::{BTreeMap, HashSet};

use ringlog_metadata::{Change, EntityType, Image, MetaError, QuotaEntity, QuotaKey};
use ringlog_protocol::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntryData, OpData, ResponseEntityData, ResponseEntryData,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::config_resource::{Refusal, answer};
use crate::quotas::canonical_name;
use crate::request::Incoming;

/// As the request names it.
type Named<'a> = BTreeMap<Str<'a>, Option<Str<'a>>>;

/// What is to become of an entity's quotas; `None` removes one.
type Altered = Vec<(QuotaKey, Option<f64>)>;

pub(crate) async fn serve<'a>(
    incoming: &Incoming,
    request: &AlterClientQuotasRequest<'a>,
) -> AlterClientQuotasResponse<'a> {
    let mut asked: BTreeMap<Named<'a>, Vec<&EntryData<'a>>> = BTreeMap::new();
    for entry in &request.entries {
        asked.entry(named(entry)).or_default().push(entry);
    }
    let mut alterations = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(asked.len());
    for (named, entries) in asked {
        let repeated = || invalid("the entity stands more than once in the request".to_owned());
        let outcome = match entries[..] {
            [entry] => read(entry, &named).and_then(|(entity, altered)| {
                // An address may be written in several ways.
                if alterations.contains_key(&entity) {
                    return Err(repeated());
                }
                alterations.insert(entity, altered);
                Ok(())
            }),
            _ => Err(repeated()),
        };
        outcomes.push((named, outcome));
    }
    if !request.validate_only
        && let Err(error) = make(incoming, &alterations).await
    {
        // All are made or none.
        for (_, outcome) in outcomes.iter_mut().filter(|(_, outcome)| outcome.is_ok()) {
            *outcome = Err((ErrorCode::KafkaStorageError, error.to_string()));
        }
    }
    let entries = outcomes.into_iter().map(|(named, outcome)| {
        let (error_code, error_message) = answer(outcome);
        let part = |(entity_type, entity_name)| ResponseEntityData { entity_type, entity_name };
        ResponseEntryData { error_code, error_message, entity: named.into_iter().map(part).collect() }
    });
    AlterClientQuotasResponse { entries: entries.collect(), ..Default::default() }
}

/// Of a type that is named more than once the last name counts, as with Kafka.
fn named<'a>(entry: &EntryData<'a>) -> Named<'a> {
    entry.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone())).collect()
}

async fn make(incoming: &Incoming, alterations: &BTreeMap<QuotaEntity, Altered>) -> Result<(), MetaError> {
    let broker = incoming.broker();
    // Held until the quotas are in force: those of the next change come after them.
    let mut metadata = broker.topics.metadata().lock().await;
    let image = metadata.image();
    let changes: Vec<Change> =
        alterations.iter().filter_map(|(entity, altered)| change(&image, entity, altered)).collect();
    if !changes.is_empty() {
        let image = metadata.apply(&incoming.shard.disk, &changes).await?;
        broker.quotas.replace(image.quotas().clone());
        tracing::info!(entities = changes.len(), "quotas changed");
    }
    Ok(())
}

/// What the metadata log is to say, unless it says so already.
fn change(image: &Image, entity: &QuotaEntity, altered: &Altered) -> Option<Change> {
    let before = image.quotas().get(entity).cloned().unwrap_or_default();
    let mut quotas = before.clone();
    for (key, value) in altered {
        match value {
            Some(value) => quotas.insert(*key, *value),
            None => quotas.remove(key),
        };
    }
    (quotas != before).then(|| Change::Quotas { entity: entity.clone(), quotas })
}

fn read(entry: &EntryData<'_>, named: &Named<'_>) -> Result<(QuotaEntity, Altered), Refusal> {
    let entity = named.iter().map(|(kind, name)| part(kind, name.as_deref())).collect::<Result<QuotaEntity, _>>()?;
    let is_address = entity.contains_key(&EntityType::Ip);
    if entity.is_empty() || (is_address && entity.len() > 1) {
        return Err(invalid("an entity is a user, a client-id, both, or an ip".to_owned()));
    }
    let (mut keys, mut altered) = (HashSet::new(), Altered::new());
    for op in &entry.ops {
        if !keys.insert(&op.key) {
            return Err(invalid(format!("{} stands more than once for one entity", op.key)));
        }
        match op.remove {
            // What nobody knows is not there: it is removed already.
            true => altered.extend(op.key.parse().map(|key| (key, None))),
            false => altered.push(value(op, is_address).map(|(key, value)| (key, Some(value)))?),
        }
    }
    Ok((entity, altered))
}

fn part(kind: &str, name: Option<&str>) -> Result<(EntityType, Option<String>), Refusal> {
    let kind: EntityType =
        kind.parse().map_err(|()| invalid(format!("entity type {kind:?}: user, client-id and ip are allowed")))?;
    if name == Some("") {
        return Err(invalid(format!("{kind} has an empty name: null stands for everyone without a quota by name")));
    }
    let name = name.map(|name| {
        canonical_name(kind, name).ok_or_else(|| invalid(format!("ip {name:?}: an IP address, or null, is allowed")))
    });
    Ok((kind, name.transpose()?))
}

fn value(op: &OpData<'_>, is_address: bool) -> Result<(QuotaKey, f64), Refusal> {
    let OpData { key, value, .. } = op;
    let allowed = || {
        let keys = QuotaKey::ALL.iter().filter(|key| key.is_of_addresses() == is_address).map(|key| key.name());
        keys.collect::<Vec<_>>().join(", ")
    };
    let known = match key.parse::<QuotaKey>() {
        Ok(known) if known.is_of_addresses() == is_address => known,
        Err(()) if key == "request_percentage" && !is_address => {
            let reason =
                format!("request_percentage is not enforced by this broker, and not kept either: set {}", allowed());
            return Err(invalid(reason));
        }
        _ => return Err(invalid(format!("quota {key:?}: {} are allowed for this entity", allowed()))),
    };
    match (*value, known.is_whole()) {
        (value, false) if value > 0.0 && value.is_finite() => Ok((known, value)),
        (value, true) if value > 0.0 && value < i64::MAX as f64 && value.fract() == 0.0 => Ok((known, value)),
        (value, false) => Err(invalid(format!("{key}={value}: more than 0 is allowed"))),
        (value, true) => Err(invalid(format!("{key}={value}: a whole number, 1 or more, is allowed"))),
    }
}

fn invalid(reason: String) -> Refusal {
    (ErrorCode::InvalidRequest, reason)
}
