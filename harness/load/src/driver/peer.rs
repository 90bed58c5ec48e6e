//! A peer: a broker of another kind, where it is, and what it promises.

mod amqp;
mod batching;
mod fields;
mod line;
mod nats;
mod pipeline;
mod producer;
mod protobuf;
mod pulsar;
mod redis;
mod rocketmq;
mod stomp;
mod streams;
mod zeromq;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use self::line::Line;
use self::pipeline::{HELD_BACK_BYTES, IN_FLIGHT};
use super::{Ack, Declaration, Evidence};
use crate::LoadError;
use crate::workload::{CellSpec, Durability};

pub use self::amqp::{AmqpDriver, AmqpReader};
pub use self::batching::BatchProducer;
pub use self::line::Consumer;
pub use self::nats::{NatsDriver, NatsReader, NatsWriter};
pub use self::pipeline::Receipt;
pub use self::producer::Producer;
pub use self::pulsar::{PulsarDriver, PulsarReader};
pub use self::redis::{RedisConsumer, RedisDriver};
pub use self::rocketmq::{RocketmqDriver, RocketmqProducer, RocketmqReader};
pub use self::stomp::{StompDriver, StompReader};
pub use self::streams::{StreamDriver, StreamReader};
pub use self::zeromq::{ZeromqConsumer, ZeromqDriver, ZeromqProducer};

/// By the scheme of its URL: what it is, and what an acknowledgement has behind it as it is delivered, which is believed of one that does
/// not tell.
const KINDS: [(&str, &str, Durability); 10] = [
    ("redis", "Redis", Durability::Memory),
    ("nats", "NATS", Durability::FsyncEvery(Duration::from_secs(120))),
    ("activemq", "ActiveMQ Classic", Durability::Fsync),
    ("artemis", "ActiveMQ Artemis", Durability::Fsync),
    ("amqp", "RabbitMQ (classic queues)", Durability::Fsync),
    ("amqp+quorum", "RabbitMQ (quorum queues)", Durability::Fsync),
    ("rabbitmq-stream", "RabbitMQ (streams)", Durability::PageCache),
    ("rocketmq", "Apache RocketMQ", Durability::FsyncEvery(Duration::from_secs(10))),
    // As standalone is delivered; a cluster's bookies sync.
    ("pulsar", "Apache Pulsar", Durability::PageCache),
    ("zeromq", "ZeroMQ", Durability::Memory),
];
/// How long a peer may take to greet, and to make a queue.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub(crate) name: &'static str,
    /// `host:port`
    pub(crate) address: String,
    /// What its URL says that an acknowledgement has behind it.
    promised: Option<Durability>,
}

impl Peer {
    /// From the parts of a URL: `redis` and `host:port`, with `?durability=fsync` behind it where it was started so. `None` for a
    /// scheme that no peer has.
    ///
    /// # Errors
    /// What is wrong with the rest.
    pub fn of_url(scheme: &str, rest: &str) -> Option<Result<Peer, String>> {
        let (name, ..) = KINDS.into_iter().find(|(name, ..)| *name == scheme)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let promised = match query.split_once('=') {
            None if query.is_empty() => Ok(None),
            Some(("durability", durability)) => durability.parse().map(Some),
            _ => Err(format!("?{query} is not understood: only durability=… may be there")),
        };
        let is_address =
            address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        Some(promised.and_then(|promised| {
            let address = address.to_owned();
            if is_address { Ok(Peer { name, address, promised }) } else { Err("HOST:PORT must be there".to_owned()) }
        }))
    }

    /// What a URL of it says behind its scheme.
    #[must_use]
    pub fn rest_of_url(&self) -> String {
        let promise = self.promised.map_or_else(String::new, |durability| format!("?durability={durability}"));
        format!("{}{promise}", self.address)
    }

