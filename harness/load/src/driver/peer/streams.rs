//! RabbitMQ Streams by their own protocol
//! (<https://github.com/rabbitmq/rabbitmq-server/blob/main/deps/rabbitmq_stream/docs/PROTOCOL.adoc>): a slot is a stream.
//!
//! Publishers collect records of a stream for one frame until there is nothing more to send, or enough; consumers read whole chunks.
//! A confirm has the page cache behind it. Records have no keys. Values are written as data sections of AMQP 1.0, as RabbitMQ's own
//! clients write them.

use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};

use super::Peer;
use super::batching::{Batch, BatchProducer, BatchWriter};
use super::fields::Fields;
use super::line::{Consumer, Line, Reader};
use super::pipeline::{Answer, Answers, Pipeline, Receipt};
use crate::LoadError;
use crate::driver::{Declaration, Driver, Layout, Record};
use crate::workload::CellSpec;

/// The longest frame: RabbitMQ's default.
const FRAME_BYTES: usize = 1 << 20;
/// Chunks of a stream that may be under way to a consumer.
const CREDIT: u16 = 10;
/// Publishers and subscriptions of a connection are numbered with a byte.
const MAX_STREAMS: usize = 256;
/// What stands in front of the records of a chunk.
const CHUNK_HEADER_BYTES: usize = 48;

const DECLARE_PUBLISHER: u16 = 1;
const PUBLISH: u16 = 2;
const PUBLISH_CONFIRM: u16 = 3;
const PUBLISH_ERROR: u16 = 4;
const SUBSCRIBE: u16 = 7;
const DELIVER: u16 = 8;
const CREDIT_GRANT: u16 = 9;
const CREATE: u16 = 13;
const DELETE: u16 = 14;
const PEER_PROPERTIES: u16 = 17;
const SASL_HANDSHAKE: u16 = 18;
const SASL_AUTHENTICATE: u16 = 19;
const TUNE: u16 = 20;
const OPEN: u16 = 21;
const CLOSE: u16 = 22;
const HEARTBEAT: u16 = 23;
/// In the key of a response.
const RESPONSE: u16 = 0x8000;
/// What a response says when all is well.
const OK: u16 = 1;

/// A RabbitMQ broker with its stream plugin.
#[derive(Debug, Clone)]
pub struct StreamDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a broker for its version.
pub(super) async fn version(line: &mut Line) -> Result<String, String> {
    let properties = greet(line).await?.payload;
    // A key and a value have their lengths before them.
    let key = b"\x00\x07version";
    let at = properties.windows(key.len()).position(|bytes| bytes == key).ok_or("its greeting has no version")?;
    let mut fields = Fields(properties.get(at + key.len()..).unwrap_or_default());
    let bytes = usize::from(fields.u16()?);
    Ok(String::from_utf8_lossy(fields.bytes(bytes)?).into_owned())
}

async fn greet(line: &mut Line) -> Result<Frame, String> {
    call(line, &request(PEER_PROPERTIES, |out| out.put_u32(0))).await
}

impl StreamDriver {
    /// For one cell.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> StreamDriver {
        StreamDriver { peer: peer.clone(), cell: cell.clone() }
    }

    /// A connection on which these requests have been answered.
    async fn connect(&self, requests: &[BytesMut]) -> Result<Line, LoadError> {
        let mut line = self.peer.line().await?;
        let greeting = async {
            greet(&mut line).await?;
            call(&mut line, &request(SASL_HANDSHAKE, |_| {})).await?;
            let authenticate = request(SASL_AUTHENTICATE, |out| {
                text(out, "PLAIN");
                out.put_u32(12);
                out.extend_from_slice(b"\0guest\0guest");
            });
            call(&mut line, &authenticate).await?;
            let tune = line.next(Frame::take).await?;
            if tune.key != TUNE {
                return Err(tune.text());
            }
            // No heartbeats: a run ends by its own clock.
            let tuned = frame(TUNE, |out| {
                out.put_u32(FRAME_BYTES as u32);
                out.put_u32(0);
            });
            line.write(tuned).await?;
            call(&mut line, &request(OPEN, |out| text(out, "/"))).await?;
            for request in requests {
                call(&mut line, request).await?;
            }
            Ok(())
        };
        self.peer.answers(greeting).await?;
        Ok(line)
    }

    fn countable(&self, streams: usize) -> Result<(), LoadError> {
        if streams <= MAX_STREAMS {
            return Ok(());
        }
        Err(self
            .peer
            .error(format!("a connection has at most {MAX_STREAMS} streams, not {streams}: take fewer partitions")))
    }
}

