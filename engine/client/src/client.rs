//! What producers, consumers and admins share: connections to the brokers, and who leads what.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringlog_protocol::find_coordinator::FindCoordinatorRequest;
use ringlog_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ringlog_protocol::{ApiKey, ErrorCode};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::topology::{Topic, Topology};
use crate::{Address, ClientError, ClientOptions};

/// A view of one cluster. Cheap to clone; all clones share connections and metadata. Needs a tokio runtime, of any
/// kind.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    options: ClientOptions,
    connections: Mutex<HashMap<(Address, Lane), Slot>>,
    last_lane: AtomicU64,
    topology: Mutex<Arc<Topology>>,
    /// Held while metadata is asked for: calls that find it stale together ask once.
    refreshing: tokio::sync::Mutex<()>,
}

/// The connection to one address; locked while it is being opened.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

/// Which of a client's connections to a broker. Answers come in the order of the requests, so what is answered late, as
/// a Fetch or a JoinGroup, holds up what follows it: each producer and consumer has connections of its own for such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Lane(u64);

impl Lane {
    /// For all that is answered at once.
    pub(crate) const SHARED: Self = Self(0);
}

/// A lane for one user; its connections close with it.
pub(crate) struct OwnLane {
    client: Client,
    pub(crate) lane: Lane,
}

impl Drop for OwnLane {
    fn drop(&mut self) {
        lock(&self.client.0.connections).retain(|(_, lane), _| *lane != self.lane);
    }
}

impl Client {
    /// Connects to the first bootstrap server that answers.
    ///
    /// # Errors
    /// That of the last server, when none does within `default.api.timeout.ms`; at once when all refuse.
    pub async fn connect(options: ClientOptions) -> Result<Self, ClientError> {
        let client = Self(Arc::new(Inner {
            options,
            connections: Mutex::default(),
            last_lane: AtomicU64::new(Lane::SHARED.0),
            topology: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
        }));
        client.refresh(Some(&[]), false).await?;
        Ok(client)
    }

