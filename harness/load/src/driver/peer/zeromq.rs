//! ZeroMQ by ZMTP 3.0 (<https://rfc.zeromq.org/spec/23/>) with the NULL mechanism: no broker, but producers' PUSH sockets and consumers'
//! PULL sockets in this process, over TCP. A slot is a PULL socket.
//!
//! ```text
//! greeting, 64 bytes: ff 00×8 7f | 3 0 | NULL, 20 bytes | 0 | 00×31; then frames: flags u8 | length u8 or u64 | body
//! ```
//! Nobody acknowledges anything: a record counts as sent when the kernel has it, as with Kafka's `acks=0`. Sockets have no keys.

#[cfg(test)]
mod libzmq;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Peer;
use super::fields::Fields;
use super::line::Line;
use super::pipeline::{Answer, Answers, Pipeline, Receipt};
use crate::LoadError;
use crate::driver::{Ack, Consume, Declaration, Driver, Evidence, Layout, Produce, Record};
use crate::workload::{CellSpec, Durability};

/// The version that is spoken.
pub(super) const VERSION: &str = "ZMTP/3.0";
/// The longest frame that is taken.
const MAX_BYTES: u64 = 512 << 20;
/// What has been read from sockets and not been asked for: then nothing more is read.
const READ_AHEAD: usize = 8;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// A pair of sockets for each slot and producer.
#[derive(Debug, Clone)]
pub struct ZeromqDriver {
    peer: Peer,
    cell: CellSpec,
    /// By slot.
    pulls: Arc<[TcpListener]>,
}

impl ZeromqDriver {
    /// For one cell. The first slot's PULL socket is bound to the address of the URL, the others' to the ports behind it; with port 0
    /// each to a free one.
    ///
    /// # Errors
    /// [`LoadError::Peer`] when a port is taken, and for a cell that asks for what is not there: records that outlive their reader, or
    /// have two.
    pub fn new(peer: &Peer, cell: &CellSpec) -> Result<ZeromqDriver, LoadError> {
        peer.grants(Durability::Memory, cell.durability)?;
        if cell.consumers() == 0 || cell.subscriptions_per_topic > 1 || cell.backlog_bytes > 0 {
            let why = "a record goes to one reader, who is there before it: subscriptionsPerTopic must be 1, without a backlog";
            return Err(peer.error(why));
        }
        let (host, port) = peer.address.rsplit_once(':').unwrap_or_default();
        let first: u16 = port.parse().unwrap_or_default();
        let bound = (0..cell.topics * cell.partitions_per_topic).map(|slot| {
            let port = if first == 0 { 0 } else { u32::from(first) + slot };
            let bound = TcpListener::bind(format!("{host}:{port}"));
            let bound = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
            bound.map_err(|error| {
                peer.error(format!("port {port} can't be bound: {error}: name another, or 0 for free ones"))
            })
        });
        let pulls = bound.collect::<Result<Vec<_>, _>>()?.into();
        Ok(ZeromqDriver { peer: peer.clone(), cell: cell.clone(), pulls })
    }

    async fn push(&self, slot: u32) -> Result<Pipeline, LoadError> {
        let address = self.pull(slot)?.local_addr().map_err(|error| self.peer.error(error))?;
        push(&Peer { address: address.to_string(), ..self.peer.clone() }).await
    }

    fn pull(&self, slot: u32) -> Result<&TcpListener, LoadError> {
        self.pulls.get(slot as usize).ok_or_else(|| self.peer.error(format!("slot {slot} has no socket")))
    }
}

impl Driver for ZeromqDriver {
    type Producer = ZeromqProducer;
    type Consumer = ZeromqConsumer;

    fn declares(&self) -> Declaration {
        let connections = self.cell.producers() * self.cell.partitions_per_topic;
        let evidence = Evidence::Told("a socket keeps nothing".to_owned());
        let durability = Durability::Memory;
        let declared = self.peer.declares(&self.cell);
        Declaration { durability, replication: 0, evidence, ack: Ack::None, connections, ..declared }
    }

    async fn prepare(&self, _: &Layout) -> Result<Declaration, LoadError> {
        Ok(self.declares())
    }

    async fn producer(&self, layout: &Layout, topic: usize) -> Result<ZeromqProducer, LoadError> {
        let first_slot = layout.first_slot(topic);
        let mut pushes = Vec::new();
        for slot in first_slot..first_slot + layout.partitions {
            pushes.push(self.push(slot).await?);
        }
        Ok(ZeromqProducer { peer: self.peer.clone(), first_slot, pushes })
    }

