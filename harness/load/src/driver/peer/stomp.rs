//! ActiveMQ, Classic and Artemis, by STOMP 1.2 (<https://stomp.github.io/stomp-specification-1.2.html>): a slot is a queue.
//!
//! A record is sent persistent, and its receipt asked for, which the broker gives after its journal has it. Queues have no keys, and
//! give a record to one reader: there can be one subscription. They go with the broker: STOMP can't delete a queue.

use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::Peer;
use super::line::{Consumer, Line, Reader};
use super::pipeline::{Answer, Answers, Pipeline};
use super::producer::{Producer, Writer};
use crate::LoadError;
use crate::driver::{Declaration, Driver, Layout, Record};
use crate::workload::{CellSpec, Durability};

/// The longest frame that is taken.
const MAX_BYTES: usize = 512 << 20;

/// A broker that speaks STOMP.
#[derive(Debug, Clone)]
pub struct StompDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a broker for its version, which stands behind its name.
pub(super) async fn version(line: &mut Line) -> Result<String, String> {
    let greeting = greet(line).await?;
    // Name/version, and words
    let version = greeting.header("server").and_then(|server| server.split(['/', ' ']).nth(1));
    version.map(str::to_owned).ok_or_else(|| "its greeting has no version".to_owned())
}

async fn greet(line: &mut Line) -> Result<Frame, String> {
    line.write(b"CONNECT\naccept-version:1.2\nhost:ringbench\nheart-beat:0,0\n\n\0").await?;
    let greeting = line.next(Frame::take).await?;
    if greeting.command() == b"CONNECTED" { Ok(greeting) } else { Err(greeting.text()) }
}

/// What Artemis tells of its journal, to those who may send to its management address
/// (<https://activemq.apache.org/components/artemis/documentation/latest/management.html>).
async fn journal(line: &mut Line, answers: &str) -> Result<Option<(Durability, String)>, String> {
    line.write(format!("SUBSCRIBE\nid:0\ndestination:{answers}\nsubscription-type:ANYCAST\nack:auto\n\n\0")).await?;
    let (mut words, mut is_so) = (Vec::new(), Vec::new());
    for attribute in ["PersistenceEnabled", "JournalSyncNonTransactional"] {
        let head = "SEND\ndestination:activemq.management\n_AMQ_ResourceName:broker\n";
        line.write(format!("{head}_AMQ_Attribute:{attribute}\nreply-to:{answers}\n\n\0")).await?;
        let told = line.next(Frame::take).await?;
        if told.header("_AMQ_OperationSucceeded") != Some("true") {
            return Ok(None);
        }
        is_so.push(told.body() == b"[true]");
        words.push(format!("{attribute}={}", String::from_utf8_lossy(told.body()).trim_matches(['[', ']'])));
    }
    // A record that is not synced waits in the journal's buffer, which is the process's.
    let durability = if is_so.contains(&false) { Durability::Memory } else { Durability::Fsync };
    words.push("journal-datasync as it is delivered: it can't be asked".to_owned());
    Ok(Some((durability, words.join(", "))))
}

impl StompDriver {
    /// For one cell. Classic can't be asked what its journal does.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> StompDriver {
        StompDriver { peer: peer.clone(), cell: cell.clone() }
    }

    async fn connect(&self) -> Result<Line, LoadError> {
        let mut connection = self.peer.line().await?;
        self.peer.answers(greet(&mut connection)).await?;
        Ok(connection)
    }
}

impl Driver for StompDriver {
    type Producer = Producer<StompDriver>;
    type Consumer = Consumer<StompReader>;

    fn declares(&self) -> Declaration {
        self.peer.declares(&self.cell)
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        // A queue comes to be by its first record.
        let mut line = self.connect().await?;
        let answers = format!("{}-answers", layout.name(0));
        let told = match self.peer.name {
            "artemis" => self.peer.answers(journal(&mut line, &answers)).await?,
            _ => None,
        };
        match told {
            Some(told) => self.peer.told(&self.cell, self.declares(), told),
            None => self.peer.believed(&self.cell, self.declares()),
        }
    }

    async fn producer(&self, layout: &Layout, _: usize) -> Result<Producer<StompDriver>, LoadError> {
        self.clone().connected(layout).await
    }

