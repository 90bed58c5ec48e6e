//! The generator as one run uses it: its threads, its seed, and the text that cells share.

use std::sync::Arc;
use std::time::Duration;

use ringbench_load::workload::{CellSpec, Durability};
use ringbench_load::{Conditions, LoadError, Outcome, Pool, Ready, Stop, Target};
use ringbench_stats::WriteBack;

use crate::fresh::unix_ms;

/// How long after the load what is missing may still come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Its load threads, where nobody says how many: half as many as there are processors, for the target needs the other half.
pub(crate) fn usual_threads() -> usize {
    let half = std::thread::available_parallelism().map_or(1, usize::from) / 2;
    half.max(1)
}

/// The generator of one run.
#[derive(Debug)]
pub(crate) struct Generator {
    seed: u64,
    threads: usize,
    stop: Stop,
    /// The last cell's, which the next one often shares.
    pool: Option<(CellSpec, Arc<Pool>)>,
}

impl Generator {
    pub(crate) fn new(seed: u64, threads: usize, stop: Stop) -> Generator {
        Generator { seed, threads, stop, pool: None }
    }

    /// Runs a cell, the `order`-th of the run, once nothing of what ran before is dirty; gives what was sent as well.
    ///
    /// # Errors
    /// Those of [`Target::run`], and of a payload that can't be had.
    pub(crate) fn run(
        &mut self,
        cell: &CellSpec,
        order: usize,
        ready: &Ready,
    ) -> Result<(Outcome, Arc<Pool>), LoadError> {
        let (pool, target) = (self.pool(cell)?, &ready.target);
        // Who consumes from a sink that gives nothing back waits in vain.
        let unconsumed = (*target == Target::Null).then(|| CellSpec { subscriptions_per_topic: 0, ..cell.clone() });
        let cell = unconsumed.as_ref().unwrap_or(cell);
        let conditions = Conditions {
            run: (unix_ms() as u32).wrapping_mul(31).wrapping_add(order as u32),
            seed: self.seed.wrapping_add(order as u64),
            threads: self.threads,
            target_pid: ready.described.pid,
            pool: Arc::clone(&pool),
            patience: PATIENCE,
            reads_back: cell.verify && cell.durability > Durability::Memory && *target != Target::Null,
            stop: self.stop.clone(),
        };
        if *target != Target::Null {
            WriteBack::settle();
        }
        Ok((target.run(cell, &conditions)?, pool))
    }

    /// Cells of one payload share its text.
    fn pool(&mut self, cell: &CellSpec) -> Result<Arc<Pool>, LoadError> {
        if let Some((of, pool)) = &self.pool
            && (&of.payload, of.message_bytes) == (&cell.payload, cell.message_bytes)
        {
            return Ok(Arc::clone(pool));
        }
        let pool = Arc::new(Pool::new(&cell.payload, cell.message_bytes, self.seed)?);
        self.pool = Some((cell.clone(), Arc::clone(&pool)));
        Ok(pool)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ringbench_load::Subject;
    use ringbench_load::workload::Workload;

    use super::*;

    /// A new file, of dirty pages. It stays open: ext4 writes one that was truncated before back when it is closed.
    fn written(path: &Path) -> File {
        let mut file = File::create_new(path).unwrap();
        file.write_all(&[1; 64 << 10]).unwrap();
        file
    }

    /// How much of it is dirty: what a truncation keeps from being written is counted for its thread (proc_pid_io(5)).
    fn dirty_bytes_of(file: &File) -> u64 {
        let cancelled = || {
            let io = fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
            io.lines().find_map(|line| line.strip_prefix("cancelled_write_bytes: ")?.parse().ok()).unwrap_or(0u64)
        };
        let before = cancelled();
        file.set_len(0).unwrap();
        cancelled() - before
    }

    #[test]
    fn what_was_written_before_a_cell_is_on_disk_when_the_cell_begins() {
        // Not below /tmp, which often is memory and never dirty.
        let program = std::env::current_exe().unwrap();
        let directory = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
        let engine = directory.path().join("engine");
        fs::create_dir(&engine).unwrap();
        if dirty_bytes_of(&written(&directory.path().join("seen"))) == 0 {
            println!("no write-back is seen here: this file system has none, or the kernel does not count it");
            return;
        }
        let text = "messageSize: 100\nproducerRate: 100\nwarmupDuration: 0s\ntestDuration: 100ms\n";
        let cell = Workload::parse("test.yaml".as_ref(), text).unwrap().cells.remove(0);
        let ready = Subject::There(Target::Engine(engine.clone())).ready(&BTreeMap::new()).unwrap();
        let (before, has_ended) = (written(&directory.path().join("before")), AtomicBool::new(false));
        let dirty_bytes = std::thread::scope(|threads| {
            let at_its_begin = threads.spawn(|| {
                // The first that a cell does is to make its topics.
                while fs::read_dir(&engine).unwrap().next().is_none() && !has_ended.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                dirty_bytes_of(&before)
            });
            let ran = Generator::new(7, 1, Stop::default()).run(&cell, 0, &ready);
            has_ended.store(true, Ordering::Relaxed);
            assert!(ran.unwrap().0.verdict.is_clean());
            at_its_begin.join().unwrap()
        });
        assert_eq!(dirty_bytes, 0);
    }
}