    /// What it is, with the version that it says.
    pub(crate) async fn product(&self) -> Result<String, LoadError> {
        let version = match self.name {
            // Nobody is there who could be asked.
            "zeromq" => zeromq::VERSION.to_owned(),
            name => {
                let mut line = self.line().await?;
                let version = async move {
                    match name {
                        "redis" => redis::version(line).await,
                        "nats" => nats::version(&mut line).await,
                        "activemq" | "artemis" => stomp::version(&mut line).await,
                        "rocketmq" => rocketmq::version(&mut line).await,
                        "pulsar" => pulsar::version(&mut line).await,
                        "rabbitmq-stream" => streams::version(&mut line).await,
                        _ => amqp::version(&mut line).await,
                    }
                };
                self.answers(version).await?
            }
        };
        let (_, product, _) = self.kind();
        Ok(format!("{product} {version}"))
    }

    /// Its settings as it runs with them, where its protocol tells, and what its URL says.
    pub(crate) async fn config(&self) -> Result<BTreeMap<String, String>, LoadError> {
        let mut config = match self.name {
            "redis" => {
                let line = self.line().await?;
                self.answers(redis::config(line)).await?
            }
            "rocketmq" => {
                let mut line = self.line().await?;
                self.answers(rocketmq::config(&mut line)).await?
            }
            _ => BTreeMap::new(),
        };
        if let Some(promised) = self.promised {
            config.insert("durability".to_owned(), promised.to_string());
        }
        Ok(config)
    }

    fn kind(&self) -> (&'static str, &'static str, Durability) {
        KINDS.into_iter().find(|(name, ..)| *name == self.name).unwrap_or((self.name, self.name, Durability::Memory))
    }

    /// Its port on this host.
    pub(crate) fn local_port(&self) -> Option<u16> {
        let (host, port) = self.address.rsplit_once(':')?;
        let is_local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
        is_local.then(|| port.parse().ok())?
    }