    async fn consumer(
        &self,
        layout: &Layout,
        subscription: u32,
        slots: &[u32],
    ) -> Result<Consumer<StompReader>, LoadError> {
        self.peer.has_one_reader(subscription)?;
        let slots = slots.iter().map(|&slot| (slot, layout.name(slot))).collect();
        Ok(Consumer::new(StompReader { driver: self.clone(), slots }))
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Writer for StompDriver {
    async fn open(&mut self) -> Result<Pipeline, LoadError> {
        Ok(Pipeline::new(&self.peer, self.connect().await?.stream, Receipts))
    }

    fn write(&self, out: &mut BytesMut, queue: &str, record: Record<'_>) {
        // Classic reads the kind of destination from its name, Artemis from a header. Receipts come in order: all have one name.
        let head = format_args!(
            "SEND\ndestination:/queue/{queue}\ndestination-type:ANYCAST\npersistent:true\nreceipt:r\ncontent-length:{}\n\n",
            record.value.len()
        );
        // Writing to memory does not fail.
        let _ = std::fmt::Write::write_fmt(out, head);
        out.extend_from_slice(record.value);
        out.extend_from_slice(b"\0");
    }
}

/// Reads queues. What it was given is off the queue.
#[derive(Debug)]
pub struct StompReader {
    driver: StompDriver,
    slots: Vec<(u32, String)>,
}

impl Reader for StompReader {
    fn peer(&self) -> &Peer {
        &self.driver.peer
    }

    async fn open(&mut self) -> Result<Line, LoadError> {
        let mut line = self.driver.connect().await?;
        for (slot, queue) in &self.slots {
            let subscribe =
                format!("SUBSCRIBE\nid:{slot}\ndestination:/queue/{queue}\nsubscription-type:ANYCAST\nack:auto\n\n\0");
            line.write(subscribe).await.map_err(|said| self.driver.peer.error(said))?;
        }
        Ok(line)
    }

    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        let read = line.all_within(wait, Frame::take, |frame| {
            if frame.command() != b"MESSAGE" {
                return Err(frame.text());
            }
            let slot = frame.header("subscription").and_then(|slot| slot.parse().ok());
            let slot = slot.ok_or("a message names no subscription")?;
            each(Record { slot, key: None, value: frame.body() });
            Ok(())
        });
        read.await
    }
}

/// Takes receipts for answers.
struct Receipts;

impl Answers for Receipts {
    fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
        match Frame::take(inbox)? {
            None => Ok(None),
            Some(frame) if frame.command() == b"RECEIPT" => Ok(Some(Answer::Next(Ok(())))),
            // A broker that sends an error closes the connection.
            Some(frame) => Err(frame.text()),
        }
    }
}

/// What peers say to each other: a command, headers, an empty line, a body, NUL.
#[derive(Debug)]
struct Frame {
    bytes: BytesMut,
    body: std::ops::Range<usize>,
}

