//! Who is measured: a URL, and which driver goes there.

#[cfg(test)]
mod strangers;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ringbench_stats::listener;
use ringlog_client::{Address, Admin, Client, ClientError, ClientOptions, ConfigResource, Feature};
use tokio::runtime::Runtime;

use crate::LoadError;
#[cfg(feature = "librdkafka")]
use crate::driver::LibrdkafkaDriver;
use crate::driver::{
    AmqpDriver, Declaration, Driver, EngineDriver, NativeDriver, NatsDriver, NullDriver, Peer, PulsarDriver,
    RedisDriver, RocketmqDriver, StompDriver, StreamDriver, ZeromqDriver,
};
use crate::generator::{Conditions, Outcome, run_cell};
use crate::product::product;
use crate::workload::CellSpec;

/// How long a target may take to say what it is: one that speaks something else may wait for more, and say nothing.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Where to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Brokers that speak Kafka's protocol, reached by the native client: `host:port`, several with commas.
    Kafka(String),
    /// The same, reached by librdkafka, which this program may have been built without.
    Librdkafka(String),
    /// A broker of another kind.
    Peer(Peer),
    /// Ringlog's log in this process, with its files below this directory; no network.
    Engine(PathBuf),
    /// Nothing: what the generator itself can do.
    Null,
}

/// What a target says of itself, or what is seen of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// What it is, with its version where that can be seen.
    pub product: String,
    /// Its settings as it runs with them, defaults included; nothing where it does not tell.
    pub config: BTreeMap<String, String>,
    /// The command that started its process, where that is on this host.
    pub command: Option<String>,
    /// Its process, where that is on this host.
    pub pid: Option<u32>,
    /// Where it has its files, where that is on this host and it tells.
    pub data: Option<PathBuf>,
    /// From the start of its process until it was ready, where we have started it.
    pub ready_after: Option<Duration>,
}

impl Target {
    /// Asks it what it is.
    ///
    /// # Errors
    /// [`LoadError::Unanswered`] when nobody is there, or somebody who speaks something else.
    pub fn describe(&self) -> Result<Described, LoadError> {
        runtime()?.block_on(self.described(ANSWER_LIMIT))
    }

