//! Apache RocketMQ by its remoting protocol: topics with queues, written to and pulled from at the broker itself.
//!
//! ```text
//! bytes u32 | header bytes u32 | header, JSON: code, opaque, flag, extFields | body
//! ```
//! Records are sent one by one, as RocketMQ's clients do unless they are told to batch, and one record of a queue waits for the
//! acknowledgement of that before it: the broker's threads would store them in another order. Keys are not sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use serde_json::Value;

use super::Peer;
use super::fields::Fields;
use super::line::{Consumer, Line, Reader};
use super::pipeline::{Answer, Answers, Pipeline, Receipt};
use crate::LoadError;
use crate::driver::{Ack, Declaration, Driver, Layout, Produce, Record};
use crate::workload::{CellSpec, Durability};

/// The longest frame that is taken: the bound of RocketMQ's own clients.
const MAX_BYTES: usize = 16 << 20;
/// Records that a consumer asks a queue for at once: what a broker gives at most by its own settings.
const READ_AT_ONCE: u32 = 32;
/// How long the broker holds a pull that finds nothing, in milliseconds.
const SUSPEND_MS: u32 = 500;
/// How long a broker may take to its first sample, which it takes after a second.
const SAMPLING: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);

const PULL_MESSAGE: u32 = 11;
const UPDATE_AND_CREATE_TOPIC: u32 = 17;
const GET_BROKER_CONFIG: u32 = 26;
const GET_BROKER_RUNTIME_INFO: u32 = 28;
const DELETE_TOPIC_IN_BROKER: u32 = 215;
const SEND_MESSAGE_V2: u32 = 310;

const SUCCESS: u64 = 0;
const PULL_NOT_FOUND: u64 = 19;
const PULL_RETRY_IMMEDIATELY: u64 = 20;
const PULL_OFFSET_MOVED: u64 = 21;

/// A RocketMQ broker.
#[derive(Debug, Clone)]
pub struct RocketmqDriver {
    peer: Peer,
    cell: CellSpec,
}

/// Asks a broker for its version, which it tells as `V5_4_0`.
pub(super) async fn version(line: &mut Line) -> Result<String, String> {
    let mut info = ask(line, GET_BROKER_RUNTIME_INFO, "").await?;
    // A broker that has just begun fails here until it has taken the first sample of its statistics.
    for _ in 0..SAMPLING.as_millis() / LOOK.as_millis() {
        if info.is_ok().is_ok() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        info = ask(line, GET_BROKER_RUNTIME_INFO, "").await?;
    }
    info.is_ok()?;
    let info: Value = serde_json::from_slice(&info.body).map_err(|error| error.to_string())?;
    let version = info["table"]["brokerVersionDesc"].as_str().ok_or("it tells no brokerVersionDesc")?;
    Ok(version.trim_start_matches('V').replace('_', "."))
}

/// Asks a broker for its settings as it runs with them, but for those that are secret.
pub(super) async fn config(line: &mut Line) -> Result<BTreeMap<String, String>, String> {
    let told = call(line, GET_BROKER_CONFIG, "").await?;
    Ok(settings(std::str::from_utf8(&told.body).map_err(|_| "its settings are no text")?))
}

fn settings(told: &str) -> BTreeMap<String, String> {
    // Those of its tiered store (objectStoreSecretKey, objectStoreAccessKey) are among them.
    const SECRET: [&str; 5] = ["secret", "password", "accesskey", "credential", "authenticationuser"];
    let is_secret = |name: &str| SECRET.iter().any(|word| name.to_lowercase().contains(word));
    let settings = told.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| !is_secret(name));
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What a broker with these settings does before it answers, and those that say so.
fn behind(settings: &BTreeMap<String, String>) -> (Durability, String) {
    let told = |name: &str| settings.get(name).map_or("", String::as_str);
    let flushes = format!("flushDiskType={}", told("flushDiskType"));
    if told("flushDiskType") == "SYNC_FLUSH" {
        return (Durability::Fsync, flushes);
    }
    if told("transientStorePoolEnable") == "true" {
        return (Durability::Memory, format!("{flushes}, transientStorePoolEnable=true"));
    }
    let every_ms = told("flushCommitLogThoroughInterval");
    let every = every_ms.parse().map_or(Durability::PageCache, |ms| Durability::FsyncEvery(Duration::from_millis(ms)));
    (every, format!("{flushes}, flushCommitLogThoroughInterval={every_ms}"))
}

