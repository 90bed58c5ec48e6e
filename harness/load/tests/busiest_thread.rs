//! A client with threads of its own: the busiest of them counts, though no load thread has it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ringbench_load::driver::{Declaration, Driver, Layout, NullDriver, Produce, Record};
use ringbench_load::workload::Workload;
use ringbench_load::{Conditions, LoadError, Pool, Stop, run_cell};
use ringbench_stats::Cost;
use tokio::sync::oneshot;

/// What the thread works for each record. Seconds of a processor.
const WORK_SECONDS: f64 = 0.002;

/// Hands each record to a thread, which works and then acknowledges it.
struct Threaded;

struct ThreadedProducer(mpsc::Sender<oneshot::Sender<()>>);

impl Driver for Threaded {
    type Producer = ThreadedProducer;
    type Consumer = NullDriver;

    fn declares(&self) -> Declaration {
        NullDriver.declares()
    }

    async fn prepare(&self, _: &Layout) -> Result<Declaration, LoadError> {
        Ok(self.declares())
    }

    async fn producer(&self, _: &Layout, _: usize) -> Result<ThreadedProducer, LoadError> {
        let (sender, records) = mpsc::channel::<oneshot::Sender<()>>();
        std::thread::spawn(move || {
            for acknowledge in records {
                let before = Cost::of_this_thread();
                while Cost::of_this_thread().since(&before).cpu_seconds() < WORK_SECONDS {}
                let _ = acknowledge.send(());
            }
        });
        // Who counts may come late, and a thread that has ended can't be looked at.
        std::mem::forget(sender.clone());
        Ok(ThreadedProducer(sender))
    }

    async fn consumer(&self, _: &Layout, _: u32, _: &[u32]) -> Result<NullDriver, LoadError> {
        Ok(NullDriver)
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Produce for ThreadedProducer {
    type Receipt = Pin<Box<dyn Future<Output = Result<(), LoadError>>>>;

    async fn send(&mut self, _: Record<'_>) -> Result<Self::Receipt, LoadError> {
        let (acknowledge, acknowledged) = oneshot::channel();
        self.0.send(acknowledge).unwrap();
        Ok(Box::pin(async { acknowledged.await.map_err(|_| LoadError::Panicked) }))
    }

    fn idle(&mut self) {}
}

#[test]
fn the_busiest_thread_may_be_one_that_the_client_began() {
    let text = "arrival: closed\ninFlight: 1\nsubscriptionsPerTopic: 0\nwarmupDuration: 50ms\ntestDuration: 500ms\n";
    let cell = Workload::parse("test.yaml".as_ref(), text).unwrap().cells.remove(0);
    let pool = Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap());
    let (stop, patience, reads_back) = (Stop::default(), Duration::from_secs(10), false);
    let conditions = Conditions { run: 1, seed: 7, threads: 1, target_pid: None, pool, patience, reads_back, stop };
    let outcome = run_cell(&Threaded, &cell, &conditions).unwrap();
    // One record may have been begun before counting began; and who counts may begin a little late, and end so.
    let worked = outcome.acked_records as f64 * WORK_SECONDS;
    assert!(
        outcome.acked_records > 0 && outcome.busiest_thread_seconds > worked / 2.0,
        "{} {worked}",
        outcome.busiest_thread_seconds
    );
}
