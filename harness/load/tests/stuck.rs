//! A target that takes some records and then no more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::time::Duration;

use ringbench_load::driver::{Ack, Consume, Declaration, Layout, Produce, Record};
use ringbench_load::workload::{Durability, Workload};
use ringbench_load::{Conditions, Driver, LoadError, Pool, Stop, run_cell};

const PATIENCE: Duration = Duration::from_millis(300);

/// Takes so many records of each producer.
#[derive(Clone, Copy)]
struct Takes(u64);

impl Driver for Takes {
    type Producer = Takes;
    type Consumer = Takes;

    fn declares(&self) -> Declaration {
        Declaration {
            driver: "stuck",
            durability: Durability::Memory,
            replication: 1,
            ack: Ack::Leader,
            pipelining: None,
            connections: 0,
            keys: true,
            settings: BTreeMap::new(),
        }
    }

    async fn prepare(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }

    async fn producer(&self, _: &Layout, _: usize) -> Result<Takes, LoadError> {
        Ok(*self)
    }

    async fn consumer(&self, _: &Layout, _: u32, _: &[u32]) -> Result<Takes, LoadError> {
        Ok(*self)
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Produce for Takes {
    type Receipt = Ready<Result<(), LoadError>>;

    async fn send(&mut self, _: Record<'_>) -> Result<Self::Receipt, LoadError> {
        if self.0 == 0 {
            pending::<()>().await;
        }
        self.0 -= 1;
        Ok(ready(Ok(())))
    }

    fn idle(&mut self) {}
}

impl Consume for Takes {
    async fn poll(&mut self, wait: Duration, _: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

#[test]
fn what_a_target_did_not_take_is_missing_in_the_books_and_slow_in_the_percentiles() {
    let text =
        "messageSize: 100\nproducerRate: 1000\nsubscriptionsPerTopic: 0\nwarmupDuration: 0s\ntestDuration: 500ms\n";
    let cell = Workload::parse("test.yaml".as_ref(), text).unwrap().cells.remove(0);
    let conditions = Conditions {
        run: 1,
        seed: 7,
        threads: 1,
        target_pid: None,
        pool: Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap()),
        patience: PATIENCE,
        reads_back: false,
        stop: Stop::default(),
    };
    let outcome = run_cell(&Takes(400), &cell, &conditions).unwrap();
    assert_eq!((outcome.due_records, outcome.unsent_records, outcome.verdict.acked), (500, 100, 400));
    assert!(outcome.verdict.failed == 100 && !outcome.verdict.is_clean(), "{:?}", outcome.verdict);
    let slow: u64 = outcome.latency.buckets().iter().filter(|(ns, _)| *ns >= 300_000_000).map(|(_, count)| count).sum();
    assert!(outcome.latency.count() == 500 && slow >= 100, "{slow} of {}", outcome.latency.count());
}