impl RocketmqDriver {
    /// For one cell.
    #[must_use]
    pub fn new(peer: &Peer, cell: &CellSpec) -> RocketmqDriver {
        RocketmqDriver { peer: peer.clone(), cell: cell.clone() }
    }

    /// One request for each topic.
    async fn ask(&self, layout: &Layout, code: u32, fields: impl Fn(&str) -> String) -> Result<(), LoadError> {
        let mut line = self.peer.line().await?;
        for topic in &layout.topics {
            self.peer.answers(call(&mut line, code, &fields(topic))).await?;
        }
        Ok(())
    }

    async fn pipeline(&self) -> Result<Pipeline, LoadError> {
        Ok(Pipeline::new(&self.peer, self.peer.connect().await?, Responses))
    }
}

impl Driver for RocketmqDriver {
    type Producer = RocketmqProducer;
    type Consumer = Consumer<RocketmqReader>;

    fn declares(&self) -> Declaration {
        Declaration { pipelining: Some(self.cell.partitions_per_topic), ..self.peer.declares(&self.cell) }
    }

    async fn prepare(&self, layout: &Layout) -> Result<Declaration, LoadError> {
        let mut line = self.peer.line().await?;
        let told = self.peer.answers(config(&mut line)).await?;
        let declaration = self.peer.told(&self.cell, self.declares(), behind(&told))?;
        let queues = layout.partitions;
        let fields = |topic: &str| {
            format!(
                r#""topic":"{topic}","defaultTopic":"TBW102","readQueueNums":"{queues}","writeQueueNums":"{queues}","perm":"6","topicFilterType":"SINGLE_TAG","topicSysFlag":"0","order":"false""#
            )
        };
        self.ask(layout, UPDATE_AND_CREATE_TOPIC, fields).await?;
        let replication =
            told.get("inSyncReplicas").filter(|_| told.get("brokerRole").is_some_and(|role| role == "SYNC_MASTER"));
        let replication = replication.and_then(|copies| copies.parse().ok()).unwrap_or(1);
        let ack = if replication > 1 { Ack::Quorum } else { Ack::Leader };
        Ok(Declaration { replication, ack, ..declaration })
    }

    async fn producer(&self, layout: &Layout, _: usize) -> Result<RocketmqProducer, LoadError> {
        let under_way = vec![None; layout.slots() as usize];
        let pipeline = self.pipeline().await?;
        Ok(RocketmqProducer { driver: self.clone(), pipeline, layout: layout.clone(), under_way })
    }

    async fn consumer(
        &self,
        layout: &Layout,
        subscription: u32,
        slots: &[u32],
    ) -> Result<Consumer<RocketmqReader>, LoadError> {
        let queue = |&slot: &u32| {
            let (topic, queue) = layout.place(slot);
            Reading { slot, topic: topic.to_owned(), queue, next_offset: 0, is_asked: false }
        };
        let queues = slots.iter().map(queue).collect();
        Ok(Consumer::new(RocketmqReader { driver: self.clone(), group: format!("ringbench-{subscription}"), queues }))
    }