    async fn described(&self, limit: Duration) -> Result<Described, LoadError> {
        let said = match tokio::time::timeout(limit, self.asked()).await {
            Ok(Ok(described)) => return Ok(described),
            Ok(Err(LoadError::Peer { said, .. } | LoadError::Client(ClientError::Connect { reason: said, .. }))) => {
                said
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {limit:?}"),
        };
        Err(LoadError::Unanswered { url: self.to_string(), said })
    }

    async fn asked(&self) -> Result<Described, LoadError> {
        match self {
            // What it costs is in what this process costs.
            Target::Engine(directory) => {
                Ok(Described { product: "engine".to_owned(), data: Some(directory.clone()), ..Described::default() })
            }
            Target::Null => Ok(Described { product: "null sink".to_owned(), ..Described::default() }),
            Target::Kafka(bootstrap) | Target::Librdkafka(bootstrap) => {
                let (features, config) = said(bootstrap).await?;
                let pid = self.pid();
                let command = pid.map(command_line).unwrap_or_default();
                let product = product(pid, &command, &features, &config);
                let command = shown(&command, &home());
                let data = pid.and_then(|_| data_directory(&config));
                Ok(Described { product, config, command, pid, data, ready_after: None })
            }
            Target::Peer(peer) => {
                let (product, config) = (peer.product().await?, peer.config().await?);
                let pid = self.pid();
                let command = pid.and_then(|pid| shown(&command_line(pid), &home()));
                Ok(Described { product, config, command, pid, ..Described::default() })
            }
        }
    }

    /// The process behind it, where that is on this host and ours to see.
    fn pid(&self) -> Option<u32> {
        let bootstrap = match self {
            Target::Kafka(bootstrap) | Target::Librdkafka(bootstrap) => bootstrap,
            Target::Peer(peer) => return listener(peer.local_port()?),
            Target::Engine(_) | Target::Null => return None,
        };
        let address = Address::list(bootstrap).ok()?.into_iter().next()?;
        let is_local = matches!(&*address.host, "localhost" | "::1") || address.host.starts_with("127.");
        is_local.then(|| listener(address.port))?
    }

    /// Runs a cell on it.
    ///
    /// # Errors
    /// Those of [`run_cell`] and of its driver.
    pub fn run(&self, cell: &CellSpec, conditions: &Conditions) -> Result<Outcome, LoadError> {
        self.with_driver(cell, Running { cell, conditions })
    }

    /// What its driver says that it does in a cell, before that runs.
    ///
    /// # Errors
    /// Those of its driver, which does not take every cell.
    pub fn declares(&self, cell: &CellSpec) -> Result<Declaration, LoadError> {
        self.with_driver(cell, Declaring)
    }

    fn with_driver<T: Task>(&self, cell: &CellSpec, task: T) -> Result<T::Output, LoadError> {
        match self {
            Target::Kafka(bootstrap) => task.on(&NativeDriver::new(bootstrap, cell)?),
            #[cfg(feature = "librdkafka")]
            Target::Librdkafka(bootstrap) => task.on(&LibrdkafkaDriver::new(bootstrap, cell)?),
            #[cfg(not(feature = "librdkafka"))]
            Target::Librdkafka(_) => Err(LoadError::NotBuilt { driver: "librdkafka" }),
            Target::Peer(peer) => match peer.name {
                "redis" => task.on(&RedisDriver::new(peer, cell)),
                "nats" => task.on(&NatsDriver::new(peer, cell)),
                "activemq" | "artemis" => task.on(&StompDriver::new(peer, cell)),
                "rocketmq" => task.on(&RocketmqDriver::new(peer, cell)),
                "pulsar" => task.on(&PulsarDriver::new(peer, cell)),
                "zeromq" => task.on(&ZeromqDriver::new(peer, cell)?),
                "rabbitmq-stream" => task.on(&StreamDriver::new(peer, cell)),
                _ => task.on(&AmqpDriver::new(peer, cell)),
            },
            Target::Engine(directory) => task.on(&EngineDriver::new(directory.clone(), cell)?),
            Target::Null => task.on(&NullDriver),
        }
    }
}

/// What is done with the driver of a cell, whichever that is.
trait Task {
    type Output;

    fn on<D: Driver>(self, driver: &D) -> Result<Self::Output, LoadError>;
}

struct Running<'a> {
    cell: &'a CellSpec,
    conditions: &'a Conditions,
}

impl Task for Running<'_> {
    type Output = Outcome;

    fn on<D: Driver>(self, driver: &D) -> Result<Outcome, LoadError> {
        run_cell(driver, self.cell, self.conditions)
    }
}

struct Declaring;

impl Task for Declaring {
    type Output = Declaration;

    fn on<D: Driver>(self, driver: &D) -> Result<Declaration, LoadError> {
        Ok(driver.declares())
    }
}

fn runtime() -> Result<Runtime, LoadError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)
}

/// A broker's features, and its settings.
async fn said(bootstrap: &str) -> Result<(BTreeMap<String, Feature>, BTreeMap<String, String>), LoadError> {
    let admin = Admin::new(Client::connect(ClientOptions::new(bootstrap)?).await?);
    let (cluster, features) = (admin.cluster().await?, admin.features().await?);
    let Some(broker) = cluster.brokers.keys().next() else { return Ok((features, BTreeMap::new())) };
    // Some brokers of the protocol don't tell.
    let entries = admin.configs(&ConfigResource::Broker(*broker)).await.unwrap_or_default();
    Ok((features, entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()))
}

/// The first of Kafka's `log.dirs`, which beats `log.dir`.
fn data_directory(config: &BTreeMap<String, String>) -> Option<PathBuf> {
    let named =
        ["log.dirs", "log.dir"].into_iter().find_map(|name| config.get(name).filter(|dirs| !dirs.is_empty()))?;
    named.split(',').next().map(|directory| PathBuf::from(directory.trim())).filter(|directory| directory.is_dir())
}

fn command_line(pid: u32) -> Vec<String> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into())
        .collect()
}

