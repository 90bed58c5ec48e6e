//! One connection to a broker: requests go out without waiting for the answers to those before, answers come in their
//! order. A broker whose quota is used up says for how long nothing more may be sent (KIP-219).

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::{Either, select};
use ringlog_protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ringlog_protocol::{
    ApiKey, ErrorCode, Message, Piece, Reader, Request, ResponseHeader, Wire, encode_request, encode_request_pieces,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::{Address, ClientError, ClientOptions};

/// The largest answer that is accepted: one fetch of `fetch.max.bytes` at its most, and a broker gone mad at its least.
const MAX_FRAME_BYTES: usize = 256 << 20;
/// The length in front of a frame.
const LENGTH_BYTES: usize = size_of::<i32>();
/// Room for one read: many small answers at once.
const READ_BYTES: usize = 16 << 10;
/// What is reserved at once for a frame that is announced: memory follows what arrives.
const MAX_RESERVE_BYTES: usize = 4 << 20;

/// An open connection. Cheap to clone; it closes when the last clone is dropped and the last answer is in.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    frames: mpsc::UnboundedSender<Frame>,
}

/// A request on its way out.
#[derive(Default)]
struct Frame {
    pieces: Vec<Bytes>,
    written: Option<oneshot::Sender<()>>,
}

struct Shared {
    address: Address,
    client_id: String,
    request_timeout: Duration,
    versions: HashMap<i16, (i16, i16)>,
    correlation: AtomicI32,
    waiting: Mutex<Waiting>,
    closed: AtomicBool,
}

/// Requests whose answers are due, in the order in which they were sent.
#[derive(Default)]
struct Waiting {
    requests: VecDeque<(i32, oneshot::Sender<Bytes>)>,
    /// Nothing more is sent before this.
    throttled_until: Option<Instant>,
    /// Why there will be no more answers.
    lost: Option<ClientError>,
}

/// The body of an answer to an `R`, which borrows from it when read.
pub(crate) struct Reply<R> {
    shared: Arc<Shared>,
    body: Bytes,
    version: i16,
    request: PhantomData<fn() -> R>,
}

impl<'q, R: Request<'q>> Reply<R> {
    fn behind_header(shared: Arc<Shared>, mut frame: Bytes, version: i16) -> Result<Self, ClientError> {
        let mut reader = Reader::new(&frame);
        ResponseHeader::decode(&mut reader, R::API, version).map_err(|cause| ClientError::Decode {
            api: R::API,
            version,
            cause,
        })?;
        let body = frame.split_off(frame.len() - reader.remaining());
        Ok(Self { shared, body, version, request: PhantomData })
    }

