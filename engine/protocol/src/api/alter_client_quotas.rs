//! AlterClientQuotas (key 49): quotas to set or remove (KIP-546).

use crate::{Str, schema::api};

api! {
    AlterClientQuotas = 49, versions 0..=1, flexible from 1;

    request AlterClientQuotasRequest<'a> {
        0..  entries: Vec<EntryData<'a>>;
        0..  validate_only: bool;
    }

    struct EntryData<'a> {
        0..  entity: Vec<EntityData<'a>>;
        0..  ops: Vec<OpData<'a>>;
    }

    struct EntityData<'a> {
        0..  entity_type: Str<'a>;
        0..  entity_name: Option<Str<'a>>, null 0..;
    }

    struct OpData<'a> {
        0..  key: Str<'a>;
        0..  value: f64;
        0..  remove: bool;
    }

    response AlterClientQuotasResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  entries: Vec<ResponseEntryData<'a>>;
    }

    struct ResponseEntryData<'a> {
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  entity: Vec<ResponseEntityData<'a>>;
    }

    struct ResponseEntityData<'a> {
        0..  entity_type: Str<'a>;
        0..  entity_name: Option<Str<'a>>, null 0..;
    }
}
