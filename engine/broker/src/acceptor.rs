//! Takes connections from the listening sockets and deals them to the shards in turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, warn};

use crate::broker::Broker;
use crate::shard::Arrival;

/// How long accepting rests when there are no descriptors left, or no memory: asking again at once would take a core.
const OUT_OF_RESOURCES_PAUSE: Duration = Duration::from_millis(100);

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
            Err(error) if is_out_of_resources(&error) => {
                warn!(%error, "no room for a further connection: raise ulimit -n, or the memory of the host");
                tokio::time::sleep(OUT_OF_RESOURCES_PAUSE).await;
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

/// What accept(2) names for a process or host at its limits.
fn is_out_of_resources(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_has_gone_is_told_from_a_host_at_its_limits() {
        for (errno, is_out) in [(Errno::EMFILE, true), (Errno::ENOMEM, true), (Errno::ECONNABORTED, false)] {
            assert_eq!(is_out_of_resources(&io::Error::from(errno)), is_out, "{errno}");
        }
    }
}
