//! Where a broker listens, and where clients are told to connect.

use std::fmt;

use crate::SettingsError;

/// One `NAME://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The listener's name.
    pub name: String,
    /// Host name or address; empty for every address.
    pub host: String,
    /// Port; 0 for a free one.
    pub port: u16,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.name, self.host, self.port)
    }
}

impl Listener {
    /// Reads `NAME://host:port`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`SettingsError::Value`].
    pub(crate) fn parse(setting: &str, text: &str) -> Result<Listener, SettingsError> {
        let parsed = text.split_once("://").and_then(|(name, address)| {
            let (host, port) = address.rsplit_once(':')?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let legal = !name.is_empty() && !host.contains('/');
            legal.then_some(Listener {
                name: name.to_ascii_uppercase(),
                host: host.to_owned(),
                port: port.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| SettingsError::Value {
            name: setting.to_owned(),
            value: text.to_owned(),
            allowed: "PLAINTEXT://host:port, with a port from 0 to 65535".to_owned(),
        })
    }
}