impl Frame {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Frame>, String> {
        let between = inbox.iter().take_while(|&&byte| matches!(byte, b'\n' | b'\r')).count();
        inbox.advance(between);
        if inbox.first().is_some_and(|first| !first.is_ascii_uppercase()) {
            return Err("it does not speak STOMP".to_owned());
        }
        let Some(body) = inbox.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2) else {
            return Ok(None);
        };
        let length = header(&inbox[..body], "content-length").map(|digits| {
            digits
                .parse::<usize>()
                .ok()
                .filter(|&bytes| bytes <= MAX_BYTES)
                .ok_or("the length of its frame is out of bounds")
        });
        let end = match length.transpose()? {
            Some(bytes) => body + bytes,
            None => match inbox[body..].iter().position(|&byte| byte == 0) {
                Some(bytes) => body + bytes,
                None => return Ok(None),
            },
        };
        match inbox.get(end) {
            None => Ok(None),
            Some(0) => Ok(Some(Frame { bytes: inbox.split_to(end + 1), body: body..end })),
            Some(_) => Err("its frame does not end where it says".to_owned()),
        }
    }

    fn command(&self) -> &[u8] {
        self.bytes[..].split(|&byte| byte == b'\n').next().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        header(&self.bytes[..self.body.start], name)
    }

    fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    /// What an error says.
    fn text(&self) -> String {
        let command = String::from_utf8_lossy(self.command());
        format!("{command}: {}", self.header("message").unwrap_or("unexpected"))
    }
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let value = |line: &'a [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b":");
    std::str::from_utf8(head.split(|&byte| byte == b'\n').find_map(value)?).ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::driver::Evidence;
    use crate::workload::Workload;

    /// Artemis with a journal that syncs, which greets, and says yes to whoever asks it something in a frame that it takes.
    fn artemis() -> String {
        const MOST_BYTES: usize = 10 << 10;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let (mut inbox, mut bytes) = (BytesMut::new(), [0; 4096]);
            while let Ok(count @ 1..) = std::io::Read::read(&mut client, &mut bytes) {
                inbox.extend_from_slice(&bytes[..count]);
                while let Some(frame) = Frame::take(&mut inbox).unwrap() {
                    let answer: &[u8] = match frame.command() {
                        _ if frame.bytes.len() > MOST_BYTES => b"ERROR\nmessage:too long\n\n\0",
                        b"CONNECT" => b"CONNECTED\n\n\0",
                        b"SEND" => b"MESSAGE\n_AMQ_OperationSucceeded:true\n\n[true]\0",
                        _ => b"",
                    };
                    std::io::Write::write_all(&mut client, answer).unwrap();
                }
            }
        });
        address
    }

    #[test]
    fn artemis_is_asked_for_its_journal_however_many_queues_there_are_and_what_it_does_not_tell_is_said() {
        let peer = Peer::of_url("artemis", &artemis()).unwrap().unwrap();
        let text = "name: a\nmessageSize: 100\nproducerRate: 1\ndurability: fsync";
        let cell = Workload::parse("a.yaml".as_ref(), text).unwrap().cells.remove(0);
        let layout = Layout { topics: vec!["ringbench-0".to_owned()], partitions: 10_000 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let declared = runtime.block_on(StompDriver::new(&peer, &cell).prepare(&layout)).unwrap();
        let words = "PersistenceEnabled=true, JournalSyncNonTransactional=true, \
                     journal-datasync as it is delivered: it can't be asked";
        assert_eq!((declared.durability, declared.evidence), (Durability::Fsync, Evidence::Told(words.to_owned())));
    }

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        let frame = b"MESSAGE\nsubscription:3\ncontent-length:5\n\na\0\n\nb\0";
        let mut inbox = BytesMut::from(&b"\n\r\n"[..]);
        for (at, byte) in frame.iter().enumerate() {
            inbox.extend_from_slice(&[*byte]);
            let taken = Frame::take(&mut inbox).unwrap();
            assert_eq!(taken.is_some(), at + 1 == frame.len(), "at byte {at}");
            if let Some(frame) = taken {
                assert_eq!((frame.command(), frame.header("subscription")), (&b"MESSAGE"[..], Some("3")));
                assert_eq!(frame.body(), b"a\0\n\nb");
            }
        }
        assert!(inbox.is_empty());
    }

    #[test]
    fn receipts_are_answers_and_an_error_ends_the_connection() {
        let mut inbox =
            BytesMut::from(&b"RECEIPT\nreceipt-id:r\n\n\0\nRECEIPT\nreceipt-id:r\n\n\0ERROR\nmessage:full\n\n\0"[..]);
        assert_eq!(Receipts.next(&mut inbox, &mut BytesMut::new()), Ok(Some(Answer::Next(Ok(())))));
        assert_eq!(Receipts.next(&mut inbox, &mut BytesMut::new()), Ok(Some(Answer::Next(Ok(())))));
        assert_eq!(Receipts.next(&mut inbox, &mut BytesMut::new()), Err("ERROR: full".to_owned()));
    }

    #[test]
    fn a_frame_of_a_wrong_length_is_refused() {
        for bytes in [&b"MESSAGE\ncontent-length:1\n\nab\0"[..], b"MESSAGE\ncontent-length:x\n\n\0", b"-ERR no"] {
            assert!(Frame::take(&mut BytesMut::from(bytes)).is_err());
        }
    }
}
