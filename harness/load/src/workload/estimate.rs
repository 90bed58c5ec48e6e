//! What a workload will take, said before it begins.

use std::time::Duration;

use super::{CellSpec, Consumption, Workload};

/// What a cell takes beside warm-up and load: a broker's start, topics, and the rest of the reading.
const AROUND: Duration = Duration::from_secs(3);
/// How long a broker waits for the first members of a group; by Kafka's default, which is ours.
const GROUPS_WAIT_MS: u64 = 3_000;
/// A cell that ends by what is written may take so much longer than guessed, and at least a minute.
const TIMES_THE_GUESS: u32 = 10;
const LEAST: Duration = Duration::from_secs(60);
/// How often a broker looks for what it may delete, and how long it keeps the files then; by Kafka's defaults.
const LOOKS_EVERY_MS: f64 = 300e3;
const DELETES_AFTER_MS: f64 = 60e3;
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
        // A backlog is built as fast as it goes, whatever the rate afterwards, and consumed again.
        let backlog = as_fast_as_it_goes(self.backlog_bytes as f64 * 2.0);
        let load = match (self.write_bytes, self.arrival.per_second()) {
            (Some(bytes), None) => as_fast_as_it_goes(bytes.saturating_sub(self.backlog_bytes) as f64),
            _ => self.warm_up.saturating_add(self.duration),
        };
        // What nobody consumes meanwhile is read back.
        let read_back = match self.write_bytes {
            Some(bytes) if self.consumers() == 0 && self.verify => as_fast_as_it_goes(bytes as f64),
            _ => Duration::ZERO,
        };
        // The groups of a cell form at the same time, before it begins.
        let forming = match self.consumption {
            Consumption::Group => {
                let wait = self.broker_settings.get("group.initial.rebalance.delay.ms").and_then(|ms| ms.parse().ok());
                Duration::from_millis(wait.unwrap_or(GROUPS_WAIT_MS))
            }
            Consumption::Assigned => Duration::ZERO,
        };
        Estimate {
            time: [backlog, read_back, forming, AROUND].into_iter().fold(load, Duration::saturating_add),
            disk_bytes: self.kept_bytes().map_or(self.produced_bytes(), |kept| self.produced_bytes().min(kept)) as u64,
        }
    }

    /// Whether retention deletes while it runs, as far as that can be told before.
    pub(super) fn passes_retention(&self) -> bool {
        let setting = |name: &str| self.topic_settings.get(name)?.parse::<f64>().ok();
        let kept = setting("retention.bytes").filter(|kept| *kept >= 0.0);
        kept.is_some_and(|kept| self.produced_bytes() > kept * self.partitions())
    }

    /// How long it counts where it ends by what is written: at a rate until then; without one the most that it may take, since its
    /// end is seen.
    pub(super) fn time_to_write(&self) -> Option<Duration> {
        let bytes = self.write_bytes?.saturating_sub(self.backlog_bytes) as f64;
        Some(match self.arrival.per_second() {
            Some(records) => {
                let load = Duration::try_from_secs_f64(bytes / (records * self.message_bytes as f64));
                load.unwrap_or(Duration::MAX).saturating_sub(self.warm_up)
            }
            None => as_fast_as_it_goes(bytes).saturating_mul(TIMES_THE_GUESS).max(LEAST),
        })
    }

    /// A second, by guess where the broker decides.
    fn bytes_per_s(&self) -> f64 {
        let offered = self.arrival.per_second().map(|records| records * self.message_bytes as f64);
        offered.map_or(AS_FAST_AS_IT_GOES, |offered| offered.min(AS_FAST_AS_IT_GOES))
    }

    fn produced_bytes(&self) -> f64 {
        let load = || self.warm_up.saturating_add(self.duration).as_secs_f64() * self.bytes_per_s();
        self.write_bytes.map_or_else(|| load() + self.backlog_bytes as f64, |bytes| bytes as f64)
    }

    fn partitions(&self) -> f64 {
        f64::from(self.partitions_per_topic) * f64::from(self.topics)
    }

    /// The most that retention leaves of all partitions: with a segment that is being written, and what comes until a broker looks
    /// and its files are gone.
    fn kept_bytes(&self) -> Option<f64> {
        let topic = |setting: &str| self.topic_settings.get(setting)?.parse::<f64>().ok();
        let looks_every = self.broker_settings.get("log.retention.check.interval.ms").and_then(|ms| ms.parse().ok());
        let kept = topic("retention.bytes").filter(|kept| *kept >= 0.0)?;
        let segment = topic("segment.bytes").unwrap_or(f64::from(1 << 30));
        let late_ms = looks_every.unwrap_or(LOOKS_EVERY_MS) + topic("file.delete.delay.ms").unwrap_or(DELETES_AFTER_MS);
        Some((kept + segment) * self.partitions() + self.bytes_per_s() * late_ms / 1e3)
    }
}

fn as_fast_as_it_goes(bytes: f64) -> Duration {
    Duration::from_secs_f64(bytes / AS_FAST_AS_IT_GOES)
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
    fn a_group_takes_the_time_that_its_broker_waits_for_members() {
        let cell = "testDuration: 8s\nwarmupDuration: 2s\nproducerRate: 1000\nconsumption: group\n";
        let delay = |ms: u32| format!("{cell}broker: {{group.initial.rebalance.delay.ms: {ms}}}\n");
        for (text, seconds) in [(cell, 16), (&delay(0), 13), (&delay(10_000), 23)] {
            assert_eq!(estimate(text).time, Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn retention_bounds_what_is_on_disk() {
        let text = "messageSize: 1000\nproducerRate: 10000\ntestDuration: 10h\npartitionsPerTopic: 6\n\
        topic: {retention.bytes: 1000, segment.bytes: 1000}\n";
        assert_eq!(estimate(text).disk_bytes, 12_000 + 360 * 10_000_000);
        let soon = format!("{text}broker: {{log.retention.check.interval.ms: 1000}}\n");
        assert_eq!(estimate(&soon).disk_bytes, 12_000 + 61 * 10_000_000);
    }

    #[test]
    fn what_is_larger_than_memory_takes_the_disk_and_the_time_of_its_bytes() {
        let memory = ringbench_stats::memory_bytes().unwrap();
        let Estimate { time, disk_bytes } = estimate("timesMemory: 1.5\nwarmupDuration: 1s\n");
        assert_eq!(disk_bytes, memory / 2 * 3);
        assert!(
            (time.as_secs_f64() - disk_bytes as f64 / AS_FAST_AS_IT_GOES - AROUND.as_secs_f64()).abs() < 0.01,
            "{time:?}"
        );
        let at_a_rate = estimate("timesMemory: 1.5\nwarmupDuration: 1s\nproducerRate: 1000\nmessageSize: 1000\n");
        assert_eq!(at_a_rate.disk_bytes, disk_bytes);
        assert!(
            (at_a_rate.time.as_secs_f64() - disk_bytes as f64 / 1e6 - AROUND.as_secs_f64()).abs() < 0.01,
            "{at_a_rate:?}"
        );
    }
}
