//! `report.html`: one file that opens without a network, light and dark, printable; every chart with its table.

use std::fmt::Write as _;

use crate::chart;
use crate::markdown::environment;
use crate::results::{CellResult, Results, grouped, milliseconds};
use crate::utc;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2430;--dim:#5d6b7a;--paper:#fbfbf9;--card:#fff;--line:#e3e5e1;--bar:#2f6f8f;--accent:#c2571a;--soft:#9cc3d5;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{color-scheme:light dark;--ink:#e4e8ec;--dim:#98a5b3;--paper:#14181d;--card:#1b2128;--line:#2c343d;--bar:#5aa5c6;--accent:#e8935a;--soft:#35586a;--bad:#ff8a80}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:32px 20px 60px}h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px}
.verdict{font-size:18px;margin:14px 0 20px;padding:14px 18px;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--bar);border-radius:4px}
.void{border-left-color:var(--bad)}.dim{color:var(--dim)}figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:4px;padding:12px}
figcaption{color:var(--dim);font-size:13px;margin-top:6px}svg{width:100%;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .tick{fill:var(--dim);font-size:11px}svg .note{fill:var(--dim);font-size:11px}
.grid{stroke:var(--line)}.bar{fill:var(--bar)}.range{stroke:var(--soft);stroke-width:6;stroke-linecap:round}.median{fill:var(--bar)}.p99{fill:var(--accent)}.max{stroke:var(--dim);stroke-width:2}
.scroll{overflow-x:auto;margin-top:10px}table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:600}.card td:last-child{text-align:left;white-space:normal}
code{background:var(--card);border:1px solid var(--line);border-radius:3px;padding:1px 5px;font-size:13px;overflow-wrap:anywhere}
@media print{:root{--ink:#1c2430;--dim:#5d6b7a;--paper:#fff;--card:#fff;--line:#e3e5e1}body{background:#fff}figure,.verdict{break-inside:avoid}}
";

pub(crate) fn render(results: &Results) -> String {
    let mut out = String::new();
    let class = if results.void_cells().is_empty() { "verdict" } else { "verdict void" };
    // Writing to a string can't fail.
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p class=\"dim\">{when} · {broker} · backend {backend} · durability: {durability} · took {took:.0} s</p><p class=\"{class}\">{verdict}</p>",
        title = escape(&results.title),
        when = utc::text(results.started_unix_ms),
        broker = escape(&results.broker.name),
        backend = escape(&results.broker.backend),
        durability = escape(&results.broker.durability),
        took = results.took_seconds,
        verdict = escape(&results.verdict()),
    );
    throughput(&mut out, results);
    latency(&mut out, results);
    ledger(&mut out, results);
    floor(&mut out, results);
    surroundings(&mut out, results);
    out.push_str("</main></body></html>\n");
    out
}

fn throughput(out: &mut String, results: &Results) {
    let mut cells: Vec<&CellResult> = results.cells.iter().collect();
    cells.sort_by(|a, b| b.mb_per_second.total_cmp(&a.mb_per_second));
    let rows: Vec<_> =
        cells.iter().map(|cell| (cell.label(), cell.mb_per_second, format!("{:.0}", cell.mb_per_second))).collect();
    let _ = write!(
        out,
        "<h2>Throughput</h2><figure>{}<figcaption>Acknowledged records before compression, as fast as one producer goes.</figcaption></figure>",
        chart::bars(&rows, "MB/s")
    );
    let dash = || "–".to_owned();
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
    table(out, &head, rows);
    out.push_str("<p class=\"dim\">wire: MB/s as compressed; of floor: that as a share of what receive, CRC and append do alone on this host; read: MB/s when reading back; broker and client: processor seconds for each GiB of records; busy: how much of its one thread the client used.</p>");
}

fn latency(out: &mut String, results: &Results) {
    let mut cells: Vec<&CellResult> = results.cells.iter().collect();
    cells.sort_by(|a, b| a.latency_ms(99.0).unwrap_or(f64::MAX).total_cmp(&b.latency_ms(99.0).unwrap_or(f64::MAX)));
    let rows: Vec<_> = cells
        .iter()
        .map(|cell| (cell.label(), cell.latency_ms(50.0), cell.latency_ms(99.0), cell.latency_max_ms))
        .collect();
    let _ = write!(
        out,
        "<h2>Latency, from when each record was due</h2><figure>{}<figcaption>Median (blue) to 99th percentile (orange), the mark is the longest; at half of the cell's own throughput. Open loop: a stall counts for every record that was due during it.</figcaption></figure>",
        chart::ranges(&rows)
    );
    let rows = cells.iter().map(|cell| {
        let quoted = |percent: f64| {
            let service =
                cell.service.iter().find(|found| found.percent == percent).and_then(|found| found.milliseconds);
            format!("{} ({})", milliseconds(cell.latency_ms(percent)), milliseconds(service))
        };
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
    table(out, &["cell", "offered/s", "achieved", "p50 ms", "p90", "p99", "p99.9", "max"], rows);
    out.push_str("<p class=\"dim\">In brackets: from when the record was handed to the producer. – where fewer than ten samples lie beyond.</p>");
}

fn ledger(out: &mut String, results: &Results) {
    out.push_str("<h2>Ledger</h2>");
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
    table(
        out,
        &["cell", "sent", "acknowledged", "read back", "lost", "duplicated", "reordered", "corrupt", "refused"],
        rows,
    );
}

fn floor(out: &mut String, results: &Results) {
    out.push_str("<h2>What this host does alone</h2>");
    let rows = results.floor.iter().map(|part| {
        let rounds = format!("{:.2} to {:.2}", part.low, part.high);
        vec![part.name.clone(), format!("{:.2} {}", part.per_second, part.unit), rounds]
    });
    table(out, &["part", "a second", "rounds"], rows);
}

fn surroundings(out: &mut String, results: &Results) {
    out.push_str("<h2>Environment</h2><div class=\"card\">");
    let rows = environment(results).into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    table(out, &["", ""], rows);
    let corpus = &results.corpus;
    let _ = write!(
        out,
        "</div><p>Text: {}, {} bytes, CRC-32C {:08x}, {:.0} bytes a record.</p><p>Repeat: <code>{}</code></p><p class=\"dim\">One host, one broker; client and broker share {} processors: not comparable with figures of a cluster. Raw histograms are in results.json.</p>",
        escape(&corpus.source),
        grouped(corpus.bytes as u64),
        corpus.crc32c,
        corpus.mean_record_bytes,
        escape(&results.command),
        results.host.cpus
    );
}

fn table(out: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<div class=\"scroll\"><table><thead><tr>");
    for name in head {
        let _ = write!(out, "<th>{}</th>", escape(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for value in row {
            let _ = write!(out, "<td>{}</td>", escape(&value));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
