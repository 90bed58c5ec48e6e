//! `cells.csv`: a line for each cell, for who goes on with other tools. Durability and acks stand in columns of their own.

use std::collections::BTreeSet;
use std::path::Path;

use super::shown::Shown;
use crate::error::ReportError;
use crate::results::LatencyUs;

/// Writes it (RFC 4180, but for ends of lines).
pub(super) fn write(shown: &Shown<'_>, directory: &Path) -> Result<(), ReportError> {
    let path = directory.join("cells.csv");
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, text(shown)));
    written.map_err(|source| ReportError::Write { path, source })
}

fn text(shown: &Shown<'_>) -> String {
    let settings: BTreeSet<&String> = shown.all().flat_map(|cell| cell.of.settings.keys()).collect();
    let head = ["key", "target", "product", "durability", "ack"].map(str::to_owned).into_iter();
    let figures = ["achieved_per_s", "mb_per_s", "received_mb_per_s"];
    let head = head.chain(settings.iter().map(|name| (*name).clone())).chain(["offered_per_s".to_owned()]);
    let head = head.chain(figures.into_iter().flat_map(|name| ["", "_low", "_high"].map(|end| format!("{name}{end}"))));
    let latencies = ["latency_us", "service_us", "end_to_end_us", "generator_lag_us"];
    let percentiles = ["p50", "p90", "p99", "p999", "max"];
    let head = head.chain(latencies.iter().flat_map(|of| percentiles.map(|percentile| format!("{of}_{percentile}"))));
    let rest = "acked,received,lost,duplicated,reordered,corrupt,failed,broker_cpu_s,client_cpu_s,wire_ratio,roofline_share,repeats,valid,why";
    let head = head.chain(rest.split(',').map(str::to_owned));
    let mut out = line(head);
    for cell in shown.all() {
        let of = cell.of;
        let product = cell.run.target(of).map(|target| target.product.clone()).unwrap_or_default();
        let (durability, ack) = (word(&of.declared.durability), word(&of.declared.ack));
        let first = [of.key.clone(), cell.target.clone(), product, durability, ack].into_iter();
        let values = settings.iter().map(|name| of.settings.get(*name).cloned().unwrap_or_default());
        let intervals = [of.intervals.achieved_per_s, of.intervals.mb_per_s, of.intervals.received_mb_per_s];
        let intervals = intervals.into_iter().flat_map(|interval| {
            let part = |part: fn(&ringbench_stats::Interval) -> f64| number(interval.as_ref().map(part));
            [part(|all| all.median), part(|all| all.low), part(|all| all.high)]
        });
        let latencies = [of.latency_us, of.service_us, of.end_to_end_us, of.generator_lag_us];
        let latencies = latencies
            .into_iter()
            .flat_map(|LatencyUs { p50, p90, p99, p999, max }| [p50, p90, p99, p999, max].map(number));
        let books = &of.ledger;
        let counts =
            [books.acked, books.received, books.lost, books.duplicated, books.reordered, books.corrupt, books.failed];
        let last = [of.broker_cpu_s, of.client_cpu_s, of.payload.wire_ratio, of.roofline_share].map(number);
        let end = [of.repeats.len().to_string(), of.valid.to_string(), of.why.clone().unwrap_or_default()];
        let fields = first.chain(values).chain([number(of.offered_per_s)]).chain(intervals).chain(latencies);
        out += &line(fields.chain(counts.map(|count| count.to_string())).chain(last).chain(end));
    }
    out
}

fn line(fields: impl Iterator<Item = String>) -> String {
    fields.map(|field| quoted(&field)).collect::<Vec<_>>().join(",") + "\n"
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// As results.json has it.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