    async fn consumer(&self, _: &Layout, _: u32, slots: &[u32]) -> Result<ZeromqConsumer, LoadError> {
        let (frames, inbox) = mpsc::channel(READ_AHEAD);
        let mut pulls = JoinSet::new();
        for &slot in slots {
            let listener = self.pull(slot)?.try_clone().and_then(tokio::net::TcpListener::from_std);
            pulls.spawn(accept(slot, listener.map_err(|error| self.peer.error(error))?, frames.clone()));
        }
        Ok(ZeromqConsumer { peer: self.peer.clone(), _pulls: pulls, inbox })
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

/// A PUSH socket for each slot of a topic.
#[derive(Debug)]
pub struct ZeromqProducer {
    peer: Peer,
    first_slot: u32,
    pushes: Vec<Pipeline>,
}

impl Produce for ZeromqProducer {
    type Receipt = Receipt;

    async fn send(&mut self, record: Record<'_>) -> Result<Receipt, LoadError> {
        let push = self.pushes.get_mut((record.slot - self.first_slot) as usize);
        let push =
            push.ok_or_else(|| self.peer.error(format!("slot {} is not of this producer's topic", record.slot)))?;
        push.room().await;
        if push.is_gone() {
            return Err(self.peer.error("its reader is gone, and with it what it had not read"));
        }
        Ok(push.request(|out, _| frame(out, 0, record.value)))
    }

    fn idle(&mut self) {
        self.pushes.iter().for_each(Pipeline::flush);
    }
}

/// A PUSH socket, connected to the address of this peer.
async fn push(to: &Peer) -> Result<Pipeline, LoadError> {
    let mut line = to.line().await?;
    to.answers(greet(&mut line, "PUSH")).await?;
    Ok(Pipeline::new(to, line.stream, Unanswered))
}

/// Nothing is said after the greeting: what has been written is as good as acknowledged.
struct Unanswered;

impl Answers for Unanswered {
    const ARE_AWAITED: bool = false;

    fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
        inbox.clear();
        Ok(None)
    }
}

/// The PULL sockets of some slots.
#[derive(Debug)]
pub struct ZeromqConsumer {
    peer: Peer,
    /// End with it.
    _pulls: JoinSet<()>,
    inbox: mpsc::Receiver<Read>,
}

/// Whole frames of a slot, or why there are no more.
type Read = Result<(u32, BytesMut), String>;

impl Consume for ZeromqConsumer {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let mut next = tokio::time::timeout(wait, self.inbox.recv()).await.ok().flatten();
        while let Some(read) = next {
            let handed_over = read.and_then(|(slot, mut frames)| {
                while let Some(frame) = Frame::take(&mut frames)? {
                    match frame.flags & (MORE | COMMAND) {
                        0 => each(Record { slot, key: None, value: &frame.body }),
                        COMMAND => {}
                        _ => return Err("a message of several parts, which nobody sent".to_owned()),
                    }
                }
                Ok(())
            });
            handed_over.map_err(|said| self.peer.error(said))?;
            // What else has come already.
            next = self.inbox.try_recv().ok();
        }
        Ok(())
    }
}

/// A PULL socket: reads from everyone who connects.
async fn accept(slot: u32, listener: tokio::net::TcpListener, frames: mpsc::Sender<Read>) {
    let mut lines = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => lines.spawn(pull(slot, stream, frames.clone())),
            Err(error) => return drop(frames.send(Err(error.to_string())).await),
        };
    }
}

async fn pull(slot: u32, stream: TcpStream, frames: mpsc::Sender<Read>) {
    let mut line = Line::new(stream);
    let mut read = greet(&mut line, "PULL").await.map(|()| (slot, BytesMut::new()));
    while read.is_ok() && frames.send(read).await.is_ok() {
        read = line.next(whole_frames).await.map(|whole| (slot, whole));
    }
}

/// Greets, and then says which kind of socket this is. Step by step: libzmq 4.3.5 never answers who says both at once.
async fn greet(line: &mut Line, kind: &str) -> Result<(), String> {
    let mut out = BytesMut::from(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, b'N', b'U', b'L', b'L'][..]);
    out.put_bytes(0, GREETING_BYTES - out.len());
    line.write(&out).await?;
    line.next(greeting).await?;
    let mut ready = BytesMut::from(&b"\x05READY\x0bSocket-Type"[..]);
    ready.put_u32(kind.len() as u32);
    ready.extend_from_slice(kind.as_bytes());
    out.clear();
    frame(&mut out, COMMAND, &ready);
    line.write(out).await?;
    let said = line.next(Frame::take).await?;
    let wanted = if kind == "PUSH" { "PULL" } else { "PUSH" };
    let is_it = said.body.starts_with(b"\x05READY") && said.body.windows(4).any(|word| word == wanted.as_bytes());
    if is_it { Ok(()) } else { Err(format!("it is no {wanted} socket: {}", String::from_utf8_lossy(&said.body))) }
}

