//! Redis Streams: a slot is a stream, written to by `XADD` on a pipelined connection and read by `XREAD` without a group.
//!
//! Redis holds its streams in memory: a cell must fit there. The protocol is RESP 2, as
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/> has it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::Peer;
use super::line::Line;
use super::pipeline::{Answer, Answers, Pipeline};
use super::producer::{Producer, Writer};
use crate::LoadError;
use crate::driver::{Consume, Declaration, Driver, Layout, Record};
use crate::workload::{CellSpec, Durability};

/// Records that a consumer asks for at once, of each stream.
const READ_AT_ONCE: &[u8] = b"1000";
/// How long the server holds a read that finds nothing, in milliseconds.
const BLOCK_MS: &[u8] = b"500";
/// The longest part of a reply: Redis's own bound.
const MAX_BYTES: usize = 512 << 20;

/// A Redis server.
#[derive(Debug, Clone)]
pub struct RedisDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a server for its version.
pub(super) async fn version(line: Line) -> Result<String, String> {
    let info = Connection { line, framing: Framing::default() }.call(&[b"INFO", b"server"]).await?;
    let info = String::from_utf8_lossy(&info).into_owned();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    version.map(str::to_owned).ok_or_else(|| "INFO tells no redis_version".to_owned())
}

/// Asks a server for its settings as it runs with them, but for those that are secret.
pub(super) async fn config(line: Line) -> Result<BTreeMap<String, String>, String> {
    let reply = Connection { line, framing: Framing::default() }.call(&[b"CONFIG", b"GET", b"*"]).await?;
    settings(&reply).ok_or_else(|| "CONFIG GET gave no list of settings".to_owned())
}

fn settings(reply: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut walk = Walk(reply);
    let mut settings = BTreeMap::new();
    for _ in 0..walk.list()? / 2 {
        let [name, value] = [walk.text()?, walk.text()?].map(|text| String::from_utf8_lossy(text).into_owned());
        if !name.ends_with("pass") && name != "masterauth" {
            settings.insert(name, value);
        }
    }
    Some(settings)
}

impl RedisDriver {
    /// For one cell.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> RedisDriver {
        RedisDriver { peer: peer.clone(), cell: cell.clone() }
    }

    async fn connect(&self) -> Result<Connection, LoadError> {
        Ok(Connection { line: self.peer.line().await?, framing: Framing::default() })
    }
}

/// What the server does before it answers, and the settings that say so.
async fn behind(connection: &mut Connection) -> Result<(Durability, String), String> {
    let mut setting = async |name: &str| {
        let reply = connection.call(&[b"CONFIG", b"GET", name.as_bytes()]).await?;
        settings(&reply)
            .and_then(|mut told| told.remove(name))
            .ok_or_else(|| format!("CONFIG GET {name} gave no value"))
    };
    let [appends, syncs] = [setting("appendonly").await?, setting("appendfsync").await?];
    let skips = setting("no-appendfsync-on-rewrite").await?;
    Ok(durability(&appends, &syncs, &skips))
}

/// While it rewrites its file it syncs nothing where it `skips` that.
fn durability(appends: &str, syncs: &str, skips: &str) -> (Durability, String) {
    let durability = match (appends, syncs, skips) {
        ("yes", "always", "no") => Durability::Fsync,
        ("yes", "everysec", "no") => Durability::FsyncEvery(Duration::from_secs(1)),
        ("yes", ..) => Durability::PageCache,
        _ => return (Durability::Memory, format!("appendonly={appends}")),
    };
    (durability, format!("appendonly=yes, appendfsync={syncs}, no-appendfsync-on-rewrite={skips}"))
}

/// Itself, and the replicas that it has, for which it does not wait.
async fn copies(connection: &mut Connection) -> Result<u32, String> {
    let info = connection.call(&[b"INFO", b"replication"]).await?;
    let info = String::from_utf8_lossy(&info).into_owned();
    let replicas = info.lines().find_map(|line| line.strip_prefix("connected_slaves:")?.parse::<u32>().ok());
    Ok(1 + replicas.ok_or("INFO tells no connected_slaves")?)
}

