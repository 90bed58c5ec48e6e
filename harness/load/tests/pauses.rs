//! A target that lets its producer wait: what was due meanwhile was slow, whenever it was sent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringbench_load::driver::{Ack, Consume, Declaration, Layout, Produce, Record};
use ringbench_load::workload::{Durability, Workload};
use ringbench_load::{Conditions, Driver, LoadError, Pool, Stop, run_cell};
use ringbench_stats::Latencies;

/// Takes no record for so long, once, and answers the others at once.
const PAUSE: Duration = Duration::from_millis(500);
/// Before this one of a thousand a second.
const PAUSED_AT: u64 = 200;

#[derive(Clone, Default)]
struct Pauses {
    taken: u64,
    /// What nobody has read yet.
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    slot: u32,
    value: Vec<u8>,
}

impl Driver for Pauses {
    type Producer = Pauses;
    type Consumer = Pauses;

    fn declares(&self) -> Declaration {
        Declaration {
            driver: "pauses",
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

    async fn producer(&self, _: &Layout, _: usize) -> Result<Pauses, LoadError> {
        Ok(self.clone())
    }

    async fn consumer(&self, _: &Layout, _: u32, _: &[u32]) -> Result<Pauses, LoadError> {
        Ok(self.clone())
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Produce for Pauses {
    type Receipt = Ready<Result<(), LoadError>>;

    async fn send(&mut self, record: Record<'_>) -> Result<Self::Receipt, LoadError> {
        self.taken += 1;
        if self.taken == PAUSED_AT {
            tokio::time::sleep(PAUSE).await;
        }
        self.kept.lock().unwrap().push(Kept { slot: record.slot, value: record.value.to_vec() });
        Ok(ready(Ok(())))
    }

    fn idle(&mut self) {}
}

impl Consume for Pauses {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let there = std::mem::take(&mut *self.kept.lock().unwrap());
        if there.is_empty() {
            tokio::time::sleep(wait.min(Duration::from_millis(5))).await;
        }
        there.iter().for_each(|Kept { slot, value }| each(Record { slot: *slot, key: None, value }));
        Ok(())
    }
}

/// Longer than a fifth of the pause.
fn slow(latencies: &Latencies) -> u64 {
    latencies.buckets().iter().filter(|(ns, _)| *ns > 100_000_000).map(|(_, count)| count).sum()
}

#[test]
fn what_was_due_while_the_target_let_it_wait_is_slow_from_when_it_was_due_and_not_from_when_it_was_sent() {
    let text = "messageSize: 100\nproducerRate: 1000\nwarmupDuration: 0s\ntestDuration: 1s\n";
    let cell = Workload::parse("test.yaml".as_ref(), text).unwrap().cells.remove(0);
    let conditions = Conditions {
        run: 1,
        seed: 7,
        threads: 1,
        target_pid: None,
        pool: Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap()),
        patience: Duration::from_secs(5),
        reads_back: false,
        stop: Stop::default(),
    };
    let outcome = run_cell(&Pauses::default(), &cell, &conditions).unwrap();
    assert!(outcome.verdict.is_clean() && outcome.latency.count() == 1_000, "{:?}", outcome.verdict);
    // Due in its first 400 ms; each of them is slow both on the way there and until it is read.
    let (latency, end_to_end) = (slow(&outcome.latency), slow(&outcome.end_to_end));
    assert!(latency >= 390 && end_to_end >= 390, "{latency} {end_to_end}");
    // Sent when the target went on, they were answered at once; and that they came late is no fault of the generator.
    let (service, lag) = (slow(&outcome.service), slow(&outcome.lag));
    assert!(service < 200 && lag < 200, "{service} {lag}");
}
