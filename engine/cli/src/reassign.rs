//! `ringlog reassign`: moves partitions between brokers.

mod plan;
mod throttle;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ringlog_client::{Admin, LogDir, TopicPartition};

use self::plan::{Moving, Placement, Plan, Present};
use crate::connection::Broker;
use crate::failure::Failure;
use crate::table::{Cell, Table, print_json};

#[derive(Debug, Args)]
pub(crate) struct Reassign {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a plan that spreads the partitions of topics evenly over brokers, in the JSON of Kafka's tool
    Plan {
        /// The topics
        #[arg(required = true)]
        topics: Vec<String>,
        /// Over these brokers [default: all]
        #[arg(long, value_name = "ID,…", value_delimiter = ',')]
        brokers: Vec<i32>,
        /// Not that: the plan that leaves all as it is, to go back to
        #[arg(long, conflicts_with = "brokers")]
        current: bool,
    },
    /// Begin to move partitions as a plan says
    Execute {
        #[command(flatten)]
        to: To,
        /// Let the moves take so much of the network of each broker, until 'verify' finds them done or they are cancelled
        #[arg(long, value_name = "BYTES/S", value_parser = clap::value_parser!(u64).range(1..))]
        throttle: Option<u64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how far the partitions of a plan are; when nothing is being moved any more, lift what throttled it
    Verify {
        /// The plan; '-' is the standard input
        plan: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the partitions that are being moved
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Leave the partitions of a plan that are being moved where they were
    Cancel {
        /// The plan; '-' is the standard input
        #[arg(required_unless_present = "all")]
        plan: Option<PathBuf>,
        /// Of no plan: all that are being moved
        #[arg(long, conflicts_with = "plan")]
        all: bool,
    },
}

/// Where to: a plan, or a partition and its brokers.
#[derive(Debug, Args)]
struct To {
    /// The plan; '-' is the standard input
    #[arg(required_unless_present = "topic", conflicts_with = "topic")]
    plan: Option<PathBuf>,
    /// Instead of a plan: a partition of this topic
    #[arg(long, value_name = "NAME", requires_all = ["partition", "replicas"])]
    topic: Option<String>,
    /// The partition
    #[arg(long, value_name = "P", requires = "topic")]
    partition: Option<i32>,
    /// The brokers that shall have it, the preferred leader first
    #[arg(long, value_name = "ID,…", value_delimiter = ',', requires = "topic")]
    replicas: Vec<i32>,
}

impl To {
    fn plan(self) -> Result<Plan, Failure> {
        match self {
            Self { plan: Some(path), .. } => Plan::read(&path),
            Self { topic: Some(topic), partition: Some(partition), replicas, .. } => {
                Ok(Plan::of([(&TopicPartition::new(topic, partition), replicas)]))
            }
            _ => Err(Failure::Usage("give a plan, or --topic, --partition and --replicas".to_owned())),
        }
    }
}

impl Reassign {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Plan { topics, brokers, current } => {
                plan(&self.broker.admin().await?, &topics, &brokers, current).await
            }
            Command::Execute { to, throttle, json } => {
                let plan = to.plan()?;
                execute(&self.broker.admin().await?, &plan, throttle, json).await
            }
            Command::Verify { plan, json } => {
                let plan = Plan::read(&plan)?;
                verify(&self.broker.admin().await?, &plan, json).await
            }
            Command::List { json } => list(&self.broker.admin().await?, json).await,
            Command::Cancel { plan, .. } => {
                let plan = plan.map(|path| Plan::read(&path)).transpose()?;
                cancel(&self.broker.admin().await?, plan).await
            }
        }
    }
}

async fn plan(admin: &Admin, topics: &[String], brokers: &[i32], current: bool) -> Result<(), Failure> {
    let moving = admin.reassignments().await?;
    let present = present(admin, topics.iter().map(String::as_str), &moving).await?;
    let plan = if current {
        Plan::present(&present)
    } else {
        let all = admin.cluster().await?.brokers;
        if let Some(unknown) = brokers.iter().find(|id| !all.contains_key(id)) {
            let known: Vec<_> = all.keys().map(i32::to_string).collect();
            return Err(Failure::Usage(format!("there is no broker {unknown}, but {}", known.join(", "))));
        }
        let chosen = all.into_iter().filter(|(id, _)| brokers.is_empty() || brokers.contains(id));
        Plan::spread(&present, &chosen.map(|(id, broker)| (id, broker.rack)).collect())?
    };
    print_json(&mut io::stdout().lock(), &plan)
}

