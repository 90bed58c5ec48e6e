//! A peer: a broker of another kind, where it is, and what it promises.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::net::TcpStream;

use super::pipeline::{HELD_BACK_BYTES, IN_FLIGHT};
use super::{Ack, Declaration};
use crate::LoadError;
use crate::workload::{CellSpec, Durability};

/// What each peer promises as it is delivered: what an acknowledgement has behind it.
const DELIVERED: [(&str, Durability); 7] = [
    ("redis", Durability::Memory),
    ("nats", Durability::FsyncEvery(Duration::from_secs(120))),
    ("activemq", Durability::Fsync),
    ("artemis", Durability::Fsync),
    // Classic queues, as of RabbitMQ 3.10.
    ("amqp", Durability::Fsync),
    ("amqp+quorum", Durability::Fsync),
    ("rabbitmq-stream", Durability::PageCache),
];

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
        let (name, delivered) = DELIVERED.into_iter().find(|(name, _)| *name == scheme)?;
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
        let delivered = DELIVERED.iter().any(|&(name, durability)| name == self.name && durability == self.durability);
        let promise = if delivered { String::new() } else { format!("?durability={}", self.durability) };
        format!("{}{promise}", self.address)
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

    pub(crate) fn error(&self, said: impl ToString) -> LoadError {
        LoadError::Peer { name: self.name, address: self.address.clone(), said: said.to_string() }
    }

    /// Refuses a cell that asks for more than an acknowledgement has behind it.
    pub(crate) fn grants(&self, wanted: Durability) -> Result<(), LoadError> {
        let has = self.durability;
        if has >= wanted {
            return Ok(());
        }
        let remedy = format!("start it so (scripts/peers.sh start {} --profile durable), or ask for {has}", self.name);
        Err(self.error(format!("its acknowledgement has {has} behind it, and {wanted} is asked for: {remedy}")))
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
        assert!(refused.contains("--profile durable"), "{refused}");
        let durable = nats("10.0.0.1:4222?durability=fsync").unwrap();
        assert_eq!((durable.durability, durable.local_port()), (Durability::Fsync, None));
        assert_eq!(durable.rest_of_url(), "10.0.0.1:4222?durability=fsync");
        for wrong in ["", "host", ":1", "host:x", "host:1?x=y", "host:1?durability=perhaps"] {
            assert!(nats(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Peer::of_url("carrier-pigeon", "coop:1"), None);
    }
}
