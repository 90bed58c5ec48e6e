//! The broker's settings, resolved and typed.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::nearest;
use crate::known::known;
use crate::setting::{Scope, elements};
use crate::sources::{Sources, Values};
use crate::{BROKER, Listener, Notice, Properties, SettingsError, TopicConfig};

/// Which way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// What a probe finds to work.
    Auto,
    /// io_uring, or no start.
    Uring,
    /// Plain system calls.
    Syscall,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings of one broker. Names are Kafka's, with dots as underscores.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerConfig {
    /// This broker's number.
    pub node_id: i32,
    /// The data directory.
    pub log_dir: PathBuf,
    /// Where to listen.
    pub listener: Listener,
    /// Where clients are told to connect, if not there.
    pub advertised_listener: Option<Listener>,
    /// Where metrics are answered: `host:port`.
    pub metrics_listen: Option<String>,
    /// How log lines are written.
    pub logging_format: LogFormat,
    /// Which way to the disk.
    pub io_backend: Backend,
    /// What was measured of this host.
    pub io_profile: Option<PathBuf>,
    /// Threads that serve; `None`: one for each core.
    pub io_shards: Option<usize>,
    /// Request bytes held at one time.
    pub memory_inflight_max_bytes: usize,
    /// Whether a topic that a client asks for is made.
    pub auto_create_topics_enable: bool,
    /// Whether topics may be deleted.
    pub delete_topic_enable: bool,
    /// Partitions of a topic that is made without saying how many.
    pub num_partitions: i32,
    /// Longest request. Bytes.
    pub socket_request_max_bytes: usize,
    /// Most record bytes of one Fetch response, beyond its first batch.
    pub fetch_max_bytes: usize,
    /// Most partitions of one DescribeTopicPartitions response.
    pub max_request_partition_size_limit: i32,
    /// A connection without requests for this long is closed; `None`: never.
    pub connections_max_idle: Option<Duration>,
    /// How many samples' worth of a quota may be used at once.
    pub quota_window_num: u32,
    /// Length of a sample.
    pub quota_window_size: Duration,
    /// The same for topics made and deleted.
    pub controller_quota_window_num: u32,
    /// Length of a sample.
    pub controller_quota_window_size: Duration,
    /// How often old segments are looked for.
    pub log_retention_check_interval: Duration,
    /// How often checkpoints are written.
    pub log_flush_offset_checkpoint_interval: Duration,
    /// Whether compaction runs.
    pub log_cleaner_enable: bool,
    /// How often expired producers are looked for.
    pub producer_id_expiration_check_interval: Duration,
    /// Milliseconds.
    pub group_initial_rebalance_delay_ms: i32,
    /// Milliseconds.
    pub group_min_session_timeout_ms: i32,
    /// Milliseconds.
    pub group_max_session_timeout_ms: i32,
    /// Members.
    pub group_max_size: usize,
    /// Bytes.
    pub offset_metadata_max_bytes: usize,
    /// How long offsets are kept. Milliseconds.
    pub offsets_retention_ms: i64,
    /// How often expired offsets are looked for.
    pub offsets_retention_check_interval: Duration,
    /// Partitions of `__consumer_offsets`.
    pub offsets_topic_num_partitions: i32,
    /// Segment size of `__consumer_offsets`. Bytes.
    pub offsets_topic_segment_bytes: i64,
}

impl BrokerConfig {
    /// Reads a broker's settings, and says which of them do nothing.
    ///
    /// # Errors
    /// [`SettingsError`] for one that is unknown, out of range, missing, or asks for what is not served.
    pub fn from_properties(properties: &Properties) -> Result<(BrokerConfig, Sources, Vec<Notice>), SettingsError> {
        let mut sources = Sources::default();
        let mut notices = Vec::new();
        for (name, value) in &properties.values {
            match Scope::Broker.find(name) {
                Ok(setting) => {
                    setting.parse(value)?;
                    sources.fixed.insert(name.clone(), value.clone());
                }
                Err(unknown) => match known(name, value)? {
                    Some(notice) => notices.push(notice),
                    None if is_passed_over(name) => {}
                    None => return Err(with_topic_hint(unknown, name)),
                },
            }
        }
        // What topics fall back to has to make sense, too.
        let topics = TopicConfig::resolve(&Default::default(), &sources)?;
        if topics.retention_ms == Some(0) {
            return Err(SettingsError::Conflict(
                "log.retention.ms (or .minutes, .hours) is 0: give 1 or more, or -1 for no limit".to_owned(),
            ));
        }
        let values = Values::read(BROKER, |setting| sources.effective(setting).map(|(value, _)| value))?;
        let config = build(&values, &sources, properties)?;
        Ok((config, sources, notices))
    }
}

/// Settings that may be there and are empty: they ask for nothing.
fn is_passed_over(name: &str) -> bool {
    ["authorizer.class.name", "config.providers", "cordoned.log.dirs", "max.connections.per.ip.overrides"]
        .contains(&name)
}

