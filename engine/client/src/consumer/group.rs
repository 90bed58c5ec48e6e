//! Membership in a consumer group, by the classic protocol: join, sync, heartbeat, leave.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringlog_protocol::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition as WirePartition,
};
use ringlog_protocol::heartbeat::HeartbeatRequest;
use ringlog_protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ringlog_protocol::leave_group::{LeaveGroupRequest, MemberIdentity};
use ringlog_protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use ringlog_protocol::{ApiKey, DecodeError, ErrorCode, Reader, Stored, Wire, Writer};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::assignor::{Assignment, Assignor, Member, TopicPartition};
use crate::client::{OwnLane, lock};
use crate::connection::Connection;
use crate::offsets::{GroupMetadata, by_topic};
use crate::{Client, ClientError, ConsumerOptions};

const PROTOCOL_TYPE: &str = "consumer";
/// The version of subscriptions that we write: with owned partitions and generation (KIP-429, KIP-792).
const SUBSCRIPTION_VERSION: i16 = 2;

/// How many partitions each topic has; none when it does not exist.
type PartitionCounts = BTreeMap<String, i32>;

/// One consumer's membership.
pub(super) struct Membership {
    client: Client,
    group: String,
    options: ConsumerOptions,
    member_id: String,
    generation: i32,
    /// A JoinGroup is answered when all have joined: nobody else's requests may wait behind it.
    lane: OwnLane,
    coordinator: Option<Connection>,
    heartbeats: Option<Heartbeats>,
    /// What the last rebalance gave this member, and in which generation: a sticky strategy goes by it.
    given: (BTreeSet<TopicPartition>, i32),
    /// Whether the consumer has not yet taken over what was given.
    to_take_over: bool,
    /// As the group's leader: the topics by which it dealt, and when to look whether they have changed.
    dealt_by: Option<(PartitionCounts, Instant)>,
    signals: Arc<Signals>,
}

/// What the heartbeat task and the consumer tell each other.
pub(super) struct Signals {
    state: Mutex<SignalState>,
    /// Wakes a poll that waits for records.
    pub(super) changed: Notify,
}

struct SignalState {
    rejoin: bool,
    /// The group has gone on without this member.
    lost: bool,
    /// What was taken for the coordinator may not be it.
    coordinator_in_doubt: bool,
    last_poll: Instant,
}

