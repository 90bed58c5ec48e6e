//! `ringbench quick`: a dozen cells against a broker of its own.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::binary;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ringbench_load::{BrokerProcess, Cell, Corpus, LoadError, Measured, Plan, dozen, measure};
use ringbench_report::{BrokerCard, CellResult, CorpusCard, FloorPart, Ledger, Results};
use ringbench_stats::{Depth, Host, Roofline};
use tokio::signal::unix::{SignalKind, signal};

/// Rate of the latency part, as a share of the cell's own throughput: below the knee.
const SHARE: f64 = 0.5;
const MB: f64 = 1e6;

/// Options of `ringbench quick`.
#[derive(Debug, Args)]
pub(crate) struct Quick {
    /// Where report.html, report.md and results.json go [default: results/quick-SEED]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The broker's binary [default: ringlog, beside this program]
    #[arg(long, value_name = "FILE")]
    ringlog: Option<PathBuf>,
    /// Measures the broker that runs there instead of one of its own
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "ringlog")]
    bootstrap: Option<String>,
    /// Where the broker keeps its data while it is measured [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Text to send [default: what this machine has]
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// Decides the order of the cells
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Length of each cell's two parts
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0, value_parser = seconds)]
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        runtime.block_on(async {
            let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
            let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
                return Err("signals can't be watched: a broker could be left behind".to_owned());
            };
            // The broker is a value of `measure_all`: however that ends, it is stopped and its directory removed.
            tokio::select! {
                biased;
                _ = interrupt.recv() => Err("interrupted: nothing was written".to_owned()),
                _ = terminate.recv() => Err("ended by SIGTERM: nothing was written".to_owned()),
                outcome = self.measure_all() => outcome,
            }
        })
    }

    async fn measure_all(&self) -> Result<ExitCode, String> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = self.seed.unwrap_or(started.as_secs());
        let out = self.out.clone().unwrap_or_else(|| format!("results/quick-{seed}").into());
        // Found out before minutes are spent.
        std::fs::create_dir_all(&out).map_err(|e| format!("--out {}: {e}", out.display()))?;
        let parent = self.data.clone().unwrap_or_else(std::env::temp_dir);
        let begun = Instant::now();
        let host = Host::here(&parent);
        let corpus = Corpus::find(self.corpus.as_deref()).map_err(|e| e.to_string())?;
        eprintln!(
            "text: {}, {:.0} MB, {:.0} bytes a record",
            corpus.source,
            corpus.bytes as f64 / MB,
            corpus.mean_bytes()
        );
        let floor = Roofline::measure(&parent, Depth::Full).map_err(|e| e.to_string())?;
        eprintln!("floor: receive, CRC and append alone {:.0} MB/s", floor.receive_crc_write.median / MB);

        let broker = match &self.bootstrap {
            Some(_) => None,
            None => Some(
                BrokerProcess::start(&binary::ringlog(self.ringlog.as_deref())?, &parent, &BTreeMap::new())
                    .map_err(|e| e.to_string())?,
            ),
        };
        let bootstrap =
            self.bootstrap.clone().or_else(|| Some(broker.as_ref()?.bootstrap().to_owned())).unwrap_or_default();
        let cells = shuffled(dozen(), seed).into_iter().take(usize::from(self.cells));
        let results = self.sweep(&bootstrap, broker.as_ref(), cells.collect(), &corpus, &floor, seed).await;
        let cells = results.map_err(|e| e.to_string())?;
        let results = Results {
            title: "ringbench quick".to_owned(),
            command: self.command(seed),
            started_unix_ms: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
            took_seconds: begun.elapsed().as_secs_f64(),
            seed,
            host,
            broker: card(broker.as_ref(), &bootstrap),
            corpus: CorpusCard {
                source: corpus.source.clone(),
                bytes: corpus.bytes,
                crc32c: corpus.crc32c,
                mean_record_bytes: corpus.mean_bytes(),
            },
            floor: FloorPart::all(&floor),
            cells,
        };
        ringbench_report::write(&results, &out).map_err(|e| e.to_string())?;
        println!("{}", results.verdict());
        println!("report: {}", out.join("report.html").display());
        Ok(if results.void_cells().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn sweep(
        &self,
        bootstrap: &str,
        broker: Option<&BrokerProcess>,
        cells: Vec<Cell>,
        corpus: &Corpus,
        floor: &Roofline,
        seed: u64,
    ) -> Result<Vec<CellResult>, LoadError> {
        let progress = progress(cells.len());
        let mut results = Vec::with_capacity(cells.len());
        for (number, cell) in cells.iter().enumerate() {
            progress.set_message(cell.name());
            let plan = Plan {
                part: Duration::from_secs_f64(self.seconds),
                share: SHARE,
                broker_pid: broker.map(BrokerProcess::pid),
                run: (seed as u32).wrapping_mul(31).wrapping_add(number as u32),
            };
            let measured = measure(bootstrap, cell, corpus, &plan).await?;
            let line = format!(
                "{:>2}/{} {:<42} {:>6.0} MB/s  p99 {} ms{}",
                number + 1,
                cells.len(),
                cell.name(),
                measured.bytes_per_second / MB,
                measured.latency.percentile_ms(99.0).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}")),
                if measured.verdict.is_clean() { "" } else { "  VOID" }
            );
            match progress.is_hidden() {
                true => eprintln!("{line}"),
                false => progress.println(line),
            }
            progress.inc(1);
            results.push(result(cell, &measured, floor));
        }
        progress.finish_and_clear();
        Ok(results)
    }

    fn command(&self, seed: u64) -> String {
        let mut command = format!("ringbench quick --seed {seed} --seconds {} --cells {}", self.seconds, self.cells);
        for (option, value) in [("--corpus", &self.corpus), ("--ringlog", &self.ringlog), ("--data", &self.data)] {
            if let Some(value) = value {
                command += &format!(" {option} {}", value.display());
            }
        }
        if let Some(bootstrap) = &self.bootstrap {
            command += &format!(" --bootstrap {bootstrap}");
        }
        command
    }
}

