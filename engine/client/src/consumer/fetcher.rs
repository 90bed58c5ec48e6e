//! Fetches from the leaders: one request to each broker at a time, as a task of its own, so that the next records are
//! on their way while the application deals with the last.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ringlog_protocol::ApiKey;
use ringlog_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use tokio::sync::mpsc;

use super::assignor::TopicPartition;
use super::fetched::Fetched;
use crate::client::{Lane, OwnLane};
use crate::offsets::by_topic;
use crate::{Client, ClientError, ConsumerOptions};

/// What is asked for of one partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) offset: i64,
    pub(super) seek: u64,
    pub(super) leader_epoch: i32,
}

/// An answer for one partition.
pub(super) struct Arrival {
    pub(super) partition: TopicPartition,
    pub(super) seek: u64,
    pub(super) outcome: Result<Part, ClientError>,
}

/// The records of one partition, and where its log begins and ends.
pub(super) struct Part {
    pub(super) fetched: Fetched,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
    pub(super) log_start_offset: i64,
}

/// One broker's answer.
pub(super) struct Arrivals {
    node: i32,
    pub(super) parts: Vec<Arrival>,
}

pub(super) struct Fetcher {
    client: Client,
    options: ConsumerOptions,
    lane: Arc<OwnLane>,
    busy: HashSet<i32>,
    sender: mpsc::UnboundedSender<Arrivals>,
    receiver: mpsc::UnboundedReceiver<Arrivals>,
}

impl Fetcher {
    pub(super) fn new(client: Client, options: ConsumerOptions) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { lane: Arc::new(client.own_lane()), client, options, busy: HashSet::new(), sender, receiver }
    }

    /// Whether a fetch from this broker is under way.
    pub(super) fn is_busy(&self, node: i32) -> bool {
        self.busy.contains(&node)
    }

    /// Begins a fetch.
    pub(super) fn fetch(&mut self, node: i32, wanted: BTreeMap<TopicPartition, Wanted>) {
        self.busy.insert(node);
        let (client, options, sender) = (self.client.clone(), self.options.clone(), self.sender.clone());
        let lane = Arc::clone(&self.lane);
        tokio::spawn(async move {
            let parts = match fetch(&client, lane.lane, &options, node, &wanted).await {
                Ok(parts) => parts,
                Err(error) => {
                    // So that a broker that is down is not asked in a tight loop.
                    tokio::time::sleep(client.options().retry_backoff).await;
                    let failed = |(partition, wanted): (_, Wanted)| Arrival {
                        partition,
                        seek: wanted.seek,
                        outcome: Err(error.clone()),
                    };
                    wanted.into_iter().map(failed).collect()
                }
            };
            // The consumer may be gone.
            let _ = sender.send(Arrivals { node, parts });
        });
    }

    /// The next answer; waits for one. Only to be called while one is due, or beside a timeout.
    pub(super) async fn next(&mut self) -> Vec<Arrival> {
        match self.receiver.recv().await {
            Some(arrivals) => self.settle(arrivals),
            None => Vec::new(),
        }
    }

    /// The next answer if there is one.
    pub(super) fn try_next(&mut self) -> Option<Vec<Arrival>> {
        let arrivals = self.receiver.try_recv().ok()?;
        Some(self.settle(arrivals))
    }

    fn settle(&mut self, arrivals: Arrivals) -> Vec<Arrival> {
        self.busy.remove(&arrivals.node);
        arrivals.parts
    }
}

async fn fetch(
    client: &Client,
    lane: Lane,
    options: &ConsumerOptions,
    node: i32,
    wanted: &BTreeMap<TopicPartition, Wanted>,
) -> Result<Vec<Arrival>, ClientError> {
    let connection = client.node(node, lane).await?;
    let row = |(partition, wanted): (i32, &Wanted)| FetchPartition {
        partition,
        current_leader_epoch: wanted.leader_epoch,
        fetch_offset: wanted.offset,
        partition_max_bytes: clamp(options.partition_max_bytes),
        ..Default::default()
    };
    let topics = by_topic(wanted).into_iter().map(|(topic, rows)| FetchTopic {
        topic: topic.into(),
        partitions: rows.into_iter().map(row).collect(),
        ..Default::default()
    });
    let request = FetchRequest {
        max_wait_ms: clamp(options.fetch_max_wait.as_millis() as usize),
        min_bytes: clamp(options.fetch_min_bytes),
        max_bytes: clamp(options.fetch_max_bytes),
        isolation_level: options.isolation.code(),
        topics: topics.collect(),
        ..Default::default()
    };
    // Later versions name topics by id.
    let version = connection.version(ApiKey::Fetch, 4..=12)?;
    let reply = connection.call_version(&request, version, options.fetch_max_wait).await?;
    let answer = reply.read()?;
    ClientError::check(answer.error_code, || format!("fetching from broker {node}"), None)?;
    let mut arrivals = Vec::new();
    for topic in &answer.responses {
        for row in &topic.partitions {
            let partition = TopicPartition::new(topic.topic.clone(), row.partition_index);
            let Some(&Wanted { offset, seek, .. }) = wanted.get(&partition) else { continue };
            let checked = ClientError::check(row.error_code, || format!("partition {partition}"), None);
            let (isolation, check_crcs) = (options.isolation, options.check_crcs);
            let outcome = checked.map(|()| Part {
                fetched: Fetched::new(partition.clone(), seek, offset, row, reply.body(), isolation, check_crcs),
                high_watermark: row.high_watermark,
                last_stable_offset: row.last_stable_offset,
                log_start_offset: row.log_start_offset,
            });
            arrivals.push(Arrival { partition, seek, outcome });
        }
    }
    // A broker that errs on everything would otherwise be asked in a tight loop.
    if !arrivals.is_empty() && arrivals.iter().all(|arrival| arrival.outcome.is_err()) {
        tokio::time::sleep(Duration::min(client.options().retry_backoff, options.fetch_max_wait)).await;
    }
    Ok(arrivals)
}

fn clamp(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
