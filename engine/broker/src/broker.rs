//! What all shards share.

use std::net::SocketAddr;

use ringlog_metadata::ProducerIds;
use ringlog_settings::BrokerConfig;

use crate::budget::Budget;
use crate::drain::Drain;
use crate::groups::Groups;
use crate::limits::Gate;
use crate::limits::Limits;
use crate::metrics::ShardMetrics;
use crate::quotas::Quotas;
use crate::request::Peer;
use crate::topics::Topics;

/// One broker's state, seen from every thread.
pub(crate) struct Broker {
    pub(crate) config: BrokerConfig,
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    /// The address that is listened on, its port known.
    pub(crate) address: SocketAddr,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) quotas: Quotas,
    pub(crate) budget: Budget,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    pub(crate) drain: Drain,
    /// From so many bytes on, a stretch of a file is sent by sendfile.
    pub(crate) sendfile_min_bytes: usize,
    /// Which way to the disk, in a word.
    pub(crate) backend: String,
    /// Of each shard.
    pub(crate) metrics: Vec<ShardMetrics>,
}

impl Broker {
    /// Where this client is told to connect: as advertised.listeners says; else on a wildcard listener the address by which it
    /// came.
    pub(crate) fn advertised(&self, peer: Peer) -> (String, u16) {
        if let Some(advertised) = &self.config.advertised_listener {
            let port = if advertised.port == 0 { self.address.port() } else { advertised.port };
            return (advertised.host.clone(), port);
        }
        let ip = if self.address.ip().is_unspecified() { peer.local.ip() } else { self.address.ip() };
        (ip.to_string(), self.address.port())
    }
}
