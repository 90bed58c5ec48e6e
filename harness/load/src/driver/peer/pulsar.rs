//! Apache Pulsar by its binary protocol (<https://pulsar.apache.org/docs/developing-binary-protocol/>): a slot is a topic, which to the
//! broker a partition of a partitioned topic is, too.
//!
//! ```text
//! bytes u32 | command bytes u32 | command | where it has a payload: 0x0e01 | crc32c u32 | metadata bytes u32 | metadata | payload
//! ```
//! Producers collect records of a topic for one batch until there is nothing more to send, or enough; a batch is acknowledged whole.
//! Subscriptions are durable, acknowledged as often as one polls, and made before the first record: what nobody has subscribed to, a
//! broker may drop. Nor can its protocol delete a topic: without subscriptions it goes the next time that the broker looks, which by
//! default is every minute.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, BytesMut};
use ringlog_record::crc32c;

use super::Peer;
use super::batching::{Batch, BatchProducer, BatchWriter};
use super::fields::Fields;
use super::line::{Consumer, Line, Reader};
use super::pipeline::{Answer, Answers, Pipeline, Receipt};
use super::protobuf::{Message, bytes, number};
use crate::LoadError;
use crate::driver::{Declaration, Driver, Layout, Record};
use crate::workload::CellSpec;

/// Records that may be under way to a consumer, of each topic: as Pulsar's own clients have it (`receiverQueueSize`).
const PERMITS: u32 = 1000;
/// The longest frame: Pulsar's default, and what is around a payload.
const MAX_BYTES: usize = (5 << 20) + (64 << 10);
/// The first version of the protocol that has all we use.
const PROTOCOL_VERSION: u64 = 12;
/// All requests have one number: they are sent one after the other.
const REQUEST: u64 = 1;
/// Stands in front of a checksum.
const MAGIC: u16 = 0x0e01;
/// How often one who wants a subscription that a closing connection still has asks for it.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// A command's kind, and the number of the field that holds it.
const CONNECT: u64 = 2;
const CONNECTED: u64 = 3;
const SUBSCRIBE: u64 = 4;
const PRODUCER: u64 = 5;
const SEND: u64 = 6;
const SEND_RECEIPT: u64 = 7;
const SEND_ERROR: u64 = 8;
const MESSAGE: u64 = 9;
const ACK: u64 = 10;
const FLOW: u64 = 11;
const UNSUBSCRIBE: u64 = 12;
const SUCCESS: u64 = 13;
const ERROR: u64 = 14;
const CLOSE_CONSUMER: u64 = 16;
const PRODUCER_SUCCESS: u64 = 17;
const PING: u64 = 18;
const PONG: u64 = 19;
const LOOKUP: u64 = 23;
const LOOKUP_RESPONSE: u64 = 24;

/// A Pulsar broker, which serves all topics itself.
#[derive(Debug, Clone)]
pub struct PulsarDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a broker for its version.
pub(super) async fn version(line: &mut Line) -> Result<String, String> {
    let said = greet(line).await?.message().text(1)?;
    Ok(said.trim_start_matches("Pulsar Server").trim_start_matches(['-', ' ']).to_owned())
}

async fn greet(line: &mut Line) -> Result<Frame, String> {
    let connect = command(CONNECT, |out| {
        bytes(out, 1, b"ringbench");
        number(out, 4, PROTOCOL_VERSION);
    });
    call(line, connect, CONNECTED).await
}

impl PulsarDriver {
    /// For one cell. A client can't ask a broker what its bookies' journals do, nor how many of them have a record.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> PulsarDriver {
        PulsarDriver { peer: peer.clone(), cell: cell.clone() }
    }

    /// A connection on which `and_then` has been done.
    async fn connect(&self, and_then: impl AsyncFnOnce(&mut Line) -> Result<(), String>) -> Result<Line, LoadError> {
        let mut line = self.peer.line().await?;
        let greeted = async {
            greet(&mut line).await?;
            and_then(&mut line).await
        };
        self.peer.answers(greeted).await?;
        Ok(line)
    }

    /// The subscriptions that are made; without consumers one reads everything back.
    fn subscriptions(&self) -> u32 {
        self.cell.subscriptions_per_topic.max(1)
    }
}

