//! `report.md`: the tables, for those who read in a terminal or a pull request.

use std::fmt::Write as _;

use crate::results::{Results, grouped, milliseconds};
use crate::utc;

pub(crate) fn render(results: &Results) -> String {
    let mut out = String::new();
    let Results { host, broker, corpus, .. } = results;
    // Writing to a string can't fail.
    let _ = writeln!(out, "# {}\n\n**{}**\n", results.title, results.verdict());
    let _ = writeln!(
        out,
        "{} · {} · {} · took {:.0} s · durability: {}\n",
        utc::text(results.started_unix_ms),
        broker.name,
        broker.backend,
        results.took_seconds,
        broker.durability
    );
    out.push_str("## Throughput\n\n| cell | records/s | MB/s | on the wire | of the floor | read back MB/s | broker CPU s/GiB | client CPU s/GiB | client busy |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for cell in &results.cells {
        let _ = writeln!(
            out,
            "| {} | {} | {:.1} | {} | {} | {:.0} | {} | {:.2} | {:.0} % |",
            cell.label(),
            grouped(cell.records_per_second as u64),
            cell.mb_per_second,
            cell.wire_mb_per_second.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1} MB/s")),
            cell.share_of_floor.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0)),
            cell.read_mb_per_second,
            cell.broker_cpu_per_gib.map_or_else(|| "–".to_owned(), |cpu| format!("{cpu:.2}")),
            cell.client_cpu_per_gib,
            cell.client_busy * 100.0,
        );
    }
    out.push_str("\n## Latency, from when each record was due\n\nMilliseconds; – where fewer than ten samples lie beyond. In brackets from when it was handed to the producer.\n\n| cell | offered/s | achieved | p50 | p90 | p99 | p99.9 | max |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for cell in &results.cells {
        let quoted = |percent: f64| {
            let service =
                cell.service.iter().find(|found| found.percent == percent).and_then(|found| found.milliseconds);
            format!("{} ({})", milliseconds(cell.latency_ms(percent)), milliseconds(service))
        };
        let _ = writeln!(
            out,
            "| {} | {} | {:.0} % | {} | {} | {} | {} | {} |",
            cell.label(),
            grouped(cell.offered_per_second as u64),
            cell.achieved_per_second / cell.offered_per_second * 100.0,
            quoted(50.0),
            quoted(90.0),
            quoted(99.0),
            quoted(99.9),
            milliseconds(Some(cell.latency_max_ms)),
        );
    }
    out.push_str("\n## Ledger\n\n| cell | sent | acknowledged | read back | lost | duplicated | reordered | corrupt | refused |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for cell in &results.cells {
        let ledger = &cell.ledger;
        let counts = [
            ledger.sent,
            ledger.acked,
            ledger.read,
            ledger.lost,
            ledger.duplicated,
            ledger.reordered,
            ledger.corrupt,
            ledger.failed,
        ];
        let _ = writeln!(out, "| {} | {} |", cell.label(), counts.map(grouped).join(" | "));
    }
    out.push_str("\n## What this host does alone\n\n| part | a second | rounds |\n|---|--:|--:|\n");
    for part in &results.floor {
        let _ = writeln!(
            out,
            "| {} | {:.2} {} | {:.2} to {:.2} |",
            part.name, part.per_second, part.unit, part.low, part.high
        );
    }
    let _ = writeln!(out, "\n## Environment\n\n| | |\n|---|---|");
    for (name, value) in environment(results) {
        let _ = writeln!(out, "| {name} | {value} |");
    }
    let _ = writeln!(
        out,
        "\nText: {}, {} bytes, CRC-32C {:08x}, {:.0} bytes a record.\n\nRepeat: `{}`",
        corpus.source,
        grouped(corpus.bytes as u64),
        corpus.crc32c,
        corpus.mean_record_bytes,
        results.command
    );
    let _ = writeln!(
        out,
        "\nOne host, one broker, client and broker share {} processors: not comparable with figures of a cluster.",
        host.cpus
    );
    out
}

/// The environment card.
pub(crate) fn environment(results: &Results) -> Vec<(&'static str, String)> {
    let Results { host, broker, .. } = results;
    let machine = if host.virtual_machine { " (virtual machine)" } else { "" };
    vec![
        ("processor", format!("{} × {}{machine}", host.cpus, host.cpu)),
        ("governor", host.governor.clone()),
        ("memory", format!("{} MiB", grouped(host.memory_mib))),
        ("kernel", host.kernel.clone()),
        ("data on", host.mount.clone()),
        ("device", format!("{}, scheduler {}, cache {}", host.device, host.scheduler, host.write_cache)),
        ("load average before", host.load_average.clone()),
        ("commit", host.commit.clone()),
        ("broker", format!("{}, backend {}", broker.name, broker.backend)),
        ("ready after", broker.ready_ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"))),
        ("resident at the end", broker.resident_mib.map_or_else(|| "–".to_owned(), |mib| format!("{mib:.0} MiB"))),
        ("seed", results.seed.to_string()),
    ]
}
