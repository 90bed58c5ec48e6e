//! What a broker is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ringlog_io::Wanted;

/// The settings of one broker. Names and defaults are Kafka's, with dots as underscores, where Kafka has them.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The data directory; made when it is missing.
    pub log_dir: PathBuf,
    /// Where to listen. Port 0 takes a free one.
    pub listener: SocketAddr,
    /// This broker's number.
    pub node_id: i32,
    /// Threads that serve; each has a core of its own while there are enough.
    pub shards: usize,
    /// Which way to the disk.
    pub io_backend: Wanted,
    /// Partitions of a topic that is made because a client asked for it.
    pub num_partitions: i32,
    /// Whether a topic that a client asks for is made.
    pub auto_create_topics_enable: bool,
    /// Longest request. Bytes.
    pub socket_request_max_bytes: usize,
    /// Largest batch taken from a producer. Bytes.
    pub message_max_bytes: usize,
    /// Most record bytes of one Fetch response, beyond its first batch. Bytes.
    pub fetch_max_bytes: usize,
    /// A connection without requests for this long is closed.
    pub connections_max_idle: Duration,
    /// How often retention is applied (`log.retention.check.interval.ms`).
    pub log_retention_check_interval: Duration,
    /// Open connections in all.
    pub max_connections: usize,
    /// Open connections from one address.
    pub max_connections_per_ip: usize,
    /// Request bytes held at one time, over all connections. Bytes.
    pub memory_inflight_max_bytes: usize,
}

impl BrokerConfig {
    /// Kafka's defaults, listening on loopback.
    #[must_use]
    pub fn new(log_dir: impl Into<PathBuf>, listener: SocketAddr) -> BrokerConfig {
        BrokerConfig {
            log_dir: log_dir.into(),
            listener,
            node_id: 1,
            shards: ringlog_io::cpu::available().map_or(1, |cores| cores.len()),
            io_backend: Wanted::Auto,
            num_partitions: 1,
            auto_create_topics_enable: true,
            socket_request_max_bytes: 100 << 20,
            message_max_bytes: 1_048_588,
            fetch_max_bytes: 55 << 20,
            connections_max_idle: Duration::from_secs(600),
            log_retention_check_interval: Duration::from_secs(300),
            max_connections: i32::MAX as usize,
            max_connections_per_ip: i32::MAX as usize,
            memory_inflight_max_bytes: 256 << 20,
        }
    }
}
