//! Targets that answer late, or never: what becomes of the records that are out when the load ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ringbench_load::driver::{Declaration, Driver, Layout, NullDriver, Produce, Record};
use ringbench_load::workload::Workload;
use ringbench_load::{Conditions, LoadError, Outcome, Pool, Stop, run_cell};

/// Longer than between two answers, and shorter than until the last.
const PATIENCE: Duration = Duration::from_secs(2);
const RECORDS: u32 = 8;

/// Answers one record after the other, each so long after the one before; without a time never.
#[derive(Clone)]
struct Slow(Option<Duration>);

struct SlowProducer {
    pause: Option<Duration>,
    sent: u32,
}

impl Driver for Slow {
    type Producer = SlowProducer;
    type Consumer = NullDriver;

    fn declares(&self) -> Declaration {
        NullDriver.declares()
    }

    async fn prepare(&self, _: &Layout) -> Result<Declaration, LoadError> {
        Ok(self.declares())
    }

    async fn producer(&self, _: &Layout, _: usize) -> Result<SlowProducer, LoadError> {
        Ok(SlowProducer { pause: self.0, sent: 0 })
    }

    async fn consumer(&self, _: &Layout, _: u32, _: &[u32]) -> Result<NullDriver, LoadError> {
        Ok(NullDriver)
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Produce for SlowProducer {
    type Receipt = Pin<Box<dyn Future<Output = Result<(), LoadError>>>>;

    async fn send(&mut self, _: Record<'_>) -> Result<Self::Receipt, LoadError> {
        self.sent += 1;
        let answered = self.pause.map(|pause| tokio::time::Instant::now() + pause * self.sent);
        Ok(Box::pin(async move {
            match answered {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
            Ok(())
        }))
    }

    fn idle(&mut self) {}
}

fn run(driver: &Slow, patience: Duration) -> Outcome {
    let text = format!(
        "arrival: closed\ninFlight: {RECORDS}\nsubscriptionsPerTopic: 0\nwarmupDuration: 0s\ntestDuration: 100ms\n"
    );
    let cell = Workload::parse("test.yaml".as_ref(), &text).unwrap().cells.remove(0);
    let pool = Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap());
    let (stop, reads_back) = (Stop::default(), false);
    let conditions = Conditions { run: 1, seed: 7, threads: 1, target_pid: None, pool, patience, reads_back, stop };
    run_cell(driver, &cell, &conditions).unwrap()
}

#[test]
fn answers_are_waited_for_as_long_as_some_come() {
    let outcome = run(&Slow(Some(Duration::from_millis(500))), PATIENCE);
    assert_eq!((outcome.verdict.acked, outcome.verdict.failed), (RECORDS.into(), 0), "{:?}", outcome.trouble);
}

#[test]
fn records_without_an_answer_are_counted_and_said() {
    let outcome = run(&Slow(None), Duration::from_millis(300));
    assert_eq!((outcome.verdict.acked, outcome.verdict.failed), (0, RECORDS.into()));
    let trouble = outcome.trouble.unwrap();
    assert!(trouble.contains("8 records of producer 0 had no answer, and none came for 0.3 s"), "{trouble}");
}
