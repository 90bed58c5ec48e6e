//! DescribeClientQuotas (key 48): the quotas that match a filter (KIP-546).

use crate::{Str, schema::api};

api! {
    DescribeClientQuotas = 48, versions 0..=1, flexible from 1;

    request DescribeClientQuotasRequest<'a> {
        0..  components: Vec<ComponentData<'a>>;
        0..  strict: bool;
    }

    struct ComponentData<'a> {
        0..  entity_type: Str<'a>;
        0..  match_type: i8;
        0..  r#match: Option<Str<'a>>, null 0..;
    }

    response DescribeClientQuotasResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  entries: Option<Vec<EntryData<'a>>>, null 0..;
    }

    struct EntryData<'a> {
        0..  entity: Vec<EntityData<'a>>;
        0..  values: Vec<ValueData<'a>>;
    }

    struct EntityData<'a> {
        0..  entity_type: Str<'a>;
        0..  entity_name: Option<Str<'a>>, null 0..;
    }

    struct ValueData<'a> {
        0..  key: Str<'a>;
        0..  value: f64;
    }
}
