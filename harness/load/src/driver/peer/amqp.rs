//! RabbitMQ by AMQP 0-9-1 (<https://www.rabbitmq.com/amqp-0-9-1-protocol>): a slot is a queue, classic or quorum.
//!
//! Records are persistent, and publishers wait for confirms. Consumers acknowledge what they got, as often as they poll. Queues have no
//! keys, and give a record to one reader: there can be one subscription. Streams are [`super::streams`]'s.

use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};

use super::Peer;
use super::fields::Fields;
use super::line::{Consumer, Line, Reader};
use super::pipeline::{Answer, Answers, Pipeline};
use super::producer::{Producer, Writer};
use crate::LoadError;
use crate::driver::{Declaration, Driver, Layout, Record};
use crate::workload::{CellSpec, Durability};

/// Records that a consumer has and has not acknowledged.
const PREFETCH: u16 = 1000;
/// The longest frame that either side sends: RabbitMQ's default.
const FRAME_BYTES: usize = 128 << 10;
/// What a frame has around its payload.
const FRAME_OVERHEAD_BYTES: usize = 8;
const FRAME_END: u8 = 0xCE;
/// The one that everything goes over; 0 is the connection's own.
const CHANNEL: u16 = 1;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// Class and method, as both stand in front of a method's fields.
const fn id(class: u16, method: u16) -> u32 {
    ((class as u32) << 16) | method as u32
}
const CONNECTION_START: u32 = id(10, 10);
const CONNECTION_START_OK: u32 = id(10, 11);
const CONNECTION_TUNE: u32 = id(10, 30);
const CONNECTION_TUNE_OK: u32 = id(10, 31);
const CONNECTION_OPEN: u32 = id(10, 40);
const CONNECTION_OPEN_OK: u32 = id(10, 41);
const CONNECTION_CLOSE: u32 = id(10, 50);
const CHANNEL_OPEN: u32 = id(20, 10);
const CHANNEL_OPEN_OK: u32 = id(20, 11);
const CHANNEL_CLOSE: u32 = id(20, 40);
const QUEUE_DECLARE: u32 = id(50, 10);
const QUEUE_DECLARE_OK: u32 = id(50, 11);
const QUEUE_DELETE: u32 = id(50, 40);
const QUEUE_DELETE_OK: u32 = id(50, 41);
const BASIC_QOS: u32 = id(60, 10);
const BASIC_QOS_OK: u32 = id(60, 11);
const BASIC_CONSUME: u32 = id(60, 20);
const BASIC_PUBLISH: u32 = id(60, 40);
const BASIC_DELIVER: u32 = id(60, 60);
const BASIC_ACK: u32 = id(60, 80);
const BASIC_NACK: u32 = id(60, 120);
const CONFIRM_SELECT: u32 = id(85, 10);
const CONFIRM_SELECT_OK: u32 = id(85, 11);

/// A RabbitMQ broker, and queues of one kind.
#[derive(Debug, Clone)]
pub struct AmqpDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a broker for its version.
pub(super) async fn version(line: &mut Line) -> Result<String, String> {
    version_of(&start(line).await?.payload)
}

/// What RabbitMQ greets with. Others speak its protocol, and what their confirms have behind them is not known.
fn version_of(greeting: &[u8]) -> Result<String, String> {
    match property(greeting, "product")?.as_str() {
        "RabbitMQ" => property(greeting, "version"),
        other => Err(format!("it is {other}, and not RabbitMQ")),
    }
}

/// A text out of a table, which has the length of a key before it, and the kind and the length of a text behind it.
fn property(greeting: &[u8], name: &str) -> Result<String, String> {
    let mut key = BytesMut::new();
    short(&mut key, name);
    key.put_u8(b'S');
    let at = greeting.windows(key.len()).position(|bytes| bytes == key);
    let at = at.ok_or_else(|| format!("its greeting has no {name}"))?;
    let mut fields = Fields(greeting.get(at + key.len()..).unwrap_or_default());
    let bytes = fields.u32()? as usize;
    Ok(String::from_utf8_lossy(fields.bytes(bytes)?).into_owned())
}

