//! NATS JetStream: a slot is a stream in files, of one subject. Published to with a reply subject, to which the server sends its
//! acknowledgement; read by a pull consumer that acknowledges nothing.
//!
//! Subjects have no keys: a record's key is not sent. The protocol is <https://docs.nats.io/reference/reference-protocols/nats-protocol>,
//! JetStream's requests are <https://docs.nats.io/reference/reference-protocols/nats_api_reference>.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};

use super::Peer;
use super::line::{Consumer, Line, Reader};
use super::pipeline::{Answer, Answers, Pipeline};
use super::producer::{Producer, Writer};
use crate::LoadError;
use crate::driver::{Declaration, Driver, Layout, Record};
use crate::workload::CellSpec;

/// Records that a consumer asks a stream for at once.
const READ_AT_ONCE: u32 = 1000;
/// How long the server holds such a request.
const READ_EXPIRES: Duration = Duration::from_secs(1);
/// How long a server may take to answer a request of JetStream's API.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest control line, as the server's `max_control_line`, with room for what its greeting holds.
const MAX_LINE_BYTES: usize = 64 << 10;
/// The longest payload, as the bound of the server's `max_payload`.
const MAX_BYTES: usize = 64 << 20;

/// A NATS server with JetStream.
#[derive(Debug, Clone)]
pub struct NatsDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a server for its version.
pub(super) async fn version(line: &mut Line) -> Result<String, String> {
    info(line).await?["version"].as_str().map(str::to_owned).ok_or_else(|| "its greeting has no version".to_owned())
}

/// What a server says first.
async fn info(line: &mut Line) -> Result<Value, String> {
    let info = line.next(Frame::take).await?.bytes;
    let info = info.strip_prefix(b"INFO ").and_then(|info| serde_json::from_slice(info).ok());
    info.ok_or_else(|| "it does not greet as NATS does".to_owned())
}

impl NatsDriver {
    /// For one cell. Only its system account, which has no streams, can ask a server for its `sync_interval`.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> NatsDriver {
        NatsDriver { peer: peer.clone(), cell: cell.clone() }
    }

    async fn connect(&self) -> Result<Connection, LoadError> {
        let mut connection = Connection { line: self.peer.line().await?, replies: String::new() };
        let greeting = async {
            let client =
                info(&mut connection.line).await?["client_id"].as_u64().ok_or("its greeting has no client_id")?;
            connection.replies = format!("_INBOX.{client}");
            connection.write("CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nPING\r\n").await?;
            while connection.frame().await?.bytes.as_ref() != b"PONG\r\n" {}
            Ok(())
        };
        self.peer.answers(greeting).await?;
        Ok(connection)
    }
}

impl Driver for NatsDriver {
    type Producer = Producer<NatsWriter>;
    type Consumer = Consumer<NatsReader>;

    fn declares(&self) -> Declaration {
        self.peer.declares(&self.cell)
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let declaration = self.peer.believed(&self.cell, self.declares())?;
        let mut connection = self.connect().await?;
        for stream in layout.names() {
            let config = json!({"name": stream, "subjects": [stream], "storage": "file", "num_replicas": 1});
            connection.api(&format!("STREAM.CREATE.{stream}"), &config).await.map_err(|said| self.peer.error(said))?;
        }
        Ok(declaration)
    }

    async fn producer(&self, layout: &Layout, _: usize) -> Result<Producer<NatsWriter>, LoadError> {
        NatsWriter { driver: self.clone(), acks: String::new() }.connected(layout).await
    }

    async fn consumer(&self, layout: &Layout, _: u32, slots: &[u32]) -> Result<Consumer<NatsReader>, LoadError> {
        let reading =
            |&slot: &u32| Reading { slot, stream: layout.name(slot), next: String::new(), taken: 0, to_come: 0 };
        let streams = slots.iter().map(reading).collect();
        Consumer::opened(NatsReader { driver: self.clone(), replies: String::new(), streams }).await
    }