impl Driver for StreamDriver {
    type Producer = BatchProducer<StreamDriver>;
    type Consumer = Consumer<StreamReader>;

    fn declares(&self) -> Declaration {
        self.peer.declares(&self.cell)
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let declaration = self.peer.believed(&self.cell, self.declares())?;
        let create = |stream: &String| {
            request(CREATE, |out| {
                text(out, stream);
                // One copy, whatever the cluster makes by itself.
                out.put_u32(1);
                text(out, "initial-cluster-size");
                text(out, "1");
            })
        };
        self.connect(&layout.names().iter().map(create).collect::<Vec<_>>()).await?;
        Ok(declaration)
    }

    async fn producer(&self, layout: &Layout, topic: usize) -> Result<BatchProducer<StreamDriver>, LoadError> {
        self.clone().connected(layout, topic).await
    }

    async fn consumer(&self, layout: &Layout, _: u32, slots: &[u32]) -> Result<Consumer<StreamReader>, LoadError> {
        self.countable(slots.len())?;
        let streams = slots.iter().map(|&slot| Reading { slot, stream: layout.name(slot), next_offset: 0 }).collect();
        Ok(Consumer::new(StreamReader { driver: self.clone(), streams }))
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        let delete = |stream: &String| request(DELETE, |out| text(out, stream));
        self.connect(&layout.names().iter().map(delete).collect::<Vec<_>>()).await.map(drop)
    }
}

impl BatchWriter for StreamDriver {
    fn peer(&self) -> &Peer {
        &self.peer
    }

    async fn open(&self, streams: &[String]) -> Result<Pipeline, LoadError> {
        self.countable(streams.len())?;
        let declare = |(publisher, stream): (usize, &String)| {
            request(DECLARE_PUBLISHER, |out| {
                out.put_u8(publisher as u8);
                text(out, "");
                text(out, stream);
            })
        };
        let declared: Vec<BytesMut> = streams.iter().enumerate().map(declare).collect();
        Ok(Pipeline::new(&self.peer, self.connect(&declared).await?.stream, Confirms::default()))
    }

    /// Each record is confirmed by itself.
    fn enter(batch: &mut Batch, record: Record<'_>, pipeline: &mut Pipeline) -> Receipt {
        pipeline.request(|_, number| {
            batch.entries.put_u64(number);
            entry(&mut batch.entries, record.value);
        })
    }

    fn write(out: &mut BytesMut, publisher: usize, batch: &Batch) {
        let published = frame(PUBLISH, |out| {
            out.put_u8(publisher as u8);
            out.put_u32(batch.records);
            out.extend_from_slice(&batch.entries);
        });
        out.extend_from_slice(&published);
    }
}

/// Appends a record: its length, and a data section of AMQP 1.0.
fn entry(out: &mut BytesMut, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(bytes) => {
            out.put_u32(u32::from(bytes) + 5);
            out.extend_from_slice(&[0x00, 0x53, 0x75, 0xa0, bytes]);
        }
        Err(_) => {
            out.put_u32(value.len() as u32 + 8);
            out.extend_from_slice(&[0x00, 0x53, 0x75, 0xb0]);
            out.put_u32(value.len() as u32);
        }
    }
    out.extend_from_slice(value);
}

/// The value of a record; nothing where it isn't one data section.
fn value(entry: &[u8]) -> &[u8] {
    match entry {
        [0x00, 0x53, 0x75, 0xa0, bytes, value @ ..] if value.len() == usize::from(*bytes) => value,
        [0x00, 0x53, 0x75, 0xb0, a, b, c, d, value @ ..]
            if value.len() == u32::from_be_bytes([*a, *b, *c, *d]) as usize =>
        {
            value
        }
        _ => &[],
    }
}

/// Takes confirms for answers: a frame has many.
#[derive(Debug, Default)]
struct Confirms {
    /// What is left of a frame, and how the records that it names fared.
    rest: Option<(Frame, usize)>,
}

