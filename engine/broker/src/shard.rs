//! One core's share of the broker: a pinned thread with its own runtime, sockets, timers and disk handle.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ringlog_io::{Choice, Disk};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::broker::Broker;
use crate::connection;
use crate::detached::on_own_runtime;
use crate::drain::DRAIN_LIMIT;
use crate::limits::Admission;
use crate::metrics::ShardMetrics;
use crate::request::Peer;

/// What the tasks of one thread share. Never leaves the thread.
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) broker: Arc<Broker>,
    pub(crate) disk: Disk,
}

impl Shard {
    /// Its counters.
    pub(crate) fn metrics(&self) -> &ShardMetrics {
        &self.broker.metrics[self.index]
    }
}

/// A connection on its way from the acceptor to its shard.
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) admission: Admission,
}

/// A running shard, seen from outside its thread.
pub(crate) struct ShardHandle {
    pub(crate) arrivals: mpsc::UnboundedSender<Arrival>,
    pub(crate) thread: JoinHandle<()>,
}

/// Starts the shard's thread. It ends when the senders of arrivals are gone, its connections have ended, and then its other tasks,
/// or each have had their time to.
pub(crate) fn spawn(index: usize, broker: Arc<Broker>, choice: Choice) -> std::io::Result<ShardHandle> {
    let (arrivals, queue) = mpsc::unbounded_channel();
    let thread = thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        if let Err(error) = ringlog_io::cpu::pin_current_thread(index) {
            info!(shard = index, %error, "shard runs unpinned");
        }
        if let Err(error) = run(index, broker, &choice, queue) {
            // Without its runtime or ring a shard can't serve: the process says so and the acceptor finds its queue closed.
            tracing::error!(shard = index, %error, "shard could not start");
        }
    })?;
    Ok(ShardHandle { arrivals, thread })
}

fn run(
    index: usize,
    broker: Arc<Broker>,
    choice: &Choice,
    mut queue: mpsc::UnboundedReceiver<Arrival>,
) -> std::io::Result<()> {
    on_own_runtime(async move {
        let shard = Rc::new(Shard { index, broker, disk: Disk::open(choice)? });
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                arrival = queue.recv() => match arrival {
                    Some(arrival) => welcome(&shard, arrival, &mut connections),
                    None => break,
                },
                Some(ended) = connections.join_next(), if !connections.is_empty() => report_panic(ended),
            }
        }
        let leaving = async {
            while let Some(ended) = connections.join_next().await {
                report_panic(ended);
            }
        };
        if tokio::time::timeout(DRAIN_LIMIT, leaving).await.is_err() {
            warn!(limit = ?DRAIN_LIMIT, "connections cut off: their requests took too long");
        }
        Ok(())
    })?
}

fn welcome(shard: &Rc<Shard>, arrival: Arrival, connections: &mut tokio::task::JoinSet<()>) {
    let Arrival { stream, address, admission } = arrival;
    let adopted = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)).and_then(|stream| {
        // Responses leave whole: Nagle's delay would only add to their latency.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok((stream, local))
    });
    match adopted {
        Ok((stream, local)) => {
            connections.spawn_local(connection::serve(shard.clone(), stream, Peer { address, local }, admission));
        }
        Err(error) => warn!(%address, %error, "connection lost before its first request"),
    }
}

/// A panic ends one task, not the broker; it is a bug and is logged as one.
fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a task panicked: please report this");
    }
}