/// What a confirm of a classic queue has behind it, and the argument by which the queue is of the first version, where there are two.
/// That one synced until it was changed in 3.13 (rabbitmq-server#8507); the second never did.
fn classic(version: &str) -> (Durability, Option<&'static str>) {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(u32::MAX));
    match (numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(u32::MAX)) {
        (3, 10..13) => (Durability::Fsync, Some("x-queue-version")),
        (..3, _) | (3, ..10) => (Durability::Fsync, None),
        _ => (Durability::PageCache, None),
    }
}

async fn start(line: &mut Line) -> Result<Frame, String> {
    line.write(b"AMQP\x00\x00\x09\x01").await?;
    answer(line, CONNECTION_START).await
}

impl AmqpDriver {
    /// For one cell. The kind of queue stands in the peer's name: `amqp` (classic) or `amqp+quorum`.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> AmqpDriver {
        AmqpDriver { peer: peer.clone(), cell: cell.clone() }
    }

    fn kind(&self) -> &'static str {
        self.peer.name.strip_prefix("amqp+").unwrap_or("classic")
    }

    /// A connection with its one channel open, on which `and_then` is called.
    async fn connect(&self, and_then: &[Call]) -> Result<Line, LoadError> {
        let mut line = self.peer.line().await?;
        let greeting = async {
            start(&mut line).await?;
            line.write(method(0, CONNECTION_START_OK, |out| {
                out.put_u32(0);
                short(out, "PLAIN");
                long(out, b"\0guest\0guest");
                short(out, "en_US");
            }))
            .await?;
            answer(&mut line, CONNECTION_TUNE).await?;
            // No more channels than the one, and no heartbeats: a run ends by its own clock.
            let mut tuned = method(0, CONNECTION_TUNE_OK, |out| {
                out.put_u16(CHANNEL);
                out.put_u32(FRAME_BYTES as u32);
                out.put_u16(0);
            });
            tuned.extend_from_slice(&method(0, CONNECTION_OPEN, |out| {
                short(out, "/");
                out.put_u16(0);
            }));
            line.write(tuned).await?;
            answer(&mut line, CONNECTION_OPEN_OK).await?;
            let open =
                Call { request: method(CHANNEL, CHANNEL_OPEN, |out| out.put_u8(0)), answer: Some(CHANNEL_OPEN_OK) };
            for call in std::iter::once(&open).chain(and_then) {
                line.write(&call.request).await?;
                if let Some(wanted) = call.answer {
                    answer(&mut line, wanted).await?;
                }
            }
            Ok(())
        };
        self.peer.answers(greeting).await?;
        Ok(line)
    }
}

impl Driver for AmqpDriver {
    type Producer = Producer<AmqpDriver>;
    type Consumer = Consumer<AmqpReader>;

    fn declares(&self) -> Declaration {
        self.peer.declares(&self.cell)
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let mut line = self.peer.line().await?;
        let version = self.peer.answers(version(&mut line)).await?;
        // One copy of a record, whatever a cluster makes by itself.
        let (declaration, more) = if self.kind() == "quorum" {
            (self.peer.believed(&self.cell, self.declares())?, Some("x-quorum-initial-group-size"))
        } else {
            let (durability, first) = classic(&version);
            let words = format!("RabbitMQ {version}{}", first.map_or_else(String::new, |first| format!(", {first}=1")));
            (self.peer.told(&self.cell, self.declares(), (durability, words))?, first)
        };
        let declare = |queue: &String| Call {
            request: method(CHANNEL, QUEUE_DECLARE, |out| {
                const DURABLE: u8 = 2;
                out.put_u16(0);
                short(out, queue);
                out.put_u8(DURABLE);
                table(out, self.kind(), more);
            }),
            answer: Some(QUEUE_DECLARE_OK),
        };
        self.connect(&layout.names().iter().map(declare).collect::<Vec<_>>()).await?;
        Ok(declaration)
    }

    async fn producer(&self, layout: &Layout, _: usize) -> Result<Producer<AmqpDriver>, LoadError> {
        self.clone().connected(layout).await
    }

    async fn consumer(
        &self,
        layout: &Layout,
        subscription: u32,
        slots: &[u32],
    ) -> Result<Consumer<AmqpReader>, LoadError> {
        self.peer.has_one_reader(subscription)?;
        let slots = slots.iter().map(|&slot| (slot, layout.name(slot))).collect();
        Ok(Consumer::new(AmqpReader { driver: self.clone(), slots, coming: None }))
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        let delete = |queue: &String| Call {
            request: method(CHANNEL, QUEUE_DELETE, |out| {
                out.put_u16(0);
                short(out, queue);
                out.put_u8(0);
            }),
            answer: Some(QUEUE_DELETE_OK),
        };
        self.connect(&layout.names().iter().map(delete).collect::<Vec<_>>()).await.map(drop)
    }
}

