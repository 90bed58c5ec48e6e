//! From the records of `__consumer_offsets` back to the state that wrote them.

use std::sync::Arc;

use crate::coordinator::Turn;
use crate::group::{Group, State};
use crate::member::Member;
use crate::{Change, Coordinator};

/// A group as its record has it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupValue {
    /// `consumer` for consumers.
    pub protocol_type: String,
    /// Generation.
    pub generation: i32,
    /// The assignor chosen.
    pub protocol: Option<String>,
    /// Member id of the leader.
    pub leader: Option<String>,
    /// Since when the group is in its state. Milliseconds; −1 in records of Kafka before 2.1, which did not note it.
    pub state_since_ms: i64,
    /// The members of the generation.
    pub members: Vec<MemberValue>,
}

/// A member as the group's record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberValue {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Milliseconds.
    pub session_timeout_ms: i32,
    /// Metadata for the assignor chosen.
    pub subscription: Arc<[u8]>,
    /// Assignment.
    pub assignment: Arc<[u8]>,
}

impl Coordinator {
    /// Replays one record; to be called for all of them, in their order in the log, before anything else.
    pub fn load(&mut self, change: Change) {
        let id = match &change {
            Change::Group { group, .. } | Change::Offset { group, .. } => group.clone(),
        };
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id, 0));
        match change {
            Change::Offset { topic, partition, value, .. } => group.set_offset((topic, partition), value),
            Change::Group { value: Some(value), .. } => group.restore(value),
            Change::Group { value: None, .. } => {
                let offsets = std::mem::take(&mut group.offsets);
                *group = Group::new(group.id.clone(), 0);
                group.offsets = offsets;
            }
        }
    }

    /// The log has been read to its end: groups go on where they were. Their members have a whole session to be heard of again.
    pub fn loaded(&mut self, now_ms: i64) {
        self.groups.retain(|_, group| !group.is_nothing());
        let actions = self.with_each(now_ms, Group::resume);
        debug_assert!(actions.is_empty(), "nobody waits for an answer yet: {actions:?}");
    }
}

impl Group {
    fn resume(&mut self, turn: &mut Turn<'_>) {
        self.members.values_mut().for_each(|member| member.heard(turn.now_ms));
        // The limit has been lowered since: members may commit what they have, and then come anew.
        if self.members.len() > turn.settings.group_max_size {
            self.prepare_rebalance(turn);
        }
    }

    fn restore(&mut self, value: GroupValue) {
        let protocol = value.protocol.clone().unwrap_or_default();
        let member = |member: MemberValue| Member {
            protocols: vec![(protocol.clone(), member.subscription)],
            member_id: member.member_id,
            instance_id: member.instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            session_timeout_ms: member.session_timeout_ms,
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            assignment: member.assignment,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            deadline_ms: 0,
        };
        self.state = if value.members.is_empty() { State::Empty } else { State::Stable };
        self.state_since_ms = value.state_since_ms;
        self.generation = value.generation;
        self.protocol_type = Some(value.protocol_type).filter(|kind| !kind.is_empty());
        self.protocol = value.protocol;
        self.leader = value.leader;
        self.members = value.members.into_iter().map(|value| (value.member_id.clone(), member(value))).collect();
    }
}
