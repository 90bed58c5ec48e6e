//! `ringlog transactions`: list, describe, find those that hang, end them.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use ringlog_client::{Admin, HangingTransaction, ProducerState, TopicPartition, TransactionFilter};
use serde::Serialize;

use crate::connection::Broker;
use crate::failure::Failure;
use crate::partitions::Partitions;
use crate::table::{Cell, Table, print_json};
use crate::timestamp;

#[derive(Debug, Args)]
pub(crate) struct Transactions {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the transactional ids
    List {
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a transactional id is doing, and in which partitions
    Describe {
        /// The transactional id
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the producers that partitions remember, and where their open transactions begin
    Producers {
        #[command(flatten)]
        of: Partitions,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find open transactions that no coordinator will end, in a topic or in all
    FindHanging {
        #[command(flatten)]
        of: Partitions,
        /// Only those whose producers have not written for so long: more than any transaction.timeout.ms
        #[arg(long, value_name = "SECONDS", default_value_t = 900)]
        idle: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Abort a hanging transaction in one partition, past its coordinator
    Abort {
        /// The topic
        topic: String,
        /// The partition
        #[arg(long)]
        partition: i32,
        /// Where it begins there, as find-hanging shows
        #[arg(long, value_name = "OFFSET")]
        start_offset: i64,
    },
    /// Abort what a transactional id is doing, and fence the producer that uses it
    Terminate {
        /// The transactional id
        id: String,
    },
}

/// Transactional ids.
#[derive(Debug, Args)]
struct Which {
    /// Only in this state, such as Ongoing; may be repeated
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<String>,
    /// Only of this producer; may be repeated
    #[arg(long = "producer-id", value_name = "ID")]
    producer_ids: Vec<i64>,
    /// Only with a transaction that is open for so long
    #[arg(long, value_name = "SECONDS")]
    running_for: Option<u64>,
    /// Only ids that this regular expression matches whole
    #[arg(long, value_name = "REGEX")]
    pattern: Option<String>,
}

/// What `describe` shows.
#[derive(Serialize)]
struct Description {
    transaction: Table,
    partitions: Table,
}

impl Transactions {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if let Command::Producers { of, .. } = &self.command
            && !of.are_named()
        {
            return Err(Failure::Usage("the producers of which topic?".to_owned()));
        }
        let admin = self.broker.admin().await?;
        match self.command {
            Command::List { which, json } => list(&admin, &which.filter(), json).await,
            Command::Describe { id, json } => describe(&admin, id, json).await,
            Command::Producers { of, json } => producers(&admin, of, json).await,
            Command::FindHanging { of, idle, json } => {
                let hanging = admin.hanging_transactions(&of.of(&admin).await?, Duration::from_secs(idle)).await?;
                show_hanging(hanging, json)
            }
            Command::Abort { topic, partition, start_offset } => {
                let partition = TopicPartition::new(topic, partition);
                admin.abort_transaction(&partition, start_offset).await?;
                Ok(writeln!(
                    io::stdout(),
                    "aborted the transaction of {partition} that begins at offset {start_offset}"
                )?)
            }
            Command::Terminate { id } => {
                admin.fence_producer(&id).await?;
                Ok(writeln!(io::stdout(), "terminated transactional id {id}")?)
            }
        }
    }
}

impl Which {
    fn filter(self) -> TransactionFilter {
        let Self { states, producer_ids, running_for, pattern } = self;
        TransactionFilter { states, producer_ids, running_for: running_for.map(Duration::from_secs), pattern }
    }
}

async fn list(admin: &Admin, filter: &TransactionFilter, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["TRANSACTIONAL-ID", "COORDINATOR", "PRODUCER-ID", "STATE"]);
    for row in admin.transactions(filter).await? {
        table.push([row.transactional_id.into(), row.coordinator.into(), row.producer_id.into(), row.state.into()]);
    }
    if table.is_empty() && !json {
        eprintln!("no transactional id matches");
        return Ok(());
    }
    table.print(json)
}

async fn describe(admin: &Admin, id: String, json: bool) -> Result<(), Failure> {
    let found = admin.transaction(&id).await?;
    let mut shown = Description {
        transaction: Table::new(&["TRANSACTIONAL-ID", "STATE", "PRODUCER-ID", "EPOCH", "TIMEOUT-MS", "BEGUN"]),
        partitions: Table::new(&["TOPIC", "PARTITION"]),
    };
    let timeout_ms = i64::try_from(found.timeout.as_millis()).unwrap_or(i64::MAX);
    let begun = found.start_ms.map(timestamp::format);
    let epoch = i64::from(found.producer_epoch);
    let row = [id.into(), found.state.into(), found.producer_id.into(), epoch.into(), timeout_ms.into(), begun.into()];
    shown.transaction.push(row);
    for partition in found.partitions {
        shown.partitions.push([partition.topic.into(), partition.partition.into()]);
    }
    let mut out = io::stdout().lock();
    if json {
        return print_json(&mut out, &shown);
    }
    write!(out, "{}", shown.transaction)?;
    if !shown.partitions.is_empty() {
        write!(out, "\n{}", shown.partitions)?;
    }
    Ok(())
}

async fn producers(admin: &Admin, of: Partitions, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "TOPIC",
        "PARTITION",
        "PRODUCER-ID",
        "EPOCH",
        "COORDINATOR-EPOCH",
        "LAST-SEQUENCE",
        "LAST-WRITTEN",
        "START-OFFSET",
    ]);
    for (partition, producers) in admin.producers(&of.of(admin).await?).await? {
        for producer in producers {
            let [id, epoch, coordinator_epoch, written, start] = cells(&producer);
            let (topic, index) = (partition.topic.as_str().into(), partition.partition.into());
            table.push([topic, index, id, epoch, coordinator_epoch, producer.last_sequence.into(), written, start]);
        }
    }
    if table.is_empty() && !json {
        eprintln!("no producer is remembered: idempotent and transactional ones are, for producer.id.expiration.ms");
        return Ok(());
    }
    table.print(json)
}

fn show_hanging(hanging: Vec<HangingTransaction>, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "TOPIC",
        "PARTITION",
        "START-OFFSET",
        "PRODUCER-ID",
        "EPOCH",
        "COORDINATOR-EPOCH",
        "LAST-WRITTEN",
        "TRANSACTIONAL-ID",
    ]);
    for HangingTransaction { partition, producer, transactional_id } in hanging {
        let [id, epoch, coordinator_epoch, written, start] = cells(&producer);
        let (topic, index) = (partition.topic.into(), partition.partition.into());
        table.push([topic, index, start, id, epoch, coordinator_epoch, written, transactional_id.into()]);
    }
    if table.is_empty() && !json {
        eprintln!("no transaction hangs");
        return Ok(());
    }
    if !json {
        // Beside the table, which is all of the output.
        eprintln!("end one with: ringlog transactions abort TOPIC --partition P --start-offset OFFSET");
    }
    table.print(json)
}

/// Id, epoch, epoch of the coordinator, last written, where the transaction begins.
fn cells(producer: &ProducerState) -> [Cell; 5] {
    [
        producer.producer_id.into(),
        producer.producer_epoch.into(),
        producer.coordinator_epoch.into(),
        producer.last_timestamp_ms.map(timestamp::format).into(),
        producer.transaction_start_offset.into(),
    ]
}