    async fn remove(&self, layout: &Layout) -> Result<(), LoadError> {
        self.ask(layout, DELETE_TOPIC_IN_BROKER, |topic| format!(r#""topic":"{topic}""#)).await
    }
}

/// Sends to queues.
#[derive(Debug)]
pub struct RocketmqProducer {
    driver: RocketmqDriver,
    pipeline: Pipeline,
    layout: Layout,
    /// By slot, the number of the last request.
    under_way: Vec<Option<u64>>,
}

impl Produce for RocketmqProducer {
    type Receipt = Receipt;

    async fn send(&mut self, record: Record<'_>) -> Result<Receipt, LoadError> {
        if let Some(&Some(number)) = self.under_way.get(record.slot as usize) {
            self.pipeline.answered(number).await;
        }
        if self.pipeline.is_gone() {
            self.pipeline = self.driver.pipeline().await?;
            self.under_way.fill(None);
        }
        let (topic, queue) = self.layout.place(record.slot);
        let under_way = self.under_way.get_mut(record.slot as usize);
        Ok(self.pipeline.request(|out, number| {
            // Group, topic, the topic it would be made after, queue, flags, when it was born, properties, tries, brought by whom.
            let fields = format_args!(
                r#""a":"ringbench","b":"{topic}","c":"TBW102","d":"4","e":"{queue}","f":"0","g":"0","h":"0","i":"","j":"0","k":"false","m":"false""#
            );
            request(out, SEND_MESSAGE_V2, number, fields, record.value);
            if let Some(under_way) = under_way {
                *under_way = Some(number);
            }
        }))
    }

    fn idle(&mut self) {
        self.pipeline.flush();
    }
}

/// Takes responses for answers; each names its request.
struct Responses;

impl Answers for Responses {
    fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
        while let Some(response) = Response::take(inbox)? {
            if !response.is_request {
                let number = response.opaque;
                return Ok(Some(Answer::To { number, all_before: false, outcome: response.is_ok() }));
            }
        }
        Ok(None)
    }
}

/// Pulls queues from their beginning.
#[derive(Debug)]
pub struct RocketmqReader {
    driver: RocketmqDriver,
    group: String,
    queues: Vec<Reading>,
}

#[derive(Debug)]
struct Reading {
    slot: u32,
    topic: String,
    queue: u32,
    next_offset: u64,
    /// A pull is under way.
    is_asked: bool,
}

impl Reader for RocketmqReader {
    fn peer(&self) -> &Peer {
        &self.driver.peer
    }

    async fn open(&mut self) -> Result<Line, LoadError> {
        self.queues.iter_mut().for_each(|reading| reading.is_asked = false);
        self.driver.peer.line().await
    }

    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        /// May wait at the broker, and brings its subscription.
        const SUSPEND_AND_SUBSCRIBE: u32 = 2 | 4;
        let (mut asking, group) = (BytesMut::new(), &self.group);
        for (number, reading) in self.queues.iter_mut().enumerate().filter(|(_, reading)| !reading.is_asked) {
            let Reading { topic, queue, next_offset, .. } = reading;
            let fields = format_args!(
                r#""consumerGroup":"{group}","topic":"{topic}","queueId":"{queue}","queueOffset":"{next_offset}","maxMsgNums":"{READ_AT_ONCE}","sysFlag":"{SUSPEND_AND_SUBSCRIBE}","commitOffset":"0","suspendTimeoutMillis":"{SUSPEND_MS}","subscription":"*","subVersion":"0","expressionType":"TAG""#
            );
            request(&mut asking, PULL_MESSAGE, number as u64, fields, b"");
            reading.is_asked = true;
        }
        if !asking.is_empty() {
            line.write(asking).await?;
        }
        let read = line.all_within(wait, Response::take, |response| {
            if response.is_request {
                return Ok(());
            }
            let reading = self.queues.get_mut(response.opaque as usize).ok_or("an answer to nobody's pull")?;
            reading.is_asked = false;
            match response.code {
                SUCCESS => reading.hand_over(&response.body, each),
                PULL_NOT_FOUND | PULL_RETRY_IMMEDIATELY | PULL_OFFSET_MOVED => Ok(()),
                _ => response.is_ok(),
            }
        });
        read.await
    }
}

