//! The ringbench command: measure, verify, report.
#![forbid(unsafe_code)]

mod quick;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures a Kafka-compatible broker, and checks that nothing was lost
#[derive(Debug, Parser)]
#[command(name = "ringbench", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A first sweep in under three minutes: a dozen cells, verified, with a report
    Quick(quick::Quick),
}

fn main() -> ExitCode {
    let Command::Quick(quick) = Cli::parse().command;
    match quick.run() {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("ringbench: {reason}");
            ExitCode::FAILURE
        }
    }
}
