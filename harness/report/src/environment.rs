//! What a figure was measured on, without which it means nothing: the environment card, and what the host does alone.

use ringbench_stats::{Host, Interval, Roofline};
use serde::{Deserialize, Serialize};

use crate::document::Table;
use crate::numbers::{digits, grouped};

/// One part of the host's floor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FloorPart {
    /// What it is.
    pub name: String,
    /// A second: the median of its rounds.
    pub per_second: f64,
    /// The slowest round.
    pub low: f64,
    /// The fastest round.
    pub high: f64,
    /// Of what.
    pub unit: String,
}

impl FloorPart {
    /// A line for each part.
    #[must_use]
    pub fn all(roofline: &Roofline) -> Vec<FloorPart> {
        let part = |name: &str, of: Interval, scale: f64, unit: &str| FloorPart {
            name: name.to_owned(),
            per_second: of.median / scale,
            low: of.low / scale,
            high: of.high / scale,
            unit: unit.to_owned(),
        };
        let gigabytes = |name, of| part(name, of, 1e9, "GB");
        let half = roofline.fdatasync_p50_us.median;
        let sync = format!("fdatasync of a pre-written page (half of them within {half:.0} µs)");
        vec![
            gigabytes("copying in memory", roofline.memcpy),
            gigabytes("CRC-32C", roofline.crc32c),
            gigabytes("appending to a file, into the page cache", roofline.page_cache_write),
            gigabytes("writing into cached pages", roofline.page_cache_rewrite),
            gigabytes("loopback, socket to socket", roofline.loopback),
            gigabytes("loopback, file to socket by sendfile", roofline.sendfile),
            gigabytes("receive, CRC and append: the floor of a broker", roofline.receive_crc_write),
            part(&sync, roofline.fdatasyncs, 1.0, "times"),
        ]
    }
}

/// Names and values; `data` says what lies on the mount.
pub(crate) fn rows(host: &Host, data: &'static str) -> Vec<(&'static str, String)> {
    let machine = if host.virtual_machine { " (virtual machine)" } else { "" };
    vec![
        ("processor", format!("{} × {}{machine}", host.cpus, host.cpu)),
        ("governor", host.governor.clone()),
        ("memory", format!("{} MiB", grouped(host.memory_mib))),
        ("kernel", host.kernel.clone()),
        (data, host.mount.clone()),
        ("device", format!("{}, scheduler {}, cache {}", host.device, host.scheduler, host.write_cache)),
        ("load average before", host.load_average.clone()),
        ("commit", host.commit.clone()),
    ]
}

/// What the host's parts do alone.
pub(crate) fn floor(parts: &[FloorPart]) -> Table {
    let row = |part: &FloorPart| {
        let (low, high) = (digits(part.low), digits(part.high));
        vec![part.name.clone(), format!("{} {}", digits(part.per_second), part.unit), format!("{low} to {high}")]
    };
    Table::new(&["part", "a second", "rounds"], parts.iter().map(row).collect())
}