/// Topics without a namespace in front are in the one that is there by default.
fn topic(name: &str) -> String {
    format!("persistent://public/default/{name}")
}

impl Driver for PulsarDriver {
    type Producer = BatchProducer<PulsarDriver>;
    type Consumer = Consumer<PulsarReader>;

    fn declares(&self) -> Declaration {
        Declaration { keys: true, ..self.peer.declares(&self.cell) }
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let declaration = self.peer.believed(&self.cell, self.declares())?;
        for topic in layout.names().iter().map(|name| topic(name)) {
            let made = self.connect(async |line| {
                own(line, &topic).await?;
                for subscription in 0..self.subscriptions() {
                    call(line, subscribe(&topic, subscription, 0), SUCCESS).await?;
                    call(line, of_consumer(CLOSE_CONSUMER), SUCCESS).await?;
                }
                Ok(())
            });
            made.await?;
        }
        Ok(declaration)
    }

    async fn producer(&self, layout: &Layout, of: usize) -> Result<BatchProducer<PulsarDriver>, LoadError> {
        self.clone().connected(layout, of).await
    }

    async fn consumer(
        &self,
        layout: &Layout,
        subscription: u32,
        slots: &[u32],
    ) -> Result<Consumer<PulsarReader>, LoadError> {
        let reading = |&slot: &u32| Reading { slot, topic: topic(&layout.name(slot)), taken: 0, last: Vec::new() };
        let topics = slots.iter().map(reading);
        Ok(Consumer::new(PulsarReader { driver: self.clone(), subscription, topics: topics.collect() }))
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        for topic in layout.names().iter().map(|name| topic(name)) {
            let removed = self.connect(async |line| {
                for subscription in 0..self.subscriptions() {
                    let mut tries = 0;
                    while let Err(said) = call(line, subscribe(&topic, subscription, 0), SUCCESS).await {
                        tries += 1;
                        if tries == TRIES {
                            return Err(said);
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                    call(line, of_consumer(UNSUBSCRIBE), SUCCESS).await?;
                }
                Ok(())
            });
            removed.await?;
        }
        Ok(())
    }
}

/// Asks who serves a topic, by which a broker that is alone comes to serve it.
async fn own(line: &mut Line, topic: &str) -> Result<(), String> {
    const HERE: u64 = 1;
    let lookup = command(LOOKUP, |out| {
        bytes(out, 1, topic.as_bytes());
        number(out, 2, REQUEST);
    });
    let response = call(line, lookup, LOOKUP_RESPONSE).await?;
    let response = response.message();
    match response.number(3)? {
        Some(HERE) => Ok(()),
        _ => Err(format!("it does not serve {topic}: {} {}", response.text(1)?, response.text(7)?)),
    }
}

/// Makes a subscription, which begins at the topic's end, or takes up one that is there.
fn subscribe(topic: &str, subscription: u32, consumer: u64) -> BytesMut {
    const EXCLUSIVE: u64 = 0;
    command(SUBSCRIBE, |out| {
        bytes(out, 1, topic.as_bytes());
        bytes(out, 2, format!("ringbench-{subscription}").as_bytes());
        number(out, 3, EXCLUSIVE);
        number(out, 4, consumer);
        number(out, 5, REQUEST);
    })
}

/// A request of a connection's first consumer.
fn of_consumer(kind: u64) -> BytesMut {
    command(kind, |out| {
        number(out, 1, 0);
        number(out, 2, REQUEST);
    })
}

impl BatchWriter for PulsarDriver {
    fn peer(&self) -> &Peer {
        &self.peer
    }

    async fn open(&self, topics: &[String]) -> Result<Pipeline, LoadError> {
        let line = self.connect(async |line| {
            for (producer, name) in topics.iter().enumerate() {
                let open = command(PRODUCER, |out| {
                    bytes(out, 1, topic(name).as_bytes());
                    number(out, 2, producer as u64);
                    number(out, 3, REQUEST);
                });
                call(line, open, PRODUCER_SUCCESS).await?;
            }
            Ok(())
        });
        Ok(Pipeline::new(&self.peer, line.await?.stream, Receipts))
    }

    /// All records of a batch have one receipt.
    fn enter(batch: &mut Batch, record: Record<'_>, pipeline: &mut Pipeline) -> Receipt {
        entry(&mut batch.entries, record);
        batch.receipt.get_or_insert_with(|| pipeline.request(|_, _| ())).clone()
    }

    fn write(out: &mut BytesMut, producer: usize, batch: &Batch) {
        send(out, producer as u64, batch);
    }
}

/// Appends a record as a batch has it: its metadata, which is key and length, with their length in front, and its value.
fn entry(out: &mut BytesMut, record: Record<'_>) {
    let at = out.len();
    out.put_u32(0);
    if let Some(key) = record.key {
        bytes(out, 2, key);
    }
    number(out, 3, record.value.len() as u64);
    let metadata = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&metadata.to_be_bytes());
    out.extend_from_slice(record.value);
}

/// Appends a batch, whose number in the pipeline is its sequence.
fn send(out: &mut BytesMut, producer: u64, batch: &Batch) {
    let sequence = batch.receipt.as_ref().map_or(0, Receipt::number);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut metadata = BytesMut::new();
    bytes(&mut metadata, 1, b"ringbench");
    number(&mut metadata, 2, sequence);
    number(&mut metadata, 3, now.as_millis() as u64);
    number(&mut metadata, 11, u64::from(batch.records));
    let mut send = command(SEND, |out| {
        number(out, 1, producer);
        number(out, 2, sequence);
        number(out, 3, u64::from(batch.records));
    });
    send.put_u16(MAGIC);
    let checksum_at = send.len();
    send.put_u32(0);
    send.put_u32(metadata.len() as u32);
    send.extend_from_slice(&metadata);
    send.extend_from_slice(&batch.entries);
    let checksum = crc32c(&send[checksum_at + 4..]);
    send[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_be_bytes());
    let bytes = (send.len() - 4) as u32;
    send[..4].copy_from_slice(&bytes.to_be_bytes());
    out.extend_from_slice(&send);
}

/// Takes receipts of batches for answers.
struct Receipts;

impl Answers for Receipts {
    fn next(&mut self, inbox: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Answer>, String> {
        while let Some(frame) = Frame::take(inbox)? {
            let message = frame.message();
            let outcome = match frame.kind {
                SEND_RECEIPT => Ok(()),
                SEND_ERROR => Err(message.text(4)?),
                PING => {
                    out.extend_from_slice(&command(PONG, |_| ()));
                    continue;
                }
                _ => return Err(frame.text()),
            };
            let number = message.number(2)?.ok_or("a receipt of nothing")?;
            return Ok(Some(Answer::To { number, all_before: false, outcome }));
        }
        Ok(None)
    }
}

/// Reads topics. What it has acknowledged it is not given again.
#[derive(Debug)]
pub struct PulsarReader {
    driver: PulsarDriver,
    subscription: u32,
    /// By consumer of the connection.
    topics: Vec<Reading>,
}

#[derive(Debug)]
struct Reading {
    slot: u32,
    topic: String,
    /// Records since the last acknowledgement.
    taken: u32,
    /// The message that they end with: its id as it came.
    last: Vec<u8>,
}

impl Reader for PulsarReader {
    fn peer(&self) -> &Peer {
        &self.driver.peer
    }

