//! What a figure was measured on, without which it means nothing: the environment card, and what the host does alone.

use ringbench_stats::Host;

use crate::document::Table;
use crate::numbers::{digits, grouped};
use crate::results::FloorPart;

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