    async fn stored_bytes(&self, layout: &Layout) -> Option<u64> {
        let mut connection = self.connect().await.ok()?;
        let mut bytes = 0;
        for stream in layout.names() {
            let info = connection.api(&format!("STREAM.INFO.{stream}"), &json!({})).await.ok()?;
            bytes += info["state"]["bytes"].as_u64()?;
        }
        Some(bytes)
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        let mut connection = self.connect().await?;
        for stream in layout.names() {
            let removed = connection.api(&format!("STREAM.DELETE.{stream}"), &json!({})).await;
            removed.map_err(|said| self.peer.error(said))?;
        }
        Ok(())
    }
}

/// Publishes to streams.
#[derive(Debug)]
pub struct NatsWriter {
    driver: NatsDriver,
    /// The subject that acknowledgements go to: the server takes a connection's records one after the other, so one is enough.
    acks: String,
}

impl Writer for NatsWriter {
    async fn open(&mut self) -> Result<Pipeline, LoadError> {
        let NatsWriter { driver, acks } = self;
        let mut connection = driver.connect().await?;
        connection.subscribe(0).await.map_err(|said| driver.peer.error(said))?;
        *acks = format!("{}.0", connection.replies);
        Ok(Pipeline::new(&driver.peer, connection.line.stream, Acknowledgements))
    }

    fn write(&self, out: &mut BytesMut, subject: &str, record: Record<'_>) {
        // Writing to memory does not fail.
        let _ = write!(out, "PUB {subject} {} {}\r\n", self.acks, record.value.len());
        out.extend_from_slice(record.value);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads streams from their beginning.
#[derive(Debug)]
pub struct NatsReader {
    driver: NatsDriver,
    /// What replies are sent to on its connection.
    replies: String,
    streams: Vec<Reading>,
}

#[derive(Debug)]
struct Reading {
    slot: u32,
    stream: String,
    /// The subject of a request for records.
    next: String,
    /// Records that have come: a stream's are numbered from 1, without gaps.
    taken: u64,
    /// Records that were asked for and have not come.
    to_come: u32,
}

impl Reader for NatsReader {
    fn peer(&self) -> &Peer {
        &self.driver.peer
    }

    async fn open(&mut self) -> Result<Line, LoadError> {
        let mut connection = self.driver.connect().await?;
        let peer = &self.driver.peer;
        for Reading { stream, next, taken, to_come, .. } in &mut self.streams {
            let config = json!({"stream_name": stream, "config": {
                "deliver_policy": "by_start_sequence", "opt_start_seq": *taken + 1, "ack_policy": "none",
                "inactive_threshold": 300_000_000_000_u64,
            }});
            let made = connection.api(&format!("CONSUMER.CREATE.{stream}"), &config).await;
            let made = made.map_err(|said| peer.error(said))?;
            let name = made["name"].as_str().ok_or_else(|| peer.error("it gave its consumer no name"))?;
            *next = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
            *to_come = 0;
        }
        for Reading { slot, .. } in &self.streams {
            peer.answers(connection.subscribe(*slot)).await?;
        }
        self.replies = connection.replies;
        Ok(connection.line)
    }

    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        let (mut asking, mut pongs) = (String::new(), String::new());
        for reading in self.streams.iter_mut().filter(|reading| reading.to_come == 0) {
            let body = format!("{{\"batch\":{READ_AT_ONCE},\"expires\":{}}}", READ_EXPIRES.as_nanos());
            let (replies, slot) = (&self.replies, reading.slot);
            let _ = write!(asking, "PUB {} {replies}.{slot} {}\r\n{body}\r\n", reading.next, body.len());
            reading.to_come = READ_AT_ONCE;
        }
        if !asking.is_empty() {
            line.write(asking).await?;
        }
        let read = line.all_within(wait, Frame::take, |frame| {
            match frame.says()? {
                Says::Ping => pongs.push_str("PONG\r\n"),
                Says::Message(slot, payload) => {
                    let reading = of(&mut self.streams, slot)?;
                    reading.to_come = reading.to_come.saturating_sub(1);
                    reading.taken += 1;
                    each(Record { slot, key: None, value: payload });
                }
                // The request has expired.
                Says::Nothing(slot) => of(&mut self.streams, slot)?.to_come = 0,
                Says::Other => {}
            }
            Ok(())
        });
        read.await?;
        if pongs.is_empty() { Ok(()) } else { line.write(pongs).await }
    }
}

fn of(streams: &mut [Reading], slot: u32) -> Result<&mut Reading, String> {
    let reading = streams.iter_mut().find(|reading| reading.slot == slot);
    reading.ok_or_else(|| format!("a message came for subscription {slot}, which nobody has"))
}

#[derive(Debug)]
struct Connection {
    line: Line,
    /// What replies are sent to: this, a dot, and the number of the subscription.
    replies: String,
}

impl Connection {
    async fn subscribe(&mut self, id: u32) -> Result<(), String> {
        let subscribe = format!("SUB {}.{id} {id}\r\n", self.replies);
        self.write(&subscribe).await
    }

