//! One group: its members, its state, and what it has asked to be written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::action::{Joined, JoinedMember};
use crate::coordinator::Turn;
use crate::member::Member;
use crate::offsets::{OffsetKey, OffsetOutcome};
use crate::{Action, Answer, Change, Committed, GroupError, GroupValue, MemberClaim, MemberValue, Ticket, Token};

/// The type of protocol that consumers speak: its metadata says which topics they read.
pub(crate) const CONSUMER: &str = "consumer";

/// Reads the topics that a consumer's metadata subscribes to; `None` when it is not to be understood.
pub(crate) type TopicsOf = fn(&[u8]) -> Option<Vec<String>>;

/// Where a group is in its life. Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No members; may have offsets.
    Empty,
    /// Members have to join, until the deadline.
    PreparingRebalance { deadline_ms: i64, initial: Option<InitialDelay> },
    /// The leader has to bring the assignment.
    CompletingRebalance,
    /// Every member has, or can have, its assignment.
    Stable,
    /// Is being deleted.
    Dead,
}

/// The first rebalance of an empty group waits a little, and again while members come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitialDelay {
    pub(crate) left_ms: i64,
    pub(crate) member_came: bool,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance { .. } => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
            State::Dead => "Dead",
        }
    }
}

/// What happens when a write has succeeded, or failed.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nobody waits for it.
    Nothing,
    /// The leader's assignment of a generation takes effect.
    Assign { generation: i32, assignments: BTreeMap<String, Arc<[u8]>> },
    /// A static member that came back goes on in the current generation.
    Rejoined { token: Token, joined: Joined },
    /// Offsets take effect, and their client is answered.
    Offsets { token: Option<Token>, changes: Vec<(OffsetKey, Option<Committed>)>, outcomes: Vec<OffsetOutcome> },
    /// The group is gone, because an operator wants it.
    Deleted { token: Token },
    /// The group's record is gone, and what it said, unless the group has come to life again.
    Forgotten,
}

#[derive(Debug)]
struct Write {
    number: u64,
    then: Then,
    outcome: Option<Result<(), GroupError>>,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    pub(crate) state: State,
    /// −1 when a record that is older than this field was loaded.
    pub(crate) state_since_ms: i64,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Ids that were given out to members that have to come back with them, and how long they have.
    pub(crate) promised_ids: BTreeMap<String, i64>,
    /// Members of this generation that have not asked for their assignment, and how long they have.
    pub(crate) unsynced: BTreeSet<String>,
    pub(crate) sync_deadline_ms: i64,
    pub(crate) offsets: BTreeMap<OffsetKey, Committed>,
    writes: VecDeque<Write>,
    next_write: u64,
}

impl Group {
    pub(crate) fn new(id: Arc<str>, now_ms: i64) -> Self {
        Self {
            id,
            state: State::Empty,
            state_since_ms: now_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            promised_ids: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            sync_deadline_ms: 0,
            offsets: BTreeMap::new(),
            writes: VecDeque::new(),
            next_write: 0,
        }
    }

    pub(crate) fn enter(&mut self, now_ms: i64, state: State) {
        self.state = state;
        self.state_since_ms = now_ms;
    }