/// The heartbeat task; it ends with this.
struct Heartbeats(AbortHandle);

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Membership {
    pub(super) fn new(client: Client, group: String, options: ConsumerOptions) -> Self {
        let state = SignalState { rejoin: true, lost: false, coordinator_in_doubt: false, last_poll: Instant::now() };
        Self {
            lane: client.own_lane(),
            client,
            group,
            options,
            member_id: String::new(),
            generation: -1,
            coordinator: None,
            heartbeats: None,
            given: (BTreeSet::new(), -1),
            to_take_over: false,
            dealt_by: None,
            signals: Arc::new(Signals { state: Mutex::new(state), changed: Notify::new() }),
        }
    }

    pub(super) fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// Notes a poll: members that do not poll leave after `max.poll.interval.ms`.
    pub(super) fn polled(&self) {
        lock(&self.signals.state).last_poll = Instant::now();
    }

    pub(super) fn needs_join(&self) -> bool {
        lock(&self.signals.state).rejoin
    }

    /// Whether partitions were taken away without a rebalance; said once.
    pub(super) fn take_lost(&self) -> bool {
        std::mem::take(&mut lock(&self.signals.state).lost)
    }

    /// Whether partitions stay assigned while the group rebalances: when every strategy offered can do that.
    pub(super) fn is_cooperative(&self) -> bool {
        self.options.assignors.iter().all(|assignor| assignor.is_cooperative())
    }

    /// What the last rebalance gave, until it is [taken over](Self::taken_over).
    pub(super) fn dealt(&self) -> Option<BTreeSet<TopicPartition>> {
        self.to_take_over.then(|| self.given.0.clone())
    }

    pub(super) fn taken_over(&mut self) {
        self.to_take_over = false;
    }

    /// As the leader, asks for a rebalance when topics were created or deleted, or have more partitions than were dealt.
    pub(super) async fn watch_topics(&mut self) {
        let now = Instant::now();
        let Some((dealt, due)) = self.dealt_by.as_mut().filter(|(_, due)| *due <= now) else { return };
        *due = now + self.client.options().metadata_max_age;
        let names: Vec<&str> = dealt.keys().map(String::as_str).collect();
        match partition_counts(&self.client, &names).await {
            Ok(counts) if counts != *dealt => self.request_join(),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the topics are looked at again later"),
        }
    }

    /// Asks for a rebalance with the next poll.
    pub(super) fn request_join(&self) {
        lock(&self.signals.state).rejoin = true;
    }

    pub(super) fn metadata(&self) -> GroupMetadata {
        if self.generation < 0 {
            return GroupMetadata::without_member(&self.group);
        }
        GroupMetadata {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            instance_id: self.options.group_instance_id.clone(),
        }
    }

    pub(super) async fn coordinator(&mut self) -> Result<Connection, ClientError> {
        let doubted = std::mem::take(&mut lock(&self.signals.state).coordinator_in_doubt);
        if let Some(known) = self.coordinator.as_ref().filter(|known| known.is_open() && !doubted) {
            return Ok(known.clone());
        }
        let (client, group, lane) = (&self.client, &self.group, self.lane.lane);
        let found = client.retry(client.options().api_timeout, || client.coordinator(group, lane)).await?;
        Ok(self.coordinator.insert(found).clone())
    }

    /// Joins or rejoins: [`dealt`](Self::dealt) is what comes of it. `owned` is what the member reads now, nothing if it
    /// is not cooperative.
    pub(super) async fn join(
        &mut self,
        topics: &[String],
        owned: &BTreeSet<TopicPartition>,
    ) -> Result<(), ClientError> {
        self.heartbeats = None;
        let mut backoff = self.client.backoff();
        loop {
            let error = match self.join_once(topics, owned).await {
                Ok((given, coordinator)) => {
                    // Only here: a poll that was dropped on the way joins again with the next.
                    lock(&self.signals.state).rejoin = false;
                    (self.given, self.to_take_over) = ((given, self.generation), true);
                    self.begin_heartbeats(coordinator);
                    return Ok(());
                }
                Err(error) => error,
            };
            self.signals.doubt_coordinator(&error);
            match error.code() {
                Some(ErrorCode::MemberIdRequired) => continue,
                Some(ErrorCode::UnknownMemberId) => self.forget_member(),
                Some(ErrorCode::IllegalGeneration) => self.generation = -1,
                Some(ErrorCode::RebalanceInProgress) => {}
                _ if error.is_retriable() => {}
                _ => return Err(error),
            }
            tracing::debug!(group = %self.group, %error, "joining again");
            tokio::time::sleep(backoff.next()).await;
        }
    }

    fn forget_member(&mut self) {
        self.member_id.clear();
        self.generation = -1;
        self.to_take_over = false;
    }

    async fn join_once(
        &mut self,
        topics: &[String],
        owned: &BTreeSet<TopicPartition>,
    ) -> Result<(BTreeSet<TopicPartition>, Connection), ClientError> {
        let coordinator = self.coordinator().await?;
        let subscription = ConsumerProtocolSubscription {
            topics: topics.iter().map(|topic| topic.as_str().into()).collect(),
            owned_partitions: to_wire(owned),
            generation_id: self.generation,
            ..Default::default()
        };
        let version = coordinator.version(ApiKey::JoinGroup, 0..=i16::MAX)?;
        let protocol = |assignor: &Assignor| {
            let user_data = match assignor {
                Assignor::Sticky => Some(sticky_data(&self.given.0, self.given.1)?.into()),
                _ => None,
            };
            let subscription = ConsumerProtocolSubscription { user_data, ..subscription.clone() };
            let metadata = subscription.to_bytes(SUBSCRIPTION_VERSION)?.into();
            Ok(JoinGroupRequestProtocol { name: assignor.name().into(), metadata })
        };
        let protocols = self.options.assignors.iter().map(protocol).collect::<Result<_, ClientError>>()?;
        let request = JoinGroupRequest {
            group_id: self.group.as_str().into(),
            session_timeout_ms: self.options.session_timeout.as_millis() as i32,
            rebalance_timeout_ms: self.options.max_poll_interval.as_millis() as i32,
            member_id: self.member_id.clone().into(),
            group_instance_id: self.options.group_instance_id.as_deref().map(Into::into),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols,
            ..Default::default()
        };
        // The broker answers when all members have joined, which they have this long for.
        let reply = coordinator.call_version(&request, version, self.options.max_poll_interval).await?;
        let joined = reply.read()?;
        if joined.error_code == ErrorCode::MemberIdRequired.code() {
            self.member_id = joined.member_id.clone().into_owned();
        }
        ClientError::check(joined.error_code, || format!("joining group {}", self.group), None)?;
        self.member_id = joined.member_id.clone().into_owned();
        self.generation = joined.generation_id;
        let protocol = joined.protocol_name.clone().unwrap_or_default().into_owned();
        self.dealt_by = None;
        let assignments = if joined.leader == self.member_id && !joined.skip_assignment {
            let (assignment, counts) = self.assign(&protocol, &joined).await?;
            self.dealt_by = Some((counts, Instant::now() + self.client.options().metadata_max_age));
            assignment
        } else {
            Assignment::new()
        };
        let encoded = assignments.iter().map(|(member, partitions)| {
            let assigned =
                ConsumerProtocolAssignment { assigned_partitions: to_wire(partitions), ..Default::default() };
            // Version 1 is the newest that says anything more than the one before it.
            Ok((member, assigned.to_bytes(1)?))
        });
        let encoded = encoded.collect::<Result<Vec<_>, ClientError>>()?;
        let version = coordinator.version(ApiKey::SyncGroup, 0..=i16::MAX)?;
        let request = SyncGroupRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.member_id.as_str().into(),
            group_instance_id: self.options.group_instance_id.as_deref().map(Into::into),
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: Some(protocol.as_str().into()),
            assignments: encoded
                .iter()
                .map(|(member, assignment)| SyncGroupRequestAssignment {
                    member_id: member.as_str().into(),
                    assignment: assignment.as_slice().into(),
                })
                .collect(),
        };
        let reply = coordinator.call_version(&request, version, self.options.max_poll_interval).await?;
        let synced = reply.read()?;
        ClientError::check(synced.error_code, || format!("joining group {}", self.group), None)?;
        if synced.assignment.is_empty() {
            return Ok((BTreeSet::new(), coordinator));
        }
        let assignment = ConsumerProtocolAssignment::from_newer_bytes(&synced.assignment)
            .map_err(|cause| ClientError::Decode { api: ApiKey::SyncGroup, version, cause })?;
        tracing::debug!(group = %self.group, generation = self.generation, member = %self.member_id, "joined");
        Ok((from_wire(&assignment.assigned_partitions), coordinator))
    }

    /// The leader's part: what everybody gets, and by which topics.
    async fn assign(
        &self,
        protocol: &str,
        joined: &JoinGroupResponse<'_>,
    ) -> Result<(Assignment, PartitionCounts), ClientError> {
        let unknown = ClientError::Option {
            name: "partition.assignment.strategy",
            value: protocol.to_owned(),
            reason: "the group has agreed on a strategy that this client does not know",
        };
        let assignor = Assignor::named(protocol).ok_or(unknown)?;
        let mut members = Vec::with_capacity(joined.members.len());
        for member in &joined.members {
            let bad = |cause: DecodeError| ClientError::Decode { api: ApiKey::JoinGroup, version: 0, cause };
            let subscription = ConsumerProtocolSubscription::from_newer_bytes(&member.metadata).map_err(bad)?;
            let (owned, generation) = match assignor {
                Assignor::Sticky => from_sticky_data(subscription.user_data.as_deref().unwrap_or_default()),
                _ => (from_wire(&subscription.owned_partitions), subscription.generation_id),
            };
            members.push(Member {
                id: member.member_id.clone().into_owned(),
                instance_id: member.group_instance_id.clone().map(Into::into),
                topics: subscription.topics.iter().map(|topic| topic.clone().into_owned()).collect(),
                owned: owned.into_iter().collect(),
                generation,
            });
        }
        let topics: BTreeSet<&str> = members.iter().flat_map(|member| &member.topics).map(String::as_str).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let counts = partition_counts(&self.client, &topics).await?;
        Ok((assignor.assign(members, &counts), counts))
    }

    fn begin_heartbeats(&mut self, coordinator: Connection) {
        let task = beat(
            coordinator,
            self.identity(),
            self.generation,
            Arc::clone(&self.signals),
            self.options.heartbeat_interval,
            self.options.max_poll_interval,
        );
        self.heartbeats = Some(Heartbeats(tokio::spawn(task).abort_handle()));
    }

    fn identity(&self) -> Identity {
        Identity {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            instance_id: self.options.group_instance_id.clone(),
        }
    }

    /// Leaves the group, so that the others need not wait for the session to time out. A static member does not: it is
    /// expected back.
    pub(super) async fn leave(&mut self) -> Result<(), ClientError> {
        self.heartbeats = None;
        if self.generation < 0 || self.options.group_instance_id.is_some() {
            return Ok(());
        }
        let coordinator = self.coordinator().await?;
        let identity = self.identity();
        self.forget_member();
        leave(&coordinator, &identity, "the consumer is closed").await
    }
}

