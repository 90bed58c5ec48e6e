//! `ringlog topics`: create, list, describe, alter, delete.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use ringlog_client::{
    Admin, ConfigChange, ConfigResource, ConfigSource, NewTopic, OffsetSpec, Partition, TopicPartition,
};
use serde::Serialize;

use crate::connection::{Broker, name_and_value};
use crate::failure::Failure;
use crate::table::{Cell, Table, print_json};

#[derive(Debug, Args)]
pub(crate) struct Topics {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a topic
    Create {
        /// Its name: letters, digits, '.', '_' and '-'
        name: String,
        /// How many partitions [default: the broker's num.partitions]
        #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
        partitions: Option<i32>,
        /// How many replicas of each [default: the broker's default.replication.factor]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
        replication_factor: Option<i16>,
        /// Instead of both numbers: the brokers of each partition, the preferred leader first, such as 1:2,2:3
        #[arg(long, value_name = "ID:ID,…", value_delimiter = ',', value_parser = replicas,
              conflicts_with_all = ["partitions", "replication_factor"])]
        replica_assignment: Vec<Replicas>,
        /// A setting of the topic; may be repeated
        #[arg(long = "config", value_name = "NAME=VALUE", value_parser = name_and_value)]
        configs: Vec<(String, String)>,
        /// Succeed when it exists already
        #[arg(long)]
        if_not_exists: bool,
    },
    /// List the topics
    List {
        /// Also those in which the cluster keeps its own state
        #[arg(long)]
        internal: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a topic's partitions, offsets and settings, or those of all topics
    Describe {
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add partitions, change settings
    Alter {
        /// The topic
        name: String,
        /// How many partitions it shall have; keys map to other partitions from then on
        #[arg(long)]
        partitions: Option<i32>,
        /// A setting; may be repeated
        #[arg(long = "config", value_name = "NAME=VALUE", value_parser = name_and_value)]
        configs: Vec<(String, String)>,
        /// A setting to take back to its default; may be repeated
        #[arg(long = "delete-config", value_name = "NAME")]
        deleted: Vec<String>,
    },
    /// Delete a topic with all its records
    Delete {
        /// The topic
        name: String,
    },
}

/// What to describe.
#[derive(Debug, Default, Args)]
struct Which {
    /// The topic; all when it is left out
    name: Option<String>,
    /// Only partitions of which a replica is not in sync, also of the topics in which the cluster keeps its own state
    #[arg(long)]
    under_replicated: bool,
    /// Only partitions without a leader, also of those topics
    #[arg(long)]
    unavailable: bool,
}

impl Which {
    /// Whether only partitions are meant that lack something.
    fn only_sick(&self) -> bool {
        self.under_replicated || self.unavailable
    }

    fn is_meant(&self, is_internal: bool, partition: &Partition) -> bool {
        (!is_internal || self.name.is_some() || self.only_sick())
            && (!self.under_replicated || partition.in_sync.len() < partition.replicas.len())
            && (!self.unavailable || partition.leader.is_none())
    }
}

/// The brokers of a partition.
#[derive(Debug, Clone)]
struct Replicas(Vec<i32>);

fn replicas(text: &str) -> Result<Replicas, String> {
    let brokers: Result<_, _> = text.split(':').map(str::parse).collect();
    brokers.map(Replicas).map_err(|_| format!("'{text}' is not of the form ID:ID"))
}

const NO_TOPICS: &str = "there are no topics; make one with: ringlog topics create NAME";

/// What `describe` shows.
#[derive(Serialize)]
struct Description {
    topics: Table,
    partitions: Table,
    configs: Table,
}

impl Topics {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let admin = self.broker.admin().await?;
        match self.command {
            Command::Create { name, partitions, replication_factor, replica_assignment, configs, if_not_exists } => {
                let assignments = replica_assignment.into_iter().map(|Replicas(brokers)| brokers).collect();
                let topic = NewTopic { name, partitions, replication_factor, assignments, configs };
                create(&admin, &topic, if_not_exists).await
            }
            Command::List { internal, json } => list(&admin, internal, json).await,
            Command::Describe { which, json } => describe(&admin, &which, json).await,
            Command::Alter { name, partitions, configs, deleted } => {
                alter(&admin, &name, partitions, configs, deleted).await
            }
            Command::Delete { name } => {
                admin.delete_topic(&name).await?;
                Ok(writeln!(io::stdout(), "deleted topic {name}")?)
            }
        }
    }
}

async fn create(admin: &Admin, topic: &NewTopic, if_not_exists: bool) -> Result<(), Failure> {
    match admin.create_topic(topic, false).await {
        Err(error) if if_not_exists && error.code() == Some(ringlog_client::ErrorCode::TopicAlreadyExists) => {
            return Ok(writeln!(io::stdout(), "topic {} exists", topic.name)?);
        }
        created => created?,
    }
    let partitions =
        admin.client().topic(&topic.name, false, admin.client().options().api_timeout).await?.partitions.len();
    let plural = if partitions == 1 { "" } else { "s" };
    Ok(writeln!(io::stdout(), "created topic {} with {partitions} partition{plural}", topic.name)?)
}

