//! Takes connections from the listening sockets and deals them to the shards in turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, warn};

use crate::broker::Broker;
use crate::shard::Arrival;

/// How long accepting rests when the process has no descriptors left.
const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(100);

/// Accepts on `listener` until the broker drains.
pub(crate) async fn accept(listener: TcpListener, shards: Vec<UnboundedSender<Arrival>>, broker: Arc<Broker>) {
    let mut next = 0usize;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = broker.drain.started() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_out_of_descriptors(&error) => {
                warn!(%error, "no descriptor for a further connection: raise ulimit -n");
                tokio::time::sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                continue;
            }
            // The peer was gone before it was accepted (accept(2) passes its error on).
            Err(_) => continue,
        };
        match broker.gate.admit(address.ip(), &broker.limits, &broker.topics.live()) {
            Err(reason) => warn!(%address, %reason, "connection refused"),
            Ok(admission) => {
                if let Ok(wait_ms @ 1..) = u64::try_from(broker.quotas.connected(address.ip())) {
                    debug!(%address, wait_ms, "connection refused: connection_creation_rate is used up");
                    // Closed at once, it would be back at once. It keeps its place among the connections for so long.
                    tokio::task::spawn_local(async move {
                        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                        drop((stream, admission));
                    });
                    continue;
                }
                let Ok(stream) = stream.into_std() else { continue };
                let shard = &shards[next % shards.len()];
                next = next.wrapping_add(1);
                if shard.send(Arrival { stream, address, admission }).is_err() {
                    warn!(%address, "connection refused: its shard has ended");
                }
            }
        }
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code) if code == nix::errno::Errno::EMFILE as i32 || code == nix::errno::Errno::ENFILE as i32)
}