const GREETING_BYTES: usize = 64;

/// Takes a greeting off the front.
fn greeting(inbox: &mut BytesMut) -> Result<Option<()>, String> {
    let speaks = match inbox.first_chunk::<16>() {
        Some([0xff, .., version, _, b'N', b'U', b'L', b'L']) => *version >= 3,
        Some(_) => false,
        None => return Ok(None),
    };
    if !speaks {
        return Err("it does not speak ZMTP 3 without a password".to_owned());
    }
    Ok((inbox.len() >= GREETING_BYTES).then(|| inbox.advance(GREETING_BYTES)))
}

/// Appends a frame.
fn frame(out: &mut BytesMut, flags: u8, body: &[u8]) {
    match u8::try_from(body.len()) {
        Ok(bytes) => out.extend_from_slice(&[flags, bytes]),
        Err(_) => {
            out.put_u8(flags | LONG);
            out.put_u64(body.len() as u64);
        }
    }
    out.extend_from_slice(body);
}

#[derive(Debug)]
struct Frame {
    flags: u8,
    body: BytesMut,
}

impl Frame {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Frame>, String> {
        let Some((flags, head, bytes)) = measured(inbox)? else { return Ok(None) };
        inbox.advance(head);
        Ok(Some(Frame { flags, body: inbox.split_to(bytes) }))
    }
}

/// Takes all frames that are whole.
fn whole_frames(inbox: &mut BytesMut) -> Result<Option<BytesMut>, String> {
    let mut end = 0;
    while let Some((_, head, bytes)) = measured(inbox.get(end..).unwrap_or_default())? {
        end += head + bytes;
    }
    Ok((end > 0).then(|| inbox.split_to(end)))
}

/// Flags of the first frame, how much stands in front of its body, and how long that is; nothing until it is whole.
fn measured(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, String> {
    let mut fields = Fields(bytes);
    let Ok(flags) = fields.u8() else { return Ok(None) };
    let length = if flags & LONG == 0 { fields.u8().map(u64::from) } else { fields.u64() };
    match length {
        _ if flags > (MORE | LONG | COMMAND) => Err("a frame has flags that ZMTP does not know".to_owned()),
        Ok(length) if length > MAX_BYTES => Err("the length of its frame is out of bounds".to_owned()),
        Ok(length) if fields.0.len() as u64 >= length => {
            Ok(Some((flags, bytes.len() - fields.0.len(), length as usize)))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        for body in [&b""[..], b"short", &[7; 300]] {
            let (mut bytes, mut inbox) = (BytesMut::new(), BytesMut::new());
            frame(&mut bytes, 0, body);
            for (at, &byte) in bytes.iter().enumerate() {
                inbox.put_u8(byte);
                assert_eq!(measured(&inbox).unwrap().is_some(), at + 1 == bytes.len(), "at byte {at}");
            }
            assert_eq!(Frame::take(&mut inbox).unwrap().unwrap().body, body);
        }
        for wrong in [&b"HTTP/1.1 400"[..], &[2, 255, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(measured(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn whole_frames_are_taken_together_and_the_rest_stays() {
        let mut inbox = BytesMut::new();
        ["one", "two", "three"].iter().for_each(|word| frame(&mut inbox, 0, word.as_bytes()));
        inbox.truncate(inbox.len() - 1);
        assert_eq!(whole_frames(&mut inbox).unwrap().unwrap().len(), 2 * 5);
        assert_eq!(whole_frames(&mut inbox).unwrap(), None);
        assert_eq!(inbox.len(), 6);
    }

    #[test]
    fn only_who_greets_as_zmtp_3_without_a_mechanism_is_taken() {
        let mut other = BytesMut::from(&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL"[..]);
        other.put_bytes(0, GREETING_BYTES - 16);
        assert_eq!(greeting(&mut other.clone()), Ok(Some(())));
        assert_eq!(greeting(&mut BytesMut::from(&other[..63])), Ok(None));
        for wrong in [
            &b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE\0"[..],
            b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x00NULL",
            b"HTTP/1.1 400 Bad",
        ] {
            assert!(greeting(&mut BytesMut::from(wrong)).is_err());
        }
    }
}
