//! One request, from its header to its answer: what handlers are given and what they give.

use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use futures_util::future::LocalBoxFuture;
use ringlog_protocol::{ApiKey, DecodeError, EncodeError, Message, Reader, Request, RequestHeader, encode_response};

use crate::broker::Broker;
use crate::budget::Held;
use crate::quotas::Client;
use crate::reply::Reply;
use crate::shard::Shard;

/// What a handler may know of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Our end: what a client on a wildcard listener is told to come back to.
    pub(crate) local: SocketAddr,
}

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

/// A request whose header has been read, at the shard that it came to.
pub(crate) struct Incoming {
    pub(crate) shard: Rc<Shard>,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: String,
    pub(crate) peer: Peer,
    /// The bytes behind the header.
    pub(crate) body: BytesMut,
}

impl Incoming {
    pub(crate) fn parse(shard: Rc<Shard>, peer: Peer, mut frame: BytesMut) -> Result<Incoming, RequestError> {
        let mut reader = Reader::new(&frame);
        let header = RequestHeader::decode(&mut reader).map_err(RequestError::Header)?;
        let (api, version, correlation_id) = (header.api, header.version, header.correlation_id);
        let client_id = header.client_id.map(|id| id.into_owned()).unwrap_or_default();
        let body = frame.split_off(frame.len() - reader.remaining());
        Ok(Incoming { shard, api, version, correlation_id, client_id, peer, body })
    }

    /// The request's body as its type.
    pub(crate) fn decode<'a, R: Request<'a>>(&'a self) -> Result<R, RequestError> {
        R::decode(&mut Reader::new(&self.body), self.version).map_err(|cause| self.malformed(cause))
    }

    /// Counts the body's bytes until the guard is dropped.
    pub(crate) fn hold(&self) -> Held {
        self.broker().budget.hold(self.body.len())
    }

    pub(crate) fn malformed(&self, cause: DecodeError) -> RequestError {
        RequestError::Body { api: self.api, version: self.version, client: self.client_id.clone(), cause }
    }

    /// What all shards share.
    pub(crate) fn broker(&self) -> &Broker {
        &self.shard.broker
    }

    /// Who asks, as quotas see it. Nobody signs in: there is one user, with Kafka's name for it.
    pub(crate) fn client(&self) -> Client<'_> {
        Client { user: "ANONYMOUS", id: &self.client_id }
    }

    pub(crate) fn unserved(&self) -> RequestError {
        RequestError::Unserved { api: self.api, version: self.version }
    }

    /// A response that is wholly in memory.
    pub(crate) fn answer<'a, M: Message<'a>>(&self, response: &M) -> Result<Reply, RequestError> {
        Ok(Reply::bytes(encode_response(response, self.version, self.correlation_id)?.freeze()))
    }
}
