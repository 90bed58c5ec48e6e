//! A broker from start to stop.

use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::sync::Arc;

use ringlog_coordinator::Settings as GroupSettings;
use ringlog_io::{DirLock, Disk};
use ringlog_log::{LogDir, LogError, Shutdown};
use ringlog_metadata::{MetaError, MetaProperties, ProducerIds};
use ringlog_settings::{BrokerConfig, Listener, Sources};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tracing::{info, warn};

use crate::acceptor;
use crate::broker::Broker;
use crate::budget::Budget;
use crate::drain::DrainTrigger;
use crate::groups::Groups;
use crate::io_plan;
use crate::limits::{Gate, Limits};
use crate::metrics;
use crate::quotas::Quotas;
use crate::reserve::Reserve;
use crate::shard::{self, ShardHandle};
use crate::topics::{self, TopicError, Topics};
use crate::upkeep;

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
    /// The host profile can't be used.
    #[error("io.profile={path}: {reason}")]
    Profile {
        /// The file.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Another process serves from it.
    #[error("{0}")]
    Locked(std::io::Error),
    /// The listener's address can't be had.
    #[error("can't listen on {listener}: {source}: choose another address or port, or port 0 for a free one")]
    Listen {
        /// The listener.
        listener: String,
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
    shards: Vec<ShardHandle>,
    upkeep: [std::thread::JoinHandle<()>; 2],
    listener: StdListener,
    metrics_listener: Option<StdListener>,
    drain: DrainTrigger,
    /// Held for as long as the directory is in use.
    _lock: DirLock,
}

impl Server {
    /// Takes the data directory, repairs what a crash left, binds the listener and starts the shards. Clients that connect from
    /// here on are served once [`Server::run`] runs. `sources` is what `config` was read from
    /// ([`BrokerConfig::from_properties`] gives both).
    ///
    /// # Errors
    /// See [`ServerError`]: each names the value and the remedy.
    pub fn start(config: BrokerConfig, sources: Sources) -> Result<Server, ServerError> {
        let path = config.log_dir.display().to_string();
        let directory = |source| ServerError::DataDirectory { path: path.clone(), source };
        std::fs::create_dir_all(&config.log_dir).map_err(directory)?;
        let lock = DirLock::take(&config.log_dir).map_err(|source| match source.kind() {
            std::io::ErrorKind::WouldBlock => ServerError::Locked(source),
            _ => directory(source),
        })?;
        let plan = io_plan::plan(&config)?;
        let (identity, topics, image) = on_local_runtime(async {
            let disk = Disk::syscall();
            let fresh = || topics::fresh_id().unwrap_or_default().to_string();
            let identity = MetaProperties::open(&disk, &config.log_dir, config.node_id, fresh)?;
            let dir = LogDir::open(&disk, &config.log_dir)?;
            info!(path, partitions = dir.partitions()?.len(), "data directory: {}", found(dir.shutdown()));
            let reserve = Reserve::given_up(&disk, &config.log_dir);
            let topics = Topics::open(&disk, dir, config.clone(), sources.fixed, reserve).await.map_err(explain)?;
            if !topics.reserve().restore(&disk).await {
                warn!(reason = topics.reserve().refusal(), "starting on a full disk");
            }
            let image = topics.metadata().lock().await.image();
            Ok::<_, ServerError>((identity, topics, image))
        })??;
        let listening = |source| ServerError::Listen { listener: config.listener.to_string(), source };
        let listener = bind(&config.listener).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let metrics_listener = config.metrics_listen.as_deref().map(bind_metrics).transpose()?;
        if !address.ip().is_loopback() {
            warn!(%address, "listening beyond loopback: anyone who reaches this address can read and write every topic");
        }
        let descriptors = ringlog_io::limits::raise_open_files().unwrap_or(1024);
        let partitions: usize = topics.all().iter().map(|topic| topic.partitions.len()).sum();
        let limits = Limits::new(descriptors, partitions as u64 * DESCRIPTORS_PER_PARTITION);
        let (trigger, drain) = DrainTrigger::new();
        let cores = || ringlog_io::cpu::available().map_or(1, |cores| cores.len());
        let shard_count = config.io_shards.unwrap_or_else(cores);
        let broker = Arc::new(Broker {
            cluster_id: identity.cluster_id,
            node_id: config.node_id,
            address,
            groups: Groups::open(group_settings(&config), &topics)?,
            topics,
            producer_ids: ProducerIds::open(&config.log_dir)?,
            quotas: Quotas::new(&config, image.quotas().clone()),
            budget: Budget::new(config.memory_inflight_max_bytes),
            limits,
            gate: Gate::default(),
            drain,
            sendfile_min_bytes: plan.sendfile_min_bytes,
            backend: plan.disk.backend.to_string(),
            metrics: std::iter::repeat_with(Default::default).take(shard_count).collect(),
            config,
        });
        let shards = (0..shard_count)
            .map(|index| shard::spawn(index, broker.clone(), plan.disk.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(ServerError::Start)?;
        let upkeep = upkeep::spawn(&broker, &plan.disk).map_err(ServerError::Start)?;
        Ok(Server { broker, shards, upkeep, listener, metrics_listener, drain: trigger, _lock: lock })
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.broker.address
    }

    /// Where metrics are answered.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// What a line about the broker says of its disk.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.broker.backend
    }

    /// Serves until `stop` resolves, then drains: requests that have begun are answered, every log is synced and closed, and
    /// the directory is marked clean.
    ///
    /// # Errors
    /// [`ServerError::Log`] when a log could not be closed: the next start recovers.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Server { broker, shards, upkeep, listener, metrics_listener, drain: trigger, _lock } = self;
        on_local_runtime(async {
            let listener = TcpListener::from_std(listener).map_err(ServerError::Start)?;
            let arrivals = shards.iter().map(|shard| shard.arrivals.clone()).collect();
            if let Some(listener) = metrics_listener {
                let listener = TcpListener::from_std(listener).map_err(ServerError::Start)?;
                tokio::task::spawn_local(metrics::serve(listener, broker.clone()));
            }
            let accepting = tokio::task::spawn_local(acceptor::accept(listener, arrivals, broker.clone()));
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

/// What an operator is told of the directory's last user.
fn found(last_end: Shutdown) -> &'static str {
    match last_end {
        Shutdown::Clean => "closed in good order",
        Shutdown::ProcessDied => "its last user was killed: the ends of its logs are checked",
        Shutdown::HostDied => "new, or its host has restarted: its logs are checked from their last sync on",
    }
}

/// An empty host stands for every address.
fn bind(listener: &Listener) -> std::io::Result<StdListener> {
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    let addresses: Vec<SocketAddr> = (host, listener.port).to_socket_addrs()?.collect();
    StdListener::bind(&addresses[..])
}

fn bind_metrics(listen: &str) -> Result<StdListener, ServerError> {
    let failed = |source| ServerError::Listen { listener: format!("metrics.listen={listen}"), source };
    let listener = StdListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn group_settings(config: &BrokerConfig) -> GroupSettings {
    GroupSettings {
        group_min_session_timeout_ms: config.group_min_session_timeout_ms,
        group_max_session_timeout_ms: config.group_max_session_timeout_ms,
        group_initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
        group_max_size: config.group_max_size,
        offset_metadata_max_bytes: config.offset_metadata_max_bytes,
        offsets_retention_ms: config.offsets_retention_ms,
    }
}

fn explain(error: TopicError) -> ServerError {
    match error {
        TopicError::Log(error) => ServerError::Log(error),
        other => ServerError::Topics(other.to_string()),
    }
}

/// Tasks that are left when the work is done, such as a look at the metrics, are dropped.
fn on_local_runtime<T>(work: impl Future<Output = T>) -> Result<T, ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Start)?;
    Ok(LocalSet::new().block_on(&runtime, work))
}
