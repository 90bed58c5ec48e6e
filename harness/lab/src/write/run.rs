//! One run of one cell: threads that append as the setting says, watched.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_timerslack;
use ringbench_stats::{Latencies, Pace};

use super::{Source, Strategy, Target, Writer};
use crate::bench::Bench;
use crate::sample::{Sample, Syncs};
use crate::setting::{Load, Preparation, SyncPolicy, WriteSetting};
use crate::stretch::Stretch;

/// A thread that sleeps until the next append is due is woken within this, not within the default 50 µs. prctl(2).
const TIMER_SLACK_NS: u64 = 1;

/// Appends up to so much that wait for nothing take as little as a third of a microsecond, of which a look at the clock for each would
/// be a tenth. Bytes.
const BRIEF_BYTES: usize = 16 << 10;

/// One of so many brief appends is timed.
const TIMED: u64 = 32;

/// Runs the cell once. Each writer's file is made before and removed afterwards; neither is measured.
pub(crate) fn run(strategy: &dyn Strategy, setting: &WriteSetting, bench: &Bench<'_>) -> io::Result<Sample> {
    let capacity_bytes = capacity(setting, bench.budget.bytes);
    let stretch = Stretch::new(setting.writers).counting(bench.counts_calls);
    let writer = |number: usize| {
        let path = bench.directory.join(format!("writer-{number}"));
        let open = || strategy.open(Target::new(&path, setting, capacity_bytes, Source::of(setting)?)?);
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

/// What one writer may append: whole batches within its share of the budget, and one at least. A quarter of that where the file is
/// written before, which takes longer than the run.
pub(crate) fn capacity(setting: &WriteSetting, budget_bytes: u64) -> u64 {
    let budget_bytes = if setting.prepare == Preparation::Prewritten { budget_bytes / 4 } else { budget_bytes };
    let batch_bytes = (setting.size_bytes * setting.queued) as u64;
    (budget_bytes / setting.writers as u64 / batch_bytes).max(1) * batch_bytes
}

/// One writer's appends.
struct Drive<'a> {
    setting: &'a WriteSetting,
    bench: &'a Bench<'a>,
    capacity_bytes: u64,
    begun: Instant,
    /// The last look at the clock. One for each append: it is most of what the bench costs.
    now: Instant,
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
            now: begun,
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
            Load::OfFastest { .. } => Err(io::Error::other("the rate was not resolved")),
        }
    }

    fn saturate(&mut self, writer: &mut dyn Writer) -> io::Result<()> {
        let queued = self.setting.queued;
        let waits = matches!(self.setting.sync, SyncPolicy::Every | SyncPolicy::Group);
        let untimed = if self.setting.size_bytes <= BRIEF_BYTES && !waits { TIMED - 1 } else { 0 };
        while self.goes_on(queued) {
            let called = self.now;
            self.append(writer, queued)?;
            let took = self.look() - called;
            (0..queued).for_each(|_| self.latencies.record(took));
            if untimed > 0 {
                (0..untimed.min(self.room(queued))).try_for_each(|_| self.append(writer, queued))?;
                self.look();
            }
        }
        Ok(())
    }

    fn keep_pace(&mut self, writer: &mut dyn Writer, pace: Pace) -> io::Result<()> {
        set_timerslack(TIMER_SLACK_NS)?;
        let room = self.capacity_bytes / self.setting.size_bytes as u64;
        let due_by = |elapsed| pace.due_by(elapsed).min(room);
        let mut done = 0;
        while self.goes_on(1) && pace.due(done) < self.bench.budget.duration {
            let elapsed = self.look() - self.begun;
            let count = due_by(elapsed).saturating_sub(done).min(self.setting.queued as u64);
            if count == 0 {
                thread::sleep(pace.due(done).saturating_sub(elapsed));
                continue;
            }
            self.append(writer, count as usize)?;
            let elapsed = self.look() - self.begun;
            (done..done + count).for_each(|n| self.latencies.record(elapsed.saturating_sub(pace.due(n))));
            done += count;
        }
        // What was due and could not be begun has waited until now at least.
        let elapsed = self.now - self.begun;
        (done..due_by(elapsed)).for_each(|n| self.latencies.record(elapsed.saturating_sub(pace.due(n))));
        Ok(())
    }

    fn look(&mut self) -> Instant {
        self.now = Instant::now();
        self.now
    }

    fn goes_on(&self, count: usize) -> bool {
        self.room(count) > 0
            && self.now - self.begun < self.bench.budget.duration
            && !self.bench.stop.load(Ordering::Relaxed)
    }

    /// How many more batches of so many the file may take.
    fn room(&self, count: usize) -> u64 {
        (self.capacity_bytes - self.position) / (count * self.setting.size_bytes) as u64
    }

    fn append(&mut self, writer: &mut dyn Writer, count: usize) -> io::Result<()> {
        match self.setting.sync {
            SyncPolicy::None => self.write(writer, count, false),
            SyncPolicy::Group => self.write(writer, count, true),
            SyncPolicy::Every => (0..count).try_for_each(|_| self.write(writer, 1, true)),
            SyncPolicy::Interval(interval) => {
                self.write(writer, count, false)?;
                if self.now - self.synced >= interval {
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
        let called = durable.then(Instant::now);
        writer.append(self.position, count, durable)?;
        self.position += (count * self.setting.size_bytes) as u64;
        if let Some(called) = called {
            self.note_sync(called.elapsed());
        }
        Ok(())
    }

    fn note_sync(&mut self, took: Duration) {
        self.syncs.count += 1;
        self.syncs.time += took;
    }
}