impl Reading {
    /// Hands over the records of a pull, which are as the broker stores them.
    fn hand_over(&mut self, records: &[u8], each: &mut impl FnMut(Record<'_>)) -> Result<(), String> {
        /// In front of the queue's offset: magic number, checksum, queue, flag.
        const BEFORE_OFFSET: usize = 4 * 4;
        /// Between it and the value: place in the log, flags, times and hosts, tries, transaction.
        const BEFORE_VALUE: usize = 8 + 4 + 2 * (8 + 8) + 4 + 8;
        let mut rest = Fields(records);
        while !rest.0.is_empty() {
            let bytes = (rest.u32()? as usize).checked_sub(4).ok_or("a record of no length")?;
            let mut record = Fields(rest.bytes(bytes)?);
            record.bytes(BEFORE_OFFSET)?;
            self.next_offset = record.u64()? + 1;
            record.bytes(BEFORE_VALUE)?;
            let bytes = record.u32()? as usize;
            each(Record { slot: self.slot, key: None, value: record.bytes(bytes)? });
        }
        Ok(())
    }
}

async fn call(line: &mut Line, code: u32, fields: &str) -> Result<Response, String> {
    let response = ask(line, code, fields).await?;
    response.is_ok().map(|()| response)
}

/// Gives the response, whatever it says.
async fn ask(line: &mut Line, code: u32, fields: &str) -> Result<Response, String> {
    let mut out = BytesMut::new();
    request(&mut out, code, 0, format_args!("{fields}"), b"");
    line.write(out).await?;
    line.next(Response::take).await
}

/// Appends a request; `fields` are the inside of a JSON object of texts.
fn request(out: &mut BytesMut, code: u32, opaque: u64, fields: std::fmt::Arguments<'_>, body: &[u8]) {
    let at = out.len();
    out.put_u64(0);
    // Writing to memory does not fail.
    let _ = write!(
        out,
        r#"{{"code":{code},"language":"OTHER","version":0,"opaque":{opaque},"flag":0,"extFields":{{{fields}}}}}"#
    );
    let header = (out.len() - at - 8) as u32;
    out.extend_from_slice(body);
    out[at..at + 4].copy_from_slice(&(4 + header + body.len() as u32).to_be_bytes());
    out[at + 4..at + 8].copy_from_slice(&header.to_be_bytes());
}

#[derive(Debug)]
struct Response {
    code: u64,
    opaque: u64,
    /// The broker tells its clients things, too.
    is_request: bool,
    remark: String,
    body: BytesMut,
}

impl Response {
    /// Takes the next whole frame off the front.
    fn take(inbox: &mut BytesMut) -> Result<Option<Response>, String> {
        let Some((lengths, rest)) = inbox.split_first_chunk::<8>() else { return Ok(None) };
        let mut fields = Fields(lengths);
        // The highest byte of the header's length says how it is written: 0 is JSON.
        let (all, header_bytes) = (fields.u32()? as usize, fields.u32()? as usize);
        if !(4..=MAX_BYTES).contains(&all) || header_bytes > all - 4 {
            return Err("it does not speak RocketMQ's remoting protocol".to_owned());
        }
        if rest.len() < all - 4 {
            return Ok(None);
        }
        inbox.advance(lengths.len());
        let mut body = inbox.split_to(all - 4);
        let header: Value = serde_json::from_slice(&body.split_to(header_bytes)).map_err(|error| error.to_string())?;
        let number = |name: &str| header[name].as_u64().ok_or_else(|| format!("a header without {name}"));
        Ok(Some(Response {
            code: number("code")?,
            opaque: number("opaque")?,
            is_request: number("flag")? & 1 == 0,
            remark: header["remark"].as_str().unwrap_or_default().to_owned(),
            body,
        }))
    }