    pub(crate) async fn connect(&self) -> Result<TcpStream, LoadError> {
        let connected = tokio::time::timeout(ANSWER_LIMIT, TcpStream::connect(&self.address)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)).map_err(|error| self.error(error))
    }

    pub(crate) async fn line(&self) -> Result<Line, LoadError> {
        Ok(Line::new(self.connect().await?))
    }

    /// What it answers, unless that takes too long.
    pub(crate) async fn answers<T>(&self, answer: impl Future<Output = Result<T, String>>) -> Result<T, LoadError> {
        let answered = tokio::time::timeout(ANSWER_LIMIT, answer).await;
        let answered = answered.unwrap_or_else(|_| Err(format!("no answer within {ANSWER_LIMIT:?}")));
        answered.map_err(|said| self.error(said))
    }

    /// Refuses a second subscription, where what one reader has read is gone.
    pub(crate) fn has_one_reader(&self, subscription: u32) -> Result<(), LoadError> {
        if subscription == 0 {
            return Ok(());
        }
        Err(LoadError::Setting {
            name: "subscriptionsPerTopic".to_owned(),
            value: (subscription + 1).to_string(),
            allowed: format!("{}://{}: a queue gives a record to one reader: 1 is allowed", self.name, self.address),
        })
    }

    pub(crate) fn error(&self, said: impl ToString) -> LoadError {
        LoadError::Peer { name: self.name, address: self.address.clone(), said: said.to_string() }
    }

    /// What it does by its URL, or else by how it is delivered: one server, whose answers are waited for while more goes out.
    pub(crate) fn declares(&self, cell: &CellSpec) -> Declaration {
        let settings = [("in.flight", IN_FLIGHT.to_string()), ("held.back.bytes", HELD_BACK_BYTES.to_string())];
        let (_, _, delivered) = self.kind();
        Declaration {
            driver: self.name,
            durability: self.promised.unwrap_or(delivered),
            replication: 1,
            evidence: self.promised.map_or(Evidence::Delivered, |_| Evidence::Url),
            ack: Ack::Leader,
            pipelining: Some(IN_FLIGHT),
            connections: cell.producers() + cell.consumers(),
            keys: false,
            settings: BTreeMap::from(settings.map(|(name, value)| (name.to_owned(), value))),
        }
    }

    /// This declaration, where the target's protocol has no word for what an acknowledgement has behind it.
    ///
    /// # Errors
    /// [`LoadError::NotOffered`] when a cell asks for more.
    pub(crate) fn believed(&self, cell: &CellSpec, declared: Declaration) -> Result<Declaration, LoadError> {
        self.grants(declared.durability, cell.durability).map(|()| declared)
    }

    /// The same where the target has told what it does, in these words.
    ///
    /// # Errors
    /// [`LoadError::NotOffered`] when a cell asks for more, or its URL says more.
    pub(crate) fn told(
        &self,
        cell: &CellSpec,
        declared: Declaration,
        (durability, words): (Durability, String),
    ) -> Result<Declaration, LoadError> {
        self.grants(durability, self.promised.map_or(cell.durability, |promised| promised.max(cell.durability)))?;
        Ok(Declaration { durability, evidence: Evidence::Told(words), ..declared })
    }

    /// Refuses to do more than it does.
    pub(crate) fn grants(&self, has: Durability, wanted: Durability) -> Result<(), LoadError> {
        match has >= wanted {
            true => Ok(()),
            false => Err(LoadError::NotOffered { name: self.name, address: self.address.clone(), has, wanted }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::workload::Workload;

    fn cell(durability: &str) -> CellSpec {
        let text = format!("name: a\nmessageSize: 100\nproducerRate: 1\ndurability: {durability}");
        Workload::parse(Path::new("a.yaml"), &text).unwrap().cells.remove(0)
    }

    #[test]
    fn a_peer_that_can_t_be_asked_does_what_its_url_says_or_what_it_is_delivered_with() {
        let nats = |rest| Peer::of_url("nats", rest).unwrap();
        let believed = |peer: &Peer, wanted| {
            let cell = cell(wanted);
            peer.believed(&cell, peer.declares(&cell))
        };
        let delivered = nats("127.0.0.1:4222").unwrap();
        let declared = believed(&delivered, "page-cache").unwrap();
        assert_eq!((&*declared.durability.to_string(), declared.evidence), ("fsync:120000ms", Evidence::Delivered));
        assert_eq!(delivered.local_port(), Some(4222));
        let refused = believed(&delivered, "fsync").unwrap_err().to_string();
        assert!(refused.contains("profile=durable"), "{refused}");
        assert!(believed(&delivered, "fsync:1s").is_err(), "every two minutes is less than every second");
        assert!(believed(&delivered, "fsync:120s").is_ok() && believed(&delivered, "fsync:600s").is_ok());
        let durable = nats("10.0.0.1:4222?durability=fsync").unwrap();
        let declared = believed(&durable, "fsync").unwrap();
        assert_eq!((declared.durability, declared.evidence), (Durability::Fsync, Evidence::Url));
        assert_eq!((durable.rest_of_url(), durable.local_port()), ("10.0.0.1:4222?durability=fsync".to_owned(), None));
        for wrong in ["", "host", ":1", "host:x", "host:1?x=y", "host:1?durability=perhaps"] {
            assert!(nats(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Peer::of_url("carrier-pigeon", "coop:1"), None);
    }

    #[test]
    fn a_peer_that_tells_is_believed_before_its_url_which_may_not_say_more() {
        let redis = |rest| Peer::of_url("redis", rest).unwrap().unwrap();
        let told = |peer: &Peer, wanted| {
            let cell = cell(wanted);
            peer.told(&cell, peer.declares(&cell), (Durability::PageCache, "a=b".to_owned()))
        };
        for (url, wanted) in [("a:1", "page-cache"), ("a:1?durability=memory", "memory"), ("a:1", "memory")] {
            let declared = told(&redis(url), wanted).unwrap();
            assert_eq!(declared.durability, Durability::PageCache, "{url}");
            assert_eq!(declared.evidence, Evidence::Told("a=b".to_owned()));
        }
        for (url, wanted) in [("a:1?durability=fsync", "memory"), ("a:1", "fsync")] {
            assert!(told(&redis(url), wanted).unwrap_err().is_refusal(), "{url}");
        }
    }
}
