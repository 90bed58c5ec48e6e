//! One run of one cell: threads that append as the setting says, watched.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_timerslack;
use ringbench_stats::{Latencies, Pace};

use super::{Source, Strategy, Target, Writer};
use crate::lab::{Bench, Budget};
use crate::sample::{Sample, Syncs};
use crate::setting::{Load, Preparation, SyncPolicy, WriteSetting};
use crate::stretch::Stretch;

/// Of what waits in an open loop, the most that is handed over at once.
const MOST_QUEUED: u64 = 64;
/// A thread that sleeps until the next append is due is woken within this, not within the default 50 µs. prctl(2).
const TIMER_SLACK_NS: u64 = 1;

/// Runs the cell once. Each writer's file is made before and removed afterwards; neither is measured.
pub(crate) fn run(strategy: &dyn Strategy, setting: &WriteSetting, bench: &Bench<'_>) -> io::Result<Sample> {
    let capacity_bytes = capacity(setting, bench.budget.bytes);
    let stretch = Stretch::new(setting.writers);
    let writer = |number: usize| {
        let path = bench.directory.join(format!("writer-{number}"));
        let open = || strategy.open(Target::new(&path, setting, capacity_bytes, Source::new()?)?);
        let driven = stretch.run(open, |writer| {
            let mut drive = Drive::new(setting, capacity_bytes, bench);
            drive.all(writer.as_mut())?;
            Ok(drive)
        });
        // What is dirty goes with the file: it is no burden on the next run.
        std::fs::remove_file(&path)?;
        driven
    };
    thread::scope(|scope| {
        let writer = &writer;
        let threads: Vec<_> = (0..setting.writers).map(|number| scope.spawn(move || writer(number))).collect();
        let mut sample = stretch.watch();
        for thread in threads {
            let driven = thread.join().unwrap_or_else(|_| Err(io::Error::other("a writer's thread panicked")))?;
            let Some(drive) = driven else { continue };
            sample.bytes += drive.position;
            sample.latencies.merge(&drive.latencies);
            sample.syncs.count += drive.syncs.count;
            sample.syncs.time += drive.syncs.time;
        }
        Ok(sample)
    })
}

/// What one writer may append: whole batches within its share of the budget, and one at least.
pub(crate) fn capacity(setting: &WriteSetting, budget_bytes: u64) -> u64 {
    let batch_bytes = (setting.size_bytes * setting.queued) as u64;
    (budget_bytes / setting.writers as u64 / batch_bytes).max(1) * batch_bytes
}

/// One writer's appends.
struct Drive<'a> {
    setting: &'a WriteSetting,
    bench: &'a Bench<'a>,
    capacity_bytes: u64,
    begun: Instant,
    synced: Instant,
    /// Where the next append goes.
    position: u64,
    latencies: Latencies,
    syncs: Syncs,
}

impl<'a> Drive<'a> {
    fn new(setting: &'a WriteSetting, capacity_bytes: u64, bench: &'a Bench<'a>) -> Drive<'a> {
        let begun = Instant::now();
        Drive {
            setting,
            bench,
            capacity_bytes,
            begun,
            synced: begun,
            position: 0,
            latencies: Latencies::default(),
            syncs: Syncs::default(),
        }
    }

    /// Appends until the time is over, the file full, or somebody has asked for the end.
    fn all(&mut self, writer: &mut dyn Writer) -> io::Result<()> {
        match self.setting.load {
            Load::Saturated => self.saturate(writer),
            Load::PerSecond(rate) => self.keep_pace(writer, Pace::new(rate / self.setting.writers as f64)),
        }
    }

    fn saturate(&mut self, writer: &mut dyn Writer) -> io::Result<()> {
        while self.goes_on(self.setting.queued) {
            let called = Instant::now();
            self.append(writer, self.setting.queued)?;
            let took = called.elapsed();
            (0..self.setting.queued).for_each(|_| self.latencies.record(took));
        }
        Ok(())
    }

    fn keep_pace(&mut self, writer: &mut dyn Writer, pace: Pace) -> io::Result<()> {
        set_timerslack(TIMER_SLACK_NS)?;
        let mut done = 0;
        loop {
            let waiting = pace.due_by(self.begun.elapsed()).saturating_sub(done);
            let count = waiting.min(MOST_QUEUED) as usize;
            if !self.goes_on(count) {
                return Ok(());
            }
            if count == 0 {
                thread::sleep(pace.due(done).saturating_sub(self.begun.elapsed()));
                continue;
            }
            self.append(writer, count)?;
            let elapsed = self.begun.elapsed();
            for n in done..done + count as u64 {
                self.latencies.record(elapsed.saturating_sub(pace.due(n)));
            }
            done += count as u64;
        }
    }

    fn goes_on(&self, count: usize) -> bool {
        let end = self.position + (count * self.setting.size_bytes) as u64;
        end <= self.capacity_bytes
            && self.begun.elapsed() < self.bench.budget.duration
            && !self.bench.stop.load(Ordering::Relaxed)
    }

    fn append(&mut self, writer: &mut dyn Writer, count: usize) -> io::Result<()> {
        match self.setting.sync {
            SyncPolicy::None => self.write(writer, count, false),
            SyncPolicy::Group => self.write(writer, count, true),
            SyncPolicy::Every => (0..count).try_for_each(|_| self.write(writer, 1, true)),
            SyncPolicy::Interval(interval) => {
                self.write(writer, count, false)?;
                if self.synced.elapsed() >= interval {
                    let called = Instant::now();
                    writer.sync()?;
                    self.note_sync(called.elapsed());
                    self.synced = Instant::now();
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, writer: &mut dyn Writer, count: usize, durable: bool) -> io::Result<()> {
        let called = Instant::now();
        writer.append(self.position, count, durable)?;
        self.position += (count * self.setting.size_bytes) as u64;
        if durable {
            self.note_sync(called.elapsed());
        }
        Ok(())
    }

    fn note_sync(&mut self, took: Duration) {
        self.syncs.count += 1;
        self.syncs.time += took;
    }
}

/// Writes the whole budget once and forgets it, so that the memory behind the page cache has been touched.
pub(crate) fn run_untimed(bench: &Bench<'_>) -> io::Result<()> {
    let setting = WriteSetting {
        size_bytes: 1 << 20,
        sync: SyncPolicy::None,
        prepare: Preparation::Extend,
        writers: 1,
        queued: 1,
        load: Load::Saturated,
    };
    let budget = Budget { duration: Duration::from_secs(60), ..bench.budget };
    run(&super::pwrite::Pwrite, &setting, &Bench { budget, ..*bench }).map(drop)
}
