//! Why a group refuses, by Kafka's names.

/// A refusal. Each is one of Kafka's error codes of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GroupError {
    /// The group is being deleted, or its state could not be written: ask again.
    #[error("the coordinator can't take this now: ask again")]
    CoordinatorNotAvailable,
    /// The group's log takes no writes here.
    #[error("this broker can't write the group's log")]
    NotCoordinator,
    /// The request was made for another generation of the group.
    #[error("the generation is not the group's current one: join again")]
    IllegalGeneration,
    /// No protocol that all members know, or another protocol type than the group's.
    #[error("the member's protocols are not those of the group")]
    InconsistentGroupProtocol,
    /// An empty group id.
    #[error("a group id must not be empty")]
    InvalidGroupId,
    /// No such member: join again with an empty member id.
    #[error("the group has no such member: join again without a member id")]
    UnknownMemberId,
    /// A session time-out outside of `group.min.session.timeout.ms` to `group.max.session.timeout.ms`.
    #[error("the session time-out is outside of group.min.session.timeout.ms to group.max.session.timeout.ms")]
    InvalidSessionTimeout,
    /// Members are joining: join again.
    #[error("the group is rebalancing: join again")]
    RebalanceInProgress,
    /// Offset metadata over `offset.metadata.max.bytes`.
    #[error("the offset's metadata is longer than offset.metadata.max.bytes")]
    OffsetMetadataTooLarge,
    /// One commit makes a batch that the log does not take.
    #[error("the commit is too large for one batch")]
    InvalidCommitOffsetSize,
    /// The group has members.
    #[error("the group has members")]
    NonEmptyGroup,
    /// There is no such group.
    #[error("there is no such group")]
    GroupIdNotFound,
    /// Join again with the member id that came with this.
    #[error("join again with the member id that was given")]
    MemberIdRequired,
    /// `group.max.size` members are in the group.
    #[error("the group has group.max.size members")]
    GroupMaxSizeReached,
    /// Another member has taken the group instance id.
    #[error("another member has taken the group instance id")]
    FencedInstanceId,
    /// A member consumes the topic.
    #[error("a member of the group consumes the topic")]
    GroupSubscribedToTopic,
}
