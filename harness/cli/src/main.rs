//! The ringbench command: measure, verify, report.
#![forbid(unsafe_code)]

#[macro_use]
mod stdout;

mod binary;
mod calibrate;
mod compare;
mod curve;
mod duration;
mod fresh;
mod generator;
mod kept_run;
mod lab;
mod max_rate;
mod measurement;
mod quick;
mod recorded;
mod report;
mod room;
mod run;
mod signals;
mod subjects;
mod sweep;
mod verify;
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
    /// Runs a workload on one target, or on several in turns
    Run(run::Run),
    /// Measures latency at loads from a hundredth of a target's maximum to more than it takes
    Curve(curve::Curve),
    /// Searches the highest rate that keeps an objective, such as 'p99<10ms'
    MaxRate(max_rate::MaxRate),
    /// Says what the load generator itself can do, against a sink that keeps nothing
    Calibrate(calibrate::Calibrate),
    /// Compares ways of writing a log and of moving it to sockets on this host
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Runs every cell of a workload, several times, in an order that is fair to all; the same command again goes on where it stopped
    Sweep(sweep::Sweep),
    /// Names the workloads there are, and checks files of workloads
    #[command(subcommand)]
    Workloads(workloads::Workloads),
    /// Makes the report of one or several runs anew, or an index of all
    Report(report::Report),
    /// Says whether a run is worse than another one: status 1 if so, 2 if they can't be compared or it is not whole
    Compare(compare::Compare),
    /// Checks a run's ledgers, and its figures against the raw histograms
    Verify(verify::Verify),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Quick(quick) => quick.run(),
        Command::Run(run) => run.run(),
        Command::Curve(curve) => curve.run(),
        Command::MaxRate(max_rate) => max_rate.run(),
        Command::Calibrate(calibrate) => calibrate.run(),
        Command::Lab(lab) => lab.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Workloads(workloads) => workloads.run(),
        Command::Report(report) => report.run(),
        Command::Compare(compare) => compare.run(),
        Command::Verify(verify) => verify.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("ringbench: {reason}");
            ExitCode::FAILURE
        }
    }
}
