//! `ringbench calibrate`: what the generator itself can do, against a target that takes everything and keeps nothing.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ringbench_load::workload::Workload;
use ringbench_load::{Conditions, Outcome, Pool, Stop, Target};
use ringbench_stats::Interval;

use crate::signals;

const SIZES: [usize; 2] = [100, 1024];
/// Rates at which the generator's own lag is measured.
const RATES: [f64; 3] = [1_000.0, 100_000.0, 500_000.0];
const SEED: u64 = 7;

/// Options of `ringbench calibrate`.
#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    /// How long each run takes
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// How often each runs
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
}

fn seconds(text: &str) -> Result<f64, String> {
    let allowed = 0.1..=600.0;
    text.parse().ok().filter(|seconds| allowed.contains(seconds)).ok_or_else(|| "0.1 to 600 are allowed".to_owned())
}

impl Calibrate {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let stop = Stop::default();
        let wish = stop.clone();
        signals::on_first(move || wish.stop())?;
        let length = Duration::from_secs_f64(self.seconds);
        say!(
            "one load thread, one producer, stamped and checksummed records of JSON log events, a sink that keeps nothing"
        );
        say!("| record | records/s | between | MB/s | records per processor second | MB |\n|--:|--:|--:|--:|--:|--:|");
        for bytes in SIZES {
            let (mut rates, mut on_processor) = (Vec::new(), Vec::new());
            for _ in 0..self.repeats {
                let outcome = to_nowhere(bytes, None, length, &stop)?;
                rates.push(outcome.achieved_per_second());
                on_processor.push(outcome.acked_records as f64 / outcome.busiest_thread_seconds);
            }
            let (Some(rate), Some(core)) = (Interval::of(&rates), Interval::of(&on_processor)) else { continue };
            say!(
                "| {bytes} B | {:.0} | {:.0} to {:.0} | {:.0} | {:.0} | {:.0} |",
                rate.median,
                rate.low,
                rate.high,
                rate.median * bytes as f64 / 1e6,
                core.median,
                core.median * bytes as f64 / 1e6
            );
        }
        say!("\n| offered/s | achieved/s | lag p50 µs | p99 µs | max µs | processor |\n|--:|--:|--:|--:|--:|--:|");
        for rate in RATES {
            let outcome = to_nowhere(100, Some(rate), length, &stop)?;
            let us = |percent| {
                outcome.lag.percentile_ms(percent).map_or_else(|| "–".to_owned(), |ms| format!("{:.0}", ms * 1e3))
            };
            say!(
                "| {rate:.0} | {:.0} | {} | {} | {:.0} | {:.0} % |",
                outcome.achieved_per_second(),
                us(50.0),
                us(99.0),
                outcome.lag.max_ms() * 1e3,
                outcome.busiest_thread_seconds / outcome.seconds * 100.0
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One producer on one thread that sends records of so many bytes to the null sink: at a rate, or as fast as it goes.
pub(crate) fn to_nowhere(bytes: usize, rate: Option<f64>, length: Duration, stop: &Stop) -> Result<Outcome, String> {
    let arrival =
        rate.map_or_else(|| "arrival: maximum".to_owned(), |rate| format!("arrival: uniform\nproducerRate: {rate}"));
    let text = format!(
        "messageSize: {bytes}\nsubscriptionsPerTopic: 0\nwarmupDuration: 200ms\ntestDuration: {}ms\n{arrival}\n",
        length.as_millis()
    );
    let workload = Workload::parse("calibrate".as_ref(), &text).map_err(|error| error.to_string())?;
    let cell = workload.cells.first().ok_or("there is nothing to run")?;
    let pool = Pool::new(&cell.payload, bytes, SEED).map_err(|error| error.to_string())?;
    let conditions = Conditions {
        run: 0,
        seed: SEED,
        threads: 1,
        target_pid: None,
        pool: Arc::new(pool),
        patience: Duration::from_secs(1),
        reads_back: false,
        stop: stop.clone(),
    };
    let outcome = Target::Null.run(cell, &conditions).map_err(|error| error.to_string())?;
    match outcome.failure {
        Some(failure) => Err(failure),
        None => Ok(outcome),
    }
}
