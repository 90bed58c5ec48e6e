//! One cell, from its topic to its verdict.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringbench_stats::{Latencies, Pace, cpu_time};
use ringlog_client::{
    Admin, Client, ClientError, ClientOptions, Consumer, ConsumerOptions, Delivery, NewTopic, OffsetSpec, Producer,
    ProducerRecord, TopicPartition,
};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::{Cell, Corpus, Ledger, LoadError, Verdict};

const PARTITIONS: usize = 3;
/// Before the clock of the throughput part runs.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long reading back may stand still before what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a cell is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Length of each of its two parts.
    pub part: Duration,
    /// Rate of the second part, as a share of what the first one reached.
    pub share: f64,
    /// The broker's process, where it is ours: its processor time is counted.
    pub broker_pid: Option<u32>,
    /// Tells this run's records from others'.
    pub run: u32,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Acknowledged records a second, as fast as it goes.
    pub records_per_second: f64,
    /// Their bytes, before compression, a second.
    pub bytes_per_second: f64,
    /// Records a second of the second part.
    pub offered_per_second: f64,
    /// Acknowledged a second in it.
    pub achieved_per_second: f64,
    /// From when each record was due to its acknowledgement.
    pub latency: Latencies,
    /// From when it was handed to the producer to its acknowledgement.
    pub service: Latencies,
    /// Processor seconds of the broker for each GiB of records, in the first part.
    pub broker_cpu_per_gib: Option<f64>,
    /// Processor seconds of this process for each GiB of records, in the first part.
    pub client_cpu_per_gib: f64,
    /// Share of one processor that this process used in the first part: near 1 its one thread was the limit, not the broker.
    pub client_busy: f64,
    /// Bytes in the broker's logs for each byte of records.
    pub wire_ratio: Option<f64>,
    /// The books.
    pub verdict: Verdict,
    /// Reading back, bytes of records a second.
    pub read_bytes_per_second: f64,
}

/// One record on its way.
struct Sent {
    sequence: u64,
    due: Instant,
    handed_over: Instant,
    bytes: u64,
    delivery: Delivery,
}

/// What the two ends of a part share.
struct Books {
    ledger: Ledger,
    latency: Latencies,
    service: Latencies,
    acked: u64,
    acked_bytes: u64,
}

/// Measures a cell on a topic of its own, which is removed at the end.
///
/// # Errors
/// [`LoadError::Client`] when the broker refuses something. What a record's fate is decides the verdict, not an error.
pub async fn measure(bootstrap: &str, cell: &Cell, corpus: &Corpus, plan: &Plan) -> Result<Measured, LoadError> {
    let options = ClientOptions::new(bootstrap)?;
    let admin = Admin::new(Client::connect(options.clone()).await?);
    let topic = format!("ringbench-{:08x}", plan.run);
    let new = NewTopic { name: topic.clone(), partitions: Some(PARTITIONS as i32), ..NewTopic::default() };
    admin.create_topic(&new, false).await?;
    let outcome = LocalSet::new().run_until(on_topic(&options, &admin, &topic, cell, corpus, plan)).await;
    let deleted = admin.delete_topic(&topic).await;
    let measured = outcome?;
    deleted?;
    Ok(measured)
}