    async fn open(&mut self) -> Result<Line, LoadError> {
        self.topics.iter_mut().for_each(|reading| reading.taken = 0);
        let subscribed = self.driver.connect(async |line| {
            for (consumer, Reading { topic, .. }) in self.topics.iter().enumerate() {
                call(line, subscribe(topic, self.subscription, consumer as u64), SUCCESS).await?;
            }
            // Only then: what a consumer is given would come between the answers of others.
            let permits = (0..self.topics.len()).flat_map(|consumer| permit(consumer as u64, PERMITS));
            line.write(permits.collect::<BytesMut>()).await
        });
        subscribed.await
    }

    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        let mut out = BytesMut::new();
        let read = line.all_within(wait, Frame::take, |frame| match frame.kind {
            MESSAGE => {
                let message = frame.message();
                let consumer = message.number(1)?.unwrap_or_default();
                let reading = self.topics.get_mut(consumer as usize).ok_or("a message for nobody")?;
                reading.last = message.bytes(2)?.to_vec();
                reading.hand_over(&frame.payload, each)
            }
            PING => {
                out.extend_from_slice(&command(PONG, |_| ()));
                Ok(())
            }
            _ => Err(frame.text()),
        });
        read.await?;
        for (consumer, reading) in self.topics.iter_mut().enumerate().filter(|(_, reading)| reading.taken > 0) {
            const ALL_BEFORE: u64 = 1;
            let ack = command(ACK, |out| {
                number(out, 1, consumer as u64);
                number(out, 2, ALL_BEFORE);
                bytes(out, 3, &reading.last);
            });
            out.extend_from_slice(&ack);
            out.extend_from_slice(&permit(consumer as u64, std::mem::take(&mut reading.taken)));
        }
        if out.is_empty() { Ok(()) } else { line.write(out).await }
    }
}

impl Reading {
    /// Hands over the records of a batch.
    fn hand_over(&mut self, payload: &[u8], each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        let mut rest = Fields(payload);
        if rest.u16()? != MAGIC {
            return Err("a message begins with something else than its checksum".to_owned());
        }
        rest.u32()?;
        let bytes = rest.u32()? as usize;
        let records = Message(rest.bytes(bytes)?).number(11)?.ok_or("a message that is no batch, which nobody sent")?;
        for _ in 0..records {
            let bytes = rest.u32()? as usize;
            let metadata = Message(rest.bytes(bytes)?);
            let key = Some(metadata.bytes(2)?).filter(|key| !key.is_empty());
            let bytes = metadata.number(3)?.unwrap_or_default() as usize;
            each(Record { slot: self.slot, key, value: rest.bytes(bytes)? });
            self.taken += 1;
        }
        Ok(())
    }
}

fn permit(consumer: u64, records: u32) -> BytesMut {
    command(FLOW, |out| {
        number(out, 1, consumer);
        number(out, 2, u64::from(records));
    })
}

/// Sends a request, and waits for its answer.
async fn call(line: &mut Line, request: BytesMut, wanted: u64) -> Result<Frame, String> {
    line.write(request).await?;
    loop {
        let frame = line.next(Frame::take).await?;
        match frame.kind {
            PING => line.write(command(PONG, |_| ())).await?,
            kind if kind == wanted => return Ok(frame),
            _ => return Err(frame.text()),
        }
    }
}

/// A command without a payload.
fn command(kind: u64, fields: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let (mut inner, mut out) = (BytesMut::new(), BytesMut::new());
    fields(&mut inner);
    out.put_u64(0);
    number(&mut out, 1, kind);
    bytes(&mut out, kind, &inner);
    let bytes = (out.len() - 8) as u32;
    out[..4].copy_from_slice(&(bytes + 4).to_be_bytes());
    out[4..8].copy_from_slice(&bytes.to_be_bytes());
    out
}

#[derive(Debug)]
struct Frame {
    kind: u64,
    command: BytesMut,
    /// What stands behind the command.
    payload: BytesMut,
}

impl Frame {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Frame>, String> {
        let Some((lengths, rest)) = inbox.split_first_chunk::<8>() else { return Ok(None) };
        let mut fields = Fields(lengths);
        let (all, command) = (fields.u32()? as usize, fields.u32()? as usize);
        if !(4..=MAX_BYTES).contains(&all) || command > all - 4 {
            return Err("it does not speak Pulsar's protocol".to_owned());
        }
        if rest.len() < all - 4 {
            return Ok(None);
        }
        inbox.advance(lengths.len());
        let mut payload = inbox.split_to(all - 4);
        let command = payload.split_to(command);
        let kind = Message(&command).number(1)?.ok_or("a command of no kind")?;
        Ok(Some(Frame { kind, command, payload }))
    }

