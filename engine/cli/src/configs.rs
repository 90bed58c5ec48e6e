//! `ringlog configs`: settings of topics, brokers and groups, levels of loggers, subscriptions to clients' metrics.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use ringlog_client::{Admin, ConfigChange, ConfigResource, ConfigSource};

use crate::connection::{Broker, name_and_value};
use crate::failure::Failure;
use crate::table::{Cell, Table};

#[derive(Debug, Args)]
pub(crate) struct Configs {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what has settings of its own, or could have
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the settings that somebody has set
    Describe {
        #[command(flatten)]
        of: Resource,
        /// Also those at their defaults
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change settings, all or none; the others stay
    Alter {
        #[command(flatten)]
        of: Resource,
        /// A setting; may be repeated
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
        set: Vec<(String, String)>,
        /// A setting to take back to its default; may be repeated
        #[arg(long = "delete", value_name = "NAME")]
        deleted: Vec<String>,
    },
}

/// Whose settings.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Resource {
    /// Of this topic
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Of the broker with this id
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
    /// Of all brokers together
    #[arg(long)]
    all_brokers: bool,
    /// Of this consumer group
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Of the loggers of the broker with this id
    #[arg(long, value_name = "ID")]
    broker_logger: Option<i32>,
    /// Of this subscription to clients' metrics
    #[arg(long, value_name = "NAME")]
    client_metrics: Option<String>,
}

impl Resource {
    fn resource(self) -> ConfigResource {
        match self {
            Self { topic: Some(name), .. } => ConfigResource::Topic(name),
            Self { broker: Some(id), .. } => ConfigResource::Broker(id),
            Self { group: Some(id), .. } => ConfigResource::Group(id),
            Self { broker_logger: Some(id), .. } => ConfigResource::BrokerLogger(id),
            Self { client_metrics: Some(name), .. } => ConfigResource::ClientMetrics(name),
            _ => ConfigResource::AllBrokers,
        }
    }
}

impl Configs {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let admin = self.broker.admin().await?;
        match self.command {
            Command::List { json } => list(&admin, json).await,
            Command::Describe { of, all, json } => describe(&admin, &of.resource(), all, json).await,
            Command::Alter { of, set, deleted } => {
                let resource = of.resource();
                let set = set.into_iter().map(|(name, value)| ConfigChange::Set(name, value));
                let changes: Vec<_> = set.chain(deleted.into_iter().map(ConfigChange::Delete)).collect();
                if changes.is_empty() {
                    return Err(Failure::Usage("nothing to alter: give --set or --delete".to_owned()));
                }
                admin.alter_configs(&resource, &changes).await?;
                Ok(writeln!(io::stdout(), "altered {resource}")?)
            }
        }
    }
}

async fn list(admin: &Admin, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["KIND", "NAME"]);
    for resource in admin.config_resources().await? {
        let (kind, name) = match resource {
            ConfigResource::Topic(name) => ("topic", name.into()),
            ConfigResource::Broker(id) => ("broker", id.to_string().into()),
            ConfigResource::AllBrokers => ("all-brokers", Cell::Missing),
            ConfigResource::Group(name) => ("group", name.into()),
            ConfigResource::BrokerLogger(id) => ("broker-logger", id.to_string().into()),
            ConfigResource::ClientMetrics(name) => ("client-metrics", name.into()),
        };
        table.push([kind.into(), name]);
    }
    table.print(json)
}

async fn describe(admin: &Admin, resource: &ConfigResource, all: bool, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["SETTING", "VALUE", "SET-BY", "READ-ONLY"]);
    for config in admin.configs(resource).await? {
        if all || config.source != ConfigSource::Default {
            let value = if config.sensitive { "(secret)".into() } else { config.value.into() };
            let source = config.source.to_string();
            table.push([config.name.into(), value, source.into(), Cell::Flag(config.read_only)]);
        }
    }
    if table.is_empty() && !json {
        eprintln!("{resource}: everything is at its default; --all shows it");
        return Ok(());
    }
    table.print(json)
}
