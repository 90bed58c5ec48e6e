//! What was measured, with everything that it takes to believe and to repeat it.

use ringbench_stats::{Host, Percentile};
use serde::Serialize;

use crate::environment::FloorPart;
use crate::numbers::grouped;

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// What it is called.
    pub title: String,
    /// The command that repeats it.
    pub command: String,
    /// When it began: milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// How long it took. Seconds.
    pub took_seconds: f64,
    /// Decides the order of the cells.
    pub seed: u64,
    /// The machine.
    pub host: Host,
    /// The broker.
    pub broker: BrokerCard,
    /// The text that was sent.
    pub corpus: CorpusCard,
    /// What the host's parts do alone.
    pub floor: Vec<FloorPart>,
    /// In the order in which they ran.
    pub cells: Vec<CellResult>,
}

/// The broker that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct BrokerCard {
    /// What it is.
    pub name: String,
    /// Which way to the disk it chose.
    pub backend: String,
    /// What an acknowledgement has behind it.
    pub durability: String,
    /// From the start of its process to the line that says that it is ready; `None` when it ran before.
    pub ready_ms: Option<f64>,
    /// Resident memory at the end, MiB.
    pub resident_mib: Option<f64>,
}

/// The text that was sent.
#[derive(Debug, Clone, Serialize)]
pub struct CorpusCard {
    /// Where it is from.
    pub source: String,
    /// Bytes.
    pub bytes: usize,
    /// CRC-32C of it.
    pub crc32c: u32,
    /// Mean length of a record. Bytes.
    pub mean_record_bytes: f64,
}

/// One cell.
#[derive(Debug, Clone, Serialize)]
pub struct CellResult {
    /// What a table calls it.
    pub name: String,
    /// `batch.size`, bytes.
    pub batch_size: usize,
    /// `linger.ms`.
    pub linger_ms: u64,
    /// `compression.type`.
    pub compression: String,
    /// `acks`.
    pub acks: String,
    /// Acknowledged records a second, as fast as it goes.
    pub records_per_second: f64,
    /// Megabytes of records, before compression, a second.
    pub mb_per_second: f64,
    /// Megabytes as they are on the wire and on disk, a second.
    pub wire_mb_per_second: Option<f64>,
    /// Those as a share of what a bare loop of receive, CRC and append does on this host.
    pub share_of_floor: Option<f64>,
    /// Megabytes of records read back a second.
    pub read_mb_per_second: f64,
    /// Records a second that the latency part offered.
    pub offered_per_second: f64,
    /// Acknowledged a second in it.
    pub achieved_per_second: f64,
    /// From when each record was due to its acknowledgement.
    pub latency: Vec<Percentile>,
    /// The longest of them. Milliseconds.
    pub latency_max_ms: f64,
    /// From when it was handed to the producer, which forgives a generator that comes late.
    pub service: Vec<Percentile>,
    /// Nanoseconds and counts: the raw histogram of `latency`.
    pub latency_histogram: Vec<(u64, u64)>,
    /// Processor seconds of the broker for each GiB of records.
    pub broker_cpu_per_gib: Option<f64>,
    /// Processor seconds of the client for each GiB of records.
    pub client_cpu_per_gib: f64,
    /// Share of one processor that the client, which has one thread, used in the throughput part.
    pub client_busy: f64,
    /// The books.
    pub ledger: Ledger,
}

/// What became of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Handed to the producer.
    pub sent: u64,
    /// Acknowledged; with acks=0, handed to the kernel.
    pub acked: u64,
    /// Read back.
    pub read: u64,
    /// Acknowledged and not read back.
    pub lost: u64,
    /// Read more than once.
    pub duplicated: u64,
    /// Read after a later one.
    pub reordered: u64,
    /// Read with another checksum, or from another partition.
    pub corrupt: u64,
    /// Refused, or never answered.
    pub failed: u64,
}

impl Ledger {
    /// Whether the cell counts.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicated, self.reordered, self.corrupt, self.failed) == (0, 0, 0, 0, 0)
    }
}

/// A client that is busier than this is measured together with the broker.
const CLIENT_BOUND: f64 = 0.8;

impl CellResult {
    /// Whether the client was the limit, or close to it.
    #[must_use]
    pub fn is_client_bound(&self) -> bool {
        self.client_busy > CLIENT_BOUND
    }

    /// Its name in charts and tables; a void cell says so.
    #[must_use]
    pub fn label(&self) -> String {
        if self.ledger.is_clean() { self.name.clone() } else { format!("VOID {}", self.name) }
    }

    /// A percentile of the latency, in milliseconds.
    #[must_use]
    pub fn latency_ms(&self, percent: f64) -> Option<f64> {
        self.latency.iter().find(|found| found.percent == percent)?.milliseconds
    }
}

impl Results {
    /// Cells whose books are not in order: they count for nothing.
    #[must_use]
    pub fn void_cells(&self) -> Vec<&CellResult> {
        self.cells.iter().filter(|cell| !cell.ledger.is_clean()).collect()
    }

    /// The cell with the most records a second, of those that count and that wait for an answer: acks=0 promises nothing.
    #[must_use]
    pub fn fastest(&self) -> Option<&CellResult> {
        let clean = self.cells.iter().filter(|cell| cell.ledger.is_clean() && cell.acks != "0");
        clean.max_by(|a, b| a.records_per_second.total_cmp(&b.records_per_second))
    }

    /// What it comes to, in a sentence or two.
    #[must_use]
    pub fn verdict(&self) -> String {
        let records: u64 = self.cells.iter().map(|cell| cell.ledger.acked).sum();
        let books = match self.void_cells().len() {
            0 => format!(
                "{} acknowledged records were read back: none lost, duplicated, reordered or corrupt.",
                grouped(records)
            ),
            void => format!(
                "{void} of {} cells are void: records were refused, lost, duplicated, reordered or corrupt.",
                self.cells.len()
            ),
        };
        let bound = match self.cells.iter().filter(|cell| cell.is_client_bound()).count() {
            0 => String::new(),
            bound => format!(
                " In {bound} of {} cells the client's one thread was more than {:.0} % busy: the broker can do more.",
                self.cells.len(),
                CLIENT_BOUND * 100.0
            ),
        };
        match self.fastest() {
            Some(cell) => format!(
                "Fastest: {:.0} MB/s ({} records/s) at {}.{bound} {books}",
                cell.mb_per_second,
                grouped(cell.records_per_second as u64),
                cell.name
            ),
            None => books,
        }
    }
}
