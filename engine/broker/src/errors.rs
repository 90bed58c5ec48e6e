//! From the crates' errors to Kafka's error codes.

use ringlog_coordinator::GroupError;
use ringlog_log::LogError;
use ringlog_protocol::ErrorCode;
use ringlog_record::RecordError;

/// What a client is told of a log's refusal.
pub(crate) fn code_of(error: &LogError) -> ErrorCode {
    match error {
        LogError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        LogError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        LogError::FencedProducer { .. } => ErrorCode::InvalidProducerEpoch,
        LogError::InvalidTransactionState { .. } => ErrorCode::InvalidTxnState,
        LogError::FencedCoordinator { .. } => ErrorCode::TransactionCoordinatorFenced,
        LogError::Record(error) => code_of_record(error),
        LogError::Closed => ErrorCode::NotLeaderOrFollower,
        // Whatever else goes wrong is a matter of the disk: retriable, and the operator finds it in the log.
        _ => ErrorCode::KafkaStorageError,
    }
}

/// What a client is told of a batch that is not taken.
pub(crate) fn code_of_record(error: &RecordError) -> ErrorCode {
    ErrorCode::from_code(error.kafka_code())
}

/// What a client is told of a group's refusal.
pub(crate) fn code_of_group(error: GroupError) -> ErrorCode {
    match error {
        GroupError::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
        GroupError::NotCoordinator => ErrorCode::NotCoordinator,
        GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
        GroupError::InconsistentGroupProtocol => ErrorCode::InconsistentGroupProtocol,
        GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
        GroupError::UnknownMemberId => ErrorCode::UnknownMemberId,
        GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
        GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
        GroupError::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
        GroupError::InvalidCommitOffsetSize => ErrorCode::InvalidCommitOffsetSize,
        GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
        GroupError::GroupIdNotFound => ErrorCode::GroupIdNotFound,
        GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
        GroupError::GroupMaxSizeReached => ErrorCode::GroupMaxSizeReached,
        GroupError::FencedInstanceId => ErrorCode::FencedInstanceId,
        GroupError::GroupSubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
    }
}
