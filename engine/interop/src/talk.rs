//! A conversation with a broker: requests go out one by one, and the answers are kept for comparison.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringlog_protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ringlog_protocol::{ApiKey, Message, Reader, Request, ResponseHeader, encode_request};

use crate::Answer;

/// No broker needs this long to answer; the joins that wait for another member are answered by what follows them.
const PATIENCE: Duration = Duration::from_secs(10);
const CLIENT_ID: &str = "beside";

/// One request of the scenario, and what came back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The API that was asked.
    pub api: ApiKey,
    /// The version it was asked in.
    pub version: i16,
    /// What the case is: unique within the API and version.
    pub title: String,
    /// The answer.
    pub answer: Answer,
}

/// The conversation. It goes over one connection, and a second one for what a second client does meanwhile.
#[derive(Debug)]
pub struct Talk {
    address: String,
    connections: [Option<TcpStream>; 2],
    correlation_id: i32,
    advertised: BTreeMap<i16, (i16, i16)>,
    exchanges: Vec<Exchange>,
}

/// A request that was sent on the second connection and is not answered yet.
#[derive(Debug)]
#[must_use]
pub struct Pending {
    correlation_id: i32,
}

impl Talk {
    /// Connects to `address` and learns what the broker advertises.
    ///
    /// # Panics
    /// When no broker is there.
    #[must_use]
    pub fn with(address: &str) -> Talk {
        let address = address.to_owned();
        let mut talk = Talk {
            address,
            connections: [None, None],
            correlation_id: 0,
            advertised: BTreeMap::new(),
            exchanges: Vec::new(),
        };
        let frame = talk.exchange(0, &ApiVersionsRequest::default(), 0).expect("an answer to ApiVersions");
        let answer = ApiVersionsResponse::decode(&mut Reader::new(frame.get(4..).unwrap_or_default()), 0);
        let answer = answer.expect("an answer to ApiVersions");
        talk.advertised = answer.api_keys.iter().map(|a| (a.api_key, (a.min_version, a.max_version))).collect();
        talk
    }

    /// The versions of `api` that the broker advertises and we can speak.
    pub fn versions(&self, api: ApiKey) -> impl Iterator<Item = i16> + use<> {
        let (min, max) = self.advertised.get(&api.code()).copied().unwrap_or((0, -1));
        let known = api.versions();
        min.max(*known.start())..=max.min(*known.end())
    }

    /// Sends a request and keeps the answer under `title`.
    pub fn ask<'a, R>(&mut self, version: i16, title: &str, request: &R) -> Answer
    where
        R: Request<'a>,
        for<'r> R::Response<'r>: Debug,
    {
        let answer = self.quietly(version, request);
        self.keep(R::API, version, title, answer)
    }

    /// Sends a request whose answer is not a case of its own: it only brings about the state for the next.
    pub fn quietly<'a, R>(&mut self, version: i16, request: &R) -> Answer
    where
        R: Request<'a>,
        for<'r> R::Response<'r>: Debug,
    {
        let frame = self.exchange(0, request, version);
        read_answer::<R>(version, self.correlation_id, frame)
    }

    /// Sends a request on the second connection; [`hear`](Self::hear) takes its answer.
    pub fn say<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Pending {
        let _ = self.send(1, request, version);
        Pending { correlation_id: self.correlation_id }
    }

    /// Waits for the answer to what [`say`](Self::say) sent, and keeps it.
    pub fn hear<'a, R>(&mut self, pending: Pending, version: i16, title: &str) -> Answer
    where
        R: Request<'a>,
        for<'r> R::Response<'r>: Debug,
    {
        let frame = self.receive(1);
        self.keep(R::API, version, title, read_answer::<R>(version, pending.correlation_id, frame))
    }

