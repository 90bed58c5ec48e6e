//! The shell around the group coordinator: requests that wait, writes to `__consumer_offsets`, and the clock.

mod record;
mod replay;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use ringlog_coordinator::{Action, Answer, Change, Coordinator, GroupError, Settings, Ticket, Token};
use ringlog_io::Disk;
use ringlog_log::{AppendBatch, Appending, LogError};
use ringlog_protocol::{Stored, consumer_protocol::ConsumerProtocolSubscription};
use tokio::sync::{Notify, oneshot};
use tracing::{error, warn};

use crate::broker::Broker;
use crate::clock::{now_ms, steady_ms};
use crate::detached::to_the_end;
use crate::topics::{OFFSETS_TOPIC, Topics};

/// All groups of this broker. One lock: a call takes microseconds, and waiting happens outside of it.
pub(crate) struct Groups {
    inner: Mutex<Inner>,
    /// The next deadline has come nearer.
    sooner: Notify,
}

struct Inner {
    coordinator: Coordinator,
    waiting: HashMap<Token, oneshot::Sender<Answer>>,
    next_token: u64,
    /// The deadline that the clock waits for.
    awaited_ms: Option<i64>,
    closed: bool,
}

/// A write that has been queued on its partition.
struct Queued {
    ticket: Ticket,
    appending: Appending,
}

impl Groups {
    /// The groups as `__consumer_offsets` has them.
    pub(crate) fn open(settings: Settings, topics: &Topics) -> Result<Groups, LogError> {
        let mut coordinator = Coordinator::new(settings, subscribed_topics);
        if let Some(topic) = topics.get(OFFSETS_TOPIC) {
            for log in &topic.partitions {
                replay::replay(log, &mut coordinator)?;
            }
        }
        coordinator.loaded(steady_ms());
        let inner = Inner { coordinator, waiting: HashMap::new(), next_token: 0, awaited_ms: None, closed: false };
        Ok(Groups { inner: Mutex::new(inner), sooner: Notify::new() })
    }

    /// What the coordinator answers, once it does; `None` when the broker drains first.
    pub(crate) async fn ask(
        &self,
        broker: &Arc<Broker>,
        disk: &Disk,
        call: impl FnOnce(&mut Coordinator, i64, Token) -> Vec<Action>,
    ) -> Option<Answer> {
        if broker.topics.get(OFFSETS_TOPIC).is_none() {
            let (broker, disk) = (broker.clone(), disk.clone());
            let made = to_the_end(async move { broker.topics.ensure_offsets_topic(&disk).await });
            if let Err(error) = made.await {
                error!(%error, "{OFFSETS_TOPIC} can't be made: no group is served");
                return None;
            }
        }
        let answered = {
            let mut inner = self.lock();
            if inner.closed {
                return None;
            }
            inner.next_token += 1;
            let token = Token(inner.next_token);
            let (answer, answered) = oneshot::channel();
            inner.waiting.insert(token, answer);
            self.act(inner, broker, disk, |coordinator| call(coordinator, steady_ms(), token));
            answered
        };
        answered.await.ok()
    }