    async fn write(&mut self, text: &str) -> Result<(), String> {
        self.line.write(text).await
    }

    /// Gives the next frame. Cancelled, it loses nothing.
    async fn frame(&mut self) -> Result<Frame, String> {
        self.line.next(Frame::take).await
    }

    /// A request of JetStream's API; its subject is this one behind `$JS.API.`.
    async fn api(&mut self, subject: &str, body: &Value) -> Result<Value, String> {
        let body = body.to_string();
        self.subscribe(0).await?;
        let replies = &self.replies;
        let request = format!("UNSUB 0 1\r\nPUB $JS.API.{subject} {replies}.0 {}\r\n{body}\r\n", body.len());
        self.write(&request).await?;
        let answered = async {
            loop {
                match self.frame().await?.says()? {
                    Says::Message(_, answer) => {
                        return serde_json::from_slice(answer).map_err(|error| error.to_string());
                    }
                    Says::Nothing(_) => return Err("nobody answers: start it with JetStream".to_owned()),
                    Says::Ping | Says::Other => {}
                }
            }
        };
        let answer: Result<Value, String> = tokio::time::timeout(ANSWER_LIMIT, answered)
            .await
            .unwrap_or_else(|_| Err(format!("{subject} was not answered within {ANSWER_LIMIT:?}")));
        let answer = answer?;
        match answer["error"]["description"].as_str() {
            Some(said) => Err(format!("{subject}: {said}")),
            None => Ok(answer),
        }
    }
}

/// Takes JetStream's acknowledgements for answers.
struct Acknowledgements;

impl Answers for Acknowledgements {
    fn next(&mut self, inbox: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Answer>, String> {
        while let Some(frame) = Frame::take(inbox)? {
            match frame.says()? {
                Says::Ping => out.extend_from_slice(b"PONG\r\n"),
                Says::Message(_, answer) if answer.starts_with(b"{\"error\"") => {
                    return Ok(Some(Answer::Next(Err(String::from_utf8_lossy(answer).into_owned()))));
                }
                Says::Message(..) => return Ok(Some(Answer::Next(Ok(())))),
                Says::Nothing(_) => return Ok(Some(Answer::Next(Err("no stream takes this subject".to_owned())))),
                Says::Other => {}
            }
        }
        Ok(None)
    }
}

/// A control line, and the payload of a message.
#[derive(Debug)]
struct Frame {
    bytes: BytesMut,
    /// Where headers are, of a message that has them, and the payload.
    message: Option<(u32, Range<usize>, Range<usize>)>,
}

impl Frame {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Frame>, String> {
        let Some(line) = inbox.iter().take(MAX_LINE_BYTES).position(|&byte| byte == b'\n').map(|at| at + 1) else {
            return if inbox.len() < MAX_LINE_BYTES {
                Ok(None)
            } else {
                Err("its control line does not end".to_owned())
            };
        };
        let text = std::str::from_utf8(&inbox[..line]).map_err(|_| "its control line is no text")?;
        // MSG subject id [reply] bytes, HMSG subject id [reply] header-bytes bytes
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let number = |word: &str| word.parse::<usize>().ok().filter(|&number| number <= MAX_BYTES);
        let lengths = match &*words {
            ["MSG", _, id, .., all] => Some((id.parse().ok(), Some(0), number(all))),
            ["HMSG", _, id, .., headers, all] => Some((id.parse().ok(), number(headers), number(all))),
            ["-ERR", ..] => return Err(text.trim_end().to_owned()),
            _ => None,
        };
        let message = match lengths {
            None => None,
            Some((Some(id), Some(headers), Some(all))) if headers <= all => {
                Some((id, line..line + headers, line + headers..line + all))
            }
            Some(_) => return Err(format!("its control line is not understood: {}", text.trim_end())),
        };
        let end = message.as_ref().map_or(line, |(_, _, payload)| payload.end + 2);
        Ok((inbox.len() >= end).then(|| Frame { bytes: inbox.split_to(end), message }))
    }