    /// The command's fields.
    fn message(&self) -> Message<'_> {
        Message(Message(&self.command).bytes(self.kind).unwrap_or_default())
    }

    /// What a command says that nobody waits for.
    fn text(&self) -> String {
        match self.kind {
            ERROR => self.message().text(3).unwrap_or_else(|said| said),
            kind => format!("a command of kind {kind} is not expected here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        let bytes = subscribe("t", 0, 7);
        let mut inbox = BytesMut::new();
        for (at, &byte) in bytes.iter().enumerate() {
            inbox.put_u8(byte);
            let taken = Frame::take(&mut inbox).unwrap();
            assert_eq!(taken.is_some(), at + 1 == bytes.len(), "at byte {at}");
            if let Some(frame) = taken {
                assert_eq!(
                    (frame.kind, frame.message().text(1), frame.message().number(4)),
                    (SUBSCRIBE, Ok("t".to_owned()), Ok(Some(7)))
                );
            }
        }
        for bytes in [&b"HTTP/1.1 400"[..], &[0; 8], &[0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0]] {
            assert!(Frame::take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_ping_is_answered_and_receipts_name_their_batch() {
        let said = |kind, sequence| {
            command(kind, |out| {
                number(out, 1, 0);
                number(out, 2, sequence);
                bytes(out, 4, b"full");
            })
        };
        let (mut inbox, mut out) = (command(PING, |_| ()), BytesMut::new());
        inbox.extend_from_slice(&said(SEND_RECEIPT, 3));
        inbox.extend_from_slice(&said(SEND_ERROR, 4));
        let mut next = || Receipts.next(&mut inbox, &mut out).unwrap();
        assert_eq!(next(), Some(Answer::To { number: 3, all_before: false, outcome: Ok(()) }));
        assert_eq!(next(), Some(Answer::To { number: 4, all_before: false, outcome: Err("full".to_owned()) }));
        assert_eq!(next(), None);
        assert_eq!(Frame::take(&mut out).unwrap().unwrap().kind, PONG);
    }

    #[test]
    fn a_batch_is_checked_by_its_checksum_and_gives_its_records_back() {
        let (values, keys): ([&[u8]; 3], _) = ([b"a", &[7; 300], b""], [None, Some(&b"k"[..]), None]);
        let mut batch = Batch { records: 3, ..Batch::default() };
        for (value, key) in values.into_iter().zip(keys) {
            entry(&mut batch.entries, Record { slot: 0, key, value });
        }
        let mut sent = BytesMut::new();
        send(&mut sent, 0, &batch);
        let frame = Frame::take(&mut sent).unwrap().unwrap();
        assert!(sent.is_empty() && frame.kind == SEND);
        let mut fields = Fields(&frame.payload);
        assert_eq!((fields.u16(), fields.u32().unwrap()), (Ok(MAGIC), crc32c(fields.0)));
        let mut reading = Reading { slot: 4, topic: String::new(), taken: 0, last: Vec::new() };
        let mut read = Vec::new();
        let mut each = |record: Record<'_>| {
            read.push((record.slot, record.key.map(<[u8]>::to_vec), record.value.to_vec()));
        };
        reading.hand_over(&frame.payload, &mut each).unwrap();
        let sent = values.into_iter().zip(keys).map(|(value, key)| (4, key.map(<[u8]>::to_vec), value.to_vec()));
        assert_eq!(read, sent.collect::<Vec<_>>());
        assert_eq!(reading.taken, 3);
        assert!(reading.hand_over(&frame.payload[..frame.payload.len() - 1], &mut |_| {}).is_err());
    }
}
