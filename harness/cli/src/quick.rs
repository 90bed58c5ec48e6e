//! `ringbench quick`: a first sweep and a latency curve against brokers of its own, in under three minutes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringbench_load::workload::{CellSpec, Workload};
use ringbench_load::{Launch, LoadError, Subject, Target};
use ringbench_report::results::{Ack, Kind};

use crate::binary;
use crate::curve::at_rate;
use crate::fresh::unix_ms;
use crate::measurement::{Asked, Measurement};
use crate::run::line;

/// A dozen cells in which every two values of different settings meet.
const WORKLOAD: &str = include_str!("../../../workloads/quick.yaml");
/// Shares of the fastest cell's throughput at which its latency is measured.
const LOADS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.85, 0.95];

/// Options of `ringbench quick`.
#[derive(Debug, Args)]
pub(crate) struct Quick {
    /// Where results.json and the report go: a directory that holds nothing yet [default: results/quick-SEED]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The broker's binary [default: ringlog, beside this program]
    #[arg(long, value_name = "FILE")]
    ringlog: Option<PathBuf>,
    /// Measures the broker that runs there instead of a fresh one for each cell
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "ringlog")]
    bootstrap: Option<String>,
    /// Where brokers keep their data while they are measured [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Text to send [default: log events in JSON, made by the seed]
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// Decides the order of the cells, and what is sent
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,
    /// How long each cell and each point of the curve is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// How many of the dozen cells to measure
    #[arg(long, value_name = "NUMBER", default_value_t = 12, value_parser = clap::value_parser!(u8).range(1..=12))]
    cells: u8,
}

fn seconds(text: &str) -> Result<f64, String> {
    let allowed = 0.1..=600.0;
    text.parse().ok().filter(|seconds| allowed.contains(seconds)).ok_or_else(|| "0.1 to 600 are allowed".to_owned())
}

impl Quick {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let seed = self.seed.unwrap_or((unix_ms() / 1000) as u32);
        let workload = self.workload(seed).map_err(|e| e.to_string())?;
        let out = self.out.clone().unwrap_or_else(|| format!("results/quick-{seed}").into());
        // Found out before a broker is started.
        std::fs::create_dir_all(&out).map_err(|e| format!("--out {}: {e}", out.display()))?;
        let subject = match &self.bootstrap {
            Some(bootstrap) => Subject::There(Target::Kafka(bootstrap.clone())),
            None => {
                let data = self.data.clone().unwrap_or_else(std::env::temp_dir);
                Subject::Own(Launch::ringlog(&binary::ringlog(self.ringlog.as_deref())?, &data))
            }
        };
        let mut measurement = Measurement::begin(Asked {
            kind: Kind::Quick,
            workload: &workload,
            workload_yaml: Some(WORKLOAD.to_owned()),
            subjects: vec![subject],
            out: &out,
            threads: None,
        })
        // Nothing is left of a run that can't begin; a directory that holds something stays.
        .inspect_err(|_| drop(std::fs::remove_dir(&out)))?;
        let fastest = self.sweep(&workload, &mut measurement)?;
        if let Some((cell, maximum)) = fastest {
            curve(cell, maximum, &mut measurement)?;
        }
        measurement.finish()
    }

    fn workload(&self, seed: u32) -> Result<Workload, LoadError> {
        let workload = Workload::parse(Path::new("workloads/quick.yaml"), WORKLOAD)?;
        let workload = workload.with("seed", &seed.to_string())?.with("testDuration", &format!("{}s", self.seconds))?;
        match &self.corpus {
            Some(text) => workload.with("payloadFile", &text.display().to_string()),
            None => workload.with("payload", "text"),
        }
    }

    /// Every cell as fast as it goes; gives the fastest that waits for an answer, with its records a second.
    fn sweep<'a>(
        &self,
        workload: &'a Workload,
        measurement: &mut Measurement,
    ) -> Result<Option<(&'a CellSpec, f64)>, String> {
        let mut fastest: Option<(&CellSpec, f64)> = None;
        let turns = workload.schedule();
        for (number, turn) in turns.iter().take(usize::from(self.cells)).enumerate() {
            let Some(cell) = workload.cells.get(turn.cell) else { continue };
            let Some(row) = measurement.repeat(0, cell, None)? else { return Ok(None) };
            eprintln!("{:>2}/{} {}", number + 1, self.cells, line(&cell.name, row));
            let rate = row.achieved_per_s.filter(|_| row.valid && row.declared.ack != Ack::None);
            if let Some(rate) = rate.filter(|rate| fastest.is_none_or(|(_, most)| *rate > most)) {
                fastest = Some((cell, rate));
            }
        }
        Ok(fastest)
    }
}

/// What latency becomes as the rate grows to what the cell can do.
fn curve(cell: &CellSpec, maximum: f64, measurement: &mut Measurement) -> Result<(), String> {
    for load in LOADS {
        let Some(row) = measurement.repeat(0, &at_rate(cell, maximum * load), Some(load))? else { break };
        eprintln!("{:>3.0} % {}", load * 100.0, line(&cell.name, row));
    }
    Ok(())
}