/// A bar with the time left on a terminal; elsewhere each cell is a line.
fn progress(cells: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(cells as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}  {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Fisher and Yates, with a xorshift generator: the same order for the same seed everywhere.
fn shuffled(mut cells: Vec<Cell>, seed: u64) -> Vec<Cell> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for last in (1..cells.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (last as u64 + 1)).unwrap_or(0);
        cells.swap(last, other);
    }
    cells
}

fn result(cell: &Cell, measured: &Measured, floor: &Roofline) -> CellResult {
    let wire = measured.wire_ratio.map(|ratio| ratio * measured.bytes_per_second);
    let verdict = &measured.verdict;
    CellResult {
        name: cell.name(),
        batch_size: cell.batch_size,
        linger_ms: cell.linger_ms,
        compression: cell.compression.clone(),
        acks: cell.acks.clone(),
        records_per_second: measured.records_per_second,
        mb_per_second: measured.bytes_per_second / MB,
        wire_mb_per_second: wire.map(|bytes| bytes / MB),
        share_of_floor: wire.map(|bytes| bytes / floor.receive_crc_write.median),
        read_mb_per_second: measured.read_bytes_per_second / MB,
        offered_per_second: measured.offered_per_second,
        achieved_per_second: measured.achieved_per_second,
        latency: measured.latency.quoted(),
        latency_max_ms: measured.latency.max_ms(),
        service: measured.service.quoted(),
        latency_histogram: measured.latency.buckets(),
        broker_cpu_per_gib: measured.broker_cpu_per_gib,
        client_cpu_per_gib: measured.client_cpu_per_gib,
        client_busy: measured.client_busy,
        ledger: Ledger {
            sent: verdict.sent,
            acked: verdict.acked,
            read: verdict.read,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            reordered: verdict.reordered,
            corrupt: verdict.corrupt,
            failed: verdict.failed,
        },
    }
}

fn card(broker: Option<&BrokerProcess>, bootstrap: &str) -> BrokerCard {
    BrokerCard {
        name: match broker {
            Some(broker) => broker.version.clone(),
            None => format!("the broker at {bootstrap}"),
        },
        backend: broker.map_or_else(|| "unknown".to_owned(), |broker| broker.backend.clone()),
        durability: match broker {
            Some(_) => "page cache (survives kill -9)".to_owned(),
            None => "as that broker is configured".to_owned(),
        },
        ready_ms: broker.map(|broker| broker.ready_after.as_secs_f64() * 1e3),
        resident_mib: broker.and_then(|broker| resident_mib(broker.pid())),
    }
}

fn resident_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib: f64 = status.lines().find(|line| line.starts_with("VmRSS:"))?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_order_and_another_seed_another() {
        let names = |seed| shuffled(dozen(), seed).iter().map(Cell::name).collect::<Vec<_>>();
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
        let mut sorted = names(7);
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), 12);
    }
}
