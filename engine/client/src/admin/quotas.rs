//! Quotas of clients: what users, client ids and addresses may take (KIP-546).

use std::collections::BTreeMap;

use ringlog_protocol::alter_client_quotas::{AlterClientQuotasRequest, EntityData, EntryData, OpData};
use ringlog_protocol::describe_client_quotas::{ComponentData, DescribeClientQuotasRequest};

use super::Admin;
use crate::ClientError;
use crate::client::Lane;

/// Whose quotas: a name for each of the types `user`, `client-id` and `ip` that it is made of; `None` is everyone of that type who has
/// no quota by name.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

/// Which entities are meant, by one of their types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuotaMatch {
    /// The one with this name.
    Name(String),
    /// Everyone who has no quota by name.
    Default,
    /// All that have a quota of this type.
    Any,
}

impl Admin {
    /// The quotas of the entities that match in every type that is named here; of all without any. With `strict` entities that have
    /// other types as well are left out. Bytes a second for `producer_byte_rate` and `consumer_byte_rate`.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn quotas(
        &self,
        filter: &BTreeMap<String, QuotaMatch>,
        strict: bool,
    ) -> Result<BTreeMap<QuotaEntity, BTreeMap<String, f64>>, ClientError> {
        let component = |(kind, matched): (&String, &QuotaMatch)| {
            let (match_type, name) = match matched {
                QuotaMatch::Name(name) => (0, Some(name.clone())),
                QuotaMatch::Default => (1, None),
                QuotaMatch::Any => (2, None),
            };
            ComponentData { entity_type: kind.clone().into(), match_type, r#match: name.map(Into::into) }
        };
        let request = DescribeClientQuotasRequest { components: filter.iter().map(component).collect(), strict };
        self.retry(|| async {
            let reply = self.client.any(Lane::SHARED).await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "quotas".to_owned(), answer.error_message.as_deref())?;
            let entries = answer.entries.into_iter().flatten().map(|entry| {
                let names =
                    entry.entity.into_iter().map(|part| (part.entity_type.into(), part.entity_name.map(Into::into)));
                let values = entry.values.into_iter().map(|quota| (quota.key.into(), quota.value));
                (names.collect(), values.collect())
            });
            Ok(entries.collect())
        })
        .await
    }

    /// Sets these quotas of an entity, removes those that are `None`, and leaves its others as they are; all or none.
    ///
    /// # Errors
    /// [`InvalidRequest`](ringlog_protocol::ErrorCode::InvalidRequest) for an entity, a quota or a value that can't be.
    pub async fn alter_quotas(
        &self,
        entity: &QuotaEntity,
        changes: &BTreeMap<String, Option<f64>>,
    ) -> Result<(), ClientError> {
        let part = |(kind, name): (&String, &Option<String>)| EntityData {
            entity_type: kind.clone().into(),
            entity_name: name.clone().map(Into::into),
        };
        let change = |(key, value): (&String, &Option<f64>)| OpData {
            key: key.clone().into(),
            value: value.unwrap_or_default(),
            remove: value.is_none(),
        };
        let (entity, ops) = (entity.iter().map(part).collect(), changes.iter().map(change).collect());
        let request = AlterClientQuotasRequest { entries: vec![EntryData { entity, ops }], validate_only: false };
        self.retry(|| async {
            let reply = self.client.controller().await?.call(&request).await?;
            let answer = reply.read()?;
            answer.entries.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || "quotas".to_owned(), row.error_message.as_deref())
            })
        })
        .await
    }
}