/// A topic's setting in a broker's file is a common slip: it is told what it is called there.
fn with_topic_hint(unknown: SettingsError, name: &str) -> SettingsError {
    let synonym = crate::topic::broker_synonyms(name).first().map(|(synonym, _)| *synonym);
    let near = || nearest(name, BROKER.iter().map(|setting| setting.name));
    match unknown {
        SettingsError::Unknown { scope, name, .. } => {
            SettingsError::Unknown { scope, nearest: synonym.or_else(near), name }
        }
        other => other,
    }
}

fn build(values: &Values, sources: &Sources, properties: &Properties) -> Result<BrokerConfig, SettingsError> {
    let number = |name| values.number(name);
    let int = |name| i32::try_from(values.number(name)).unwrap_or(i32::MAX);
    let size = |name| usize::try_from(values.number(name)).unwrap_or(0);
    let count = |name| u64::try_from(values.number(name)).unwrap_or(0);
    let seconds = |name| Duration::from_secs(count(name));
    let duration = |name| Duration::from_millis(count(name));
    let (listener, advertised_listener) = listeners(values, properties)?;
    if int("group.min.session.timeout.ms") > int("group.max.session.timeout.ms") {
        return Err(SettingsError::Conflict(format!(
            "group.min.session.timeout.ms={} is more than group.max.session.timeout.ms={}: make it less",
            int("group.min.session.timeout.ms"),
            int("group.max.session.timeout.ms"),
        )));
    }
    let node_id = match (sources.fixed.get("node.id"), values.optional_number("broker.id")) {
        (None, Some(id @ 0..)) => i32::try_from(id).unwrap_or(i32::MAX),
        (Some(_), Some(id @ 0..)) if id != number("node.id") => {
            return Err(SettingsError::Conflict(format!(
                "node.id={} and broker.id={id} differ: set node.id alone",
                number("node.id")
            )));
        }
        _ => int("node.id"),
    };
    Ok(BrokerConfig {
        node_id,
        log_dir: log_dir(values)?,
        listener,
        advertised_listener,
        metrics_listen: values.text("metrics.listen").map(str::to_owned).filter(|listen| !listen.is_empty()),
        logging_format: if values.text("logging.format") == Some("json") { LogFormat::Json } else { LogFormat::Text },
        io_backend: match values.text("io.backend") {
            Some("uring") => Backend::Uring,
            Some("syscall") => Backend::Syscall,
            _ => Backend::Auto,
        },
        io_profile: values.text("io.profile").filter(|path| !path.is_empty()).map(PathBuf::from),
        io_shards: values.optional_number("io.shards").and_then(|shards| usize::try_from(shards).ok()),
        memory_inflight_max_bytes: size("memory.inflight.max.bytes"),
        auto_create_topics_enable: values.boolean("auto.create.topics.enable"),
        delete_topic_enable: values.boolean("delete.topic.enable"),
        num_partitions: int("num.partitions"),
        socket_request_max_bytes: size("socket.request.max.bytes"),
        fetch_max_bytes: size("fetch.max.bytes"),
        max_request_partition_size_limit: int("max.request.partition.size.limit"),
        connections_max_idle: Some(duration("connections.max.idle.ms"))
            .filter(|_| number("connections.max.idle.ms") >= 0),
        quota_window_num: u32::try_from(number("quota.window.num")).unwrap_or(0),
        quota_window_size: seconds("quota.window.size.seconds"),
        controller_quota_window_num: u32::try_from(number("controller.quota.window.num")).unwrap_or(0),
        controller_quota_window_size: seconds("controller.quota.window.size.seconds"),
        log_retention_check_interval: duration("log.retention.check.interval.ms"),
        log_flush_offset_checkpoint_interval: duration("log.flush.offset.checkpoint.interval.ms"),
        log_cleaner_enable: values.boolean("log.cleaner.enable"),
        producer_id_expiration_check_interval: duration("producer.id.expiration.check.interval.ms"),
        group_initial_rebalance_delay_ms: int("group.initial.rebalance.delay.ms"),
        group_min_session_timeout_ms: int("group.min.session.timeout.ms"),
        group_max_session_timeout_ms: int("group.max.session.timeout.ms"),
        group_max_size: size("group.max.size"),
        offset_metadata_max_bytes: size("offset.metadata.max.bytes"),
        offsets_retention_ms: number("offsets.retention.minutes").saturating_mul(60_000),
        offsets_retention_check_interval: duration("offsets.retention.check.interval.ms"),
        offsets_topic_num_partitions: int("offsets.topic.num.partitions"),
        offsets_topic_segment_bytes: number("offsets.topic.segment.bytes"),
    })
}

fn log_dir(values: &Values) -> Result<PathBuf, SettingsError> {
    let dirs = values.list("log.dirs");
    match dirs {
        [one] => Ok(one.into()),
        [] => match values.text("log.dir") {
            Some(dir) if !dir.is_empty() => Ok(dir.into()),
            _ => Err(SettingsError::Missing { name: "log.dirs", remedy: "give the data directory, or --data DIR" }),
        },
        several => Err(SettingsError::NotServed {
            name: "log.dirs",
            value: several.join(","),
            remedy: "there is one data directory: name one".to_owned(),
        }),
    }
}

