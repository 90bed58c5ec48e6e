//! The host's roofline as results show it.

use ringbench_report::FloorPart;
use ringbench_stats::{Interval, Roofline};

/// A line for each part.
pub(crate) fn parts(roofline: &Roofline) -> Vec<FloorPart> {
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