    fn is_ok(&self) -> Result<(), String> {
        if self.code == SUCCESS { Ok(()) } else { Err(format!("code {}: {}", self.code, self.remark)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(header: &str, body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        out.put_u32((4 + header.len() + body.len()) as u32);
        out.put_u32(header.len() as u32);
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn settings_are_told_and_secrets_are_not() {
        let told = settings(
            "brokerRole=ASYNC_MASTER\nobjectStoreAccessKey=a\nobjectStoreSecretKey=b\nsslPassword=c\n\
             initAuthenticationUser=d\ninnerClientAuthenticationCredentials=e\naccessMessageInMemoryMaxRatio=40\n",
        );
        assert_eq!(told.into_keys().collect::<Vec<_>>(), ["accessMessageInMemoryMaxRatio", "brokerRole"]);
    }

    #[test]
    fn a_response_that_comes_byte_by_byte_is_taken_when_it_is_whole() {
        let bytes = response(r#"{"code":0,"opaque":7,"flag":1}"#, b"body");
        let mut inbox = BytesMut::new();
        for (at, &byte) in bytes.iter().enumerate() {
            inbox.put_u8(byte);
            let taken = Response::take(&mut inbox).unwrap();
            assert_eq!(taken.is_some(), at + 1 == bytes.len(), "at byte {at}");
            if let Some(response) = taken {
                assert_eq!((response.opaque, &response.body[..]), (7, &b"body"[..]));
            }
        }
        for bytes in [&b"HTTP/1.1 400"[..], &[0; 8], &[0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0]] {
            assert!(Response::take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_backs_an_acknowledgement_is_in_the_settings_that_a_broker_tells() {
        let every = Durability::FsyncEvery(Duration::from_secs(10));
        for (flushes, pool, durability, said) in [
            ("SYNC_FLUSH", "true", Durability::Fsync, "flushDiskType=SYNC_FLUSH"),
            ("ASYNC_FLUSH", "true", Durability::Memory, "transientStorePoolEnable=true"),
            ("ASYNC_FLUSH", "false", every, "flushCommitLogThoroughInterval=10000"),
        ] {
            let told = [
                ("flushDiskType", flushes),
                ("transientStorePoolEnable", pool),
                ("flushCommitLogThoroughInterval", "10000"),
            ];
            let (found, words) = behind(&told.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
            assert!(found == durability && words.contains(said), "{found} {words}");
        }
    }

    #[test]
    fn a_request_has_its_lengths_in_front() {
        let mut out = BytesMut::new();
        request(&mut out, 310, 5, format_args!(r#""a":"b""#), b"value");
        let mut fields = Fields(&out);
        assert_eq!(fields.u32().unwrap() as usize, out.len() - 4);
        let header = fields.u32().unwrap() as usize;
        let header: Value = serde_json::from_slice(fields.bytes(header).unwrap()).unwrap();
        assert_eq!((header["opaque"].as_u64(), header["extFields"]["a"].as_str()), (Some(5), Some("b")));
        assert_eq!(fields.0, b"value");
    }

    #[test]
    fn answers_come_as_they_come_and_the_brokers_own_requests_are_passed_over() {
        let mut inbox = response(r#"{"code":0,"opaque":3,"flag":1}"#, b"");
        inbox.extend_from_slice(&response(r#"{"code":40,"opaque":9,"flag":0}"#, b""));
        inbox.extend_from_slice(&response(r#"{"code":2,"opaque":1,"flag":1,"remark":"busy"}"#, b""));
        let mut next = || Responses.next(&mut inbox, &mut BytesMut::new()).unwrap();
        assert_eq!(next(), Some(Answer::To { number: 3, all_before: false, outcome: Ok(()) }));
        let busy = Err("code 2: busy".to_owned());
        assert_eq!(next(), Some(Answer::To { number: 1, all_before: false, outcome: busy }));
        assert_eq!(next(), None);
    }
}
