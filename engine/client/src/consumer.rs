//! Reads records: from partitions of its own choice, or from those that its group assigns to it.

pub(crate) mod assignor;
mod commit;
mod fetched;
mod fetcher;
mod group;
mod rebalance;
mod subscription;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ringlog_protocol::ErrorCode;
use tokio::time::Instant;

pub use self::assignor::{Assignor, TopicPartition};
pub use self::commit::PendingCommit;
use self::fetched::Fetched;
pub use self::fetched::{Chunk, Records};
use self::fetcher::{Arrival, Fetcher, Wanted};
use self::group::Membership;
pub use self::rebalance::{RebalanceListener, Told};
use self::subscription::Subscription;
use crate::offsets::{self, CommittedOffset, OffsetSpec};
use crate::{Client, ClientError, ConsumerOptions, Isolation, OffsetReset};

/// Reads records. One task polls it; what it fetches ahead comes in while that task is busy.
///
/// In a group, [`poll`](Self::poll) is also where rebalances happen: between two polls the assignment does not change.
pub struct Consumer {
    client: Client,
    options: ConsumerOptions,
    subscription: Option<Subscription>,
    listener: Option<Arc<dyn RebalanceListener>>,
    assigned: BTreeMap<TopicPartition, Partition>,
    membership: Option<Membership>,
    fetcher: Fetcher,
    buffered: VecDeque<Fetched>,
    /// Topics whose leaders are in doubt.
    stale: BTreeSet<String>,
    seeks: u64,
    next_auto_commit: Option<Instant>,
}

/// An assigned partition.
#[derive(Debug, Default)]
struct Partition {
    position: Option<CommittedOffset>,
    /// Where to go, while the position is not known. `None`: to the committed offset, or where it began, or as
    /// `auto.offset.reset` says.
    target: Option<OffsetSpec>,
    /// Where reading began, at first or after the last seek.
    began: Option<CommittedOffset>,
    /// Tells answers to fetches from before the last seek.
    seek: u64,
    paused: bool,
    /// A fetch of it is under way, or its records are buffered.
    pending: bool,
    /// Where its log ended at the last fetch, for this isolation level.
    end: Option<i64>,
    start: Option<i64>,
}

impl Consumer {
    /// A consumer on `client`'s connections. Its fetches run on the current tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::Option`] for options that are out of range.
    pub fn new(client: Client, options: ConsumerOptions) -> Result<Self, ClientError> {
        let refuse = |name, value: String, reason| Err(ClientError::Option { name, value, reason });
        if options.max_poll_records == 0 {
            return refuse("max.poll.records", "0".to_owned(), "1 or more are allowed");
        }
        if options.assignors.is_empty() {
            return refuse("partition.assignment.strategy", String::new(), "name at least one");
        }
        if options.heartbeat_interval >= options.session_timeout {
            let value = options.heartbeat_interval.as_millis().to_string();
            return refuse(
                "heartbeat.interval.ms",
                value,
                "it must be shorter than session.timeout.ms, a third of it is usual",
            );
        }
        let membership = options.group_id.clone().map(|group| Membership::new(client.clone(), group, options.clone()));
        let fetcher = Fetcher::new(client.clone(), options.clone());
        Ok(Self {
            next_auto_commit: options.auto_commit.map(|interval| Instant::now() + interval),
            client,
            options,
            subscription: None,
            listener: None,
            assigned: BTreeMap::new(),
            membership,
            fetcher,
            buffered: VecDeque::new(),
            stale: BTreeSet::new(),
            seeks: 0,
        })
    }

    /// Reads these topics as a member of its group: the next polls join it. Replaces what was subscribed or assigned
    /// before.
    ///
    /// # Errors
    /// [`ClientError::State`] without a `group.id`.
    pub fn subscribe<T: Into<String>>(&mut self, topics: impl IntoIterator<Item = T>) -> Result<(), ClientError> {
        self.subscribe_to(Subscription::Topics(topics.into_iter().map(Into::into).collect()))
    }

    /// The same with all topics, but for the cluster's own, whose whole names match a regular expression. Those that are
    /// created later are found within `metadata.max.age.ms`.
    ///
    /// # Errors
    /// [`ClientError::State`] without a `group.id`; [`ClientError::Option`] for what is no regular expression.
    pub fn subscribe_pattern(&mut self, pattern: &str) -> Result<(), ClientError> {
        self.subscribe_to(Subscription::pattern(pattern)?)
    }