impl Answers for Confirms {
    fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
        loop {
            if let Some((frame, at)) = &mut self.rest {
                let mut fields = Fields(frame.payload.get(*at..).unwrap_or_default());
                if !fields.0.is_empty() {
                    let number = fields.u64()?;
                    let outcome = match frame.key {
                        PUBLISH_ERROR => Err(format!("it could not take the record: code {}", fields.u16()?)),
                        _ => Ok(()),
                    };
                    *at = frame.payload.len() - fields.0.len();
                    return Ok(Some(Answer::To { number, all_before: false, outcome }));
                }
            }
            match Frame::take(inbox)? {
                // Behind the publisher's number and a count.
                Some(frame) if matches!(frame.key, PUBLISH_CONFIRM | PUBLISH_ERROR) => self.rest = Some((frame, 5)),
                Some(frame) if frame.key == HEARTBEAT => self.rest = None,
                Some(frame) => return Err(frame.text()),
                None => {
                    self.rest = None;
                    return Ok(None);
                }
            }
        }
    }
}

/// Reads streams from their beginning.
#[derive(Debug)]
pub struct StreamReader {
    driver: StreamDriver,
    /// By subscription.
    streams: Vec<Reading>,
}

#[derive(Debug)]
struct Reading {
    slot: u32,
    stream: String,
    /// Where it goes on: chunks come whole, with records before it.
    next_offset: u64,
}

impl Reader for StreamReader {
    fn peer(&self) -> &Peer {
        &self.driver.peer
    }

    async fn open(&mut self) -> Result<Line, LoadError> {
        let mut line = self.driver.connect(&[]).await?;
        line.write(self.subscribe()).await.map_err(|said| self.driver.peer.error(said))?;
        Ok(line)
    }

    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        let mut credits = BytesMut::new();
        let read = line.all_within(wait, Frame::take, |frame| {
            let mut fields = Fields(&frame.payload);
            match frame.key {
                DELIVER => {
                    let subscription = fields.u8()?;
                    let reading = self.streams.get_mut(usize::from(subscription));
                    chunk(&mut fields, reading.ok_or("a chunk for nobody")?, each)?;
                    credits.extend_from_slice(&self::frame(CREDIT_GRANT, |out| {
                        out.put_u8(subscription);
                        out.put_u16(1);
                    }));
                    Ok(())
                }
                HEARTBEAT => Ok(()),
                _ => frame.is_ok(),
            }
        });
        read.await?;
        if credits.is_empty() { Ok(()) } else { line.write(credits).await }
    }
}

impl StreamReader {
    /// Answers come between the chunks of those that were subscribed to before.
    fn subscribe(&self) -> BytesMut {
        const FROM_OFFSET: u16 = 4;
        let mut all = BytesMut::new();
        for (subscription, reading) in self.streams.iter().enumerate() {
            let subscribe = request(SUBSCRIBE, |out| {
                out.put_u8(subscription as u8);
                text(out, &reading.stream);
                out.put_u16(FROM_OFFSET);
                out.put_u64(reading.next_offset);
                out.put_u16(CREDIT);
                out.put_u32(0);
            });
            all.extend_from_slice(&subscribe);
        }
        all
    }
}

/// Hands over the records of a chunk, from the one on that has not been read.
fn chunk(fields: &mut Fields<'_>, reading: &mut Reading, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
    const SUB_BATCH: u32 = 1 << 31;
    let mut header = Fields(fields.bytes(CHUNK_HEADER_BYTES)?);
    // Magic number, kind; entries; records, time and epoch.
    header.u16()?;
    let entries = header.u16()?;
    header.bytes(4 + 8 + 8)?;
    let first_offset = header.u64()?;
    for offset in (first_offset..).take(usize::from(entries)) {
        let bytes = fields.u32()?;
        if bytes & SUB_BATCH != 0 {
            return Err("a batch within a chunk, which nobody wrote".to_owned());
        }
        let entry = fields.bytes(bytes as usize)?;
        if offset >= reading.next_offset {
            reading.next_offset = offset + 1;
            each(Record { slot: reading.slot, key: None, value: value(entry) });
        }
    }
    Ok(())
}

async fn call(line: &mut Line, request: &BytesMut) -> Result<Frame, String> {
    line.write(request).await?;
    let response = line.next(Frame::take).await?;
    response.is_ok().map(|()| response)
}

/// A request that is answered. All have one number: they are sent one after the other.
fn request(key: u16, fields: impl FnOnce(&mut BytesMut)) -> BytesMut {
    frame(key, |out| {
        out.put_u32(0);
        fields(out);
    })
}

/// `bytes u32 | key u16 | version u16 | payload`
fn frame(key: u16, payload: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u32(0);
    out.put_u16(key);
    out.put_u16(1);
    payload(&mut out);
    let bytes = (out.len() - 4) as u32;
    out[..4].copy_from_slice(&bytes.to_be_bytes());
    out
}

