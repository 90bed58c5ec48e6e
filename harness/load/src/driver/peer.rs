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
use std::time::Duration;

use tokio::net::TcpStream;

use self::line::Line;
use self::pipeline::{HELD_BACK_BYTES, IN_FLIGHT};
use super::{Ack, Declaration};
use crate::LoadError;
use crate::workload::{CellSpec, Durability};

pub use self::amqp::{AmqpDriver, AmqpReader};
pub use self::batching::BatchProducer;
pub use self::line::Consumer;
pub use self::nats::{NatsConsumer, NatsDriver, NatsWriter};
pub use self::pipeline::Receipt;
pub use self::producer::Producer;
pub use self::pulsar::{PulsarDriver, PulsarReader};
pub use self::redis::{RedisConsumer, RedisDriver};
pub use self::rocketmq::{RocketmqDriver, RocketmqProducer, RocketmqReader};
pub use self::stomp::{StompDriver, StompReader};
pub use self::streams::{StreamDriver, StreamReader};
pub use self::zeromq::{ZeromqConsumer, ZeromqDriver, ZeromqProducer};

/// By the scheme of its URL: what it is, and what an acknowledgement has behind it as it is delivered.
const KINDS: [(&str, &str, Durability); 10] = [
    ("redis", "Redis", Durability::Memory),
    ("nats", "NATS", Durability::FsyncEvery(Duration::from_secs(120))),
    ("activemq", "ActiveMQ Classic", Durability::Fsync),
    ("artemis", "ActiveMQ Artemis", Durability::Fsync),
    // As of RabbitMQ 3.10: later classic queues do not sync.
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
    pub(crate) durability: Durability,
}

impl Peer {
    /// From the parts of a URL: `redis` and `host:port`, with `?durability=fsync` behind it where it was started so. `None` for a
    /// scheme that no peer has.
    ///
    /// # Errors
    /// What is wrong with the rest.
    pub fn of_url(scheme: &str, rest: &str) -> Option<Result<Peer, String>> {
        let (name, _, delivered) = KINDS.into_iter().find(|(name, ..)| *name == scheme)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let durability = match query.split_once('=') {
            None if query.is_empty() => Ok(delivered),
            Some(("durability", durability)) => durability.parse(),
            _ => Err(format!("?{query} is not understood: only durability=… may be there")),
        };
        let is_address =
            address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        Some(durability.and_then(|durability| {
            let address = address.to_owned();
            if is_address { Ok(Peer { name, address, durability }) } else { Err("HOST:PORT must be there".to_owned()) }
        }))
    }

    /// What a URL of it says behind its scheme.
    #[must_use]
    pub fn rest_of_url(&self) -> String {
        let delivered = KINDS.iter().any(|&(name, _, durability)| name == self.name && durability == self.durability);
        let promise = if delivered { String::new() } else { format!("?durability={}", self.durability) };
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
        let product = KINDS.iter().find(|(name, ..)| *name == self.name).map_or(self.name, |(_, product, _)| product);
        Ok(format!("{product} {version}"))
    }

    /// Its settings as it runs with them, where its protocol tells, and what an acknowledgement has behind it.
    pub(crate) async fn config(&self) -> Result<BTreeMap<String, String>, LoadError> {
        let mut config = match self.name {
            "redis" => {
                let line = self.line().await?;
                self.answers(redis::config(line)).await?
            }
            _ => BTreeMap::new(),
        };
        config.insert("durability".to_owned(), self.durability.to_string());
        Ok(config)
    }

    /// Its port on this host.
    pub(crate) fn local_port(&self) -> Option<u16> {
        let (host, port) = self.address.rsplit_once(':')?;
        let is_local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
        is_local.then(|| port.parse().ok())?
    }

    pub(crate) async fn connect(&self) -> Result<TcpStream, LoadError> {
        let connected = TcpStream::connect(&self.address).await;
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

    /// Refuses a cell that asks for more than an acknowledgement has behind it.
    pub(crate) fn grants(&self, wanted: Durability) -> Result<(), LoadError> {
        let Peer { name, durability: has, .. } = *self;
        match has >= wanted {
            true => Ok(()),
            false => Err(LoadError::NotOffered { name, address: self.address.clone(), has, wanted }),
        }
    }

    /// One server, whose answers are waited for while more goes out.
    pub(crate) fn declares(&self, cell: &CellSpec) -> Declaration {
        let settings = [("in.flight", IN_FLIGHT.to_string()), ("held.back.bytes", HELD_BACK_BYTES.to_string())];
        Declaration {
            driver: self.name,
            durability: self.durability,
            replication: 1,
            ack: Ack::Leader,
            pipelining: Some(IN_FLIGHT),
            connections: cell.producers() + cell.consumers(),
            keys: false,
            settings: BTreeMap::from(settings.map(|(name, value)| (name.to_owned(), value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_promises_what_it_is_delivered_with_unless_its_url_says_otherwise() {
        let nats = |rest| Peer::of_url("nats", rest).unwrap();
        let delivered = nats("127.0.0.1:4222").unwrap();
        assert_eq!(
            (delivered.durability.to_string(), delivered.local_port()),
            ("fsync:120000ms".to_owned(), Some(4222))
        );
        assert!(delivered.grants(Durability::PageCache).is_ok());
        let refused = delivered.grants(Durability::Fsync).unwrap_err().to_string();
        assert!(refused.contains("profile=durable"), "{refused}");
        let every = |seconds| Durability::FsyncEvery(Duration::from_secs(seconds));
        assert!(delivered.grants(every(1)).is_err(), "every two minutes is less than every second");
        assert!(delivered.grants(every(120)).is_ok() && delivered.grants(every(600)).is_ok());
        let durable = nats("10.0.0.1:4222?durability=fsync").unwrap();
        assert_eq!((durable.durability, durable.local_port()), (Durability::Fsync, None));
        assert_eq!(durable.rest_of_url(), "10.0.0.1:4222?durability=fsync");
        for wrong in ["", "host", ":1", "host:x", "host:1?x=y", "host:1?durability=perhaps"] {
            assert!(nats(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Peer::of_url("carrier-pigeon", "coop:1"), None);
    }
}
