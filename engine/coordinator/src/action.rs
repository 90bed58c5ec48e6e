//! What the shell has to do after a call.

use std::sync::Arc;

use crate::{Committed, GroupError, GroupValue, OffsetOutcome};

/// Names a request that waits for its answer; chosen by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Names a write of a group's changes, until it is reported as [written](crate::Coordinator::written).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub(crate) group: Arc<str>,
    pub(crate) number: u64,
}

impl Ticket {
    /// The group whose log the write goes to.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }
}

/// To be done in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Answer a request. Each token is answered once.
    Answer(Token, Answer),
    /// Append these to the group's log, then report the ticket. Writes of one group keep their order in the log.
    Write(Ticket, Vec<Change>),
}

/// An answer; of the kind that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To a join; a refusal with the member id to come back with.
    Join(Result<Joined, (GroupError, String)>),
    /// To a sync.
    Sync(Result<Synced, GroupError>),
    /// To a heartbeat.
    Heartbeat(Result<(), GroupError>),
    /// To a leave: one outcome for each member.
    Leave(Result<Vec<LeftMember>, GroupError>),
    /// To a commit or a deletion of offsets: one outcome for each offset, in the order of the request.
    Offsets(Result<Vec<OffsetOutcome>, GroupError>),
    /// To the deletion of a group.
    Delete(Result<(), GroupError>),
}

/// A member is in a generation of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// Type of the group's protocol.
    pub protocol_type: Option<String>,
    /// The assignor chosen.
    pub protocol: Option<String>,
    /// Member id of the leader.
    pub leader: String,
    /// The leader need not assign: the group goes on with what it has.
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: String,
    /// For the leader: everybody.
    pub members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// Its metadata for the assignor chosen.
    pub metadata: Arc<[u8]>,
}

/// A member has its assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// Type of the group's protocol.
    pub protocol_type: Option<String>,
    /// The assignor chosen.
    pub protocol: Option<String>,
    /// Empty when the leader gave none.
    pub assignment: Arc<[u8]>,
}

/// One member of a leave request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    /// As in the request.
    pub member_id: String,
    /// As in the request.
    pub instance_id: Option<String>,
    /// Whether it has left.
    pub outcome: Result<(), GroupError>,
}

/// One record of `__consumer_offsets`; `None` deletes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A group's members, as of its last completed rebalance.
    Group {
        /// Group id.
        group: Arc<str>,
        /// Its state.
        value: Option<GroupValue>,
    },
    /// A committed offset.
    Offset {
        /// Group id.
        group: Arc<str>,
        /// Topic.
        topic: Arc<str>,
        /// Partition.
        partition: i32,
        /// What was committed.
        value: Option<Committed>,
    },
}
