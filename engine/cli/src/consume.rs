//! `ringlog consume`: shows records, of chosen partitions or as a member of a group.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::{Duration, Instant};

use clap::Args;
use ringlog_client::{Admin, Client, Consumer, ConsumerOptions, Isolation, OffsetReset, OffsetSpec, TopicPartition};

use crate::connection::Broker;
use crate::failure::Failure;
use crate::format::{self, Format};
use crate::timestamp;

#[derive(Debug, Args)]
pub(crate) struct Consume {
    #[command(flatten)]
    broker: Broker,
    /// The topic
    topic: String,
    /// Share the partitions with the other members of this group, and commit what was shown
    #[arg(long, value_name = "ID", conflicts_with_all = ["partitions", "offset"])]
    group: Option<String>,
    /// Only this partition; may be repeated
    #[arg(long = "partition", value_name = "P")]
    partitions: Vec<i32>,
    /// Where to begin: an offset, earliest, latest, or @TIME (2026-11-21T02:11:54Z, or ms since 1970)
    #[arg(long, value_name = "WHERE", value_parser = parse_start, conflicts_with = "from_beginning")]
    offset: Option<Start>,
    /// Begin at the first record (in a group: when it has committed nothing) instead of behind the last
    #[arg(long)]
    from_beginning: bool,
    /// Stop after so many records
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Stop when all that was there at the start has been shown
    #[arg(long)]
    exit_at_end: bool,
    /// How to show a record: %t topic, %p partition, %o offset, %T timestamp (ms), %D date, %k key, %v value, %h
    /// headers, \n, \t
    #[arg(long, default_value = r"%v\n", value_parser = Format::parse)]
    format: Format,
    /// Show each record as a line of JSON
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Only records of committed transactions
    #[arg(long)]
    read_committed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Offset(i64),
    Spec(OffsetSpec),
}

fn parse_start(text: &str) -> Result<Start, String> {
    match text {
        "earliest" => Ok(Start::Spec(OffsetSpec::Earliest)),
        "latest" => Ok(Start::Spec(OffsetSpec::Latest)),
        _ => match text.strip_prefix('@') {
            Some(time) => Ok(Start::Spec(OffsetSpec::Timestamp(timestamp::parse(time)?))),
            None => match text.parse() {
                Ok(offset) if offset >= 0 => Ok(Start::Offset(offset)),
                _ => Err("an offset from 0, earliest, latest or @TIME is needed".to_owned()),
            },
        },
    }
}

/// How often a group's offsets are committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How long one poll waits: how soon Ctrl-C and the end of the log are noticed is not bound to it.
const POLL: Duration = Duration::from_millis(200);

impl Consume {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.broker.connect().await?;
        let topic = Admin::new(client.clone()).topic(&self.topic).await?;
        for &partition in &self.partitions {
            topic.partition(partition)?;
        }
        let partitions = match self.partitions.as_slice() {
            [] => (0..topic.partitions.len() as i32).collect(),
            chosen => chosen.to_vec(),
        };
        let partitions = partitions.into_iter().map(|index| TopicPartition::new(&self.topic, index)).collect();
        let mut session = Session::begin(&self, client, partitions).await?;
        let outcome = tokio::select! {
            shown = session.show() => shown,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        let flushed = session.end().await;
        outcome.and(flushed)
    }
}

struct Session<'a> {
    options: &'a Consume,
    consumer: Consumer,
    /// Where to stop, with `--exit-at-end` outside a group.
    ends: Option<BTreeMap<TopicPartition, i64>>,
    out: BufWriter<StdoutLock<'static>>,
    shown: u64,
    committed: Instant,
}

impl<'a> Session<'a> {
    async fn begin(options: &'a Consume, client: Client, partitions: Vec<TopicPartition>) -> Result<Self, Failure> {
        let earliest = options.from_beginning || options.offset == Some(Start::Spec(OffsetSpec::Earliest));
        let settings = ConsumerOptions {
            group_id: options.group.clone(),
            offset_reset: if earliest { OffsetReset::Earliest } else { OffsetReset::Latest },
            // What was fetched is not yet shown: commits come after the output.
            auto_commit: None,
            isolation: if options.read_committed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted },
            max_poll_records: usize::try_from(options.max.unwrap_or(500).clamp(1, 500)).unwrap_or(500),
            ..Default::default()
        };
        let mut consumer = Consumer::new(client.clone(), settings)?;
        let mut ends = None;
        if options.group.is_some() {
            consumer.subscribe([options.topic.as_str()])?;
        } else {
            consumer.assign(partitions.clone());
            for partition in &partitions {
                match options.offset {
                    Some(Start::Offset(offset)) => consumer.seek(partition, offset)?,
                    Some(Start::Spec(spec)) => consumer.seek_to(partition, spec)?,
                    None => {}
                }
            }
            if options.exit_at_end {
                let asked = partitions.into_iter().map(|partition| (partition, OffsetSpec::Latest)).collect();
                let found = Admin::new(client).offsets(&asked).await?;
                ends = Some(found.into_iter().filter_map(|(at, found)| Some((at, found.offset?))).collect());
            }
        }
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Ok(Self { options, consumer, ends, out, shown: 0, committed: Instant::now() })
    }

    async fn show(&mut self) -> Result<(), Failure> {
        while !self.is_done() {
            let records = self.consumer.poll(POLL).await?;
            let (options, out, shown) = (self.options, &mut self.out, &mut self.shown);
            records.try_for_each(|from, record| {
                if options.max.is_some_and(|max| *shown >= max) {
                    return Ok(());
                }
                *shown += 1;
                if options.json {
                    format::write_json(out, from, record)?
                } else {
                    options.format.write(out, from, record)?
                }
                Ok::<_, Failure>(())
            })?;
            // A reader that waits sees each record as it comes; a busy one gets full buffers.
            self.out.flush()?;
            if self.options.group.is_some() && self.committed.elapsed() >= COMMIT_INTERVAL {
                self.committed = Instant::now();
                self.consumer.commit().await?;
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        if self.options.max.is_some_and(|max| self.shown >= max) {
            return true;
        }
        let at_end = |partition: &TopicPartition| match &self.ends {
            Some(ends) => {
                let end = ends.get(partition).copied().unwrap_or(0);
                self.consumer.position(partition).is_some_and(|position| position >= end)
            }
            None => self.consumer.lag(partition) == Some(0),
        };
        let assigned = self.consumer.assignment();
        self.options.exit_at_end && !assigned.is_empty() && assigned.iter().all(at_end)
    }

    /// Commits what was shown and leaves the group.
    async fn end(mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        if flushed.is_ok() && self.options.group.is_some() && self.shown > 0 {
            self.consumer.commit().await?;
        }
        self.consumer.close().await?;
        Ok(flushed?)
    }
}