/// The listener for clients, and what they are told of it. Those of controllers are passed over.
fn listeners(values: &Values, properties: &Properties) -> Result<(Listener, Option<Listener>), SettingsError> {
    let controllers: Vec<String> = properties
        .get("controller.listener.names")
        .map(|names| elements(names).map(str::to_ascii_uppercase).collect())
        .unwrap_or_default();
    let of = |setting: &'static str| -> Result<Option<Listener>, SettingsError> {
        let mut found = Vec::new();
        for text in values.list(setting) {
            let listener = Listener::parse(setting, text)?;
            if !controllers.contains(&listener.name) {
                found.push(listener);
            }
        }
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(SettingsError::NotServed {
                name: setting,
                value: values.list(setting).join(","),
                remedy: "one listener is served: name one".to_owned(),
            }),
        }
    };
    let default = || Listener { name: "PLAINTEXT".to_owned(), host: "127.0.0.1".to_owned(), port: 9092 };
    let listener = of("listeners")?.unwrap_or_else(default);
    let map = values.list("listener.security.protocol.map").iter().filter_map(|pair| pair.split_once(':'));
    let protocol =
        map.filter(|(name, _)| name.trim().eq_ignore_ascii_case(&listener.name)).map(|(_, p)| p.trim()).next_back();
    let protocol = protocol.unwrap_or(&listener.name);
    if !protocol.eq_ignore_ascii_case("PLAINTEXT") {
        return Err(SettingsError::NotServed {
            name: "listeners",
            value: listener.to_string(),
            remedy: format!("{protocol} is not served: use PLAINTEXT://host:port"),
        });
    }
    Ok((listener, of("advertised.listeners")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(BrokerConfig, Sources, Vec<Notice>), SettingsError> {
        BrokerConfig::from_properties(&Properties::parse(text).unwrap())
    }

    fn refused(text: &str) -> String {
        read(&format!("log.dirs=/d\n{text}")).unwrap_err().to_string()
    }

    /// What a fresh Kafka of one node comes with, in substance.
    const STOCK: &str = "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\ncontroller.listener.names=CONTROLLER\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
        num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n\
        socket.request.max.bytes=104857600\nlog.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\n\
        num.recovery.threads.per.data.dir=2\noffsets.topic.replication.factor=1\n\
        share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
        transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\nlog.retention.hours=168\n\
        log.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n";

    #[test]
    fn a_stock_configuration_file_of_one_node_is_taken() {
        let (config, _, notices) = read(STOCK).unwrap();
        assert_eq!((config.node_id, config.listener.to_string()), (7, "PLAINTEXT://:9092".to_owned()));
        assert_eq!(config.advertised_listener.unwrap().host, "localhost");
        assert_eq!(config.log_dir, PathBuf::from("/tmp/kraft-combined-logs"));
        assert!(notices.iter().any(|notice| notice.to_string().starts_with("num.io.threads has no effect: ")));
    }

    #[test]
    fn without_a_word_a_broker_listens_on_loopback() {
        let (config, _, notices) = read("log.dir=/d").unwrap();
        assert_eq!(config.listener.to_string(), "PLAINTEXT://127.0.0.1:9092");
        assert_eq!((config.node_id, notices.len()), (1, 0));
    }

    #[test]
    fn what_can_not_be_served_is_refused_with_the_remedy() {
        for (text, part) in [
            ("num.partitions=0", "num.partitions=0: a whole number, 1 or more"),
            ("num.partition=1", "did you mean num.partitions?"),
            ("retention.ms=1", "did you mean log.retention.ms?"),
            ("listeners=SASL_SSL://:9093", "SASL_SSL is not served: use PLAINTEXT://host:port"),
            ("listeners=PLAINTEXT://a:1,EXTERNAL://b:2", "one listener is served"),
            ("listeners=EXTERNAL://a:1", "EXTERNAL is not served"),
            ("listeners=localhost:9092", "listeners=localhost:9092: PLAINTEXT://host:port"),
            ("listeners=PLAINTEXT://a:99999", "with a port from 0 to 65535"),
            ("authorizer.class.name=org.example.Mine", "access is not checked here"),
            ("process.roles=controller", "name the role broker"),
            ("node.id=1\nbroker.id=2", "node.id=1 and broker.id=2 differ"),
            ("group.min.session.timeout.ms=9999999", "make it less"),
            ("log.cleanup.policy=shred", "some of compact, delete"),
            ("log.retention.hours=0", "give 1 or more, or -1 for no limit"),
            ("compression.gzip.level=0", "-1, or a whole number from 1 to 9"),
            ("zookeeper.connect=z:2181", "broker setting \"zookeeper.connect\" is unknown"),
            ("log.dirs=/a,/b", "name one"),
        ] {
            assert!(refused(text).contains(part), "{text}: {}", refused(text));
        }
        assert_eq!(read("").unwrap_err().to_string(), "log.dirs is missing: give the data directory, or --data DIR");
    }
}
