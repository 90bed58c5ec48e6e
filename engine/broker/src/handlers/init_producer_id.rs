//! InitProducerId: an id of its own for an idempotent producer.

use ringlog_protocol::ErrorCode;
use ringlog_protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use crate::request::Incoming;

pub(crate) fn serve(incoming: &Incoming, request: &InitProducerIdRequest<'_>) -> InitProducerIdResponse {
    let refuse =
        |code: ErrorCode| InitProducerIdResponse { error_code: code as i16, producer_epoch: -1, ..Default::default() };
    if let Some(id) = &request.transactional_id {
        tracing::warn!(transactional_id = %id, "refused: transactions are not served; unset transactional.id");
        return refuse(ErrorCode::InvalidRequest);
    }
    // An id without its epoch, or an epoch without its id, is nobody's.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refuse(ErrorCode::InvalidRequest);
    }
    match incoming.broker().producer_ids.next(&incoming.shard.disk) {
        Ok(producer_id) => InitProducerIdResponse { producer_id, ..Default::default() },
        Err(error) => {
            tracing::error!(%error, "no producer id can be set aside");
            refuse(ErrorCode::CoordinatorNotAvailable)
        }
    }
}