async fn on_topic(
    options: &ClientOptions,
    admin: &Admin,
    topic: &str,
    cell: &Cell,
    corpus: &Corpus,
    plan: &Plan,
) -> Result<Measured, LoadError> {
    let books = Rc::new(RefCell::new(Books {
        ledger: Ledger::new(plan.run, PARTITIONS),
        latency: Latencies::default(),
        service: Latencies::default(),
        acked: 0,
        acked_bytes: 0,
    }));
    let mut load = Load { books: books.clone(), topic, corpus, sent: 0, sent_bytes: 0 };

    // As fast as it goes: buffer.memory is the only brake.
    let client = Client::connect(options.clone()).await?;
    load.part(&client, cell, WARM_UP, None).await?;
    let (bytes_before, cpu_before) =
        (books.borrow().acked_bytes, (cpu(plan.broker_pid), cpu(Some(std::process::id()))));
    let fast = load.part(&client, cell, plan.part, None).await?;
    let acked_bytes = books.borrow().acked_bytes - bytes_before;
    let gib = acked_bytes as f64 / f64::from(1 << 30);
    let spent = |before: Option<Duration>, after: Option<Duration>| Some((after? - before?).as_secs_f64() / gib);
    let cpu_after = (cpu(plan.broker_pid), cpu(Some(std::process::id())));
    let bytes_per_second = acked_bytes as f64 / fast.took.as_secs_f64();

    // At a fixed rate: each record is due when it is due.
    let rate = (fast.acked as f64 / fast.took.as_secs_f64() * plan.share).max(1.0);
    books.borrow_mut().latency = Latencies::default();
    books.borrow_mut().service = Latencies::default();
    let steady = load.part(&client, cell, plan.part, Some(Pace::new(rate))).await?;

    let logs = admin.log_dirs().await.ok();
    let stored = logs.map(|dirs| -> u64 {
        let partitions = dirs.iter().flat_map(|dir| &dir.partitions);
        partitions.filter(|log| &*log.partition.topic == topic).map(|log| log.size_bytes.unsigned_abs()).sum()
    });
    let sent_bytes = load.sent_bytes;
    let read = read_back(options, topic, &books).await?;
    let mut books = books.borrow_mut();
    Ok(Measured {
        records_per_second: fast.acked as f64 / fast.took.as_secs_f64(),
        bytes_per_second,
        offered_per_second: rate,
        achieved_per_second: steady.acked as f64 / steady.took.as_secs_f64(),
        latency: std::mem::take(&mut books.latency),
        service: std::mem::take(&mut books.service),
        broker_cpu_per_gib: spent(cpu_before.0, cpu_after.0),
        client_busy: cpu_after
            .1
            .zip(cpu_before.1)
            .map_or(0.0, |(after, before)| (after.saturating_sub(before)).as_secs_f64() / fast.took.as_secs_f64()),
        client_cpu_per_gib: spent(cpu_before.1, cpu_after.1).unwrap_or(0.0),
        wire_ratio: stored.map(|stored| stored as f64 / sent_bytes.max(1) as f64),
        verdict: books.ledger.verdict(),
        read_bytes_per_second: read,
    })
}

fn cpu(pid: Option<u32>) -> Option<Duration> {
    cpu_time(pid?)
}

struct Load<'a> {
    books: Rc<RefCell<Books>>,
    topic: &'a str,
    corpus: &'a Corpus,
    sent: u64,
    sent_bytes: u64,
}

struct Part {
    acked: u64,
    took: Duration,
}

