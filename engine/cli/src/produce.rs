//! `ringlog produce`: a record for each line of the standard input.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::time::Duration;

use clap::{Args, ValueEnum};
use ringlog_client::{Acks, Compression, Delivery, Producer, ProducerOptions, ProducerRecord, RecordHeader};
use tokio::sync::mpsc;

use crate::connection::{Broker, name_and_value};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Produce {
    #[command(flatten)]
    broker: Broker,
    /// The topic
    topic: String,
    /// Take what stands before this as the key, such as ':' or '\t'
    #[arg(long, value_name = "TEXT", value_parser = crate::format::unescaped)]
    key_separator: Option<String>,
    /// Take a value that is exactly this as none: a tombstone, which deletes its key from a compacted topic
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// A header of every record; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = name_and_value)]
    headers: Vec<(String, String)>,
    /// What to wait for: 0 nothing, 1 the leader, all the in-sync replicas
    #[arg(long, default_value = "all")]
    acks: AcksOption,
    /// none, gzip, snappy, lz4 or zstd
    #[arg(long, default_value = "none")]
    compression: Compression,
    /// Send a batch when it holds so many bytes
    #[arg(long, default_value_t = 16_384, value_name = "BYTES")]
    batch_size: usize,
    /// Or when its first record is so old
    #[arg(long, default_value_t = 5, value_name = "MS")]
    linger_ms: u64,
    /// Write to this partition [default: by the key's hash, else in turns]
    #[arg(long)]
    partition: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AcksOption {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    #[value(name = "all", alias = "-1")]
    All,
}

/// How many records may be unacknowledged before the next line is read; memory is bounded by `buffer.memory` besides.
const MAX_PENDING: usize = 100_000;

impl Produce {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let options = ProducerOptions {
            acks: match self.acks {
                AcksOption::None => Acks::None,
                AcksOption::Leader => Acks::Leader,
                AcksOption::All => Acks::All,
            },
            idempotence: self.acks == AcksOption::All,
            batch_bytes: self.batch_size,
            max_request_bytes: self.batch_size.max(1 << 20),
            linger: Duration::from_millis(self.linger_ms),
            compression: self.compression,
            ..Default::default()
        };
        let client = self.broker.connect().await?;
        // A wrong name shows before the first line is typed.
        let topic = client.topic(&self.topic, true, client.options().api_timeout).await?;
        if let Some(partition) = self.partition {
            topic.partition(partition)?;
        }
        let producer = Producer::new(client, options)?;
        let mut pending = VecDeque::new();
        let (mut read, mut written) = (0u64, 0u64);
        let mut lines = lines();
        loop {
            let room = pending.len() < MAX_PENDING;
            tokio::select! {
                lines = lines.recv(), if room => {
                    let Some(lines) = lines else { break };
                    for line in lines? {
                        read += 1;
                        pending.push_back(self.send(&producer, &line, read).await?);
                    }
                }
                outcome = first(&mut pending), if !pending.is_empty() => {
                    outcome?;
                    pending.pop_front();
                    written += 1;
                }
            }
        }
        producer.flush().await?;
        for delivery in pending {
            delivery.await?;
            written += 1;
        }
        producer.close().await?;
        let plural = if written == 1 { "" } else { "s" };
        eprintln!("{written} record{plural} written to {}", self.topic);
        Ok(())
    }

    async fn send(&self, producer: &Producer, line: &[u8], number: u64) -> Result<Delivery, Failure> {
        let (key, value) = match &self.key_separator {
            None => (None, line),
            Some(separator) => {
                let at = line.windows(separator.len()).position(|window| window == separator.as_bytes());
                let (key, rest) = at.and_then(|at| line.split_at_checked(at)).ok_or_else(|| {
                    Failure::Other(format!("line {number} has no '{}' in it", separator.escape_default()))
                })?;
                (Some(key), rest.get(separator.len()..).unwrap_or_default())
            }
        };
        let headers: Vec<_> = self.headers.iter().map(header).collect();
        let record = ProducerRecord {
            topic: &self.topic,
            partition: self.partition,
            key,
            value: Some(value).filter(|value| self.null.as_ref().is_none_or(|null| null.as_bytes() != *value)),
            headers: &headers,
            ..Default::default()
        };
        Ok(producer.send(record).await?)
    }
}

fn header((name, value): &(String, String)) -> RecordHeader<'_> {
    RecordHeader { key: name.as_bytes(), value: Some(value.as_bytes()) }
}

async fn first(pending: &mut VecDeque<Delivery>) -> Result<(), Failure> {
    match pending.front_mut() {
        Some(delivery) => Ok(delivery.await.map(drop)?),
        None => Ok(()),
    }
}

/// The lines of the standard input, without their ends, as many at a time as are there. A thread reads: a terminal has
/// no readiness that a runtime could wait for everywhere.
fn lines() -> mpsc::Receiver<Result<Vec<Vec<u8>>, Failure>> {
    const AT_ONCE: usize = 1000;
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut input = io::BufReader::with_capacity(1 << 20, io::stdin().lock());
        loop {
            let mut lines = Vec::new();
            let mut end = false;
            while !end && lines.len() < AT_ONCE && (lines.is_empty() || input.buffer().contains(&b'\n')) {
                let mut line = Vec::new();
                match input.read_until(b'\n', &mut line) {
                    Ok(0) => end = true,
                    Ok(_) => {
                        if line.last() == Some(&b'\n') {
                            line.pop();
                        }
                        lines.push(line);
                    }
                    Err(error) => {
                        // The command has ended when nobody receives it.
                        let _ = sender.blocking_send(Err(Failure::Read("standard input".to_owned(), error)));
                        return;
                    }
                }
            }
            if (!lines.is_empty() && sender.blocking_send(Ok(lines)).is_err()) || end {
                return;
            }
        }
    });
    receiver
}
