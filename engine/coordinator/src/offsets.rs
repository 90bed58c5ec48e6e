//! Committed offsets: commit, delete, expire.

use std::sync::Arc;

use crate::coordinator::Turn;
use crate::group::{CONSUMER, Group, State, Then};
use crate::{Answer, Change, CommitRequest, Coordinator, GroupError, OffsetToCommit, Token};

/// Topic and partition.
pub(crate) type OffsetKey = (Arc<str>, i32);

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to be consumed.
    pub offset: i64,
    /// Epoch of the last record consumed, or −1.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: String,
    /// When it was committed. Milliseconds.
    pub commit_timestamp_ms: i64,
    /// When it expires, if the client said so (OffsetCommit ≤ 4). Milliseconds.
    pub expire_timestamp_ms: Option<i64>,
}

/// What became of one offset of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetOutcome {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Committed, or deleted; or why not.
    pub outcome: Result<(), GroupError>,
}

impl Coordinator {
    /// The offset that a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.offsets.get(&(topic.into(), partition))
    }

    /// All offsets that a group has committed, by topic and partition.
    pub fn all_committed(&self, group: &str) -> impl Iterator<Item = (&Arc<str>, i32, &Committed)> {
        let offsets = self.groups.get(group).into_iter().flat_map(|group| &group.offsets);
        offsets.map(|((topic, partition), committed)| (topic, *partition, committed))
    }
}

impl Group {
    pub(crate) fn commit(&mut self, turn: &mut Turn<'_>, token: Token, request: CommitRequest) {
        if let Err(error) = self.check_commit(&request) {
            return turn.answer(token, Answer::Offsets(Err(error)));
        }
        if let Some(member) = self.members.get_mut(&request.member.member_id) {
            member.heard(turn.now_ms);
        }
        let expire_timestamp_ms = request.retention_ms.map(|retention_ms| turn.now_ms.saturating_add(retention_ms));
        let mut changes = Vec::new();
        let mut outcomes = Vec::with_capacity(request.offsets.len());
        for OffsetToCommit { topic, partition, offset, leader_epoch, metadata } in request.offsets {
            let fits = metadata.len() <= turn.settings.offset_metadata_max_bytes;
            let outcome = if fits { Ok(()) } else { Err(GroupError::OffsetMetadataTooLarge) };
            outcomes.push(OffsetOutcome { topic: topic.clone(), partition, outcome });
            if fits {
                let commit_timestamp_ms = turn.now_ms;
                let committed = Committed { offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms };
                changes.push(((topic, partition), Some(committed)));
            }
        }
        self.write_offsets(turn, Some(token), changes, outcomes);
    }

