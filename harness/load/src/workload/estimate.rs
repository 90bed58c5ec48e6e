//! What a workload will take, said before it begins.

use std::time::Duration;

use super::{CellSpec, Workload};

/// What a cell takes beside warm-up and load: a broker's start, topics, and the rest of the reading.
const AROUND: Duration = Duration::from_secs(3);
/// What is taken for a broker that is loaded as far as it goes, bytes of records a second. Two shared processors did 200 to 400 MB/s.
const AS_FAST_AS_IT_GOES: f64 = 300e6;

/// What it takes, by guess where the broker decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Of everything.
    pub time: Duration,
    /// The most that one run has on disk, before compression. Bytes.
    pub disk_bytes: u64,
}

impl Workload {
    /// What all repeats of all cells take.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let each = self.cells.iter().map(CellSpec::estimate);
        let all = Estimate { time: Duration::ZERO, disk_bytes: 0 };
        each.fold(all, |all, cell| Estimate {
            time: all.time.saturating_add(cell.time.saturating_mul(self.repeats)),
            disk_bytes: all.disk_bytes.max(cell.disk_bytes),
        })
    }
}

impl CellSpec {
    /// What one run of it takes.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let offered = self.arrival.per_second().map(|records| records * self.message_bytes as f64);
        let bytes_per_s = offered.map_or(AS_FAST_AS_IT_GOES, |offered| offered.min(AS_FAST_AS_IT_GOES));
        // A backlog is built as fast as it goes, whatever the rate afterwards, and consumed again.
        let backlog = Duration::from_secs_f64(self.backlog_bytes as f64 / AS_FAST_AS_IT_GOES * 2.0);
        let load = self.warm_up.saturating_add(self.duration);
        let produced = load.as_secs_f64() * bytes_per_s + self.backlog_bytes as f64;
        Estimate {
            time: load.saturating_add(backlog).saturating_add(AROUND),
            disk_bytes: self.kept_bytes().map_or(produced, |kept| produced.min(kept)) as u64,
        }
    }

    /// What retention leaves of all partitions.
    fn kept_bytes(&self) -> Option<f64> {
        let bytes = |setting: &str| self.topic_settings.get(setting)?.parse::<f64>().ok();
        let segment = bytes("segment.bytes").unwrap_or(f64::from(1 << 30));
        let kept = bytes("retention.bytes").filter(|kept| *kept >= 0.0)?;
        Some((kept + segment) * f64::from(self.partitions_per_topic) * f64::from(self.topics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn estimate(text: &str) -> Estimate {
        Workload::parse(Path::new("some.yaml"), text).unwrap().estimate()
    }

    #[test]
    fn time_is_that_of_all_repeats_and_disk_that_of_the_largest_cell() {
        let text = "messageSize: 1000\ntestDuration: 8s\nwarmupDuration: 2s\nrepeats: 5\nsweep: {producerRate: [1000, 10000]}\n";
        assert_eq!(estimate(text), Estimate { time: Duration::from_secs(130), disk_bytes: 100_000_000 });
    }

    #[test]
    fn retention_bounds_what_is_on_disk() {
        let text = "producerRate: 10000\ntestDuration: 10h\npartitionsPerTopic: 6\ntopic: {retention.bytes: 1000, segment.bytes: 1000}\n";
        assert_eq!(estimate(text).disk_bytes, 12_000);
    }
}
