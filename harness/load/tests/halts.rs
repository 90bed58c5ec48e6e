//! A target that takes no more records, for a while or for good, or never as many as are due: what was due meanwhile was slow, whenever it
//! was sent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringbench_load::driver::{Ack, Consume, Declaration, Evidence, Layout, Produce, Record};
use ringbench_load::workload::{Durability, Workload};
use ringbench_load::{Conditions, Driver, LoadError, Outcome, Pool, Stop, run_cell};
use ringbench_stats::Latencies;

/// Takes so many records, then none for a while, once, and answers those that it takes at once.
#[derive(Clone, Default)]
struct Halts {
    takes: u64,
    halt: Duration,
    /// Nobody is let in to read.
    is_gone: bool,
    /// What nobody has read yet.
    kept: Arc<Mutex<Vec<Kept>>>,
    /// Answers, if others have a turn then, only while its producer gives up what it did not take.
    given_up: Option<Arc<AtomicBool>>,
    stop: Stop,
}

/// Says so when nobody waits any more.
struct Waited(Option<Arc<AtomicBool>>);

impl Drop for Waited {
    fn drop(&mut self) {
        self.0.iter().for_each(|given_up| given_up.store(true, Ordering::Relaxed));
    }
}

struct Kept {
    slot: u32,
    value: Vec<u8>,
}

impl Driver for Halts {
    type Producer = Halts;
    type Consumer = Halts;

    fn declares(&self) -> Declaration {
        Declaration {
            driver: "halts",
            durability: Durability::Memory,
            replication: 1,
            evidence: Evidence::Told("it is a test".to_owned()),
            ack: Ack::Leader,
            pipelining: None,
            connections: 0,
            keys: true,
            settings: BTreeMap::new(),
        }
    }

    async fn prepare(&self, _: &Layout) -> Result<Declaration, LoadError> {
        Ok(self.declares())
    }

    async fn producer(&self, _: &Layout, _: usize) -> Result<Halts, LoadError> {
        Ok(self.clone())
    }

    async fn consumer(&self, _: &Layout, _: u32, _: &[u32]) -> Result<Halts, LoadError> {
        if self.is_gone { Err(LoadError::Refused { said: "gone".to_owned() }) } else { Ok(self.clone()) }
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Produce for Halts {
    type Receipt = Pin<Box<dyn Future<Output = Result<(), LoadError>>>>;

    async fn send(&mut self, record: Record<'_>) -> Result<Self::Receipt, LoadError> {
        if self.takes == 0 {
            let _waited = Waited(self.given_up.clone());
            tokio::time::sleep(self.halt).await;
        }
        self.takes = self.takes.wrapping_sub(1);
        self.kept.lock().unwrap().push(Kept { slot: record.slot, value: record.value.to_vec() });
        let given_up = self.given_up.clone();
        Ok(Box::pin(async move {
            while given_up.as_ref().is_some_and(|given_up| !given_up.load(Ordering::Relaxed)) {
                tokio::task::yield_now().await;
            }
            Ok(())
        }))
    }

    fn idle(&mut self) {
        self.given_up.iter().for_each(|given_up| given_up.store(false, Ordering::Relaxed));
    }
}

impl Consume for Halts {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let there = std::mem::take(&mut *self.kept.lock().unwrap());
        if there.is_empty() {
            tokio::time::sleep(wait.min(Duration::from_millis(5))).await;
        }
        there.iter().for_each(|Kept { slot, value }| each(Record { slot: *slot, key: None, value }));
        Ok(())
    }
}

/// On one that takes so many records before it halts.
fn run(takes: u64, halt: Duration, patience: Duration, more: &str) -> Outcome {
    run_on(&Halts { takes, halt, ..Halts::default() }, patience, more)
}

fn run_on(halts: &Halts, patience: Duration, more: &str) -> Outcome {
    let text = format!("messageSize: 100\nwarmupDuration: 0s\n{more}");
    let cell = Workload::parse("test.yaml".as_ref(), &text).unwrap().cells.remove(0);
    let conditions = Conditions {
        run: 1,
        seed: 7,
        threads: 1,
        target_pid: None,
        pool: Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap()),
        patience,
        reads_back: halts.is_gone,
        stop: halts.stop.clone(),
    };
    run_cell(halts, &cell, &conditions).unwrap()
}

fn slower_than(ms: u64, latencies: &Latencies) -> u64 {
    latencies.buckets().iter().filter(|(ns, _)| *ns > ms * 1_000_000).map(|(_, count)| count).sum()
}