async fn partition_counts(client: &Client, topics: &[&str]) -> Result<PartitionCounts, ClientError> {
    let topology = client.refresh(Some(topics), false).await?;
    // One that does not exist has no partitions to deal out; it may come.
    let count = |name| topology.topic(name).map_or(0, |topic| topic.partitions.len() as i32);
    Ok(topics.iter().map(|&name| (name.to_owned(), count(name))).collect())
}

/// A member, as requests name it.
struct Identity {
    group: String,
    member_id: String,
    instance_id: Option<String>,
}

async fn beat(
    coordinator: Connection,
    member: Identity,
    generation: i32,
    signals: Arc<Signals>,
    interval: Duration,
    max_poll_interval: Duration,
) {
    loop {
        tokio::time::sleep(interval).await;
        if lock(&signals.state).last_poll.elapsed() > max_poll_interval {
            tracing::warn!(group = %member.group, ?max_poll_interval, "left the group: no poll for max.poll.interval.ms");
            // The session ends anyhow if this is not heard.
            let _ = leave(&coordinator, &member, "max.poll.interval.ms has passed without a poll").await;
            return signals.rejoin(true);
        }
        let version = coordinator.version(ApiKey::Heartbeat, 0..=i16::MAX).unwrap_or_default();
        let request = HeartbeatRequest {
            group_id: member.group.as_str().into(),
            generation_id: generation,
            member_id: member.member_id.as_str().into(),
            group_instance_id: member.instance_id.as_deref().map(Into::into),
        };
        let reply = coordinator.call_version(&request, version, Duration::ZERO).await;
        let code = reply.as_ref().map_err(ClientError::clone).and_then(|reply| Ok(reply.read()?.error_code));
        match code.map(ErrorCode::from_code) {
            Ok(ErrorCode::None) => {}
            Ok(ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId | ErrorCode::IllegalGeneration) => {
                return signals.rejoin(true);
            }
            // Another rebalance, or another coordinator: joining again finds out which.
            Ok(_) | Err(_) => return signals.rejoin(false),
        }
    }
}

