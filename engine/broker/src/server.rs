//! A broker from start to stop.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use ringlog_coordinator::Settings as GroupSettings;
use ringlog_io::{Choice, DirLock, Disk};
use ringlog_log::{LogDir, LogError};
use ringlog_metadata::{MetaError, MetaProperties, ProducerIds};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tracing::{info, warn};

use crate::acceptor;
use crate::broker::Broker;
use crate::budget::Budget;
use crate::config::BrokerConfig;
use crate::drain::{Drain, DrainTrigger};
use crate::groups::Groups;
use crate::limits::{Gate, Limits};
use crate::shard::{self, ShardHandle};
use crate::topics::{self, TopicError, Topics};
use crate::upkeep;

/// How long a stopping broker waits for requests that have begun.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// Descriptors that a partition's active segment holds open.
const DESCRIPTORS_PER_PARTITION: u64 = 3;

/// Why a broker could not start, or not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory can't be used.
    #[error("{path}: {source}: choose a directory that this user can write")]
    DataDirectory {
        /// The directory.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another process serves from it.
    #[error("{0}")]
    Locked(std::io::Error),
    /// The listener's address can't be had.
    #[error("can't listen on {address}: {source}: choose another port, or port 0 for a free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The directory belongs to somebody else.
    #[error(transparent)]
    Identity(#[from] MetaError),
    /// The directory or a log in it could not be opened, or not be closed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A thread or runtime could not be had.
    #[error("can't start: {0}")]
    Start(std::io::Error),
    /// The topics could not be opened.
    #[error("can't open the topics: {0}")]
    Topics(String),
}

/// A broker that is ready: bound, recovered, its shards running.
pub struct Server {
    broker: Arc<Broker>,
    choice: Choice,
    shards: Vec<ShardHandle>,
    upkeep: [std::thread::JoinHandle<()>; 2],
    listener: StdListener,
    gate: Gate,
    drain: DrainTrigger,
    /// Held for as long as the directory is in use.
    _lock: DirLock,
}

impl Server {
    /// Takes the data directory, repairs what a crash left, binds the listener and starts the shards. Clients that connect from
    /// here on are served once [`Server::run`] runs.
    ///
    /// # Errors
    /// See [`ServerError`]: each names the value and the remedy.
    pub fn start(config: BrokerConfig) -> Result<Server, ServerError> {
        let path = config.log_dir.display().to_string();
        let directory = |source| ServerError::DataDirectory { path: path.clone(), source };
        std::fs::create_dir_all(&config.log_dir).map_err(directory)?;
        let lock = DirLock::take(&config.log_dir).map_err(|source| match source.kind() {
            std::io::ErrorKind::WouldBlock => ServerError::Locked(source),
            _ => directory(source),
        })?;
        let choice = ringlog_io::probe(&config.log_dir, config.io_backend).map_err(directory)?;
        match &choice.remedy {
            Some(remedy) => warn!(backend = ?choice.backend, reason = choice.reason, remedy, "disk backend"),
            None => info!(backend = ?choice.backend, reason = choice.reason, "disk backend"),
        }
        let (identity, topics) = on_local_runtime(async {
            let disk = Disk::syscall();
            let fresh = || topics::fresh_id().unwrap_or_default().to_string();
            let identity = MetaProperties::open(&disk, &config.log_dir, config.node_id, fresh)?;
            let dir = LogDir::open(&disk, &config.log_dir)?;
            info!(last_end = ?dir.shutdown(), "data directory {path}");
            let topics = Topics::open(&disk, dir).await.map_err(explain)?;
            Ok::<_, ServerError>((identity, topics))
        })??;
        let listening = |source| ServerError::Listen { address: config.listener, source };
        let listener = StdListener::bind(config.listener).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        if !address.ip().is_loopback() {
            warn!(%address, "listening beyond loopback: anyone who reaches this address can read and write every topic");
        }
        let descriptors = ringlog_io::limits::raise_open_files().unwrap_or(1024);
        let partitions: usize = topics.all().iter().map(|topic| topic.partitions.len()).sum();
        let limits = Limits::new(
            config.max_connections,
            config.max_connections_per_ip,
            descriptors,
            partitions as u64 * DESCRIPTORS_PER_PARTITION,
        );
        let (trigger, drain) = DrainTrigger::new();
        let broker = Arc::new(Broker {
            cluster_id: identity.cluster_id,
            node_id: config.node_id,
            address,
            groups: Groups::open(GroupSettings::default(), &topics)?,
            topics,
            producer_ids: ProducerIds::open(&config.log_dir)?,
            budget: Budget::new(config.memory_inflight_max_bytes),
            limits,
            drain,
            config,
        });
        let shards = (0..broker.config.shards.max(1))
            .map(|index| shard::spawn(index, broker.clone(), choice.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(ServerError::Start)?;
        let upkeep = upkeep::spawn(&broker, &choice).map_err(ServerError::Start)?;
        Ok(Server { broker, choice, shards, upkeep, listener, gate: Gate::default(), drain: trigger, _lock: lock })
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.broker.address
    }

    /// What a line about the broker says of its disk.
    #[must_use]
    pub fn backend(&self) -> String {
        format!("{:?}", self.choice.backend).to_lowercase()
    }

    /// Serves until `stop` resolves, then drains: requests that have begun are answered, every log is synced and closed, and
    /// the directory is marked clean.
    ///
    /// # Errors
    /// [`ServerError::Log`] when a log could not be closed: the next start recovers.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Server { broker, shards, upkeep, listener, gate, drain: trigger, _lock, .. } = self;
        on_local_runtime(async {
            let listener = TcpListener::from_std(listener).map_err(ServerError::Start)?;
            let arrivals = shards.iter().map(|shard| shard.arrivals.clone()).collect();
            let (limits, draining): (Limits, Drain) = (broker.limits.clone(), broker.drain.clone());
            let accepting = tokio::task::spawn_local(acceptor::accept(listener, arrivals, gate, limits, draining));
            stop.await;
            info!("draining");
            trigger.start();
            // The acceptor's end is the end of the shards' queues, too.
            let _ = accepting.await;
            Ok::<_, ServerError>(())
        })??;
        for ShardHandle { arrivals, thread } in shards {
            drop(arrivals);
            if thread.join().is_err() {
                warn!("a shard panicked: please report this");
            }
        }
        for thread in upkeep {
            if thread.join().is_err() {
                warn!("upkeep panicked: please report this");
            }
        }
        on_local_runtime(async { broker.topics.close(&Disk::syscall()).await })??;
        info!("stopped");
        Ok(())
    }
}

fn explain(error: TopicError) -> ServerError {
    match error {
        TopicError::Log(error) => ServerError::Log(error),
        other => ServerError::Topics(other.to_string()),
    }
}

fn on_local_runtime<T>(work: impl Future<Output = T>) -> Result<T, ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Start)?;
    Ok(LocalSet::new().block_on(&runtime, work))
}