#[test]
fn what_was_due_while_the_target_let_it_wait_is_slow_from_when_it_was_due_and_not_from_when_it_was_sent() {
    let outcome =
        run(200, Duration::from_millis(500), Duration::from_secs(5), "producerRate: 1000\ntestDuration: 1s\n");
    assert!(outcome.verdict.is_clean() && outcome.latency.count() == 1_000, "{:?}", outcome.verdict);
    // Due in its first 400 ms; each of them is slow both on the way there and until it is read.
    let (latency, end_to_end) = (slower_than(100, &outcome.latency), slower_than(100, &outcome.end_to_end));
    assert!(latency >= 390 && end_to_end >= 390, "{latency} {end_to_end}");
    // Sent when the target went on, they were answered at once; and that they came late is no fault of the generator.
    let (service, lag) = (slower_than(100, &outcome.service), slower_than(100, &outcome.lag));
    assert!(service < 200 && lag < 200, "{service} {lag}");
}

#[test]
fn what_a_target_did_not_take_is_missing_in_the_books_and_slow_in_the_percentiles() {
    let outcome = run(
        400,
        Duration::MAX,
        Duration::from_millis(300),
        "producerRate: 1000\nsubscriptionsPerTopic: 0\ntestDuration: 500ms\n",
    );
    assert_eq!((outcome.due_records, outcome.unsent_records, outcome.verdict.acked), (500, 100, 400));
    assert!(outcome.verdict.failed == 100 && !outcome.verdict.is_clean(), "{:?}", outcome.verdict);
    let slow = slower_than(299, &outcome.latency);
    assert!(outcome.latency.count() == 500 && slow >= 100, "{slow} of {}", outcome.latency.count());
}

#[test]
fn a_rate_that_nobody_can_take_is_given_up_once_it_took_twice_as_long() {
    let text = "producerRate: 100000000\narrival: uniform\nsubscriptionsPerTopic: 0\ntestDuration: 50ms\n";
    let outcome = run(u64::MAX, Duration::ZERO, Duration::ZERO, text);
    assert!(outcome.unsent_records > 0 && outcome.due_records == 5_000_000, "{} of them", outcome.unsent_records);
    let verdict = &outcome.verdict;
    assert!(verdict.sent == 5_000_000 && verdict.failed >= outcome.unsent_records, "{verdict:?}");
}

#[test]
fn while_much_is_given_up_what_was_taken_is_answered() {
    let halts = Halts { takes: 10, halt: Duration::MAX, given_up: Some(Arc::default()), ..Halts::default() };
    let text = "producerRate: 100000\nsubscriptionsPerTopic: 0\ntestDuration: 50ms\n";
    let outcome = run_on(&halts, Duration::ZERO, text);
    assert_eq!((outcome.verdict.acked, outcome.unsent_records), (10, 4_990), "{:?}", outcome.trouble);
}

#[test]
fn a_wish_to_stop_ends_a_cell_that_waits_for_its_target_when_all_was_due() {
    let halts = Halts { takes: 10, halt: Duration::MAX, ..Halts::default() };
    let (kept, stop) = (Arc::clone(&halts.kept), halts.stop.clone());
    let wishes = std::thread::spawn(move || {
        while kept.lock().unwrap().len() < 10 {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(200));
        stop.stop();
    });
    let text = "producerRate: 1000\nsubscriptionsPerTopic: 0\ntestDuration: 100ms\n";
    let outcome = run_on(&halts, Duration::from_secs(30), text);
    wishes.join().unwrap();
    assert_eq!((outcome.failure.as_deref(), outcome.verdict.acked), (Some("interrupted"), 10));
    assert!(outcome.seconds <= 0.1, "counted for {} s of 0.1", outcome.seconds);
}

#[test]
fn one_that_can_t_be_read_back_has_lost_everything_and_what_it_did_is_kept() {
    let gone = Halts { takes: u64::MAX, is_gone: true, ..Halts::default() };
    let text = "producerRate: 1000\nsubscriptionsPerTopic: 0\ntestDuration: 100ms\n";
    let outcome = run_on(&gone, Duration::from_millis(300), text);
    assert_eq!((outcome.verdict.acked, outcome.verdict.lost, outcome.latency.count()), (100, 100, 100));
    assert_eq!(outcome.failure.as_deref(), Some("what it acknowledged could not be read back: gone"));
}