/// A command as results show it: the program by its name, and the home of whoever measured as `~`.
fn shown(words: &[String], home: &str) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let program = program.rsplit('/').next().unwrap_or(program).to_owned();
    let at_home = |word: &String| if home.len() > 1 { word.replace(home, "~") } else { word.clone() };
    Some(std::iter::once(program).chain(arguments.iter().map(at_home)).collect::<Vec<_>>().join(" "))
}

fn home() -> String {
    std::env::var("HOME").unwrap_or_default()
}

impl FromStr for Target {
    type Err = LoadError;

    fn from_str(url: &str) -> Result<Target, LoadError> {
        let refused = |reason: String| LoadError::Target { url: url.to_owned(), reason };
        match url.split_once("://") {
            Some((scheme @ ("kafka" | "kafka+librdkafka"), bootstrap)) => {
                Address::list(bootstrap).map_err(|error| refused(error.to_string()))?;
                let bootstrap = bootstrap.trim_end_matches('/').to_owned();
                match scheme {
                    "kafka" => Ok(Target::Kafka(bootstrap)),
                    _ if cfg!(feature = "librdkafka") => Ok(Target::Librdkafka(bootstrap)),
                    _ => Err(LoadError::NotBuilt { driver: "librdkafka" }),
                }
            }
            Some(("engine", directory)) if Path::new(directory).is_dir() => Ok(Target::Engine(directory.into())),
            Some(("engine", directory)) => Err(refused(format!("{directory} is no directory"))),
            Some(("null", "")) => Ok(Target::Null),
            Some((scheme, rest)) => match Peer::of_url(scheme, rest) {
                Some(peer) => peer.map(Target::Peer).map_err(refused),
                None => Err(refused(format!("no driver is named {scheme}"))),
            },
            None => Err(refused("it has no scheme".to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Kafka(bootstrap) => write!(out, "kafka://{bootstrap}"),
            Target::Librdkafka(bootstrap) => write!(out, "kafka+librdkafka://{bootstrap}"),
            Target::Peer(peer) => write!(out, "{}://{}", peer.name, peer.rest_of_url()),
            Target::Engine(directory) => write!(out, "engine://{}", directory.display()),
            Target::Null => out.write_str("null://"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Ack;
    use crate::workload::Workload;

    #[test]
    fn whose_answer_will_count_is_known_before_anything_runs() {
        let text = "acks: 1\ndurability: memory\nsubscriptionsPerTopic: 1\n";
        let cell = Workload::parse(Path::new("a.yaml"), text).unwrap().cells.remove(0);
        for (url, ack) in [
            ("kafka://127.0.0.1:1", Ack::Leader),
            ("redis://127.0.0.1:1", Ack::Leader),
            // Nobody is there who could answer.
            ("zeromq://127.0.0.1:0", Ack::None),
            ("null://", Ack::None),
        ] {
            assert_eq!(url.parse::<Target>().unwrap().declares(&cell).unwrap().ack, ack, "{url}");
        }
    }

    #[test]
    fn a_command_is_shown_without_the_directories_of_whoever_measured() {
        let words = ["/build/release/ringlog", "serve", "--data=/home/me/data"].map(str::to_owned);
        assert_eq!(shown(&words, "/home/me").as_deref(), Some("ringlog serve --data=~/data"));
        assert_eq!(shown(&words, "").as_deref(), Some("ringlog serve --data=/home/me/data"));
        assert_eq!(shown(&[], "/home/me"), None);
    }

    #[test]
    fn a_url_is_taken_as_it_is_written_and_a_wrong_one_refused_with_what_is_allowed() {
        for url in
            ["kafka://127.0.0.1:9092", "kafka://a:1,b:2", "nats://a:1?durability=fsync", "zeromq://a:0", "null://"]
        {
            assert_eq!(url.parse::<Target>().unwrap().to_string(), url);
        }
        for (url, said) in [
            ("127.0.0.1:9092", "no scheme"),
            ("carrier-pigeon://coop", "carrier-pigeon"),
            ("kafka://:1", "no host"),
            ("engine:///nowhere", "/nowhere"),
        ] {
            let error = url.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("kafka://HOST:PORT"), "{error}");
        }
    }
}