async fn execute(admin: &Admin, plan: &Plan, throttle: Option<u64>, json: bool) -> Result<(), Failure> {
    let moving = admin.reassignments().await?;
    let present = present(admin, plan.topics().iter().map(String::as_str), &moving).await?;
    let mut table = Table::new(&["TOPIC", "PARTITION", "FROM", "TO"]);
    let mut moves = BTreeMap::new();
    for placement in &plan.partitions {
        let partition = placement.partition();
        // Told before a throttle is set.
        let none = || Failure::Other(format!("there is no partition {partition}"));
        let from = Cell::Numbers(present.get(&partition).cloned().ok_or_else(none)?);
        let to = Cell::Numbers(placement.replicas.clone());
        table.push([partition.topic.as_str().into(), partition.partition.into(), from, to]);
        moves.insert(partition, Some(placement.replicas.clone()));
    }
    if let Some(rate) = throttle {
        throttle::set(admin, plan, &present, &moving, rate).await?;
    }
    admin.reassign(&moves).await?;
    for (broker, to) in plan.log_dirs() {
        admin.move_to_log_dirs(broker, &to).await?;
    }
    table.print(json)
}

async fn verify(admin: &Admin, plan: &Plan, json: bool) -> Result<(), Failure> {
    let moving = admin.reassignments().await?;
    let topics = those_that_exist(admin, plan.topics()).await?;
    let present = present(admin, topics.iter().map(String::as_str), &moving).await?;
    let named = plan.log_dirs();
    let dirs = if named.is_empty() { Vec::new() } else { admin.log_dirs().await? };
    let is_there = |placement: &Placement| {
        let at = placement.partition();
        named.iter().all(|(&broker, paths)| paths.get(&at).is_none_or(|path| holds(&dirs, broker, path, &at)))
    };
    let mut table = Table::new(&["TOPIC", "PARTITION", "REPLICAS", "STATUS"]);
    for placement in &plan.partitions {
        let partition = placement.partition();
        let replicas = present.get(&partition);
        let status = match replicas {
            _ if moving.contains_key(&partition) => "moving",
            None => "there is no such partition",
            Some(replicas) if *replicas != placement.replicas => "not as planned, and not moving",
            Some(_) if !is_there(placement) => "not in its log directories yet",
            Some(_) => "done",
        };
        let replicas = replicas.cloned().map_or(Cell::Missing, Cell::Numbers);
        table.push([partition.topic.as_str().into(), partition.partition.into(), replicas, status.into()]);
    }
    if moving.is_empty() {
        lift_throttle(admin, topics).await?;
    }
    table.print(json)
}

/// Whether the broker's replica is in this directory, and not only about to be.
fn holds(dirs: &[LogDir], broker: i32, path: &str, partition: &TopicPartition) -> bool {
    let mut there = dirs.iter().filter(|dir| dir.broker == broker && dir.path == path);
    there.any(|dir| dir.partitions.iter().any(|log| log.partition == *partition && !log.future))
}

async fn list(admin: &Admin, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["TOPIC", "PARTITION", "REPLICAS", "ADDING", "REMOVING"]);
    for (partition, moving) in admin.reassignments().await? {
        let [replicas, adding, removing] = [moving.replicas, moving.adding, moving.removing].map(Cell::Numbers);
        table.push([partition.topic.into(), partition.partition.into(), replicas, adding, removing]);
    }
    if table.is_empty() && !json {
        eprintln!("nothing is being moved");
        return Ok(());
    }
    table.print(json)
}

async fn cancel(admin: &Admin, plan: Option<Plan>) -> Result<(), Failure> {
    let moving = admin.reassignments().await?;
    let is_meant = |partition: &TopicPartition| {
        plan.as_ref().is_none_or(|plan| plan.partitions.iter().any(|placement| placement.partition() == *partition))
    };
    let cancelled: BTreeMap<_, _> = moving.into_keys().filter(is_meant).map(|partition| (partition, None)).collect();
    if cancelled.is_empty() {
        eprintln!("nothing of that is being moved");
    } else {
        admin.reassign(&cancelled).await?;
    }
    if admin.reassignments().await?.is_empty() {
        let mut topics = plan.as_ref().map_or_else(BTreeSet::new, Plan::topics);
        topics.extend(cancelled.keys().map(|partition| partition.topic.clone()));
        lift_throttle(admin, those_that_exist(admin, topics).await?).await?;
    }
    let mut out = io::stdout().lock();
    cancelled.keys().try_for_each(|partition| Ok(writeln!(out, "cancelled: {partition}")?))
}

async fn lift_throttle(admin: &Admin, topics: BTreeSet<String>) -> Result<(), Failure> {
    if throttle::lift(admin, topics).await? {
        eprintln!("lifted what throttled the moves");
    }
    Ok(())
}

/// A topic of a plan may have been deleted since.
async fn those_that_exist(admin: &Admin, mut topics: BTreeSet<String>) -> Result<BTreeSet<String>, Failure> {
    let there: BTreeSet<_> = admin.topics().await?.iter().map(|topic| topic.name.clone()).collect();
    topics.retain(|name| there.contains(name));
    Ok(topics)
}

async fn present(admin: &Admin, topics: impl Iterator<Item = &str>, moving: &Moving) -> Result<Present, Failure> {
    let mut present = Present::new();
    for name in topics {
        for (partition, index) in admin.topic(name).await?.partitions.iter().zip(0..) {
            let at = TopicPartition::new(name, index);
            let replicas = moving.get(&at).map_or_else(|| partition.replicas.clone(), plan::origin);
            present.insert(at, replicas);
        }
    }
    Ok(present)
}
