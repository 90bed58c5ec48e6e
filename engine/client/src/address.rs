//! Bootstrap addresses: `host:port`, `kafka://host:port`, and comma-separated lists of either.

use std::fmt;
use std::str::FromStr;

use crate::ClientError;

/// The port that an address without one means.
pub const DEFAULT_PORT: u16 = 9092;

/// Host and port of a broker. IPv6 hosts are held without their brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Reads a comma-separated list, such as `kafka://a:9092,b:9093` or `[::1]:9092`. The scheme is optional, and so is
    /// the port ([`DEFAULT_PORT`]).
    ///
    /// # Errors
    /// [`ClientError::Address`] naming the part that is none, also for an empty list.
    pub fn list(text: &str) -> Result<Vec<Self>, ClientError> {
        text.trim_start_matches("kafka://").split(',').map(str::parse).collect()
    }
}

impl FromStr for Address {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let bad = |reason| ClientError::Address { text: text.to_owned(), reason };
        let rest = text.trim();
        let rest = rest.strip_prefix("kafka://").unwrap_or(rest).trim_end_matches('/');
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or_else(|| bad("a bracket is open"))?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        if host.is_empty() || host.contains(['/', ' ', '@']) {
            return Err(bad("there is no host in it"));
        }
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|&port| port != 0).ok_or_else(|| bad("ports are 1 to 65535"))?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(bad("only a port may follow the host")),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_schemes_default_ports_and_ipv6_are_understood() {
        let shown = |text| Address::list(text).unwrap().iter().map(Address::to_string).collect::<Vec<_>>();
        assert_eq!(shown("localhost:19092"), ["localhost:19092"]);
        assert_eq!(shown("kafka://127.0.0.1:9092"), ["127.0.0.1:9092"]);
        assert_eq!(shown("kafka://a:1, b:2,kafka://c/"), ["a:1", "b:2", "c:9092"]);
        assert_eq!(shown("[::1]:9094,[fe80::1]"), ["[::1]:9094", "[fe80::1]:9092"]);
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_text() {
        for text in ["", ":9092", "a:0", "a:65536", "a:b", "http://a:1", "[::1", "a:1,,b:2", "[::1]x"] {
            let error = Address::list(text).unwrap_err();
            assert!(matches!(error, ClientError::Address { .. }), "{text}: {error}");
        }
    }
}