    /// Looks something up.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Coordinator) -> T) -> T {
        look(&self.lock().coordinator)
    }

    /// A topic is gone, and the offsets committed for it.
    pub(crate) fn topic_deleted(&self, broker: &Arc<Broker>, disk: &Disk, topic: &str) {
        self.act(self.lock(), broker, disk, |coordinator| coordinator.topic_deleted(steady_ms(), topic));
    }

    /// Drops offsets that have expired; to be called every `offsets.retention.check.interval.ms`.
    pub(crate) fn expire_offsets(&self, broker: &Arc<Broker>, disk: &Disk) {
        self.act(self.lock(), broker, disk, |coordinator| coordinator.expire_offsets(steady_ms()));
    }

    /// Keeps time until the broker drains; then nobody waits any longer.
    pub(crate) async fn keep_time(&self, broker: &Arc<Broker>, disk: &Disk) {
        loop {
            let deadline_ms = {
                let mut inner = self.lock();
                inner.awaited_ms = inner.coordinator.next_deadline();
                inner.awaited_ms
            };
            let due = async {
                match deadline_ms {
                    Some(deadline_ms) => {
                        let left_ms = u64::try_from(deadline_ms - steady_ms()).unwrap_or(0);
                        tokio::time::sleep(std::time::Duration::from_millis(left_ms)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.act(self.lock(), broker, disk, |coordinator| coordinator.tick(steady_ms())),
                () = self.sooner.notified() => {}
                () = broker.drain.started() => break,
            }
        }
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call and carries out what follows.
    fn act(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        broker: &Arc<Broker>,
        disk: &Disk,
        call: impl FnOnce(&mut Coordinator) -> Vec<Action>,
    ) {
        let actions = call(&mut inner.coordinator);
        self.carry_out(inner, broker, disk, actions);
    }

    /// Writes are queued before the lock is released: their order in the log is the order of the calls.
    fn carry_out(&self, mut inner: MutexGuard<'_, Inner>, broker: &Arc<Broker>, disk: &Disk, mut actions: Vec<Action>) {
        let mut queued = Vec::new();
        while !actions.is_empty() {
            for action in std::mem::take(&mut actions) {
                match action {
                    Action::Answer(token, answer) => {
                        if let Some(waiting) = inner.waiting.remove(&token) {
                            // Who asked may be gone by now.
                            drop(waiting.send(answer));
                        }
                    }
                    Action::Write(ticket, changes) => match queue(broker, disk, &ticket, &changes) {
                        Ok(appending) => queued.push(Queued { ticket, appending }),
                        Err(error) => actions.extend(inner.coordinator.written(steady_ms(), &ticket, Err(error))),
                    },
                }
            }
        }
        let next = inner.coordinator.next_deadline();
        if next.is_some_and(|next| inner.awaited_ms.is_none_or(|awaited_ms| next < awaited_ms)) {
            self.sooner.notify_one();
        }
        drop(inner);
        for Queued { ticket, appending } in queued {
            let (broker, disk) = (broker.clone(), disk.clone());
            tokio::task::spawn_local(async move {
                let outcome = appending.await.map(drop).map_err(|error| explain(&ticket, &error));
                let groups = &broker.groups;
                groups.act(groups.lock(), &broker, &disk, |coordinator| {
                    coordinator.written(steady_ms(), &ticket, outcome)
                });
            });
        }
    }
}

fn queue(broker: &Broker, disk: &Disk, ticket: &Ticket, changes: &[Change]) -> Result<Appending, GroupError> {
    let topic = broker.topics.get(OFFSETS_TOPIC).ok_or(GroupError::CoordinatorNotAvailable)?;
    let partition = partition_of(ticket.group(), topic.partitions.len());
    let log = topic.partitions.get(partition).ok_or(GroupError::CoordinatorNotAvailable)?;
    let batch = record::batch(changes, now_ms())
        .and_then(|bytes| AppendBatch::new(BytesMut::from(&bytes[..]), now_ms()).map_err(record::RecordFailure::Batch));
    match batch {
        Ok(batch) => Ok(log.append(disk, batch)),
        Err(error) => {
            warn!(group = ticket.group(), %error, "the group's change can't be written");
            Err(GroupError::InvalidCommitOffsetSize)
        }
    }
}

/// Which partition of `__consumer_offsets` a group's records go to: the absolute value of Java's `String.hashCode`, modulo.
fn partition_of(group: &str, partitions: usize) -> usize {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // As Kafka's `Utils.abs`: the sign bit is cleared for the one number that has no absolute value.
    let positive = if hash == i32::MIN { 0 } else { hash.abs() };
    positive as usize % partitions.max(1)
}

fn explain(ticket: &Ticket, error: &LogError) -> GroupError {
    error!(group = ticket.group(), %error, "the group's change could not be written");
    match error {
        LogError::DiskFull { .. } => GroupError::CoordinatorNotAvailable,
        _ => GroupError::NotCoordinator,
    }
}

/// The topics that a consumer's metadata names.
fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let subscription = ConsumerProtocolSubscription::from_newer_bytes(metadata).ok()?;
    Some(subscription.topics.into_iter().map(|topic| topic.into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_partition_is_the_one_that_kafka_would_choose() {
        // From `Utils.abs("…".hashCode()) % 50` in Java.
        for (group, partition) in [("", 0), ("a", 47), ("my-group", 12), ("polygenelubricants", 0), ("gr\u{fc}ppe", 12)]
        {
            assert_eq!(partition_of(group, 50), partition, "{group:?}");
        }
    }
}
