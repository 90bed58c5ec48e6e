//! The settings of clients, by Kafka's names, with Kafka's defaults.

use std::sync::Arc;
use std::time::Duration;

use ringlog_record::Compression;

use crate::consumer::Assignor;
use crate::partitioner::Partitioner;
use crate::producer::Interceptor;
use crate::{Address, ClientError};

/// What every client has: `Client::connect` takes it, and the others contain it.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// `bootstrap.servers`: the brokers to ask first. They need not be all.
    pub bootstrap: Vec<Address>,
    /// `client.id`: what the client calls itself in the broker's logs and quotas.
    pub client_id: String,
    /// `request.timeout.ms`: how long one request may take until its connection is given up. Default 30 s.
    pub request_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`. Default 10 s.
    pub connect_timeout: Duration,
    /// `retry.backoff.ms`: the first pause between attempts. Default 100 ms.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`: the longest. Default 1 s.
    pub retry_backoff_max: Duration,
    /// `metadata.max.age.ms`: when leaders are asked for again without a cause. Default 5 min.
    pub metadata_max_age: Duration,
    /// `default.api.timeout.ms`: how long a call may take with all its attempts. Default 60 s.
    pub api_timeout: Duration,
}

impl ClientOptions {
    /// The defaults, with these bootstrap servers: `host:port`, `kafka://host:port`, or several with commas.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn new(bootstrap: &str) -> Result<Self, ClientError> {
        Ok(Self {
            bootstrap: Address::list(bootstrap)?,
            client_id: "ringlog".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            api_timeout: Duration::from_secs(60),
        })
    }
}

/// `acks`: what a producer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: the broker does not answer, and a record may be lost unnoticed.
    None,
    /// The leader has it, at the durability its topic is configured for.
    Leader,
    /// All in-sync replicas have it.
    All,
}

impl Acks {
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// What a [`Producer`](crate::Producer) is made with.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// `acks`. Default all.
    pub acks: Acks,
    /// `enable.idempotence`: each record is written once, in order, whatever is retried. Default true; needs `acks` all.
    pub idempotence: bool,
    /// `transactional.id`: the name under which [transactions](crate::Producer::begin_transaction) are written, and what
    /// the application was doing can be taken up after a restart: a producer that begins under the same name shuts out
    /// the one before. Default none; needs `idempotence`.
    pub transactional_id: Option<String>,
    /// `transaction.timeout.ms`: how long a transaction may be open before its coordinator aborts it, and shuts the
    /// producer out. Default 60 s; the broker's `transaction.max.timeout.ms` bounds it.
    pub transaction_timeout: Duration,
    /// `batch.size`: a batch is sent when it holds so many bytes, uncompressed. Default 16,384.
    pub batch_bytes: usize,
    /// `linger.ms`: or when its first record is so old. Default 5 ms.
    pub linger: Duration,
    /// `buffer.memory`: what all batches not yet acknowledged may hold; then `send` waits. Default 32 MiB.
    pub buffer_bytes: usize,
    /// `max.block.ms`: how long `send` waits, for memory or for metadata, and a transaction's call for the coordinator.
    /// Default 60 s.
    pub max_block: Duration,
    /// `max.request.size`: the largest request, and so the largest record. Default 1 MiB.
    pub max_request_bytes: usize,
    /// `compression.type`. Default none.
    pub compression: Compression,
    /// `max.in.flight.requests.per.connection`. Default 5; at most 5 with idempotence.
    pub max_in_flight: usize,
    /// `delivery.timeout.ms`: how long after `send` a record may still be tried. Default 2 min.
    pub delivery_timeout: Duration,
    /// `partitioner.class`: how records without a partition find theirs. Default by the key's hash.
    pub partitioner: Partitioner,
    /// `interceptor.classes`: who sees each record first, in their order. Default none.
    pub interceptors: Vec<Arc<dyn Interceptor>>,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotence: true,
            transactional_id: None,
            transaction_timeout: Duration::from_secs(60),
            batch_bytes: 16_384,
            linger: Duration::from_millis(5),
            buffer_bytes: 32 << 20,
            max_block: Duration::from_secs(60),
            max_request_bytes: 1 << 20,
            compression: Compression::None,
            max_in_flight: 5,
            delivery_timeout: Duration::from_secs(120),
            partitioner: Partitioner::KeyHash,
            interceptors: Vec::new(),
        }
    }
}