    /// The answer. Bytes behind it are ignored, as every client does. What it says of throttling holds from here on.
    pub(crate) fn read(&self) -> Result<R::Response<'_>, ClientError> {
        let answer = R::Response::decode(&mut Reader::new(&self.body), self.version).map_err(|cause| {
            let (api, version) = (R::API, self.version);
            ClientError::Decode { api, version, cause }
        })?;
        if let Ok(ms @ 1..) = u64::try_from(answer.throttle_ms()) {
            tracing::debug!(address = %self.shared.address, api = %R::API, ms, "throttled");
            self.shared.waiting().throttled_until = Some(Instant::now() + Duration::from_millis(ms));
        }
        Ok(answer)
    }

    /// The bytes that [`read`](Self::read) borrows from.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Connection {
    /// Connects and learns which versions the broker serves.
    pub(crate) async fn open(address: &Address, options: &ClientOptions) -> Result<Self, ClientError> {
        let failed = |reason: String| ClientError::Connect { address: address.clone(), reason };
        let connecting = TcpStream::connect((address.host.as_str(), address.port));
        let stream = match tokio::time::timeout(options.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed(format!("nothing within {} ms", options.connect_timeout.as_millis()))),
        };
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (read, mut write) = stream.into_split();
        let mut read = Frames { read, buffer: BytesMut::new() };
        let negotiation = negotiate(&mut read, &mut write, &options.client_id);
        let versions = match tokio::time::timeout(options.connect_timeout, negotiation).await {
            Ok(versions) => versions.map_err(failed)?,
            Err(_) => return Err(failed("it accepts connections but does not answer ApiVersions".to_owned())),
        };
        let shared = Arc::new(Shared {
            address: address.clone(),
            client_id: options.client_id.clone(),
            request_timeout: options.request_timeout,
            versions,
            correlation: AtomicI32::new(1),
            waiting: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let (frames, queue) = mpsc::unbounded_channel();
        tokio::spawn(run(Arc::clone(&shared), read, write, queue));
        Ok(Self { shared, frames })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Whether requests can still be sent.
    pub(crate) fn is_open(&self) -> bool {
        !self.shared.closed.load(Ordering::Relaxed)
    }

    /// The highest version of `api` within `wanted` that the broker serves too.
    pub(crate) fn version(&self, api: ApiKey, wanted: RangeInclusive<i16>) -> Result<i16, ClientError> {
        let (min, max) = (*wanted.start().max(api.versions().start()), *wanted.end().min(api.versions().end()));
        let served = self.shared.versions.get(&api.code()).copied();
        let common = served.map(|(lowest, highest)| (lowest.max(min), highest.min(max)));
        match common {
            Some((lowest, highest)) if lowest <= highest => Ok(highest),
            _ => Err(ClientError::Unsupported { address: self.address().clone(), api, min, max, served }),
        }
    }

    /// Sends a request in the highest common version and waits for its answer.
    pub(crate) async fn call<'q, R: Request<'q>>(&self, request: &R) -> Result<Reply<R>, ClientError> {
        let version = self.version(R::API, R::API.versions())?;
        self.call_version(request, version, Duration::ZERO).await
    }

    /// The same in a given version; `extra` is how long the broker itself was asked to wait, which is added to the
    /// request timeout.
    pub(crate) async fn call_version<'q, R: Request<'q>>(
        &self,
        request: &R,
        version: i16,
        extra: Duration,
    ) -> Result<Reply<R>, ClientError> {
        self.send(request, version, Vec::new())?.reply(extra).await
    }

    /// Queues a request, with the bytes for its gaps, and gives what its answer will come from. Calls are sent in the
    /// order in which they were made.
    pub(crate) fn send<'q, R: Request<'q>>(
        &self,
        request: &R,
        version: i16,
        gaps: Vec<Bytes>,
    ) -> Result<Pending<R>, ClientError> {
        let (answer, reply) = oneshot::channel();
        let correlation_id = self.shared.correlation.fetch_add(1, Ordering::Relaxed);
        let pieces = self.pieces(request, version, correlation_id, gaps)?;
        {
            let mut waiting = self.shared.waiting();
            if let Some(lost) = &waiting.lost {
                return Err(lost.clone());
            }
            waiting.requests.push_back((correlation_id, answer));
            // Under the lock, so that the order of the answers is that of the frames.
            let _ = self.frames.send(Frame { pieces, written: None });
        }
        Ok(Pending { connection: self.clone(), reply, version, request: PhantomData })
    }

    /// Queues a request that the broker will not answer.
    pub(crate) fn send_unanswered<'q, R: Request<'q>>(
        &self,
        request: &R,
        version: i16,
        gaps: Vec<Bytes>,
    ) -> Result<Unanswered, ClientError> {
        let correlation_id = self.shared.correlation.fetch_add(1, Ordering::Relaxed);
        let pieces = self.pieces(request, version, correlation_id, gaps)?;
        let (written, done) = oneshot::channel();
        match &self.shared.waiting().lost {
            Some(lost) => return Err(lost.clone()),
            None => drop(self.frames.send(Frame { pieces, written: Some(written) })),
        }
        Ok(Unanswered { connection: self.clone(), done })
    }

    fn pieces<'q, R: Request<'q>>(
        &self,
        request: &R,
        version: i16,
        correlation_id: i32,
        gaps: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, ClientError> {
        let client_id = Some(self.shared.client_id.as_str());
        if gaps.is_empty() {
            return Ok(vec![encode_request(request, version, correlation_id, client_id)?.freeze()]);
        }
        let mut gaps = gaps.into_iter();
        let pieces = encode_request_pieces(request, version, correlation_id, client_id)?;
        let fill = |piece| match piece {
            Piece::Bytes(bytes) => Some(bytes),
            Piece::Gap(_) => gaps.next(),
        };
        Ok(pieces.into_iter().filter_map(fill).collect())
    }
}

/// A request without an answer.
pub(crate) struct Unanswered {
    connection: Connection,
    done: oneshot::Receiver<()>,
}

impl Unanswered {
    /// Resolves when the system has taken the request.
    pub(crate) async fn done(self) -> Result<(), ClientError> {
        self.done.await.map_err(|_| self.connection.shared.lost())
    }
}

/// A request that was sent and not answered yet.
pub(crate) struct Pending<R> {
    connection: Connection,
    reply: oneshot::Receiver<Bytes>,
    version: i16,
    request: PhantomData<fn() -> R>,
}

impl<'q, R: Request<'q>> Pending<R> {
    /// The answer. When it does not come in time the connection is given up: what follows on it would only wait behind
    /// it.
    pub(crate) async fn reply(self, extra: Duration) -> Result<Reply<R>, ClientError> {
        let shared = &self.connection.shared;
        let after = shared.request_timeout + extra + shared.throttled().unwrap_or_default();
        match tokio::time::timeout(after, self.reply).await {
            Ok(Ok(frame)) => Reply::behind_header(Arc::clone(shared), frame, self.version),
            Ok(Err(_)) => Err(shared.lost()),
            Err(_) => {
                let what = format!("{} at {}", R::API, self.connection.address());
                let timeout = ClientError::Timeout { what, after, setting: "request.timeout.ms" };
                shared.close(timeout.clone());
                // Wakes the writer, which ends the connection.
                let _ = self.connection.frames.send(Frame::default());
                Err(timeout)
            }
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long nothing may be sent.
    fn throttled(&self) -> Option<Duration> {
        let left = self.waiting().throttled_until?.saturating_duration_since(Instant::now());
        Some(left).filter(|left| !left.is_zero())
    }

    fn close(&self, why: ClientError) {
        self.closed.store(true, Ordering::Relaxed);
        let mut waiting = self.waiting();
        waiting.lost.get_or_insert(why);
        waiting.requests.clear();
    }

    fn lost(&self) -> ClientError {
        self.waiting().lost.clone().unwrap_or(ClientError::Closed)
    }
}

/// The connection's task: ends when either direction does.
async fn run(shared: Arc<Shared>, read: Frames, write: OwnedWriteHalf, queue: mpsc::UnboundedReceiver<Frame>) {
    let (reading, writing) = (read_answers(&shared, read), write_frames(&shared, write, queue));
    tokio::pin!(reading, writing);
    let reason = match select(reading, writing).await {
        Either::Left((reason, _)) | Either::Right((Some(reason), _)) => reason,
        // Nobody can send any more; what was sent is still answered.
        Either::Right((None, reading)) if !shared.waiting().requests.is_empty() => reading.await,
        Either::Right((None, _)) => "closed by this client".to_owned(),
    };
    shared.close(ClientError::Disconnected { address: shared.address.clone(), reason });
}

async fn read_answers(shared: &Shared, mut read: Frames) -> String {
    loop {
        let frame = match read.next().await {
            Ok(frame) => frame,
            Err(reason) => return reason,
        };
        let Some(id) = frame.first_chunk().copied().map(i32::from_be_bytes) else {
            return "an answer has no header".to_owned();
        };
        let Some((expected, answer)) = shared.waiting().requests.pop_front() else {
            return format!("answer {id} came to no request");
        };
        if id != expected {
            return format!("answer {id} came where {expected} was due");
        }
        // Nobody waits for it when the call was dropped.
        let _ = answer.send(frame);
    }
}

async fn write_frames(
    shared: &Shared,
    mut write: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Frame>,
) -> Option<String> {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, 64).await > 0 {
        while let Some(left) = shared.throttled() {
            tokio::time::sleep(left).await;
        }
        if shared.waiting().lost.is_some() {
            return Some("given up by this client".to_owned());
        }
        let pieces = batch.iter_mut().flat_map(|frame| std::mem::take(&mut frame.pieces));
        let mut pieces = Pieces(pieces.filter(|piece| !piece.is_empty()).collect());
        if let Err(error) = write.write_all_buf(&mut pieces).await {
            return Some(error.to_string());
        }
        for written in batch.drain(..).filter_map(|frame| frame.written) {
            // Nobody waits for it when the producer is gone.
            let _ = written.send(());
        }
    }
    None
}

/// The pieces of several frames as one buffer, for vectored writes.
struct Pieces(VecDeque<Bytes>);

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.0);
        filled.map(|(slice, piece)| *slice = std::io::IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.0.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.0.pop_front();
        }
    }
}

