//! The ringlog command: serve, and the operator's tools.
#![forbid(unsafe_code)]

mod acls;
mod configs;
mod connection;
mod consume;
mod credentials;
mod delete_records;
mod dump;
mod elect_leaders;
mod failure;
mod format;
mod groups;
mod log_dirs;
mod partitions;
mod produce;
mod quotas;
mod reassign;
mod serve;
mod table;
mod timestamp;
mod topics;
mod transactions;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// A Kafka-compatible broker, and tools for it and for Apache Kafka
#[derive(Debug, Parser)]
#[command(name = "ringlog", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a broker
    Serve(serve::Serve),
    /// Create, list, describe, alter and delete topics
    Topics(topics::Topics),
    /// Write a record for each line of the standard input
    Produce(produce::Produce),
    /// Show records
    Consume(consume::Consume),
    /// List, describe, reset and delete consumer groups
    Groups(groups::Groups),
    /// Show and change settings of topics, brokers and groups
    Configs(configs::Configs),
    /// List, add and delete access rules
    Acls(acls::Acls),
    /// Show where brokers keep their partitions, and how much room there is
    LogDirs(log_dirs::LogDirs),
    /// Delete the beginning of a partition
    DeleteRecords(delete_records::DeleteRecords),
    /// List, set and remove quotas of users, client ids and addresses
    Quotas(quotas::Quotas),
    /// List, set and delete passwords of users (SCRAM)
    Credentials(credentials::Credentials),
    /// Move partitions between brokers
    Reassign(reassign::Reassign),
    /// Elect the preferred leaders of partitions, or any that is left
    ElectLeaders(elect_leaders::ElectLeaders),
    /// List, describe and end transactions, also those that hang
    Transactions(transactions::Transactions),
    /// Show what is in a segment's files
    Dump(dump::Dump),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Dump(dump) => dump.run(),
        Command::Topics(topics) => on_runtime(topics.run()),
        Command::Produce(produce) => on_runtime(produce.run()),
        Command::Consume(consume) => on_runtime(consume.run()),
        Command::Groups(groups) => on_runtime(groups.run()),
        Command::Configs(configs) => on_runtime(configs.run()),
        Command::Acls(acls) => on_runtime(acls.run()),
        Command::LogDirs(log_dirs) => on_runtime(log_dirs.run()),
        Command::DeleteRecords(delete) => on_runtime(delete.run()),
        Command::Quotas(quotas) => on_runtime(quotas.run()),
        Command::Credentials(credentials) => on_runtime(credentials.run()),
        Command::Reassign(reassign) => on_runtime(reassign.run()),
        Command::ElectLeaders(elect) => on_runtime(elect.run()),
        Command::Transactions(transactions) => on_runtime(transactions.run()),
    }
}

/// Runs a tool. One thread is enough: tools wait for brokers.
fn on_runtime(tool: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Other(format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(tool);
    // A thread that waits for the standard input does not keep the process.
    runtime.shutdown_background();
    outcome
}