impl Driver for RedisDriver {
    type Producer = Producer<RedisDriver>;
    type Consumer = RedisConsumer;

    fn declares(&self) -> Declaration {
        Declaration { keys: true, ..self.peer.declares(&self.cell) }
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let mut connection = self.connect().await?;
        let told = async { Ok((behind(&mut connection).await?, copies(&mut connection).await?)) };
        let (told, replication) = self.peer.answers(told).await?;
        let declaration = self.peer.told(&self.cell, self.declares(), told)?;
        // A stream comes to be by the first record that is added.
        self.remove(layout).await?;
        Ok(Declaration { replication, ..declaration })
    }

    async fn producer(&self, layout: &Layout, _: usize) -> Result<Producer<RedisDriver>, LoadError> {
        self.clone().connected(layout).await
    }

    async fn consumer(&self, layout: &Layout, _: u32, slots: &[u32]) -> Result<RedisConsumer, LoadError> {
        let streams = slots.iter().map(|&slot| Reading { slot, key: layout.name(slot), last_id: b"0".to_vec() });
        Ok(RedisConsumer { driver: self.clone(), streams: streams.collect(), connection: None, asked: false })
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        let keys = layout.names();
        let words: Vec<&[u8]> =
            std::iter::once("DEL").chain(keys.iter().map(String::as_str)).map(str::as_bytes).collect();
        let mut connection = self.connect().await?;
        self.peer.answers(connection.call(&words)).await.map(drop)
    }
}

impl Writer for RedisDriver {
    async fn open(&mut self) -> Result<Pipeline, LoadError> {
        Ok(Pipeline::new(&self.peer, self.peer.connect().await?, Framing::default()))
    }

    fn write(&self, out: &mut BytesMut, stream: &str, record: Record<'_>) {
        let stream = stream.as_bytes();
        match record.key {
            Some(key) => command(out, &[b"XADD", stream, b"*", b"k", key, b"v", record.value]),
            None => command(out, &[b"XADD", stream, b"*", b"v", record.value]),
        }
    }
}

/// Reads streams from their beginning.
#[derive(Debug)]
pub struct RedisConsumer {
    driver: RedisDriver,
    streams: Vec<Reading>,
    connection: Option<Connection>,
    /// A read has been asked for, and its reply not been taken yet.
    asked: bool,
}

#[derive(Debug)]
struct Reading {
    slot: u32,
    key: String,
    last_id: Vec<u8>,
}

impl Consume for RedisConsumer {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                self.asked = false;
                none.insert(self.driver.connect().await?)
            }
        };
        let replied = async {
            if !self.asked {
                let mut words = vec![&b"XREAD"[..], b"COUNT", READ_AT_ONCE, b"BLOCK", BLOCK_MS, b"STREAMS"];
                words.extend(self.streams.iter().map(|reading| reading.key.as_bytes()));
                words.extend(self.streams.iter().map(|reading| &*reading.last_id));
                connection.write(&words).await?;
                self.asked = true;
            }
            tokio::time::timeout(wait, connection.reply()).await.map_or(Ok(None), |reply| reply.map(Some))
        };
        match replied.await {
            // The read goes on.
            Ok(None) => return Ok(()),
            Ok(Some(reply)) => {
                self.asked = false;
                // A read that found nothing is a list that is not there.
                if reply.starts_with(b"*-1") || hand_over(&reply, &mut self.streams, &mut each).is_some() {
                    return Ok(());
                }
            }
            Err(said) => {
                self.connection = None;
                return Err(self.driver.peer.error(said));
            }
        }
        self.connection = None;
        Err(self.driver.peer.error("XREAD was not answered with streams of entries"))
    }
}