    fn check_commit(&self, request: &CommitRequest) -> Result<(), GroupError> {
        let claim = &request.member;
        let is_simple = claim.generation < 0 && claim.member_id.is_empty() && claim.instance_id.is_none();
        match self.state {
            State::Dead => Err(GroupError::CoordinatorNotAvailable),
            // A consumer that assigns itself, or an operator's tool.
            State::Empty if claim.generation < 0 => Ok(()),
            _ if is_simple => Err(GroupError::UnknownMemberId),
            state => {
                self.check_claim(claim)?;
                // The member is in the generation, but does not have its assignment yet: it commits what it has lost.
                if state == State::CompletingRebalance { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
            }
        }
    }

    pub(crate) fn delete_offsets(&mut self, turn: &mut Turn<'_>, token: Token, offsets: Vec<OffsetKey>) {
        let is_consumer = self.protocol_type.as_deref() == Some(CONSUMER);
        let refusal = match self.state {
            State::Dead => Some(GroupError::GroupIdNotFound),
            State::Empty => None,
            _ if is_consumer => None,
            _ => Some(GroupError::NonEmptyGroup),
        };
        if let Some(error) = refusal {
            return turn.answer(token, Answer::Offsets(Err(error)));
        }
        let subscribed = self.subscribed_topics(turn.topics_of);
        // Consumers of which that can't be known may read anything.
        let is_in_use = |topic: &str| subscribed.as_ref().map_or(is_consumer, |topics| topics.contains(topic));
        let mut changes = Vec::new();
        let mut outcomes = Vec::with_capacity(offsets.len());
        for (topic, partition) in offsets {
            let in_use = is_in_use(&topic);
            let outcome = if in_use { Err(GroupError::GroupSubscribedToTopic) } else { Ok(()) };
            outcomes.push(OffsetOutcome { topic: topic.clone(), partition, outcome });
            if !in_use && self.offsets.contains_key(&(topic.clone(), partition)) {
                changes.push(((topic, partition), None));
            }
        }
        self.write_offsets(turn, Some(token), changes, outcomes);
    }

    pub(crate) fn drop_topic(&mut self, turn: &mut Turn<'_>, topic: &str) {
        let of_topic = self.offsets_in_log().into_iter().filter(|(name, _)| **name == *topic);
        let changes = of_topic.map(|key| (key, None)).collect();
        self.write_offsets(turn, None, changes, Vec::new());
    }

    /// Drops what has expired. Kafka's rules (KIP-211): the time of a group of consumers runs from when its last member left,
    /// and for topics that no member reads; that of a consumer without a group, from the commit.
    pub(crate) fn expire_offsets(&mut self, turn: &mut Turn<'_>) {
        if self.has_writes_under_way() {
            return;
        }
        let since_ms = match (&self.protocol_type, self.state) {
            (Some(_), State::Empty) => Some(self.state_since_ms).filter(|since_ms| *since_ms >= 0),
            (None, State::Empty) => None,
            (Some(kind), State::Stable) if kind == CONSUMER => None,
            _ => return,
        };
        let subscribed = match self.state {
            State::Empty => Some(Default::default()),
            _ => self.subscribed_topics(turn.topics_of),
        };
        let Some(subscribed) = subscribed else { return };
        let retention_ms = turn.settings.offsets_retention_ms;
        let is_expired = |topic: &str, committed: &Committed| {
            let at = match committed.expire_timestamp_ms {
                Some(at) => at,
                None => since_ms.unwrap_or(committed.commit_timestamp_ms).saturating_add(retention_ms),
            };
            !subscribed.contains(topic) && at <= turn.now_ms
        };
        let expired = self.offsets.iter().filter(|((topic, _), committed)| is_expired(topic, committed));
        let changes: Vec<_> = expired.map(|(key, _)| (key.clone(), None)).collect();
        let leaves_nothing = changes.len() == self.offsets.len();
        self.write_offsets(turn, None, changes, Vec::new());
        if self.is_nothing() {
            // Its record was never written.
            self.state = State::Dead;
        } else if leaves_nothing && self.state == State::Empty && self.promised_ids.is_empty() {
            self.write(turn, vec![Change::Group { group: self.id.clone(), value: None }], Then::Forgotten);
        }
    }

    fn write_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        token: Option<Token>,
        changes: Vec<(OffsetKey, Option<Committed>)>,
        outcomes: Vec<OffsetOutcome>,
    ) {
        if changes.is_empty() {
            if let Some(token) = token {
                turn.answer(token, Answer::Offsets(Ok(outcomes)));
            }
            return;
        }
        let record = |((topic, partition), value): &(OffsetKey, Option<Committed>)| Change::Offset {
            group: self.id.clone(),
            topic: topic.clone(),
            partition: *partition,
            value: value.clone(),
        };
        let records = changes.iter().map(record).collect();
        self.write(turn, records, Then::Offsets { token, changes, outcomes });
    }

    pub(crate) fn offsets_written(
        &mut self,
        turn: &mut Turn<'_>,
        token: Option<Token>,
        changes: Vec<(OffsetKey, Option<Committed>)>,
        mut outcomes: Vec<OffsetOutcome>,
        outcome: Result<(), GroupError>,
    ) {
        match outcome {
            Ok(()) => changes.into_iter().for_each(|(key, value)| self.set_offset(key, value)),
            Err(error) => {
                for failed in outcomes.iter_mut().filter(|failed| failed.outcome.is_ok()) {
                    failed.outcome = Err(error);
                }
            }
        }
        if let Some(token) = token {
            turn.answer(token, Answer::Offsets(Ok(outcomes)));
        }
    }

    pub(crate) fn set_offset(&mut self, key: OffsetKey, value: Option<Committed>) {
        match value {
            Some(committed) => self.offsets.insert(key, committed),
            None => self.offsets.remove(&key),
        };
    }

    /// Deletes the group: offsets and all. Whoever joins meanwhile has to ask again.
    pub(crate) fn delete(&mut self, turn: &mut Turn<'_>, token: Token) {
        match self.state {
            State::Empty => {}
            State::Dead => return turn.answer(token, Answer::Delete(Err(GroupError::GroupIdNotFound))),
            _ => return turn.answer(token, Answer::Delete(Err(GroupError::NonEmptyGroup))),
        }
        self.state = State::Dead;
        let group = &self.id;
        let offset =
            |(topic, partition): OffsetKey| Change::Offset { group: group.clone(), topic, partition, value: None };
        let mut changes: Vec<Change> = self.offsets_in_log().into_iter().map(offset).collect();
        changes.push(Change::Group { group: self.id.clone(), value: None });
        self.write(turn, changes, Then::Deleted { token });
    }

    pub(crate) fn deleted(&mut self, turn: &mut Turn<'_>, token: Token, outcome: Result<(), GroupError>) {
        match outcome {
            Ok(()) => {
                self.offsets.clear();
                self.promised_ids.clear();
            }
            Err(_) => self.state = State::Empty,
        }
        turn.answer(token, Answer::Delete(outcome));
    }

    /// The group's record is gone, and what it said: a group is left that has had no members, if it is left at all. Unless
    /// somebody has come meanwhile.
    pub(crate) fn forgotten(&mut self, outcome: Result<(), GroupError>) {
        if outcome.is_ok() && self.state == State::Empty {
            self.generation = 0;
            (self.protocol_type, self.protocol, self.leader) = (None, None, None);
            if self.is_nothing() {
                self.state = State::Dead;
            }
        }
    }
}
