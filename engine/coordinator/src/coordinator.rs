//! All groups of a broker: finds the group that a call concerns, and knows when the next one needs attention.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::group::{Group, State, Then, TopicsOf};
use crate::{
    Action, Answer, CommitRequest, GroupError, JoinRequest, LeaveRequest, MemberClaim, Settings, SyncRequest, Ticket,
    Token,
};

/// All groups of a broker.
///
/// Times are wall-clock milliseconds; a call's time must not be before that of an earlier call. Every call gives the actions that
/// follow from it, in the order in which they are to be carried out.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    topics_of: TopicsOf,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    deadlines: Deadlines,
}

/// What a group needs to know, and where it puts what follows.
pub(crate) struct Turn<'a> {
    pub(crate) now_ms: i64,
    pub(crate) settings: &'a Settings,
    pub(crate) topics_of: TopicsOf,
    pub(crate) actions: Vec<Action>,
}

/// Which group needs attention when.
#[derive(Debug, Default)]
struct Deadlines {
    by_group: BTreeMap<Arc<str>, i64>,
    in_order: BTreeSet<(i64, Arc<str>)>,
}

impl Deadlines {
    fn set(&mut self, group: &Arc<str>, deadline_ms: Option<i64>) {
        let before = match deadline_ms {
            Some(deadline_ms) => self.by_group.insert(group.clone(), deadline_ms),
            None => self.by_group.remove(group),
        };
        if before == deadline_ms {
            return;
        }
        if let Some(before) = before {
            self.in_order.remove(&(before, group.clone()));
        }
        if let Some(deadline_ms) = deadline_ms {
            self.in_order.insert((deadline_ms, group.clone()));
        }
    }

    fn due(&self, now_ms: i64) -> Vec<Arc<str>> {
        let due = self.in_order.iter().take_while(|(deadline_ms, _)| *deadline_ms <= now_ms);
        due.map(|(_, group)| group.clone()).collect()
    }
}

impl Coordinator {
    /// A coordinator without groups. `topics_of` reads the topics that a consumer's metadata subscribes to (the coordinator
    /// itself never looks into it).
    #[must_use]
    pub fn new(settings: Settings, topics_of: TopicsOf) -> Self {
        Self { settings, topics_of, groups: BTreeMap::new(), deadlines: Deadlines::default() }
    }

    /// Other settings, from the next call on.
    pub fn update_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// A member joins, for the first time or again. Answered at once, or when the rebalance completes.
    pub fn join(&mut self, now_ms: i64, token: Token, request: JoinRequest) -> Vec<Action> {
        let allowed = self.settings.group_min_session_timeout_ms..=self.settings.group_max_session_timeout_ms;
        let refusal = match &request {
            request if request.group.is_empty() => Some(GroupError::InvalidGroupId),
            request if !allowed.contains(&request.session_timeout_ms) => Some(GroupError::InvalidSessionTimeout),
            request if !request.member_id.is_empty() && !self.has(&request.group) => Some(GroupError::UnknownMemberId),
            _ => None,
        };
        match refusal {
            Some(error) => vec![Action::Answer(token, Answer::Join(Err((error, request.member_id))))],
            None => self.with(now_ms, &request.group.clone(), |group, turn| group.join(turn, token, request)),
        }
    }

    /// A member asks for its assignment. Answered when the leader has brought it and it is written.
    pub fn sync(&mut self, now_ms: i64, token: Token, request: SyncRequest) -> Vec<Action> {
        match self.check_known(&request.group) {
            Err(error) => vec![Action::Answer(token, Answer::Sync(Err(error)))],
            Ok(()) => self.with(now_ms, &request.group.clone(), |group, turn| group.sync(turn, token, request)),
        }
    }

    /// A member says that it lives.
    pub fn heartbeat(&mut self, now_ms: i64, token: Token, group: &str, member: &MemberClaim) -> Vec<Action> {
        match self.check_known(group) {
            Err(error) => vec![Action::Answer(token, Answer::Heartbeat(Err(error)))],
            Ok(()) => self.with(now_ms, group, |group, turn| group.heartbeat(turn, token, member)),
        }
    }

    /// Members leave.
    pub fn leave(&mut self, now_ms: i64, token: Token, request: LeaveRequest) -> Vec<Action> {
        match self.check_known(&request.group) {
            Err(GroupError::UnknownMemberId) => {
                let answer = crate::leave::nobody_known(request.members);
                vec![Action::Answer(token, answer)]
            }
            Err(error) => vec![Action::Answer(token, Answer::Leave(Err(error)))],
            Ok(()) => {
                self.with(now_ms, &request.group.clone(), |group, turn| group.leave(turn, token, request.members))
            }
        }
    }

    /// Offsets are committed. They are seen, and the client is answered, once they are written. A member of a group that is not
    /// there hears so (clients before OffsetCommit 9 know that as an illegal generation).
    pub fn commit(&mut self, now_ms: i64, token: Token, request: CommitRequest) -> Vec<Action> {
        if !self.has(&request.group) && request.member.generation >= 0 {
            return vec![Action::Answer(token, Answer::Offsets(Err(GroupError::GroupIdNotFound)))];
        }
        self.with(now_ms, &request.group.clone(), |group, turn| group.commit(turn, token, request))
    }

