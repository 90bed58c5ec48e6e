//! The ringbench command: measure, verify, report.
#![forbid(unsafe_code)]

mod duration;
mod lab;
mod quick;
mod roofline;
mod workloads;

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
    /// Compares ways of writing a log and of moving it to sockets on this host
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Names the workloads there are, and checks files of workloads
    #[command(subcommand)]
    Workloads(workloads::Workloads),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Quick(quick) => quick.run(),
        Command::Lab(lab) => lab.run(),
        Command::Workloads(workloads) => workloads.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("ringbench: {reason}");
            ExitCode::FAILURE
        }
    }
}