/// Hands over the records of an `XREAD`: `[[stream, [[id, [field, value, ..]], ..]], ..]`. The field `k` is a record's key.
fn hand_over(reply: &[u8], streams: &mut [Reading], each: &mut impl FnMut(Record<'_>)) -> Option<()> {
    let mut walk = Walk(reply);
    for _ in 0..walk.list()? {
        walk.list()?;
        let key = walk.text()?;
        let reading = streams.iter_mut().find(|reading| reading.key.as_bytes() == key)?;
        for _ in 0..walk.list()? {
            walk.list()?;
            let id = walk.text()?;
            reading.last_id.clear();
            reading.last_id.extend_from_slice(id);
            let mut record = Record { slot: reading.slot, key: None, value: b"" };
            for _ in 0..walk.list()? / 2 {
                match (walk.text()?, walk.text()?) {
                    (b"k", key) => record.key = Some(key),
                    (_, value) => record.value = value,
                }
            }
            each(record);
        }
    }
    Some(())
}

/// A connection with one request at a time.
#[derive(Debug)]
struct Connection {
    line: Line,
    framing: Framing,
}

impl Connection {
    async fn call(&mut self, words: &[&[u8]]) -> Result<BytesMut, String> {
        self.write(words).await?;
        self.reply().await
    }

    async fn write(&mut self, words: &[&[u8]]) -> Result<(), String> {
        let mut out = BytesMut::new();
        command(&mut out, words);
        self.line.write(&out).await
    }

    /// Gives the next whole reply that is no error. Cancelled, it loses nothing.
    async fn reply(&mut self) -> Result<BytesMut, String> {
        let reply = self.line.next(|inbox| self.framing.take(inbox)).await?;
        refusal(&reply).map_or(Ok(reply), Err)
    }
}

/// Appends a command: a list of words.
fn command(out: &mut BytesMut, words: &[&[u8]]) {
    // Writing to memory does not fail.
    let _ = write!(out, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(out, "${}\r\n", word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Why a reply refuses.
fn refusal(reply: &[u8]) -> Option<String> {
    reply.strip_prefix(b"-").map(|said| String::from_utf8_lossy(said).trim_end().to_owned())
}

/// Finds where a reply ends, and goes over no byte again when more have come.
#[derive(Debug, Default)]
struct Framing {
    /// What is looked at next.
    at: usize,
    /// Elements that lists before it have still to come; 0: a reply begins.
    missing: usize,
}

impl Framing {
    fn take(&mut self, inbox: &mut BytesMut) -> Result<Option<BytesMut>, String> {
        if self.missing == 0 {
            self.missing = 1;
        }
        while self.missing > 0 {
            let Some((kind, count, body)) = element(inbox, self.at)? else { return Ok(None) };
            let next = match (kind, count) {
                (b'$', Some(bytes)) => body + bytes + 2,
                (b'*', Some(more)) => {
                    self.missing += more;
                    body
                }
                _ => body,
            };
            if next > inbox.len() {
                return Ok(None);
            }
            self.at = next;
            self.missing -= 1;
        }
        Ok(Some(inbox.split_to(std::mem::take(&mut self.at))))
    }
}

impl Answers for Framing {
    fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
        Ok(self.take(inbox)?.map(|reply| Answer::Next(refusal(&reply).map_or(Ok(()), Err))))
    }
}

/// Kind of the element at `at`, how many bytes or elements it holds (none where it is nil, or holds nothing), and where they begin.
fn element(reply: &[u8], at: usize) -> Result<Option<(u8, Option<usize>, usize)>, String> {
    let Some(rest) = reply.get(at..) else { return Ok(None) };
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let (kind, digits) = match rest.get(..end).and_then(|line| line.strip_suffix(b"\r")) {
        Some([kind @ (b'+' | b'-' | b':' | b'$' | b'*'), digits @ ..]) => (*kind, digits),
        _ => return Err("it does not speak RESP".to_owned()),
    };
    let count = match kind {
        b'$' | b'*' if digits != b"-1" => {
            let count = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            Some(count.filter(|&count| count <= MAX_BYTES).ok_or("a length in its reply is out of bounds")?)
        }
        _ => None,
    };
    Ok(Some((kind, count, at + end + 1)))
}

/// Steps through a whole reply; `None` where it is not of the form asked for.
struct Walk<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    /// How many elements the list has that begins here.
    fn list(&mut self) -> Option<usize> {
        self.head(b'*')
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let bytes = self.head(b'$')?;
        let (text, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest.get(2..)?;
        Some(text)
    }

    fn head(&mut self, wanted: u8) -> Option<usize> {
        let (kind, count, body) = element(self.0, 0).ok()??;
        self.0.advance(body);
        count.filter(|_| kind == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_and_secrets_are_not() {
        let reply =
            b"*6\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n$11\r\nrequirepass\r\n$3\r\nsec\r\n$4\r\nsave\r\n$0\r\n\r\n";
        let told = [("appendfsync", "always"), ("save", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings(reply), Some(told.into()));
        assert_eq!(settings(&reply[..40]), None);
    }

    #[test]
    fn a_server_that_syncs_nothing_while_it_rewrites_has_the_page_cache_behind_it() {
        let every_second = Durability::FsyncEvery(Duration::from_secs(1));
        for (appends, syncs, skips, has) in [
            ("no", "always", "no", Durability::Memory),
            ("yes", "no", "no", Durability::PageCache),
            ("yes", "everysec", "no", every_second),
            ("yes", "always", "no", Durability::Fsync),
            ("yes", "everysec", "yes", Durability::PageCache),
            ("yes", "always", "yes", Durability::PageCache),
        ] {
            let (durability, words) = durability(appends, syncs, skips);
            assert_eq!(durability, has, "{words}");
            assert_eq!(words.ends_with(&format!("no-appendfsync-on-rewrite={skips}")), appends == "yes", "{words}");
        }
    }

    #[test]
    fn a_reply_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        let reply =
            b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*4\r\n$1\r\nk\r\n$1\r\nx\r\n$1\r\nv\r\n$5\r\na\r\nbc\r\n\
            *2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nv\r\n$0\r\n\r\n";
        let (mut framing, mut inbox) = (Framing::default(), BytesMut::new());
        for (at, byte) in reply.iter().enumerate() {
            inbox.extend_from_slice(&[*byte]);
            let taken = framing.take(&mut inbox).unwrap();
            assert_eq!(taken.is_some(), at + 1 == reply.len(), "at byte {at}");
        }
        let mut streams = [Reading { slot: 7, key: "s".to_owned(), last_id: Vec::new() }];
        let mut records = Vec::new();
        hand_over(reply, &mut streams, &mut |Record { slot, key, value }| {
            records.push((slot, key.map(<[u8]>::to_vec), value.to_vec()));
        })
        .unwrap();
        assert_eq!(records, [(7, Some(b"x".to_vec()), b"a\r\nbc".to_vec()), (7, None, Vec::new())]);
        assert_eq!(streams[0].last_id, b"2-0");
    }

    #[test]
    fn answers_tell_ids_from_refusals() {
        let mut inbox = BytesMut::from(&b"$3\r\n1-0\r\n-OOM command not allowed\r\n$3\r\n"[..]);
        let mut answers = Framing::default();
        assert_eq!(answers.next(&mut inbox, &mut BytesMut::new()), Ok(Some(Answer::Next(Ok(())))));
        assert_eq!(
            answers.next(&mut inbox, &mut BytesMut::new()),
            Ok(Some(Answer::Next(Err("OOM command not allowed".to_owned()))))
        );
        assert_eq!(answers.next(&mut inbox, &mut BytesMut::new()), Ok(None));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bytes in [&b"HTTP/1.1 400\r\n"[..], b"$x\r\n", b"*99999999999999999999\r\n", b"$-2\r\n", b"\r\n", b"\n"] {
            assert!(Framing::default().take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_command_is_a_list_of_words() {
        let mut out = BytesMut::new();
        command(&mut out, &[b"XADD", b"", b"0123456789"]);
        assert_eq!(&out[..], b"*3\r\n$4\r\nXADD\r\n$0\r\n\r\n$10\r\n0123456789\r\n");
    }
}