    /// The options that it was made with.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    /// What is known of the cluster. It holds the topics that were asked about.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&lock(&self.0.topology))
    }

    /// Asks for the metadata of these topics, or of all. With `create`, brokers that auto-create topics may do so.
    ///
    /// # Errors
    /// When no broker answers. Errors of single topics stand in the topology.
    pub async fn refresh(&self, topics: Option<&[&str]>, create: bool) -> Result<Arc<Topology>, ClientError> {
        let before = self.topology();
        let _alone = self.0.refreshing.lock().await;
        let now = self.topology();
        // Somebody else asked while this call waited for its turn.
        if !Arc::ptr_eq(&before, &now) && topics.is_some_and(|names| names.iter().all(|name| now.is_usable(name))) {
            return Ok(now);
        }
        let connection = self.any(Lane::SHARED).await?;
        let version = connection.version(ApiKey::Metadata, 1..=i16::MAX)?;
        let named = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned().into()), ..Default::default() };
        let request = MetadataRequest {
            topics: topics.map(|names| names.iter().map(named).collect()),
            // Before version 4 a broker decides alone.
            allow_auto_topic_creation: create || version < 4,
            ..Default::default()
        };
        let reply = connection.call_version(&request, version, Duration::ZERO).await?;
        let merged = Arc::new(now.merged(reply.read()?, topics.is_none()));
        *lock(&self.0.topology) = Arc::clone(&merged);
        Ok(merged)
    }

    /// A topic with a leader for at least one partition; asked for until `timeout` when it is unknown, since one that
    /// was just created takes a moment to be known everywhere.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownTopicOrPartition`] among others, when it stays so.
    pub async fn topic(&self, name: &str, create: bool, timeout: Duration) -> Result<Arc<Topic>, ClientError> {
        let known = self.topology();
        if let Some(topic) = known.usable(name, self.0.options.metadata_max_age) {
            return Ok(topic);
        }
        self.retry(timeout, || async {
            let topology = self.refresh(Some(&[name]), create).await?;
            topology.topic(name)
        })
        .await
    }

    /// A connection to a broker by its id.
    pub(crate) async fn node(&self, id: i32, lane: Lane) -> Result<Connection, ClientError> {
        match self.topology().brokers.get(&id) {
            Some(broker) => self.address(&broker.address, lane).await,
            None => Err(ClientError::Broker {
                code: ErrorCode::BrokerNotAvailable,
                subject: format!("broker {id}"),
                message: "it is not among the brokers that the cluster lists".to_owned(),
            }),
        }
    }

    /// A connection to the controller, or to any broker when none is known (they forward what is the controller's).
    pub(crate) async fn controller(&self) -> Result<Connection, ClientError> {
        match self.topology().controller {
            Some(id) => self.node(id, Lane::SHARED).await,
            None => self.any(Lane::SHARED).await,
        }
    }

    /// A connection to any broker: an open one, else the first that answers of those known and the bootstrap servers.
    pub(crate) async fn any(&self, lane: Lane) -> Result<Connection, ClientError> {
        let topology = self.topology();
        let known = topology.brokers.values().map(|broker| &broker.address);
        let addresses: Vec<_> = known.chain(&self.0.options.bootstrap).collect();
        for address in &addresses {
            let slot = lock(&self.0.connections).get(&((*address).clone(), lane)).cloned();
            let held = slot.as_ref().and_then(|slot| slot.try_lock().ok());
            if let Some(open) = held.and_then(|held| held.as_ref().filter(|held| held.is_open()).cloned()) {
                return Ok(open);
            }
        }
        let mut last = ClientError::Closed;
        for address in addresses {
            match self.address(address, lane).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connections for one user alone.
    pub(crate) fn own_lane(&self) -> OwnLane {
        let lane = Lane(self.0.last_lane.fetch_add(1, Ordering::Relaxed) + 1);
        OwnLane { client: self.clone(), lane }
    }

    /// A connection to the coordinator of a group. It is asked for every time: callers keep it until it fails.
    pub(crate) async fn coordinator(&self, group: &str, lane: Lane) -> Result<Connection, ClientError> {
        self.find_coordinator(GROUP, group, lane).await
    }

    /// The same of a transactional id.
    pub(crate) async fn transaction_coordinator(&self, id: &str, lane: Lane) -> Result<Connection, ClientError> {
        self.find_coordinator(TRANSACTION, id, lane).await
    }

    async fn find_coordinator(&self, key_type: i8, key: &str, lane: Lane) -> Result<Connection, ClientError> {
        let connection = self.any(Lane::SHARED).await?;
        let request = FindCoordinatorRequest { key: key.into(), key_type, coordinator_keys: vec![key.into()] };
        // Version 0 knows groups only.
        let version = connection.version(ApiKey::FindCoordinator, i16::from(key_type)..=i16::MAX)?;
        // The key stands alone up to version 3, in a list after that.
        let request = if version < 4 {
            FindCoordinatorRequest { coordinator_keys: Vec::new(), ..request }
        } else {
            FindCoordinatorRequest { key: "".into(), ..request }
        };
        let reply = connection.call_version(&request, version, Duration::ZERO).await?;
        let answer = reply.read()?;
        let kind = if key_type == TRANSACTION { "transactional id" } else { "group" };
        let subject = || format!("coordinator of {kind} {key}");
        let (code, message, host, port) = match answer.coordinators.first() {
            Some(found) => (found.error_code, &found.error_message, &found.host, found.port),
            None => (answer.error_code, &answer.error_message, &answer.host, answer.port),
        };
        ClientError::check(code, subject, message.as_deref())?;
        let port = u16::try_from(port).unwrap_or_default();
        self.address(&Address { host: host.clone().into_owned(), port }, lane).await
    }

    async fn address(&self, address: &Address, lane: Lane) -> Result<Connection, ClientError> {
        let slot = Arc::clone(lock(&self.0.connections).entry((address.clone(), lane)).or_default());
        let mut slot = slot.lock().await;
        match slot.as_ref() {
            Some(open) if open.is_open() => Ok(open.clone()),
            _ => Ok(slot.insert(Connection::open(address, &self.0.options).await?).clone()),
        }
    }

    /// Calls `attempt` until it succeeds, fails for good, or `timeout` has passed; then with its last error.
    pub(crate) async fn retry<T, F, A>(&self, timeout: Duration, mut attempt: A) -> Result<T, ClientError>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, ClientError>>,
    {
        let deadline = Instant::now() + timeout;
        let mut backoff = self.backoff();
        let mut is_outdated = false;
        loop {
            let informed = async {
                if is_outdated {
                    // The successor stands in fresh metadata; when that cannot be had, the attempt says so.
                    let _ = self.refresh(Some(&[]), false).await;
                }
                attempt().await
            };
            let error = match tokio::time::timeout_at(deadline, informed).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) if error.is_retriable() => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(self.timed_out("the call", timeout)),
            };
            let pause = backoff.next();
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::debug!(%error, ?pause, "retrying");
            tokio::time::sleep(pause).await;
            // Whoever was asked did not answer, or is not the one to ask.
            is_outdated = matches!(error.code(), None | Some(ErrorCode::NotController));
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.0.options.retry_backoff, self.0.options.retry_backoff_max)
    }

    pub(crate) fn timed_out(&self, what: &str, after: Duration) -> ClientError {
        ClientError::Timeout { what: what.to_owned(), after, setting: "default.api.timeout.ms" }
    }
}

/// What a coordinator is asked for by: `key_type` of FindCoordinator.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// The lock of data that no panic leaves half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
