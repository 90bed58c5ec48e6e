//! Settings of Kafka's that a configuration file may have and that do nothing here, each with the reason; and those whose
//! promise would be broken if they were passed over.

use std::fmt;

use crate::SettingsError;

/// A setting that was taken and does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The setting.
    pub name: String,
    /// Why it does nothing.
    pub reason: &'static str,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no effect: {}", self.name, self.reason)
    }
}

const ONE_NODE: &str = "one node is broker and controller, without a quorum";
const ONE_REPLICA: &str = "there is one broker: every partition has one replica";
const THREADS: &str = "each core has one thread for sockets and disk (io.shards)";
const PLAINTEXT: &str = "only PLAINTEXT listeners are served";
const SOCKETS: &str = "the kernel sizes socket buffers";
const NO_REMOTE: &str = "there is no remote storage";
const NO_TRANSACTIONS: &str = "transactions are not served";
const CLASSIC_GROUPS: &str = "classic groups are served";
const OWN_METRICS: &str = "metrics are those of metrics.listen";
const NO_PURGATORY: &str = "waiting requests are not kept in purgatories";
const NO_PLUGINS: &str = "Java classes can't be loaded";
const CLEANER: &str = "the cleaner is one thread that runs at the pace of the disk";

/// By name, or by what the name begins with where it ends in a dot.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("add.partitions.to.txn.", NO_TRANSACTIONS),
    ("alter.config.policy.class.name", NO_PLUGINS),
    ("alter.log.dirs.replication.", ONE_REPLICA),
    ("auto.leader.rebalance.enable", ONE_REPLICA),
    ("background.threads", THREADS),
    ("broker.heartbeat.interval.ms", ONE_NODE),
    ("broker.rack", ONE_REPLICA),
    ("broker.session.timeout.ms", ONE_NODE),
    ("client.quota.callback.class", NO_PLUGINS),
    ("connection.failed.authentication.delay.ms", PLAINTEXT),
    ("connections.max.reauth.ms", PLAINTEXT),
    ("controlled.shutdown.", ONE_REPLICA),
    ("controller.", ONE_NODE),
    ("create.topic.policy.class.name", NO_PLUGINS),
    ("default.replication.factor", ONE_REPLICA),
    ("delegation.token.", PLAINTEXT),
    ("delete.records.purgatory.purge.interval.requests", NO_PURGATORY),
    ("early.start.listeners", ONE_NODE),
    ("fetch.purgatory.purge.interval.requests", NO_PURGATORY),
    ("follower.fetch.last.tiered.offset.enable", NO_REMOTE),
    ("group.consumer.", CLASSIC_GROUPS),
    ("group.coordinator.", CLASSIC_GROUPS),
    ("group.share.", CLASSIC_GROUPS),
    ("group.streams.", CLASSIC_GROUPS),
    ("initial.broker.registration.timeout.ms", ONE_NODE),
    ("inter.broker.", ONE_REPLICA),
    ("kafka.metrics.", OWN_METRICS),
    ("leader.imbalance.", ONE_REPLICA),
    ("log.cleaner.io.", CLEANER),
    ("log.cleaner.threads", CLEANER),
    ("log.dir.failure.timeout.ms", ONE_REPLICA),
    (
        "log.flush.start.offset.checkpoint.interval.ms",
        "log starts are written with log.flush.offset.checkpoint.interval.ms",
    ),
    ("log.initial.task.delay.ms", "work in the background begins after its own interval"),
    ("log.local.retention.", NO_REMOTE),
    ("max.connection.creation.rate", "connections are bounded by address: the quota connection_creation_rate"),
    ("max.incremental.fetch.session.cache.slots", "fetches have no sessions: every request names its partitions"),
    ("metadata.", ONE_NODE),
    ("metric.reporters", OWN_METRICS),
    ("metrics.num.samples", OWN_METRICS),
    ("metrics.recording.level", OWN_METRICS),
    ("metrics.sample.window.ms", OWN_METRICS),
    ("num.io.threads", THREADS),
    ("num.network.threads", THREADS),
    ("num.recovery.threads.per.data.dir", THREADS),
    ("num.replica.", ONE_REPLICA),
    ("offsets.commit.timeout.ms", ONE_REPLICA),
    ("offsets.load.buffer.size", "offsets are loaded a mebibyte at a time"),
    ("offsets.topic.compression.codec", "`__consumer_offsets` is written uncompressed"),
    ("offsets.topic.replication.factor", ONE_REPLICA),
    ("password.encoder.", PLAINTEXT),
    ("principal.builder.class", PLAINTEXT),
    ("producer.purgatory.purge.interval.requests", NO_PURGATORY),
    ("queued.max.", "memory.inflight.max.bytes bounds what is held"),
    ("remote.", NO_REMOTE),
    ("replica.", ONE_REPLICA),
    ("replication.quota.", ONE_REPLICA),
    ("request.timeout.ms", ONE_REPLICA),
    ("sasl.", PLAINTEXT),
    ("security.inter.broker.protocol", ONE_REPLICA),
    ("security.providers", PLAINTEXT),
    ("server.max.startup.time.ms", ONE_NODE),
    ("share.", CLASSIC_GROUPS),
    ("socket.connection.setup.timeout.", ONE_REPLICA),
    ("socket.listen.backlog.size", SOCKETS),
    ("socket.receive.buffer.bytes", SOCKETS),
    ("socket.send.buffer.bytes", SOCKETS),
    ("ssl.", PLAINTEXT),
    ("telemetry.", OWN_METRICS),
    ("transaction.", NO_TRANSACTIONS),
    ("transactional.", NO_TRANSACTIONS),
    ("unclean.leader.election.interval.ms", ONE_REPLICA),
];

/// Looks at a setting that the broker does not have.
///
/// # Errors
/// [`SettingsError::NotServed`] for one whose promise would be broken.
pub(crate) fn known(name: &str, value: &str) -> Result<Option<Notice>, SettingsError> {
    let refuse =
        |name, remedy: &str| Err(SettingsError::NotServed { name, value: value.to_owned(), remedy: remedy.to_owned() });
    match name {
        "authorizer.class.name" if value.is_empty() => Ok(None),
        "authorizer.class.name" => refuse(
            "authorizer.class.name",
            "access is not checked here; remove the setting, and let nobody in whom you don't trust",
        ),
        "config.providers" if !value.is_empty() => refuse("config.providers", "write the values themselves"),
        "cordoned.log.dirs" if !value.is_empty() => refuse("cordoned.log.dirs", "there is one data directory"),
        "max.connections.per.ip.overrides" if !value.is_empty() => {
            refuse("max.connections.per.ip.overrides", "set max.connections.per.ip for all addresses")
        }
        "config.providers" | "cordoned.log.dirs" | "max.connections.per.ip.overrides" => Ok(None),
        "process.roles" => match value.split(',').map(str::trim).any(|role| role == "broker") {
            true => Ok(Some(Notice { name: name.to_owned(), reason: ONE_NODE })),
            false => refuse("process.roles", "this is a broker: name the role broker, or remove the setting"),
        },
        _ => {
            let found = WITHOUT_EFFECT
                .iter()
                .find(|(known, _)| name == *known || (known.ends_with('.') && name.starts_with(known)));
            Ok(found.map(|(_, reason)| Notice { name: name.to_owned(), reason }))
        }
    }
}