impl Writer for AmqpDriver {
    async fn open(&mut self) -> Result<Pipeline, LoadError> {
        let select =
            Call { request: method(CHANNEL, CONFIRM_SELECT, |out| out.put_u8(0)), answer: Some(CONFIRM_SELECT_OK) };
        Ok(Pipeline::new(&self.peer, self.connect(&[select]).await?.stream, Confirms))
    }

    fn write(&self, out: &mut BytesMut, queue: &str, record: Record<'_>) {
        publish(out, queue, record.value);
    }
}

/// Appends a persistent record, by way of the exchange that every queue is bound to by its name.
fn publish(out: &mut BytesMut, queue: &str, value: &[u8]) {
    /// Of the properties only this one is there.
    const DELIVERY_MODE: u16 = 0x1000;
    const PERSISTENT: u8 = 2;
    frame(out, METHOD, CHANNEL, |out| {
        out.put_u32(BASIC_PUBLISH);
        out.put_u16(0);
        short(out, "");
        short(out, queue);
        out.put_u8(0);
    });
    frame(out, HEADER, CHANNEL, |out| {
        out.put_u16(60);
        out.put_u16(0);
        out.put_u64(value.len() as u64);
        out.put_u16(DELIVERY_MODE);
        out.put_u8(PERSISTENT);
    });
    for part in value.chunks(FRAME_BYTES - FRAME_OVERHEAD_BYTES) {
        frame(out, BODY, CHANNEL, |out| out.extend_from_slice(part));
    }
}

/// Takes publisher confirms for answers.
struct Confirms;

impl Answers for Confirms {
    fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
        while let Some(frame) = Frame::take(inbox)? {
            let mut fields = Fields(&frame.payload);
            if frame.kind != METHOD {
                continue;
            }
            let (id, tag, bits) = (fields.u32()?, fields.u64()?, fields.u8()?);
            let outcome = match id {
                BASIC_ACK => Ok(()),
                BASIC_NACK => Err("it could not take the record".to_owned()),
                _ => return Err(frame.text()),
            };
            let number = tag.checked_sub(1).ok_or("a confirm of nothing")?;
            return Ok(Some(Answer::To { number, all_before: bits & 1 == 1, outcome }));
        }
        Ok(None)
    }
}

/// Reads queues. What it has acknowledged is off a queue.
#[derive(Debug)]
pub struct AmqpReader {
    driver: AmqpDriver,
    slots: Vec<(u32, String)>,
    /// A record of which not everything has come.
    coming: Option<Coming>,
}

#[derive(Debug)]
struct Coming {
    slot: u32,
    tag: u64,
    /// Bytes that are still to come; `None`: its header is.
    missing: Option<u64>,
    value: Vec<u8>,
}

impl Reader for AmqpReader {
    fn peer(&self) -> &Peer {
        &self.driver.peer
    }

    async fn open(&mut self) -> Result<Line, LoadError> {
        self.coming = None;
        self.driver.connect(&self.subscribe()).await
    }

    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        let mut last_tag = None;
        let read = line.all_within(wait, Frame::take, |frame| {
            self.take(&frame)?;
            if let Some(whole) = self.coming.take_if(|coming| coming.missing == Some(0)) {
                each(Record { slot: whole.slot, key: None, value: &whole.value });
                last_tag = Some(whole.tag);
            }
            Ok(())
        });
        read.await?;
        if let Some(tag) = last_tag {
            let ack = method(CHANNEL, BASIC_ACK, |out| {
                out.put_u64(tag);
                out.put_u8(1);
            });
            line.write(ack).await?;
        }
        Ok(())
    }
}