fn text(out: &mut BytesMut, text: &str) {
    out.put_u16(text.len() as u16);
    out.extend_from_slice(text.as_bytes());
}

#[derive(Debug)]
struct Frame {
    key: u16,
    payload: BytesMut,
}

impl Frame {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Frame>, String> {
        const HEAD_BYTES: usize = 4;
        let Some((head, rest)) = inbox.split_first_chunk::<8>() else { return Ok(None) };
        let mut fields = Fields(head);
        let (bytes, key) = (fields.u32()? as usize, fields.u16()?);
        // A chunk may be a little longer than what was put into it.
        if !(HEAD_BYTES..=2 * FRAME_BYTES).contains(&bytes) {
            return Err("it does not speak the protocol of RabbitMQ's streams".to_owned());
        }
        if rest.len() < bytes - HEAD_BYTES {
            return Ok(None);
        }
        inbox.advance(head.len());
        Ok(Some(Frame { key, payload: inbox.split_to(bytes - HEAD_BYTES) }))
    }

    /// Whether it is a response that all is well.
    fn is_ok(&self) -> Result<(), String> {
        let mut fields = Fields(&self.payload);
        if self.key & RESPONSE == 0 {
            return Err(self.text());
        }
        fields.u32()?;
        match fields.u16()? {
            OK => Ok(()),
            code => Err(format!("request {} was refused with code {code}", self.key & !RESPONSE)),
        }
    }

    fn text(&self) -> String {
        match self.key {
            CLOSE => "it closed the connection".to_owned(),
            key => format!("a frame of kind {key} is not expected here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        let bytes = request(OPEN, |out| text(out, "/"));
        let mut inbox = BytesMut::new();
        for (at, &byte) in bytes.iter().enumerate() {
            inbox.put_u8(byte);
            let taken = Frame::take(&mut inbox).unwrap();
            assert_eq!(taken.is_some(), at + 1 == bytes.len(), "at byte {at}");
        }
        assert!(Frame::take(&mut BytesMut::from(&b"HTTP/1.1 400"[..])).is_err());
        assert!(Frame::take(&mut BytesMut::from(&[0; 8][..])).is_err());
    }

    #[test]
    fn a_frame_of_confirms_answers_each_record_that_it_names() {
        let mut inbox = frame(PUBLISH_CONFIRM, |out| {
            out.put_u8(0);
            out.put_u32(2);
            out.put_u64(4);
            out.put_u64(7);
        });
        inbox.extend_from_slice(&frame(PUBLISH_ERROR, |out| {
            out.put_u8(1);
            out.put_u32(1);
            out.put_u64(5);
            out.put_u16(18);
        }));
        let mut confirms = Confirms::default();
        let mut next = || confirms.next(&mut inbox, &mut BytesMut::new()).unwrap();
        for number in [4, 7] {
            assert_eq!(next(), Some(Answer::To { number, all_before: false, outcome: Ok(()) }));
        }
        assert!(matches!(next(), Some(Answer::To { number: 5, outcome: Err(_), .. })));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_chunk_is_read_from_the_record_on_that_has_not_been_read() {
        let values = [b"a".to_vec(), vec![7; 300], Vec::new()];
        let mut bytes = BytesMut::from(&[0x50, 0, 0, 3][..]);
        bytes.put_bytes(0, 4 + 8 + 8);
        bytes.put_u64(10);
        bytes.put_bytes(0, CHUNK_HEADER_BYTES - 32);
        values.iter().for_each(|value| entry(&mut bytes, value));
        for (next_offset, wanted) in [(0, 0..3), (11, 1..3), (13, 3..3)] {
            let mut reading = Reading { slot: 4, stream: String::new(), next_offset };
            let mut read = Vec::new();
            chunk(&mut Fields(&bytes), &mut reading, &mut |record| read.push((record.slot, record.value.to_vec())))
                .unwrap();
            assert_eq!(read, values[wanted].iter().map(|value| (4, value.clone())).collect::<Vec<_>>());
            assert_eq!(reading.next_offset, 13);
        }
        let mut reading = Reading { slot: 4, stream: String::new(), next_offset: 0 };
        assert!(chunk(&mut Fields(&bytes[..bytes.len() - 1]), &mut reading, &mut |_| {}).is_err());
    }
}