    fn says(&self) -> Result<Says<'_>, String> {
        let Some((id, headers, payload)) = &self.message else {
            return Ok(if &self.bytes[..] == b"PING\r\n" { Says::Ping } else { Says::Other });
        };
        let headers = &self.bytes[headers.clone()];
        let Some(status) = headers.strip_prefix(b"NATS/1.0 ") else {
            return Ok(Says::Message(*id, &self.bytes[payload.clone()]));
        };
        // Nothing there in time (404, 408), the request is over (409), nobody listens (503).
        if [&b"404"[..], b"408", b"409", b"503"].iter().any(|code| status.starts_with(code)) {
            return Ok(Says::Nothing(*id));
        }
        Err(String::from_utf8_lossy(headers).trim_end().to_owned())
    }
}

/// What a frame says. Messages come with the number of their subscription.
#[derive(Debug, PartialEq, Eq)]
enum Says<'a> {
    /// To be answered, or the connection is closed.
    Ping,
    /// Its payload.
    Message(u32, &'a [u8]),
    /// That no message, or no more of them, will come.
    Nothing(u32),
    /// What needs no attention.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_come_byte_by_byte_are_taken_when_they_are_whole() {
        let frames: [(&[u8], Says<'_>); 4] = [
            (b"PONG\r\n", Says::Other),
            (b"MSG s 7 4\r\na\r\nb\r\n", Says::Message(7, b"a\r\nb")),
            (b"MSG s 7 $JS.ACK.x 0\r\n\r\n", Says::Message(7, b"")),
            (b"HMSG s 7 28 28\r\nNATS/1.0 408 Timeout\r\nA: b\r\n\r\n", Says::Nothing(7)),
        ];
        for (bytes, says) in frames {
            let mut inbox = BytesMut::new();
            for (at, byte) in bytes.iter().enumerate() {
                inbox.extend_from_slice(&[*byte]);
                let taken = Frame::take(&mut inbox).unwrap();
                assert_eq!(taken.is_some(), at + 1 == bytes.len(), "at byte {at} of {bytes:?}");
                if let Some(frame) = taken {
                    assert_eq!(frame.says().unwrap(), says);
                }
            }
        }
    }

    #[test]
    fn acknowledgements_are_told_from_refusals_and_a_ping_is_answered() {
        let mut inbox = BytesMut::from(
            &b"PING\r\nMSG a 1 22\r\n{\"stream\":\"s\",\"seq\":1}\r\nMSG a 1 12\r\n{\"error\":{}}\r\nHMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"[..],
        );
        let mut out = BytesMut::new();
        assert_eq!(Acknowledgements.next(&mut inbox, &mut out), Ok(Some(Answer::Next(Ok(())))));
        assert_eq!(&out[..], b"PONG\r\n");
        assert_eq!(
            Acknowledgements.next(&mut inbox, &mut out),
            Ok(Some(Answer::Next(Err("{\"error\":{}}".to_owned()))))
        );
        assert!(matches!(Acknowledgements.next(&mut inbox, &mut out), Ok(Some(Answer::Next(Err(_))))));
        assert_eq!(Acknowledgements.next(&mut inbox, &mut out), Ok(None));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in
            [&b"MSG s x 4\r\n"[..], b"MSG s 1 99999999999\r\n", b"HMSG s 1 5 4\r\n", b"\xff\r\n", b"-ERR 'no'\r\n"]
        {
            assert!(Frame::take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
        assert!(Frame::take(&mut BytesMut::from(&[b'x'; MAX_LINE_BYTES][..])).is_err());
    }
}
