//! The broker's settings that count as soon as they are changed, but for those that topics fall back to.

use std::time::Duration;

use crate::sources::{Sources, Values};
use crate::{BROKER, SettingsError};

/// What may change while the broker runs. Names are Kafka's, with dots as underscores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveConfig {
    /// Open connections in all.
    pub max_connections: usize,
    /// Open connections from one address.
    pub max_connections_per_ip: usize,
    /// How long compaction rests.
    pub log_cleaner_backoff: Duration,
    /// Bound of the table of keys of one pass. Bytes.
    pub log_cleaner_dedupe_buffer_size: usize,
    /// When a silent producer is forgotten. Milliseconds.
    pub producer_id_expiration_ms: i64,
}

impl LiveConfig {
    /// What is set at this moment.
    ///
    /// # Errors
    /// [`SettingsError::Value`] for what is out of bounds.
    pub fn resolve(sources: &Sources) -> Result<LiveConfig, SettingsError> {
        let values = Values::read(BROKER, |setting| sources.effective(setting).map(|(value, _)| value))?;
        let size = |name| usize::try_from(values.number(name)).unwrap_or(0);
        Ok(LiveConfig {
            max_connections: size("max.connections"),
            max_connections_per_ip: size("max.connections.per.ip"),
            log_cleaner_backoff: Duration::from_millis(size("log.cleaner.backoff.ms") as u64),
            log_cleaner_dedupe_buffer_size: size("log.cleaner.dedupe.buffer.size"),
            producer_id_expiration_ms: values.number("producer.id.expiration.ms"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_while_the_broker_runs_beats_its_file() {
        let mut sources = Sources::default();
        assert_eq!(LiveConfig::resolve(&sources).map(|live| live.log_cleaner_backoff), Ok(Duration::from_secs(15)));
        sources.fixed.insert("log.cleaner.backoff.ms".to_owned(), "7".to_owned());
        sources.dynamic.insert("log.cleaner.backoff.ms".to_owned(), "9".to_owned());
        sources.dynamic_default.insert("max.connections".to_owned(), "3".to_owned());
        let live = LiveConfig::resolve(&sources).unwrap();
        assert_eq!((live.log_cleaner_backoff, live.max_connections), (Duration::from_millis(9), 3));
        sources.dynamic.insert("max.connections".to_owned(), "-3".to_owned());
        assert!(LiveConfig::resolve(&sources).unwrap_err().to_string().contains("max.connections=-3"));
    }
}