    /// Sends bytes behind a frame's length, and keeps what comes back as a response of `R` in `answered_in`, or as bytes.
    pub fn ask_raw<'a, R>(&mut self, version: i16, answered_in: i16, title: &str, request: &[u8]) -> Answer
    where
        R: Request<'a>,
        for<'r> R::Response<'r>: Debug,
    {
        let length = u32::try_from(request.len()).unwrap_or(u32::MAX).to_be_bytes();
        let sent = self.write(0, &[&length, request].concat());
        let frame = sent.and_then(|()| self.receive(0));
        let correlation_id = request.get(4..8).and_then(|b| b.try_into().ok()).map_or(0, i32::from_be_bytes);
        self.keep(R::API, version, title, read_answer::<R>(answered_in, correlation_id, frame))
    }

    /// Sends a request that must not be answered: the answer to the next one has to be that of the next one.
    pub fn send_unanswered<'a, R: Request<'a>>(&mut self, version: i16, request: &R) {
        let _ = self.send(0, request, version);
    }

    /// Everything that was asked, in order.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    fn keep(&mut self, api: ApiKey, version: i16, title: &str, answer: Answer) -> Answer {
        let title = title.to_owned();
        let known = self.exchanges.iter().any(|e| (e.api, e.version, &e.title) == (api, version, &title));
        assert!(!known, "two cases of {api} v{version} are titled {title:?}");
        self.exchanges.push(Exchange { api, version, title, answer: answer.clone() });
        answer
    }

    fn exchange<'a, R: Request<'a>>(&mut self, on: usize, request: &R, version: i16) -> Result<Vec<u8>, String> {
        self.send(on, request, version)?;
        self.receive(on)
    }

    fn send<'a, R: Request<'a>>(&mut self, on: usize, request: &R, version: i16) -> Result<(), String> {
        self.correlation_id += 1;
        let frame = encode_request(request, version, self.correlation_id, Some(CLIENT_ID));
        let frame = frame.unwrap_or_else(|e| panic!("the scenario's {} v{version} can't be encoded: {e}", R::API));
        self.write(on, &frame)
    }

    #[expect(clippy::indexing_slicing, reason = "there are two connections, and the callers are in this file")]
    fn write(&mut self, on: usize, frame: &[u8]) -> Result<(), String> {
        let stream = match &mut self.connections[on] {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(&self.address).map_err(|e| format!("<no connection: {e}>"))?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
                none.insert(stream)
            }
        };
        stream.write_all(frame).map_err(|e| format!("<not taken: {}>", e.kind()))
    }

    #[expect(clippy::indexing_slicing, reason = "there are two connections, and the callers are in this file")]
    fn receive(&mut self, on: usize) -> Result<Vec<u8>, String> {
        let Some(stream) = &mut self.connections[on] else { return Err("<no connection>".to_owned()) };
        let mut frame = Vec::new();
        let read = (|| {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            frame.resize(u32::from_be_bytes(length) as usize, 0);
            stream.read_exact(&mut frame)
        })();
        match read {
            Ok(()) => Ok(frame),
            Err(e) => {
                self.connections[on] = None;
                let silent = matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                Err(if silent { "<none>".to_owned() } else { "<the connection was closed>".to_owned() })
            }
        }
    }
}

fn read_answer<'a, R>(version: i16, correlation_id: i32, frame: Result<Vec<u8>, String>) -> Answer
where
    R: Request<'a>,
    for<'r> R::Response<'r>: Debug,
{
    let frame = match frame {
        Ok(frame) => frame,
        Err(reason) => return Answer::none(&reason),
    };
    let mut r = Reader::new(&frame);
    let header = match ResponseHeader::decode(&mut r, R::API, version) {
        Ok(header) => header,
        Err(e) => return Answer::none(&format!("<its header cannot be read: {e}>")),
    };
    if header.correlation_id != correlation_id {
        return Answer::none(&format!("<to request {}, not {correlation_id}>", header.correlation_id));
    }
    match <R::Response<'_> as Message>::decode(&mut r, version).and_then(|m| r.finish().map(|()| Answer::of(&m))) {
        Ok(answer) => answer,
        Err(e) => Answer::none(&format!("<cannot be read: {e}>")),
    }
}