impl Load<'_> {
    /// Sends for `length`, at the pace or as fast as it goes, and waits for the last acknowledgement. At a pace, a record's
    /// latency counts from when it was due.
    async fn part(
        &mut self,
        client: &Client,
        cell: &Cell,
        length: Duration,
        pace: Option<Pace>,
    ) -> Result<Part, LoadError> {
        let producer = Producer::new(client.clone(), cell.producer())?;
        let collectors: Vec<_> = (0..PARTITIONS).map(|partition| collect(self.books.clone(), partition)).collect();
        let acked_before = self.books.borrow().acked;
        let (begun, mut sent_here, mut value) = (Instant::now(), 0u64, Vec::new());
        // At a pace everything that is due by the end is sent, however late: a stall takes nothing off the count.
        let all = pace.map_or(u64::MAX, |pace| pace.due_by(length));
        while sent_here < all && (pace.is_some() || begun.elapsed() < length) {
            let due = pace.map_or(u64::MAX, |pace| pace.due_by(begun.elapsed()).min(all));
            while sent_here < due && (pace.is_some() || begun.elapsed() < length) {
                let due_at = pace.map_or_else(Instant::now, |pace| begun + pace.due(sent_here));
                self.send(&producer, &collectors, due_at, &mut value).await?;
                sent_here += 1;
                if sent_here.is_multiple_of(64) {
                    tokio::task::yield_now().await;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // What could not be written is told by each record's own delivery.
        drop(producer.close().await);
        for (queue, collector) in collectors {
            drop(queue);
            let _ = collector.await;
        }
        Ok(Part { acked: self.books.borrow().acked - acked_before, took: begun.elapsed() })
    }

    async fn send(
        &mut self,
        producer: &Producer,
        collectors: &[(mpsc::UnboundedSender<Sent>, tokio::task::JoinHandle<()>)],
        due: Instant,
        value: &mut Vec<u8>,
    ) -> Result<(), LoadError> {
        let partition = usize::try_from(self.sent).unwrap_or(0) % PARTITIONS;
        let sequence = self.books.borrow_mut().ledger.stamp(partition, self.corpus.record(self.sent), value);
        let key = (self.sent % 100_000).to_string();
        let handed_over = Instant::now();
        let record = ProducerRecord {
            topic: self.topic,
            partition: Some(partition as i32),
            key: Some(key.as_bytes()),
            value: Some(value),
            ..ProducerRecord::default()
        };
        let delivery = producer.send(record).await?;
        self.sent += 1;
        self.sent_bytes += value.len() as u64;
        // The collectors live as long as their senders.
        let _ = collectors[partition].0.send(Sent { sequence, due, handed_over, bytes: value.len() as u64, delivery });
        Ok(())
    }
}

/// Takes the acknowledgements of one partition, which come in the order of its records.
fn collect(books: Rc<RefCell<Books>>, partition: usize) -> (mpsc::UnboundedSender<Sent>, tokio::task::JoinHandle<()>) {
    let (queue, mut waiting) = mpsc::unbounded_channel::<Sent>();
    let collector = tokio::task::spawn_local(async move {
        while let Some(Sent { sequence, due, handed_over, bytes, delivery }) = waiting.recv().await {
            let outcome = delivery.await;
            let now = Instant::now();
            let mut books = books.borrow_mut();
            if outcome.is_err() {
                // The record may be there or not; the broker has not done what it was asked.
                books.ledger.failed();
            } else {
                books.ledger.acked(partition, sequence);
                books.latency.record(now.saturating_duration_since(due));
                books.service.record(now.saturating_duration_since(handed_over));
                books.acked += 1;
                books.acked_bytes += bytes;
            }
        }
    });
    (queue, collector)
}

/// Reads everything from the beginning into the books; gives bytes a second.
async fn read_back(options: &ClientOptions, topic: &str, books: &Rc<RefCell<Books>>) -> Result<f64, LoadError> {
    let reading = ConsumerOptions { auto_commit: None, max_poll_records: 50_000, ..ConsumerOptions::default() };
    let mut consumer = Consumer::new(Client::connect(options.clone()).await?, reading)?;
    let partition = |number: usize| TopicPartition { topic: topic.into(), partition: number as i32 };
    let partitions: BTreeMap<TopicPartition, usize> =
        (0..PARTITIONS).map(|number| (partition(number), number)).collect();
    consumer.assign(partitions.keys().cloned());
    for partition in partitions.keys() {
        consumer.seek_to(partition, OffsetSpec::Earliest)?;
    }
    let (begun, mut last_progress, mut bytes) = (Instant::now(), Instant::now(), 0);
    while last_progress.elapsed() < PATIENCE {
        let records = consumer.poll(Duration::from_millis(200)).await?;
        if records.is_empty() {
            if books.borrow().ledger.is_complete() {
                break;
            }
            continue;
        }
        last_progress = Instant::now();
        let ledger = &mut books.borrow_mut().ledger;
        records.try_for_each(|partition, record| {
            let value = record.value.unwrap_or_default();
            bytes += value.len();
            ledger.read(partitions[partition], value);
            Ok::<_, ClientError>(())
        })?;
    }
    let took = last_progress.duration_since(begun).as_secs_f64().max(0.001);
    Ok(bytes as f64 / took)
}
