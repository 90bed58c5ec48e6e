//! What clients ask of a group.

use std::sync::Arc;

/// A member joins, or joins again.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// Group id.
    pub group: String,
    /// Empty for a member that has no id yet.
    pub member_id: String,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where the client connects from.
    pub client_host: String,
    /// A member that is silent for longer is taken out. Milliseconds.
    pub session_timeout_ms: i32,
    /// How long a rebalance waits for the member to join again. Milliseconds.
    pub rebalance_timeout_ms: i32,
    /// `consumer` for consumers.
    pub protocol_type: String,
    /// Names and metadata of the assignors that the member knows, most wanted first.
    pub protocols: Vec<(String, Arc<[u8]>)>,
    /// A member without an id is given one and has to come again with it (JoinGroup ≥ 4, KIP-394).
    pub needs_known_member_id: bool,
    /// The client understands that it leads but need not assign (JoinGroup ≥ 9, KIP-814).
    pub knows_skip_assignment: bool,
    /// What a new member id ends with: unique on every call.
    pub unique: String,
}

/// Who a request says that it comes from.
#[derive(Debug, Clone, Default)]
pub struct MemberClaim {
    /// Member id; empty for a consumer that assigns itself.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// The generation that the member is in; −1 for a consumer that assigns itself.
    pub generation: i32,
}

/// A member asks for its assignment; the leader brings those of all.
#[derive(Debug, Clone, Default)]
pub struct SyncRequest {
    /// Group id.
    pub group: String,
    /// Who asks.
    pub member: MemberClaim,
    /// Must be the group's, where given (SyncGroup ≥ 5).
    pub protocol_type: Option<String>,
    /// Must be the group's, where given (SyncGroup ≥ 5).
    pub protocol: Option<String>,
    /// From the leader: each member's assignment.
    pub assignments: Vec<(String, Arc<[u8]>)>,
}

/// Members leave.
#[derive(Debug, Clone, Default)]
pub struct LeaveRequest {
    /// Group id.
    pub group: String,
    /// Who leaves.
    pub members: Vec<LeavingMember>,
}

/// One that leaves: by its id, or a static one by its instance id alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeavingMember {
    /// Member id; may be empty for a static member that an operator takes out.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
}

/// Offsets to be committed.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// Group id; may be empty, for consumers older than Kafka 2.2.
    pub group: String,
    /// Who commits.
    pub member: MemberClaim,
    /// How long to keep the offsets, instead of `offsets.retention.minutes` (OffsetCommit ≤ 4). Milliseconds.
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub offsets: Vec<OffsetToCommit>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetToCommit {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The next offset to be consumed.
    pub offset: i64,
    /// Epoch of the last record consumed, or −1.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: String,
}