impl AmqpReader {
    fn subscribe(&self) -> Vec<Call> {
        let qos = method(CHANNEL, BASIC_QOS, |out| {
            out.put_u32(0);
            out.put_u16(PREFETCH);
            out.put_u8(0);
        });
        let consume = |(slot, queue): &(u32, String)| Call {
            // Nothing is waited for: records of the first queue may come before the answer of the second.
            request: method(CHANNEL, BASIC_CONSUME, |out| {
                const NO_WAIT: u8 = 8;
                out.put_u16(0);
                short(out, queue);
                short(out, &slot.to_string());
                out.put_u8(NO_WAIT);
                out.put_u32(0);
            }),
            answer: None,
        };
        let qos = Call { request: qos, answer: Some(BASIC_QOS_OK) };
        std::iter::once(qos).chain(self.slots.iter().map(consume)).collect()
    }

    fn take(&mut self, frame: &Frame) -> Result<(), String> {
        let mut fields = Fields(&frame.payload);
        match (frame.kind, &mut self.coming) {
            (METHOD, coming @ None) => {
                if fields.u32()? != BASIC_DELIVER {
                    return Err(frame.text());
                }
                let slot = fields.short()?.parse().map_err(|_| "a record for a consumer that nobody is")?;
                *coming = Some(Coming { slot, tag: fields.u64()?, missing: None, value: Vec::new() });
            }
            (HEADER, Some(coming @ Coming { missing: None, .. })) => {
                fields.u32()?;
                coming.missing = Some(fields.u64()?);
            }
            (BODY, Some(Coming { missing: Some(missing), value, .. })) => {
                let bytes = frame.payload.len() as u64;
                *missing = missing.checked_sub(bytes).ok_or("a record is longer than its header says")?;
                value.extend_from_slice(&frame.payload);
            }
            (METHOD, Some(_)) => return Err(frame.text()),
            (HEADER | BODY, _) => return Err("a part of a record is out of its place".to_owned()),
            // Heartbeats.
            _ => {}
        }
        Ok(())
    }
}

/// A request, and the method that answers it.
struct Call {
    request: BytesMut,
    answer: Option<u32>,
}

/// Waits for a method.
async fn answer(line: &mut Line, wanted: u32) -> Result<Frame, String> {
    let frame = line.next(Frame::take).await?;
    let id = if frame.kind == METHOD { Fields(&frame.payload).u32()? } else { 0 };
    if id == wanted { Ok(frame) } else { Err(frame.text()) }
}

fn method(channel: u16, id: u32, fields: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    frame(&mut out, METHOD, channel, |out| {
        out.put_u32(id);
        fields(out);
    });
    out
}

/// Appends `kind u8 | channel u16 | bytes u32 | payload | 0xCE`.
fn frame(out: &mut BytesMut, kind: u8, channel: u16, payload: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    out.put_u16(channel);
    let at = out.len();
    out.put_u32(0);
    payload(out);
    let bytes = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&bytes.to_be_bytes());
    out.put_u8(FRAME_END);
}