async fn list(admin: &Admin, internal: bool, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "REPLICAS", "INTERNAL"]);
    for topic in admin.topics().await? {
        if internal || !topic.internal {
            let replicas = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0);
            let count = topic.partitions.len();
            table.push([topic.name.as_str().into(), count.into(), replicas.into(), Cell::Flag(topic.internal)]);
        }
    }
    if table.is_empty() && !json {
        eprintln!("{NO_TOPICS}");
        return Ok(());
    }
    table.print(json)
}

async fn describe(admin: &Admin, which: &Which, json: bool) -> Result<(), Failure> {
    let mut topics = match &which.name {
        Some(name) => vec![admin.topic(name).await?],
        None => admin.topics().await?,
    };
    topics.retain(|topic| topic.partitions.iter().any(|partition| which.is_meant(topic.internal, partition)));
    if topics.is_empty() && !json {
        eprintln!("{}", if which.only_sick() { "there is no such partition" } else { NO_TOPICS });
        return Ok(());
    }
    let all = |spec| -> BTreeMap<_, _> {
        let partitions = topics.iter().flat_map(|topic| {
            // One without a leader has no offsets to ask for.
            let led = topic.partitions.iter().enumerate().filter(|(_, partition)| partition.leader.is_some());
            led.map(|(index, _)| (TopicPartition::new(&topic.name, index as i32), spec))
        });
        partitions.collect()
    };
    let starts = admin.offsets(&all(OffsetSpec::Earliest)).await?;
    let ends = admin.offsets(&all(OffsetSpec::Latest)).await?;
    let mut shown = Description {
        topics: Table::new(&["TOPIC", "PARTITIONS", "REPLICAS", "ID"]),
        partitions: Table::new(&["TOPIC", "PARTITION", "LEADER", "REPLICAS", "IN-SYNC", "START", "END"]),
        configs: Table::new(&["TOPIC", "SETTING", "VALUE"]),
    };
    for topic in &topics {
        let name = topic.name.as_str();
        let replicas = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0);
        let id = Some(topic.id).filter(|id| !id.is_zero()).map(|id| id.to_string());
        shown.topics.push([name.into(), topic.partitions.len().into(), replicas.into(), id.into()]);
        let partitions = topic.partitions.iter().enumerate();
        for (index, partition) in partitions.filter(|(_, partition)| which.is_meant(topic.internal, partition)) {
            let place = TopicPartition::new(name, index as i32);
            shown.partitions.push([
                name.into(),
                index.into(),
                partition.leader.into(),
                Cell::Numbers(partition.replicas.clone()),
                Cell::Numbers(partition.in_sync.clone()),
                starts.get(&place).and_then(|found| found.offset).into(),
                ends.get(&place).and_then(|found| found.offset).into(),
            ]);
        }
        for config in admin.configs(&ConfigResource::Topic(name.to_owned())).await? {
            if config.source == ConfigSource::Topic {
                shown.configs.push([name.into(), config.name.into(), config.value.into()]);
            }
        }
    }
    let mut out = io::stdout().lock();
    if json {
        return print_json(&mut out, &shown);
    }
    write!(out, "{}\n{}", shown.topics, shown.partitions)?;
    if !shown.configs.is_empty() {
        write!(out, "\n{}", shown.configs)?;
    }
    Ok(())
}

async fn alter(
    admin: &Admin,
    name: &str,
    partitions: Option<i32>,
    configs: Vec<(String, String)>,
    deleted: Vec<String>,
) -> Result<(), Failure> {
    let set = configs.into_iter().map(|(name, value)| ConfigChange::Set(name, value));
    let changes: Vec<_> = set.chain(deleted.into_iter().map(ConfigChange::Delete)).collect();
    if changes.is_empty() && partitions.is_none() {
        return Err(Failure::Usage("nothing to alter: give --partitions, --config or --delete-config".to_owned()));
    }
    if !changes.is_empty() {
        admin.alter_configs(&ConfigResource::Topic(name.to_owned()), &changes).await?;
    }
    if let Some(partitions) = partitions {
        admin.create_partitions(name, partitions).await?;
    }
    Ok(writeln!(io::stdout(), "altered topic {name}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_sick_partitions_is_shown_internal_ones_too() {
        let healthy =
            Partition { leader: Some(1), leader_epoch: 0, replicas: vec![1, 2], in_sync: vec![1, 2], offline: vec![] };
        let lagging = Partition { in_sync: vec![1], ..healthy.clone() };
        let leaderless = Partition { leader: None, in_sync: vec![2], ..lagging.clone() };
        let all = Which::default();
        let named = Which { name: Some("__consumer_offsets".to_owned()), ..Which::default() };
        let under_replicated = Which { under_replicated: true, ..Which::default() };
        let unavailable = Which { unavailable: true, ..Which::default() };
        // For each: the healthy, the lagging and the leaderless partition of an internal topic.
        for (which, expected) in [
            (all, [false, false, false]),
            (named, [true, true, true]),
            (under_replicated, [false, true, true]),
            (unavailable, [false, false, true]),
        ] {
            let shown = [&healthy, &lagging, &leaderless].map(|partition| which.is_meant(true, partition));
            assert_eq!(shown, expected, "{which:?}");
            assert!(which.only_sick() || which.is_meant(false, &healthy), "{which:?}");
        }
    }
}