    /// Tells a listener from here on which partitions it gains and loses by rebalances.
    pub fn listen(&mut self, listener: impl RebalanceListener + 'static) {
        self.listener = Some(Arc::new(listener));
    }

    /// Reads these partitions, without a group's part in it; a group that it is a member of it leaves with the next
    /// poll. Those that were assigned already keep their positions.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.subscription = None;
        self.set_assignment(partitions.into_iter().collect());
    }

    /// Commits if that is automatic, leaves the group, and reads nothing until it subscribes or assigns again.
    ///
    /// # Errors
    /// Of the commit, the listener, or of leaving; all are tried.
    pub async fn unsubscribe(&mut self) -> Result<(), ClientError> {
        let committed = match self.options.auto_commit {
            Some(_) if self.membership.is_some() => self.commit().await,
            _ => Ok(()),
        };
        let held = self.assignment();
        let told = match self.subscription.take() {
            Some(_) if !held.is_empty() => self.tell_revoked(&held).await,
            _ => Ok(()),
        };
        self.set_assignment(BTreeSet::new());
        let left = match &mut self.membership {
            Some(membership) => membership.leave().await,
            None => Ok(()),
        };
        committed.and(told).and(left)
    }

    /// [Unsubscribes](Self::unsubscribe) for good. Without it the group waits for the session to time out.
    ///
    /// # Errors
    /// As [`unsubscribe`](Self::unsubscribe).
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.unsubscribe().await
    }

    /// The partitions that it reads.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.assigned.keys().cloned().collect()
    }

    /// Goes on reading at this offset.
    ///
    /// # Errors
    /// [`ClientError::State`] when the partition is not assigned.
    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), ClientError> {
        let state = self.moved(partition)?;
        state.position = Some(CommittedOffset { offset, ..Default::default() });
        state.began.clone_from(&state.position);
        Ok(())
    }

    /// Goes on reading at the beginning, the end, or the first record of a time; when there is no such record, at the
    /// end.
    ///
    /// # Errors
    /// [`ClientError::State`] when the partition is not assigned.
    pub fn seek_to(&mut self, partition: &TopicPartition, target: OffsetSpec) -> Result<(), ClientError> {
        let state = self.moved(partition)?;
        (state.position, state.target) = (None, Some(target));
        Ok(())
    }

    /// Goes on reading all its partitions where the group has committed, or else where it began to read, at first or by
    /// a seek: for what was read in a transaction that was aborted. A member that takes a partition over, for which
    /// nothing is committed, begins as `auto.offset.reset` says: with `latest` it leaves out what came before.
    pub fn seek_to_committed(&mut self) {
        for partition in self.assignment() {
            // It is assigned.
            let _ = self.moved(&partition).map(|state| state.position = None);
        }
    }

    /// Fetches nothing from these partitions until [`resume`](Self::resume); what was fetched already waits.
    pub fn pause(&mut self, partitions: &[TopicPartition]) {
        self.set_paused(partitions, true);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&mut self, partitions: &[TopicPartition]) {
        self.set_paused(partitions, false);
    }

    /// Offset of the next record that a poll will return, once that is known.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        Some(self.assigned.get(partition)?.position.as_ref()?.offset)
    }

    /// How many records lie ahead, by what the last fetch said.
    #[must_use]
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let state = self.assigned.get(partition)?;
        Some((state.end? - state.position.as_ref()?.offset).max(0))
    }

    /// The next records: at once if some are there, otherwise after at most `timeout`, and then perhaps none. With a
    /// group, joins and rebalances within (which may take longer than `timeout`); with `auto_commit`, commits what
    /// earlier polls returned.
    ///
    /// # Errors
    /// What only the application can decide: [`ClientError::NoOffset`], [`ClientError::Records`], a group that refuses
    /// it, a topic that may not be read.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Records, ClientError> {
        let deadline = Instant::now() + timeout;
        if self.subscription.is_none() && self.assigned.is_empty() {
            return Err(ClientError::State("nothing to poll: subscribe to topics or assign partitions first"));
        }
        if let Some(membership) = &self.membership {
            membership.polled();
        }
        loop {
            self.keep_membership().await?;
            self.auto_commit().await;
            self.find_positions().await?;
            self.refresh_stale().await;
            while let Some(arrivals) = self.fetcher.try_next() {
                self.absorb(arrivals)?;
            }
            // Nothing waits from here to the return: a poll that is dropped loses no records.
            let records = self.take_buffered();
            self.begin_fetches();
            let records = records?;
            if !records.is_empty() || Instant::now() >= deadline {
                return Ok(records);
            }
            let signals = self.membership.as_ref().map(|membership| membership.signals().clone());
            let rebalance = async move {
                match signals {
                    Some(signals) => signals.changed.notified().await,
                    None => std::future::pending().await,
                }
            };
            // A leader may be missing: look again soon even if nothing arrives.
            let pause = deadline.min(Instant::now() + self.client.options().retry_backoff_max);
            let arrivals = tokio::select! {
                arrivals = self.fetcher.next() => arrivals,
                () = rebalance => continue,
                () = tokio::time::sleep_until(pause) => continue,
            };
            self.absorb(arrivals)?;
        }
    }

    fn subscribe_to(&mut self, subscription: Subscription) -> Result<(), ClientError> {
        self.membership.as_ref().ok_or(NO_GROUP)?.request_join();
        self.subscription = Some(subscription);
        Ok(())
    }

    fn moved(&mut self, partition: &TopicPartition) -> Result<&mut Partition, ClientError> {
        self.seeks += 1;
        let state = self.assigned.get_mut(partition);
        let state = state.ok_or(ClientError::State("only an assigned partition can be sought in; assign it first"))?;
        (state.seek, state.target, state.pending) = (self.seeks, None, false);
        Ok(state)
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) {
        for partition in partitions {
            if let Some(state) = self.assigned.get_mut(partition) {
                state.paused = paused;
            }
        }
    }

    fn set_assignment(&mut self, partitions: BTreeSet<TopicPartition>) {
        self.assigned.retain(|partition, _| partitions.contains(partition));
        for partition in partitions {
            self.seeks += 1;
            let fresh = Partition { seek: self.seeks, ..Default::default() };
            self.assigned.entry(partition).or_insert(fresh);
        }
    }

    /// Finds out where to begin with the partitions that have no position.
    async fn find_positions(&mut self) -> Result<(), ClientError> {
        let unknown = self.assigned.iter().filter(|(_, state)| state.position.is_none());
        let (sought, fresh): (Vec<_>, Vec<_>) = unknown.partition(|(_, state)| state.target.is_some());
        let mut asked: BTreeMap<_, _> =
            sought.iter().filter_map(|(p, state)| Some(((*p).clone(), state.target?))).collect();
        let fresh: Vec<_> = fresh.into_iter().map(|(partition, _)| partition.clone()).collect();
        if !fresh.is_empty() {
            let committed = match &self.membership {
                Some(_) => self.committed(&fresh).await?,
                None => BTreeMap::new(),
            };
            for partition in fresh {
                let began = || self.assigned.get(&partition)?.began.clone();
                match committed.get(&partition).cloned().or_else(began) {
                    Some(found) => self.set_position(&partition, found),
                    None => {
                        let target = self.reset_target(&partition)?;
                        asked.insert(partition, target);
                    }
                }
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let found = offsets::list(&self.client, &asked, self.options.isolation).await;
        let mut ends = BTreeMap::new();
        for (partition, found) in found {
            match found {
                Ok(found) => match found.offset {
                    Some(offset) => {
                        let position =
                            CommittedOffset { offset, leader_epoch: found.leader_epoch, ..Default::default() };
                        self.set_position(&partition, position);
                    }
                    None => drop(ends.insert(partition, OffsetSpec::Latest)),
                },
                Err(error) if error.calls_for_metadata() => {
                    tracing::debug!(%partition, %error, "looking for its position again");
                    // Errors here show with the next attempt.
                    let _ = self.client.refresh(Some(&[&partition.topic]), false).await;
                }
                Err(error) if error.is_retriable() => {
                    tracing::debug!(%partition, %error, "looking for its position again")
                }
                Err(error) => return Err(error),
            }
        }
        for (partition, target) in ends {
            if let Some(state) = self.assigned.get_mut(&partition) {
                state.target = Some(target);
            }
        }
        Ok(())
    }

    fn set_position(&mut self, partition: &TopicPartition, position: CommittedOffset) {
        if let Some(state) = self.assigned.get_mut(partition) {
            state.position = Some(CommittedOffset { metadata: String::new(), ..position });
            state.began.clone_from(&state.position);
            state.target = None;
        }
    }

    fn reset_target(&self, partition: &TopicPartition) -> Result<OffsetSpec, ClientError> {
        match self.options.offset_reset {
            OffsetReset::Earliest => Ok(OffsetSpec::Earliest),
            OffsetReset::Latest => Ok(OffsetSpec::Latest),
            OffsetReset::None => Err(ClientError::NoOffset { partition: partition.clone() }),
        }
    }

    /// Fetches from every leader that is not busy what is neither paused nor buffered.
    fn begin_fetches(&mut self) {
        let topology = self.client.topology();
        let mut wanted: BTreeMap<i32, BTreeMap<TopicPartition, Wanted>> = BTreeMap::new();
        for (partition, state) in &mut self.assigned {
            let Some(position) = state.position.as_ref().filter(|_| !state.paused && !state.pending) else { continue };
            let topic = topology.topic(&partition.topic).ok();
            let known = topic.as_ref().and_then(|topic| topic.partition(partition.partition).ok());
            let Some((leader, leader_epoch)) = known.and_then(|known| Some((known.leader?, known.leader_epoch))) else {
                self.stale.insert(partition.topic.clone());
                continue;
            };
            if !self.fetcher.is_busy(leader) {
                state.pending = true;
                let fetch = Wanted { offset: position.offset, seek: state.seek, leader_epoch };
                wanted.entry(leader).or_default().insert(partition.clone(), fetch);
            }
        }
        for (leader, wanted) in wanted {
            self.fetcher.fetch(leader, wanted);
        }
    }

    async fn refresh_stale(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        if !stale.is_empty() {
            let names: Vec<_> = stale.iter().map(String::as_str).collect();
            // An error here shows as partitions that stay without a leader; the next round asks again.
            let _ = self.client.refresh(Some(&names), false).await;
        }
    }

    fn absorb(&mut self, arrivals: Vec<Arrival>) -> Result<(), ClientError> {
        for arrival in arrivals {
            let reset = self.reset_target(&arrival.partition);
            let Some(state) = self.assigned.get_mut(&arrival.partition).filter(|state| state.seek == arrival.seek)
            else {
                continue;
            };
            match arrival.outcome {
                Ok(part) => {
                    let committed = self.options.isolation == Isolation::ReadCommitted;
                    state.end = Some(if committed { part.last_stable_offset } else { part.high_watermark });
                    state.start = Some(part.log_start_offset).filter(|&start| start >= 0);
                    state.pending = part.fetched.has_batches();
                    self.buffered.extend(Some(part.fetched).filter(Fetched::has_batches));
                }
                Err(error) if error.code() == Some(ErrorCode::OffsetOutOfRange) => {
                    tracing::info!(partition = %arrival.partition, "the offset is out of range: reset by auto.offset.reset");
                    (state.pending, state.position) = (false, None);
                    state.target = Some(reset?);
                }
                Err(error) if error.is_retriable() => {
                    state.pending = false;
                    if error.calls_for_metadata() {
                        self.stale.insert(arrival.partition.topic);
                    }
                }
                Err(error) => {
                    state.pending = false;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Up to `max.poll.records` of what has arrived. An error comes alone: records before it were returned by the poll
    /// before.
    fn take_buffered(&mut self) -> Result<Records, ClientError> {
        let mut records = Records::default();
        let mut room = self.options.max_poll_records;
        let mut set_aside = Vec::new();
        let mut failed = None;
        while let Some(mut fetched) = (room > 0).then(|| self.buffered.pop_front()).flatten() {
            let current = self.assigned.get_mut(&fetched.partition).filter(|state| state.seek == fetched.seek);
            let Some(state) = current else { continue };
            if state.paused {
                set_aside.push(fetched);
                continue;
            }
            let taken = fetched.take(room);
            if let Some(position) = &mut state.position {
                position.offset = fetched.next;
            }
            match taken {
                Ok(Some((chunk, count))) => {
                    room -= count;
                    if let Some(position) = &mut state.position {
                        position.leader_epoch = chunk.leader_epoch();
                    }
                    records.push(chunk);
                    state.pending = fetched.has_batches();
                    if state.pending {
                        self.buffered.push_front(fetched);
                    }
                }
                Ok(None) => state.pending = false,
                Err(error) => {
                    // Fetched again at the next poll, should the application try again.
                    state.pending = false;
                    failed = Some(error);
                    break;
                }
            }
        }
        self.buffered.extend(set_aside);
        match failed {
            Some(error) if records.is_empty() => Err(error),
            _ => Ok(records),
        }
    }
}

const NO_GROUP: ClientError = ClientError::State("this needs a group: set group.id");