/// The incoming half, and what of the next frames has already arrived.
struct Frames {
    read: OwnedReadHalf,
    buffer: BytesMut,
}

impl Frames {
    /// The next frame without its length. Several that arrived together cost one system call.
    async fn next(&mut self) -> Result<Bytes, String> {
        loop {
            let announced = self.buffer.first_chunk().copied().map(i32::from_be_bytes);
            let missing = match announced.map(usize::try_from) {
                None => LENGTH_BYTES - self.buffer.len(),
                Some(Ok(length)) if length <= MAX_FRAME_BYTES => {
                    match (LENGTH_BYTES + length).checked_sub(self.buffer.len()) {
                        None | Some(0) => {
                            self.buffer.advance(LENGTH_BYTES);
                            return Ok(self.buffer.split_to(length).freeze());
                        }
                        Some(missing) => missing,
                    }
                }
                Some(_) => return Err("an answer announces an impossible length; is this a Kafka port?".to_owned()),
            };
            self.buffer.reserve(missing.clamp(READ_BYTES, MAX_RESERVE_BYTES));
            if self.read.read_buf(&mut self.buffer).await.map_err(|error| error.to_string())? == 0 {
                return Err("the broker closed it".to_owned());
            }
        }
    }
}

/// What a broker is asked first. It names this client (KIP-511).
pub(crate) fn api_versions_request() -> ApiVersionsRequest<'static> {
    ApiVersionsRequest {
        client_software_name: "ringlog".into(),
        client_software_version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// Asks for the broker's versions in our newest version of ApiVersions, and again in version 0 if that is too new for
/// it.
async fn negotiate(
    read: &mut Frames,
    write: &mut OwnedWriteHalf,
    client_id: &str,
) -> Result<HashMap<i16, (i16, i16)>, String> {
    let request = api_versions_request();
    for version in [*ApiKey::ApiVersions.versions().end(), 0] {
        let frame = encode_request(&request, version, 0, Some(client_id)).map_err(|error| error.to_string())?;
        write.write_all(&frame).await.map_err(|error| error.to_string())?;
        let frame = read.next().await?;
        let mut reader = Reader::new(&frame);
        ResponseHeader::decode(&mut reader, ApiKey::ApiVersions, version).map_err(|error| error.to_string())?;
        let body = reader.rest();
        // A broker that does not know the version answers in version 0, which begins with the same error code.
        let code = body.first_chunk().copied().map(i16::from_be_bytes).ok_or("an empty answer to ApiVersions")?;
        match ErrorCode::from_code(code) {
            ErrorCode::UnsupportedVersion if version > 0 => continue,
            ErrorCode::None => {
                let answer = ApiVersionsResponse::decode(&mut Reader::new(body), version);
                let answer = answer.map_err(|error| error.to_string())?;
                let row = |api: &ringlog_protocol::api_versions::ApiVersion| {
                    (api.api_key, (api.min_version, api.max_version))
                };
                return Ok(answer.api_keys.iter().map(row).collect());
            }
            error => return Err(error.to_string()),
        }
    }
    Err("it serves no version of ApiVersions".to_owned())
}