impl ProducerOptions {
    pub(crate) fn check(&self) -> Result<(), ClientError> {
        let refuse = |name, value: String, reason| Err(ClientError::Option { name, value, reason });
        if self.idempotence && self.acks != Acks::All {
            return refuse("acks", format!("{:?}", self.acks), "idempotence needs acks=all; set one or the other");
        }
        if self.transactional_id.is_some() && !self.idempotence {
            let reason = "a transactional.id needs it; set it to true, or unset the id";
            return refuse("enable.idempotence", "false".to_owned(), reason);
        }
        if self.transactional_id.as_deref() == Some("") {
            return refuse("transactional.id", String::new(), "a name is needed, or none at all");
        }
        if self.transaction_timeout.is_zero() || self.transaction_timeout.as_millis() > i32::MAX as u128 {
            let value = self.transaction_timeout.as_millis().to_string();
            return refuse("transaction.timeout.ms", value, "1 to 2147483647 are allowed");
        }
        if self.max_in_flight == 0 || self.idempotence && self.max_in_flight > 5 {
            let reason = "1 or more are allowed, with idempotence at most 5: brokers remember five batches";
            return refuse("max.in.flight.requests.per.connection", self.max_in_flight.to_string(), reason);
        }
        if self.buffer_bytes < self.max_request_bytes || self.buffer_bytes > u32::MAX as usize {
            let reason = "it must hold one request of max.request.size, and be under 4 GiB";
            return refuse("buffer.memory", self.buffer_bytes.to_string(), reason);
        }
        if self.max_request_bytes > i32::MAX as usize / 2 {
            return refuse("max.request.size", self.max_request_bytes.to_string(), "it must be under 1 GiB");
        }
        Ok(())
    }
}

/// `auto.offset.reset`: where to begin without a committed offset, or with one that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record that is still there.
    Earliest,
    /// Behind the last.
    Latest,
    /// Nowhere: `poll` fails.
    None,
}

/// `isolation.level`: which records of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All.
    ReadUncommitted,
    /// Those of committed transactions, and those of none.
    ReadCommitted,
}

/// What a [`Consumer`](crate::Consumer) is made with.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// `group.id`: needed to subscribe and to commit.
    pub group_id: Option<String>,
    /// `group.instance.id`: a static member, whose restart within the session timeout causes no rebalance.
    pub group_instance_id: Option<String>,
    /// `auto.offset.reset`. Default latest.
    pub offset_reset: OffsetReset,
    /// `enable.auto.commit` with `auto.commit.interval.ms`; `None` leaves commits to the application. Default 5 s.
    pub auto_commit: Option<Duration>,
    /// `session.timeout.ms`: a member that is silent for so long is out of the group. Default 45 s.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. Default 3 s.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: a member that does not poll for so long leaves. Default 5 min.
    pub max_poll_interval: Duration,
    /// `max.poll.records`: how many records one poll returns at most. Default 500.
    pub max_poll_records: usize,
    /// `fetch.min.bytes`: the broker waits for so many. Default 1.
    pub fetch_min_bytes: usize,
    /// `fetch.max.wait.ms`: but no longer than this. Default 500 ms.
    pub fetch_max_wait: Duration,
    /// `fetch.max.bytes` of one answer. Default 50 MiB.
    pub fetch_max_bytes: usize,
    /// `max.partition.fetch.bytes`. Default 1 MiB.
    pub partition_max_bytes: usize,
    /// `isolation.level`. Default read_uncommitted.
    pub isolation: Isolation,
    /// `check.crcs`. Default true.
    pub check_crcs: bool,
    /// `partition.assignment.strategy`, best first. Default range, then cooperative-sticky.
    pub assignors: Vec<Assignor>,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            group_id: None,
            group_instance_id: None,
            offset_reset: OffsetReset::Latest,
            auto_commit: Some(Duration::from_secs(5)),
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            max_poll_records: 500,
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            fetch_max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            isolation: Isolation::ReadUncommitted,
            check_crcs: true,
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
        }
    }
}

impl Isolation {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}