async fn leave(coordinator: &Connection, member: &Identity, reason: &'static str) -> Result<(), ClientError> {
    let version = coordinator.version(ApiKey::LeaveGroup, 0..=i16::MAX)?;
    let (group_id, member_id) = (member.group.as_str().into(), member.member_id.as_str().into());
    // A list of members since version 3.
    let request = if version < 3 {
        LeaveGroupRequest { group_id, member_id, ..Default::default() }
    } else {
        let member = MemberIdentity { member_id, reason: Some(reason.into()), ..Default::default() };
        LeaveGroupRequest { group_id, members: vec![member], ..Default::default() }
    };
    let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
    ClientError::check(reply.read()?.error_code, || format!("leaving group {}", member.group), None)
}

impl Signals {
    /// Has the coordinator looked for again if `error` says that it is another.
    pub(super) fn doubt_coordinator(&self, error: &ClientError) {
        let moved = matches!(error.code(), Some(ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable));
        if moved || error.code().is_none() {
            lock(&self.state).coordinator_in_doubt = true;
        }
    }

    fn rejoin(&self, lost: bool) {
        let mut state = lock(&self.state);
        state.rejoin = true;
        state.lost |= lost;
        drop(state);
        self.changed.notify_one();
    }
}

fn to_wire(partitions: &BTreeSet<TopicPartition>) -> Vec<WirePartition<'_>> {
    let topics = by_topic(partitions.iter().map(|partition| (partition, ()))).into_iter();
    let row = |(topic, rows)| WirePartition { topic: Cow::Borrowed(topic), partitions: indexes(rows) };
    topics.map(row).collect()
}

fn indexes(rows: Vec<(i32, ())>) -> Vec<i32> {
    rows.into_iter().map(|(index, ())| index).collect()
}

fn from_wire(topics: &[WirePartition<'_>]) -> BTreeSet<TopicPartition> {
    let partitions = |topic: &WirePartition<'_>| {
        let name = topic.topic.clone().into_owned();
        topic.partitions.clone().into_iter().map(move |index| TopicPartition::new(name.clone(), index))
    };
    topics.iter().flat_map(partitions).collect()
}

/// What a member of a group with the `sticky` strategy tells the leader: what it was given last, and in which
/// generation. Kafka's layout, which has no version in front.
fn sticky_data(given: &BTreeSet<TopicPartition>, generation: i32) -> Result<Vec<u8>, ClientError> {
    let mut writer = Writer::new();
    to_wire(given).write(&mut writer)?;
    generation.write(&mut writer)?;
    Ok(writer.into_bytes().into())
}

/// Nothing where it cannot be read: then the member only loses its claims. Old members leave the generation out.
fn from_sticky_data(bytes: &[u8]) -> (BTreeSet<TopicPartition>, i32) {
    let mut reader = Reader::new(bytes);
    let given = Vec::<WirePartition<'_>>::read(&mut reader).unwrap_or_default();
    (from_wire(&given), i32::read(&mut reader).unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sticky_member_tells_lies_as_javas_members_read_it() {
        let given = BTreeSet::from([TopicPartition::new("t", 0), TopicPartition::new("t", 2)]);
        let bytes = sticky_data(&given, 5).unwrap();
        assert_eq!(bytes, b"\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\x05");
        assert_eq!(from_sticky_data(&bytes), (given.clone(), 5));
        assert_eq!(from_sticky_data(&bytes[..bytes.len() - 4]), (given, -1));
        assert_eq!(from_sticky_data(b"\xff\xff"), (BTreeSet::new(), -1));
    }
}
