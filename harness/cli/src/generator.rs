//! The generator as one run uses it: its threads, its seed, and the text that cells share.

use std::sync::Arc;
use std::time::Duration;

use ringbench_load::workload::{CellSpec, Durability};
use ringbench_load::{Conditions, LoadError, Outcome, Pool, Ready, Stop, Target};
use ringbench_stats::WriteBack;

use crate::fresh::unix_ms;

/// How long after the load what is missing may still come.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// Without a number of threads half as many as there are processors: the target needs the other half.
    pub(crate) fn new(seed: u64, threads: Option<usize>, stop: Stop) -> Generator {
        let half = std::thread::available_parallelism().map_or(1, usize::from) / 2;
        Generator { seed, threads: threads.unwrap_or(half.max(1)), stop, pool: None }
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
