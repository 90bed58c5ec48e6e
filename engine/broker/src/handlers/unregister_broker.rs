//! UnregisterBroker: one broker is registered, and stays.

use ringlog_protocol::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;

pub(crate) fn serve(incoming: &Incoming, request: &UnregisterBrokerRequest) -> UnregisterBrokerResponse<'static> {
    let (asked, own) = (request.broker_id, incoming.broker().node_id);
    let (code, reason) = if asked == own {
        (
            ErrorCode::InvalidRequest,
            format!("broker {own} is all of the cluster: stop it, and nothing is left to unregister"),
        )
    } else {
        (ErrorCode::BrokerIdNotRegistered, format!("broker {asked} is not registered: {own} is"))
    };
    UnregisterBrokerResponse { error_code: code as i16, error_message: Some(Str::Owned(reason)), ..Default::default() }
}
