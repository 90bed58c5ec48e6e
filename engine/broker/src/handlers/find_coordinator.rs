//! FindCoordinator: who serves a group, or a transaction. This broker does; a group once `__consumer_offsets` is there.

use ringlog_protocol::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;

/// Several keys are asked for at once from this version on (KIP-699).
const KEYS_FROM_VERSION: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(crate) async fn serve<'a>(
    incoming: &Incoming,
    request: &FindCoordinatorRequest<'a>,
) -> FindCoordinatorResponse<'a> {
    let keys = if incoming.version < KEYS_FROM_VERSION {
        std::slice::from_ref(&request.key)
    } else {
        &request.coordinator_keys[..]
    };
    let refusal = refusal(incoming, request.key_type).await;
    let answer = |key: &Str<'a>| match &refusal {
        None => {
            let (host, port) = incoming.broker().advertised(incoming.peer);
            Coordinator {
                key: key.clone(),
                node_id: incoming.broker().node_id,
                host: Str::Owned(host),
                port: i32::from(port),
                ..Default::default()
            }
        }
        Some((code, reason)) => Coordinator {
            key: key.clone(),
            node_id: -1,
            port: -1,
            error_code: *code as i16,
            error_message: Some(Str::Owned(reason.clone())),
            ..Default::default()
        },
    };
    let mut coordinators: Vec<Coordinator<'a>> = keys.iter().map(answer).collect();
    if incoming.version >= KEYS_FROM_VERSION {
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } = coordinators.pop().unwrap_or_default();
    // Where one key is asked for, Kafka words its success, too: kafkajs takes null or this word.
    let error_message = if error_code == 0 { Some(Str::Borrowed("NONE")) } else { error_message };
    FindCoordinatorResponse { error_code, error_message, node_id, host, port, ..Default::default() }
}

async fn refusal(incoming: &Incoming, key_type: i8) -> Option<(ErrorCode, String)> {
    match key_type {
        GROUP => match incoming.broker().topics.ensure_offsets_topic(&incoming.shard.disk).await {
            Ok(()) => None,
            Err(error) => Some((ErrorCode::CoordinatorNotAvailable, error.to_string())),
        },
        // Whoever begins a transaction is refused by name then (InitProducerId).
        TRANSACTION => None,
        other => {
            let reason = format!("key type {other}: 0 (groups) and 1 (transactions) are allowed");
            Some((ErrorCode::InvalidRequest, reason))
        }
    }
}