/// Appends a text of at most 255 bytes.
fn short(out: &mut BytesMut, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(255)];
    out.put_u8(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

fn long(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// Appends the arguments of a queue: its kind, and one that is to be 1.
fn table(out: &mut BytesMut, kind: &str, one: Option<&str>) {
    let mut entries = BytesMut::new();
    short(&mut entries, "x-queue-type");
    entries.put_u8(b'S');
    long(&mut entries, kind.as_bytes());
    if let Some(key) = one {
        short(&mut entries, key);
        entries.put_u8(b'I');
        entries.put_u32(1);
    }
    long(out, &entries);
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    payload: BytesMut,
}

impl Frame {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Frame>, String> {
        let Some((&[kind, _, _, a, b, c, d], rest)) = inbox.split_first_chunk() else { return Ok(None) };
        let bytes = u32::from_be_bytes([a, b, c, d]) as usize;
        if bytes > FRAME_BYTES {
            return Err("it does not speak AMQP 0-9-1".to_owned());
        }
        match rest.get(bytes) {
            None => return Ok(None),
            Some(&FRAME_END) => inbox.advance(FRAME_OVERHEAD_BYTES - 1),
            Some(_) => return Err("its frame does not end where it says".to_owned()),
        }
        let payload = inbox.split_to(bytes);
        inbox.advance(1);
        Ok(Some(Frame { kind, payload }))
    }

    /// What a method says that ends the connection.
    fn text(&self) -> String {
        let mut fields = Fields(&self.payload);
        let closing = |mut fields: Fields<'_>| -> Result<String, String> {
            let code = fields.u16()?;
            Ok(format!("{code} {}", fields.short()?))
        };
        match fields.u32() {
            Ok(CONNECTION_CLOSE | CHANNEL_CLOSE) => closing(fields).unwrap_or_else(|said| said),
            Ok(id) if self.kind == METHOD => format!("method {}.{} is not expected here", id >> 16, id & 0xffff),
            _ => format!("a frame of kind {} is not expected here", self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        let bytes = method(CHANNEL, BASIC_ACK, |out| out.put_u64(7));
        let mut inbox = BytesMut::new();
        for (at, &byte) in bytes.iter().enumerate() {
            inbox.put_u8(byte);
            let taken = Frame::take(&mut inbox).unwrap();
            assert_eq!(taken.is_some(), at + 1 == bytes.len(), "at byte {at}");
        }
    }

    #[test]
    fn who_speaks_the_protocol_and_is_not_rabbitmq_is_not_taken_for_it() {
        let greeting = |product: &str| {
            let mut out = BytesMut::from(&b"\0\x09"[..]);
            for (key, value) in [("platform", "x"), ("product", product), ("version", "2.3.0")] {
                short(&mut out, key);
                out.put_u8(b'S');
                long(&mut out, value.as_bytes());
            }
            version_of(&out)
        };
        assert_eq!(greeting("RabbitMQ"), Ok("2.3.0".to_owned()));
        assert_eq!(greeting("LavinMQ"), Err("it is LavinMQ, and not RabbitMQ".to_owned()));
        assert_eq!(version_of(b"AMQP"), Err("its greeting has no product".to_owned()));
    }

    #[test]
    fn classic_queues_sync_in_versions_that_did() {
        for (version, durability) in
            [("3.9.29", Durability::Fsync), ("3.10.8", Durability::Fsync), ("3.13.0", Durability::PageCache)]
        {
            assert_eq!(classic(version).0, durability, "{version}");
        }
        for version in ["4.1.0", "3", "unknown"] {
            assert_eq!(classic(version), (Durability::PageCache, None), "{version}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [&b"AMQP\x00\x00\x09\x01"[..], b"\x01\x00\x01\x00\x00\x00\x00\x00", b"HTTP/1.1 400"] {
            assert!(Frame::take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn confirms_name_the_records_that_they_answer() {
        let mut inbox = BytesMut::new();
        for (id, tag, bits) in [(BASIC_ACK, 3, 1), (BASIC_NACK, 4, 0)] {
            let confirm = method(CHANNEL, id, |out| {
                out.put_u64(tag);
                out.put_u8(bits);
            });
            inbox.extend_from_slice(&confirm);
        }
        let mut next = || Confirms.next(&mut inbox, &mut BytesMut::new()).unwrap();
        assert_eq!(next(), Some(Answer::To { number: 2, all_before: true, outcome: Ok(()) }));
        assert!(matches!(next(), Some(Answer::To { number: 3, all_before: false, outcome: Err(_) })));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_record_is_put_together_from_the_frames_that_publish_would_make() {
        let value: Vec<u8> = (0..2 * FRAME_BYTES).map(|at| at as u8).collect();
        let mut sent = BytesMut::new();
        publish(&mut sent, "q", &value);
        // As the broker passes it on: another method in front, the same header and body.
        assert_eq!(Fields(&Frame::take(&mut sent).unwrap().unwrap().payload).u32(), Ok(BASIC_PUBLISH));
        let mut inbox = method(CHANNEL, BASIC_DELIVER, |out| {
            short(out, "5");
            out.put_u64(9);
        });
        inbox.extend_from_slice(&sent);
        let peer = Peer::of_url("amqp", "127.0.0.1:1").unwrap().unwrap();
        let text = "name: a\ntopics: 1\npartitionsPerTopic: 1\nproducersPerTopic: 1\nmessageSize: 100\nproducerRate: 1";
        let workload = crate::workload::Workload::parse(std::path::Path::new("a.yaml"), text).unwrap();
        let driver = AmqpDriver::new(&peer, &workload.cells[0]);
        let mut consumer = AmqpReader { driver, slots: Vec::new(), coming: None };
        while let Some(frame) = Frame::take(&mut inbox).unwrap() {
            consumer.take(&frame).unwrap();
        }
        let whole = consumer.coming.unwrap();
        assert_eq!((whole.slot, whole.tag, whole.missing), (5, 9, Some(0)));
        assert!(whole.value == value);
    }
}