    /// Committed offsets are deleted.
    pub fn delete_offsets(
        &mut self,
        now_ms: i64,
        token: Token,
        group: &str,
        offsets: Vec<(Arc<str>, i32)>,
    ) -> Vec<Action> {
        match self.has(group) {
            _ if group.is_empty() => vec![Action::Answer(token, Answer::Offsets(Err(GroupError::InvalidGroupId)))],
            false => vec![Action::Answer(token, Answer::Offsets(Err(GroupError::GroupIdNotFound)))],
            true => self.with(now_ms, group, |group, turn| group.delete_offsets(turn, token, offsets)),
        }
    }

    /// A group is deleted, with its offsets. Members keep it alive. The group with the empty id can only have offsets; it is
    /// deleted like the others.
    pub fn delete_group(&mut self, now_ms: i64, token: Token, group: &str) -> Vec<Action> {
        match self.has(group) {
            false => vec![Action::Answer(token, Answer::Delete(Err(GroupError::GroupIdNotFound)))],
            true => self.with(now_ms, group, |group, turn| group.delete(turn, token)),
        }
    }

    /// A topic is gone: so are the offsets committed for it.
    pub fn topic_deleted(&mut self, now_ms: i64, topic: &str) -> Vec<Action> {
        self.with_each(now_ms, |group, turn| group.drop_topic(turn, topic))
    }

    /// Drops offsets that nobody has used for `offsets.retention.minutes`, and groups that have nothing left (KIP-211).
    pub fn expire_offsets(&mut self, now_ms: i64) -> Vec<Action> {
        self.with_each(now_ms, Group::expire_offsets)
    }

    /// A write has succeeded, or has failed with the error that clients are to be told.
    pub fn written(&mut self, now_ms: i64, ticket: &Ticket, outcome: Result<(), GroupError>) -> Vec<Action> {
        if !self.has(&ticket.group) {
            return Vec::new();
        }
        self.with(now_ms, &ticket.group, |group, turn| {
            group.written(ticket.number, outcome);
            while let Some((then, outcome)) = group.next_settled() {
                group.settle(turn, then, outcome);
            }
        })
    }

    /// When [`Self::tick`] has something to do; milliseconds.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        self.deadlines.in_order.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Time has passed: takes out members that are late, and completes rebalances that have waited long enough.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Action> {
        let due = self.deadlines.due(now_ms);
        due.iter().flat_map(|group| self.with(now_ms, group, Group::expire)).collect()
    }

    pub(crate) fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    fn check_known(&self, group: &str) -> Result<(), GroupError> {
        match self.has(group) {
            _ if group.is_empty() => Err(GroupError::InvalidGroupId),
            false => Err(GroupError::UnknownMemberId),
            true => Ok(()),
        }
    }

    pub(crate) fn with_each(&mut self, now_ms: i64, each: impl Fn(&mut Group, &mut Turn<'_>)) -> Vec<Action> {
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        ids.iter().flat_map(|id| self.with(now_ms, id, &each)).collect()
    }

    /// Gives a group, made when it is missing, its turn.
    fn with(&mut self, now_ms: i64, id: &str, call: impl FnOnce(&mut Group, &mut Turn<'_>)) -> Vec<Action> {
        let (settings, topics_of) = (&self.settings, self.topics_of);
        let mut turn = Turn { now_ms, settings, topics_of, actions: Vec::new() };
        let is_new = !self.has(id);
        let id: Arc<str> = self.groups.get(id).map_or_else(|| id.into(), |group| group.id.clone());
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone(), now_ms));
        call(group, &mut turn);
        // A request that was refused leaves no group behind; one that has been something stays until its offsets expire.
        let is_gone = (is_new && group.is_nothing()) || group.is_deleted();
        let deadline_ms = group.next_deadline();
        let actions = turn.actions;
        self.deadlines.set(&id, deadline_ms);
        if is_gone {
            self.groups.remove(&id);
        }
        actions
    }
}

impl Group {
    /// Whether forgetting the group changes nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        self.state == State::Empty
            && self.generation == 0
            && self.promised_ids.is_empty()
            && self.offsets.is_empty()
            && !self.has_writes_under_way()
    }

    fn is_deleted(&self) -> bool {
        self.state == State::Dead && !self.has_writes_under_way()
    }

    fn settle(&mut self, turn: &mut Turn<'_>, then: Then, outcome: Result<(), GroupError>) {
        match then {
            Then::Nothing => {}
            Then::Assign { generation, assignments } => self.assign(turn, generation, &assignments, outcome),
            Then::Rejoined { token, joined } => self.rejoined(turn, token, joined, outcome),
            Then::Offsets { token, changes, outcomes } => self.offsets_written(turn, token, changes, outcomes, outcome),
            Then::Deleted { token } => self.deleted(turn, token, outcome),
            Then::Forgotten => self.forgotten(outcome),
        }
    }
}
