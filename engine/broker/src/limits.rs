//! Limits on connections: how many, from where, and how long a slow one may take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringlog_settings::LiveConfig;

/// Descriptors kept for segments, indexes and rings when connections are counted against RLIMIT_NOFILE.
const RESERVED_DESCRIPTORS: u64 = 256;

/// The limits of one broker.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// A frame that has begun must bring further bytes within this time.
    pub(crate) half_frame: Duration,
    /// A client must take a response within this time.
    pub(crate) response_stall: Duration,
    /// What descriptors leave for connections, whatever max.connections says.
    pub(crate) most_connections: usize,
}

impl Limits {
    /// `descriptors` is RLIMIT_NOFILE, `for_segments` the descriptors that open partitions need: connections share the
    /// rest, so that a flood of them can't keep a segment from rolling.
    pub(crate) fn new(descriptors: u64, for_segments: u64) -> Limits {
        let left = descriptors.saturating_sub(RESERVED_DESCRIPTORS + for_segments).max(64);
        Limits {
            half_frame: Duration::from_secs(30),
            response_stall: Duration::from_secs(60),
            most_connections: usize::try_from(left).unwrap_or(usize::MAX),
        }
    }
}

/// Why a connection is not let in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refused {
    #[error("{open} connections are open: raise max.connections or the descriptor limit (ulimit -n)")]
    Total { open: usize },
    #[error("{open} connections from {address} are open: raise max.connections.per.ip")]
    PerIp { address: IpAddr, open: usize },
}

/// Counts open connections in all and by address.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Gate {
    /// Lets one more connection in, for as long as the returned guard lives.
    pub(crate) fn admit(&self, address: IpAddr, limits: &Limits, live: &LiveConfig) -> Result<Admission, Refused> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= live.max_connections.min(limits.most_connections) {
            return Err(Refused::Total { open: open.total });
        }
        let from_there = open.by_address.get(&address).copied().unwrap_or(0);
        if from_there >= live.max_connections_per_ip {
            return Err(Refused::PerIp { address, open: from_there });
        }
        open.by_address.insert(address, from_there + 1);
        open.total += 1;
        Ok(Admission { gate: self.clone(), address })
    }
}

impl Gate {
    /// Open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

/// One open connection's place.
pub(crate) struct Admission {
    gate: Gate,
    address: IpAddr,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ringlog_settings::Sources;

    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let (gate, limits) = (Gate::default(), Limits::new(1 << 20, 0));
        let live = |max_connections, max_connections_per_ip| LiveConfig {
            max_connections,
            max_connections_per_ip,
            ..LiveConfig::resolve(&Sources::default()).unwrap()
        };
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = gate.admit(here, &limits, &live(2, 1)).map_err(drop).unwrap();
        assert_eq!(gate.admit(here, &limits, &live(2, 1)).err(), Some(Refused::PerIp { address: here, open: 1 }));
        let _second = gate.admit(there, &limits, &live(2, 1)).map_err(drop).unwrap();
        assert_eq!(gate.admit(there, &limits, &live(2, 1)).err(), Some(Refused::Total { open: 2 }));
        drop(first);
        let _first = gate.admit(here, &limits, &live(2, 1)).map_err(drop).unwrap();
        assert!(gate.admit(here, &limits, &live(3, 2)).is_ok(), "the limits were raised");
    }

    #[test]
    fn addresses_that_are_refused_are_not_remembered() {
        let (gate, limits) = (Gate::default(), Limits::new(1 << 20, 0));
        let closed = LiveConfig { max_connections_per_ip: 0, ..LiveConfig::resolve(&Sources::default()).unwrap() };
        let address = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(gate.admit(address, &limits, &closed).err(), Some(Refused::PerIp { address, open: 0 }));
        assert!(gate.open.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn connections_leave_descriptors_for_segments() {
        assert_eq!(Limits::new(1024, 500).most_connections, 268);
    }
}
