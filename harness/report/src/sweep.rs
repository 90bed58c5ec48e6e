//! The report of `ringbench quick`.

use ringbench_stats::Percentile;

use crate::chart::{Bar, bars, ranges};
use crate::document::{Block, Document, Figure, Table, Verdict};
use crate::environment;
use crate::numbers::{DASH, grouped, milliseconds};
use crate::quick::{CellResult, Results};
use crate::utc;

pub(crate) fn document(results: &Results) -> Document {
    let Results { broker, corpus, .. } = results;
    let section = |title: &str| Block::Section(title.to_owned());
    let text = format!(
        "Text: {}, {} bytes, CRC-32C {:08x}, {:.0} bytes a record.",
        corpus.source,
        grouped(corpus.bytes as u64),
        corpus.crc32c,
        corpus.mean_record_bytes
    );
    let alone = format!(
        "One host, one broker; client and broker share {} processors: not comparable with figures of a cluster. Raw histograms are in results.json.",
        results.host.cpus
    );
    let void: Vec<String> = results.void_cells().into_iter().map(|cell| format!("Void: {}.", cell.name)).collect();
    Document {
        title: results.title.clone(),
        about: format!(
            "{} · {} · backend {} · durability: {} · took {:.0} s",
            utc::text(results.started_unix_ms),
            broker.name,
            broker.backend,
            broker.durability,
            results.took_seconds
        ),
        verdict: Verdict { summary: results.verdict(), sayings: Vec::new(), warnings: void },
        blocks: vec![
            section("Throughput"),
            Block::Figures(vec![throughput(results)]),
            section("Latency, from when each record was due"),
            Block::Figures(vec![latency(results)]),
            section("Ledger"),
            Block::Table(ledger(results)),
            section("What this host does alone"),
            Block::Table(environment::floor(&results.floor)),
            section("Environment"),
            Block::Table(surroundings(results)),
            Block::Text(text),
            Block::Command("Repeat".to_owned(), results.command.clone()),
            Block::Text(alone),
        ],
    }
}

fn throughput(results: &Results) -> Figure {
    let mut cells: Vec<&CellResult> = results.cells.iter().collect();
    cells.sort_by(|a, b| b.mb_per_second.total_cmp(&a.mb_per_second));
    let bar = |cell: &&CellResult| Bar {
        name: cell.label(),
        parts: vec![cell.mb_per_second],
        note: format!("{:.0}", cell.mb_per_second),
    };
    let dash = || DASH.to_owned();
    let rows = cells.iter().map(|cell| {
        vec![
            cell.label(),
            grouped(cell.records_per_second as u64),
            format!("{:.1}", cell.mb_per_second),
            cell.wire_mb_per_second.map_or_else(dash, |rate| format!("{rate:.1}")),
            cell.share_of_floor.map_or_else(dash, |share| format!("{:.0} %", share * 100.0)),
            format!("{:.0}", cell.read_mb_per_second),
            cell.broker_cpu_per_gib.map_or_else(dash, |cpu| format!("{cpu:.2}")),
            format!("{:.2}", cell.client_cpu_per_gib),
            format!("{:.0} %", cell.client_busy * 100.0),
        ]
    });
    let head = ["cell", "records/s", "MB/s", "wire", "of floor", "read", "broker", "client", "busy"];
    Figure {
        name: "throughput".to_owned(),
        title: "Acknowledged records before compression, as fast as one producer goes".to_owned(),
        chart: bars("Throughput", "MB/s", &cells.iter().map(bar).collect::<Vec<_>>(), false),
        caption: "wire: MB/s as compressed; of floor: that as a share of what receive, CRC and write do alone on this host; read: MB/s when reading back; broker and client: processor seconds for each GiB of records; busy: how much of its one thread the client used.".to_owned(),
        table: Table::new(&head, rows.collect()),
    }
}

fn latency(results: &Results) -> Figure {
    let mut cells: Vec<&CellResult> = results.cells.iter().collect();
    cells.sort_by(|a, b| a.latency_ms(99.0).unwrap_or(f64::MAX).total_cmp(&b.latency_ms(99.0).unwrap_or(f64::MAX)));
    let range = |cell: &&CellResult| (cell.label(), cell.latency_ms(50.0), cell.latency_ms(99.0), cell.latency_max_ms);
    let rows = cells.iter().map(|cell| {
        let service = |percent: f64| {
            cell.service
                .iter()
                .find(|found: &&Percentile| found.percent == percent)
                .and_then(|found| found.milliseconds)
        };
        let quoted =
            |percent: f64| format!("{} ({})", milliseconds(cell.latency_ms(percent)), milliseconds(service(percent)));
        vec![
            cell.label(),
            grouped(cell.offered_per_second as u64),
            format!("{:.0} %", cell.achieved_per_second / cell.offered_per_second * 100.0),
            quoted(50.0),
            quoted(90.0),
            quoted(99.0),
            quoted(99.9),
            milliseconds(Some(cell.latency_max_ms)),
        ]
    });
    Figure {
        name: "latency".to_owned(),
        title: "At half of the cell's own throughput, open loop: a stall counts for every record that was due during it"
            .to_owned(),
        chart: ranges("Latency", &cells.iter().map(range).collect::<Vec<_>>()),
        caption: "Median (blue) to 99th percentile (orange), the mark is the longest. In brackets: from when the record was handed to the producer. – where fewer than ten samples lie beyond.".to_owned(),
        table: Table::new(
            &["cell", "offered/s", "achieved", "p50 ms", "p90", "p99", "p99.9", "max"],
            rows.collect(),
        ),
    }
}

fn ledger(results: &Results) -> Table {
    let rows = results.cells.iter().map(|cell| {
        let books = &cell.ledger;
        let counts = [
            books.sent,
            books.acked,
            books.read,
            books.lost,
            books.duplicated,
            books.reordered,
            books.corrupt,
            books.failed,
        ];
        std::iter::once(cell.label()).chain(counts.map(grouped)).collect()
    });
    let head = ["cell", "sent", "acknowledged", "read back", "lost", "duplicated", "reordered", "corrupt", "refused"];
    Table::new(&head, rows.collect())
}

fn surroundings(results: &Results) -> Table {
    let broker = &results.broker;
    let mut rows = environment::rows(&results.host, "data on");
    rows.extend([
        ("broker", format!("{}, backend {}", broker.name, broker.backend)),
        ("ready after", broker.ready_ms.map_or_else(|| DASH.to_owned(), |ms| format!("{ms:.0} ms"))),
        ("resident at the end", broker.resident_mib.map_or_else(|| DASH.to_owned(), |mib| format!("{mib:.0} MiB"))),
        ("seed", results.seed.to_string()),
    ]);
    Table::card(rows)
}