    /// The first moment at which something has to happen although nobody asks.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let members = self.members.values().filter_map(Member::expires_at);
        let phase = match self.state {
            State::PreparingRebalance { deadline_ms, .. } => Some(deadline_ms),
            State::CompletingRebalance | State::Stable if !self.unsynced.is_empty() => Some(self.sync_deadline_ms),
            _ => None,
        };
        members.chain(self.promised_ids.values().copied()).chain(phase).min()
    }

    /// Whether the member is who it says it is.
    pub(crate) fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance_id {
            return match self.static_member(instance) {
                None => Err(GroupError::UnknownMemberId),
                Some(current) if current != member_id => Err(GroupError::FencedInstanceId),
                Some(_) => Ok(()),
            };
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// Whether it is, and is in the current generation.
    pub(crate) fn check_claim(&self, claim: &MemberClaim) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        self.check_member(&claim.member_id, claim.instance_id.as_deref())?;
        if claim.generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    /// Member id of the static member with this instance id.
    pub(crate) fn static_member(&self, instance_id: &str) -> Option<&str> {
        let found = self.members.values().find(|member| member.instance_id.as_deref() == Some(instance_id));
        found.map(|member| member.member_id.as_str())
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(crate) fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0)
    }

    /// What a member is told of the current generation; the leader hears of everybody.
    pub(crate) fn joined(&self, member_id: &str) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let member = |member: &Member| JoinedMember {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: if self.is_leader(member_id) { self.members.values().map(member).collect() } else { Vec::new() },
        }
    }

    /// The topics that the group's consumers read; `None` where that can't be known.
    pub(crate) fn subscribed_topics(&self, topics_of: TopicsOf) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(topics_of(&member.metadata(self.protocol.as_deref()?))?);
        }
        Some(topics)
    }

    /// The group as it is written down, with these assignments.
    pub(crate) fn value(&self, assignments: impl Fn(&Member) -> Arc<[u8]>) -> GroupValue {
        let protocol = self.protocol.clone().unwrap_or_default();
        let member = |member: &Member| MemberValue {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(&protocol),
            assignment: assignments(member),
        };
        GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since_ms: self.state_since_ms,
            members: self.members.values().map(member).collect(),
        }
    }

    /// Has the group as it is now written, with these assignments.
    pub(crate) fn write_group(&mut self, turn: &mut Turn<'_>, assignments: impl Fn(&Member) -> Arc<[u8]>, then: Then) {
        let value = Some(self.value(assignments));
        self.write(turn, vec![Change::Group { group: self.id.clone(), value }], then);
    }

    pub(crate) fn write(&mut self, turn: &mut Turn<'_>, changes: Vec<Change>, then: Then) {
        let number = self.next_write;
        self.next_write += 1;
        self.writes.push_back(Write { number, then, outcome: None });
        turn.actions.push(Action::Write(Ticket { group: self.id.clone(), number }, changes));
    }

    /// Whether the log may still get, or is yet to confirm, something that the state does not show.
    pub(crate) fn has_writes_under_way(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Whether the assignment of the current generation is on its way to the log.
    pub(crate) fn is_assigning(&self) -> bool {
        let is_it =
            |write: &Write| matches!(write.then, Then::Assign { generation, .. } if generation == self.generation);
        self.writes.iter().any(is_it)
    }

    /// Every offset that the log may have: those that are seen, and those on their way there.
    pub(crate) fn offsets_in_log(&self) -> BTreeSet<OffsetKey> {
        let under_way = self.writes.iter().filter_map(|write| match &write.then {
            Then::Offsets { changes, .. } => Some(changes.iter().map(|(key, _)| key)),
            _ => None,
        });
        self.offsets.keys().chain(under_way.flatten()).cloned().collect()
    }

    /// Notes a write's outcome.
    pub(crate) fn written(&mut self, number: u64, outcome: Result<(), GroupError>) {
        if let Some(write) = self.writes.iter_mut().find(|write| write.number == number) {
            write.outcome = Some(outcome);
        }
    }

    /// The oldest write, once its outcome is known. Writes take effect in the order in which they were made, whatever order they
    /// are reported in: the state follows the log.
    pub(crate) fn next_settled(&mut self) -> Option<(Then, Result<(), GroupError>)> {
        let outcome = self.writes.front()?.outcome?;
        self.writes.pop_front().map(|write| (write.then, outcome))
    }
}

impl Turn<'_> {
    pub(crate) fn answer(&mut self, token: Token, answer: Answer) {
        self.actions.push(Action::Answer(token, answer));
    }

    pub(crate) fn refuse_join(&mut self, token: Token, error: GroupError, member_id: &str) {
        self.answer(token, Answer::Join(Err((error, member_id.to_owned()))));
    }
}
