//! From a frame to its handler, and from what the handler says to a reply.

use bytes::BytesMut;
use futures_util::future::{FutureExt, LocalBoxFuture};
use ringlog_protocol::{
    ApiKey, DecodeError, EncodeError, Message, Reader, Request, RequestHeader, api_versions::ApiVersionsRequest,
    create_topics::CreateTopicsRequest, encode_response, init_producer_id::InitProducerIdRequest,
    list_offsets::ListOffsetsRequest, metadata::MetadataRequest,
};
use std::rc::Rc;

use crate::connection::Peer;
use crate::handlers::{api_versions, create_topics, fetch, init_producer_id, list_offsets, metadata, produce};
use crate::reply::Reply;
use crate::shard::Shard;

/// What the broker serves, and advertises: every version of every row is used by a real client in a test.
pub(crate) const SERVED: &[(ApiKey, i16, i16)] = &[
    // librdkafka and others look for version 0 before they use any: advertised, refused when sent (KIP-896).
    (ApiKey::Produce, 0, 12),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::InitProducerId, 0, 4),
];

/// How a request goes on.
pub(crate) enum Handling {
    /// Answered already.
    Done(Reply),
    /// Answered when the future resolves; what had to happen in request order has happened.
    Later(LocalBoxFuture<'static, Result<Reply, RequestError>>),
}

/// Why a request can't be answered at all: its connection is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the bytes are no request: {0}")]
    Header(DecodeError),
    #[error("{api:?} version {version} from client {client:?} is malformed: {cause}")]
    Body { api: ApiKey, version: i16, client: String, cause: DecodeError },
    #[error("{api:?} version {version} is not served: use a version that ApiVersions names")]
    Unserved { api: ApiKey, version: i16 },
    #[error("a response could not be encoded: {0}")]
    Encode(#[from] EncodeError),
}

/// A request whose header has been read.
pub(crate) struct Incoming {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: String,
    pub(crate) peer: Peer,
    /// The bytes behind the header.
    pub(crate) body: BytesMut,
}

impl Incoming {
    fn parse(peer: Peer, mut frame: BytesMut) -> Result<Incoming, RequestError> {
        let mut reader = Reader::new(&frame);
        let header = RequestHeader::decode(&mut reader).map_err(RequestError::Header)?;
        let (api, version, correlation_id) = (header.api, header.version, header.correlation_id);
        let client_id = header.client_id.map(|id| id.into_owned()).unwrap_or_default();
        let body = frame.split_off(frame.len() - reader.remaining());
        Ok(Incoming { api, version, correlation_id, client_id, peer, body })
    }

    /// The request's body as its type.
    pub(crate) fn decode<'a, R: Request<'a>>(&'a self) -> Result<R, RequestError> {
        R::decode(&mut Reader::new(&self.body), self.version).map_err(|cause| self.malformed(cause))
    }

    pub(crate) fn malformed(&self, cause: DecodeError) -> RequestError {
        RequestError::Body { api: self.api, version: self.version, client: self.client_id.clone(), cause }
    }

    /// A response that is wholly in memory.
    pub(crate) fn answer<'a, M: Message<'a>>(&self, response: &M) -> Result<Reply, RequestError> {
        Ok(Reply::bytes(encode_response(response, self.version, self.correlation_id)?.freeze()))
    }
}

/// Starts the request in `frame`: what orders it against its successors on this connection is done on return.
pub(crate) fn start(shard: &Rc<Shard>, peer: Peer, frame: BytesMut) -> Result<Handling, RequestError> {
    let incoming = Incoming::parse(peer, frame)?;
    let (api, version) = (incoming.api, incoming.version);
    let served = SERVED.iter().any(|(key, min, max)| *key == api && (*min..=*max).contains(&version));
    match api {
        // Answered in version 0 with the versions that are served, so that the client can ask again (KIP-511).
        ApiKey::ApiVersions if !served => {
            let response = api_versions::unsupported();
            Ok(Handling::Done(Reply::bytes(encode_response(&response, 0, incoming.correlation_id)?.freeze())))
        }
        _ if !served || !api.versions().contains(&version) => Err(RequestError::Unserved { api, version }),
        ApiKey::ApiVersions => {
            let _request: ApiVersionsRequest<'_> = incoming.decode()?;
            Ok(Handling::Done(incoming.answer(&api_versions::supported())?))
        }
        ApiKey::Produce => produce::start(shard, incoming),
        ApiKey::Fetch => Ok(later(fetch::serve(shard.clone(), incoming))),
        ApiKey::Metadata => {
            let shard = shard.clone();
            Ok(later(async move {
                let request: MetadataRequest<'_> = incoming.decode()?;
                let response = metadata::serve(&shard, incoming.peer, incoming.version, &request).await;
                incoming.answer(&response)
            }))
        }
        ApiKey::CreateTopics => {
            let shard = shard.clone();
            Ok(later(async move {
                let request: CreateTopicsRequest<'_> = incoming.decode()?;
                let response = create_topics::serve(&shard, &request).await;
                incoming.answer(&response)
            }))
        }
        ApiKey::InitProducerId => {
            let request: InitProducerIdRequest<'_> = incoming.decode()?;
            Ok(Handling::Done(incoming.answer(&init_producer_id::serve(shard, &request))?))
        }
        ApiKey::ListOffsets => {
            let request: ListOffsetsRequest<'_> = incoming.decode()?;
            Ok(Handling::Done(incoming.answer(&list_offsets::serve(shard, version, &request))?))
        }
        _ => Err(RequestError::Unserved { api, version }),
    }
}

fn later(future: impl Future<Output = Result<Reply, RequestError>> + 'static) -> Handling {
    Handling::Later(future.boxed_local())
}
