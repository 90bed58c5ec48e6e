//! The overhead: what the bench costs beside what it measures.

use ringbench_stats::Interval;

use crate::lab::Outcome;
use crate::sample::Sample;
use crate::setting::{Load, Setting};

/// The bench's part in the fastest way to write at one size: where it weighs most.
#[derive(Debug, Clone, Copy)]
pub struct Overhead {
    /// Size of one append. Bytes.
    pub size_bytes: usize,
    /// Index of the fastest cell in the outcome's.
    pub cell: usize,
    /// Processor time of the bench's loop around a writer that does nothing, for each append. Nanoseconds, the median of the rounds.
    pub bench_ns: f64,
    /// That of the cell, the bench's included.
    pub append_ns: f64,
}

impl Overhead {
    /// Of the processor time that the cell used.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.bench_ns / self.append_ns.max(f64::MIN_POSITIVE)
    }

    /// At each size that one writer appended to the page cache, one by one and as fast as it went; small sizes first.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Vec<Overhead> {
        let bench = |size_bytes| {
            let of_size = outcome.bench_ns.iter().filter(|(size, _)| *size == size_bytes);
            Interval::of(&of_size.map(|(_, ns)| *ns).collect::<Vec<_>>()).map(|rounds| rounds.median)
        };
        let mut fastest: Vec<(f64, Overhead)> = Vec::new();
        for (cell, one) in outcome.cells.iter().enumerate() {
            let Setting::Write(setting) = one.cell.setting else { continue };
            let median = |value: &dyn Fn(&Sample) -> f64| {
                Interval::of(&one.samples.iter().flatten().map(value).collect::<Vec<_>>()).map(|runs| runs.median)
            };
            if setting.load != Load::Saturated || setting.writers != 1 || setting.queued != 1 {
                continue;
            }
            let size_bytes = setting.size_bytes;
            let (Some(speed), Some(append_ns), Some(bench_ns)) =
                (median(&Sample::mb_per_s), median(&|run| run.cpu_ns(size_bytes)), bench(size_bytes))
            else {
                continue;
            };
            let found = (speed, Overhead { size_bytes, cell, bench_ns, append_ns });
            match fastest.iter_mut().find(|(_, known)| known.size_bytes == size_bytes) {
                Some(known) if known.0 >= speed => {}
                Some(known) => *known = found,
                None => fastest.push(found),
            }
        }
        fastest.sort_by_key(|(_, overhead)| overhead.size_bytes);
        fastest.into_iter().map(|(_, overhead)| overhead).collect()
    }
}
