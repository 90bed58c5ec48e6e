//! The error codes of the protocol. They never change; the words are ours.

use std::fmt;

/// Lists the errors once: name, code, whether trying again may help, and what went wrong.
macro_rules! error_codes {
    ($($Error:ident = $code:literal $again:ident $message:literal;)*) => {
        /// An error as a response carries it, by Kafka's names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ": ", $message, ".")]
                $Error = $code,
            )*
        }

        impl ErrorCode {
            /// Every error, `None` included.
            pub const ALL: &[Self] = &[$(Self::$Error),*];

            /// The error with this code; [`UnknownServerError`](Self::UnknownServerError) for a code that is not known.
            pub fn from_code(code: i16) -> Self {
                match code {
                    $($code => Self::$Error,)*
                    _ => Self::UnknownServerError,
                }
            }

            /// Whether the same request may succeed later, without anything else being done.
            pub fn is_retriable(self) -> bool {
                match self { $(Self::$Error => error_codes!(@ $again),)* }
            }

            /// What went wrong, in a few words.
            pub fn message(self) -> &'static str {
                match self { $(Self::$Error => $message,)* }
            }

            fn camel_case(self) -> &'static str {
                match self { $(Self::$Error => stringify!($Error),)* }
            }
        }
    };
    (@ retriable) => { true };
    (@ final) => { false };
}

error_codes! {
    UnknownServerError = -1 final "the broker failed in a way that it has no code for";
    None = 0 final "no error";
    OffsetOutOfRange = 1 final "the offset lies outside the log of this partition";
    CorruptMessage = 2 retriable "a record batch is corrupt: its checksum or its size does not fit";
    UnknownTopicOrPartition = 3 retriable "the broker does not have this topic or partition";
    InvalidFetchSize = 4 final "the fetch size is not valid";
    LeaderNotAvailable = 5 retriable "the partition has no leader for the moment";
    NotLeaderOrFollower = 6 retriable "this broker is not the leader of the partition, or not a replica of it";
    RequestTimedOut = 7 retriable "the request took longer than it was allowed to";
    BrokerNotAvailable = 8 final "the broker is not there";
    ReplicaNotAvailable = 9 retriable "the replica is not there";
    MessageTooLarge = 10 final "a record batch is larger than the topic allows";
    StaleControllerEpoch = 11 final "the controller's epoch is an old one";
    OffsetMetadataTooLarge = 12 final "the metadata of an offset commit is too long";
    NetworkException = 13 retriable "the connection broke before the answer came";
    CoordinatorLoadInProgress = 14 retriable "the coordinator is still loading its state";
    CoordinatorNotAvailable = 15 retriable "there is no coordinator for the moment";
    NotCoordinator = 16 retriable "this broker is not the coordinator";
    InvalidTopicException = 17 final "the topic name is not allowed";
    RecordListTooLarge = 18 final "the batch of records is larger than a segment may be";
    NotEnoughReplicas = 19 retriable "too few replicas are in sync to take the records";
    NotEnoughReplicasAfterAppend = 20 retriable "the records were appended, but too few replicas are in sync";
    InvalidRequiredAcks = 21 final "acks is none of 0, 1 and -1";
    IllegalGeneration = 22 final "the generation is not the group's";
    InconsistentGroupProtocol = 23 final "the protocols that the member supports are not those of the group";
    InvalidGroupId = 24 final "the group id is not allowed";
    UnknownMemberId = 25 final "the group does not know this member";
    InvalidSessionTimeout = 26 final "the session timeout lies outside the broker's bounds";
    RebalanceInProgress = 27 final "the group is rebalancing: join again";
    InvalidCommitOffsetSize = 28 final "the offset commit is too large";
    TopicAuthorizationFailed = 29 final "the principal may not use this topic";
    GroupAuthorizationFailed = 30 final "the principal may not use this group";
    ClusterAuthorizationFailed = 31 final "the principal may not do this to the cluster";
    InvalidTimestamp = 32 final "the timestamp of a record is out of range";
    UnsupportedSaslMechanism = 33 final "the broker does not offer this SASL mechanism";
    IllegalSaslState = 34 final "the request does not fit the state of the SASL exchange";
    UnsupportedVersion = 35 final "the broker does not speak this version";
    TopicAlreadyExists = 36 final "a topic of this name exists";
    InvalidPartitions = 37 final "the number of partitions is not valid";
    InvalidReplicationFactor = 38 final "the replication factor is not valid, or larger than the number of brokers";
    InvalidReplicaAssignment = 39 final "the assignment of replicas is not valid";
    InvalidConfig = 40 final "a setting or its value is not valid";
    NotController = 41 retriable "this is not the controller";
    InvalidRequest = 42 final "the request contradicts itself, or lacks something";
    UnsupportedForMessageFormat = 43 final "the message format on disk does not support this";
    PolicyViolation = 44 final "the request breaks a policy of the cluster";
    OutOfOrderSequenceNumber = 45 final "the sequence number is not the one that follows";
    DuplicateSequenceNumber = 46 final "the sequence number was seen before";
    InvalidProducerEpoch = 47 final "the producer's epoch is an old one";
    InvalidTxnState = 48 final "the transaction is not in a state that allows this";
    InvalidProducerIdMapping = 49 final "the producer id does not belong to this transactional id";
    InvalidTransactionTimeout = 50 final "the transaction timeout is longer than the broker allows";
    ConcurrentTransactions = 51 retriable "another change of this transaction is under way";
    TransactionCoordinatorFenced = 52 final "the transaction coordinator is not the current one";
    TransactionalIdAuthorizationFailed = 53 final "the principal may not use this transactional id";
    SecurityDisabled = 54 final "security is not switched on";
    OperationNotAttempted = 55 final "this part of the request was not tried, because another part failed";
    KafkaStorageError = 56 retriable "the disk failed";
    LogDirNotFound = 57 final "the log directory is not configured";
    SaslAuthenticationFailed = 58 final "the credentials were refused";
    UnknownProducerId = 59 final "the broker has forgotten this producer id";
    ReassignmentInProgress = 60 final "the partition is being reassigned";
    DelegationTokenAuthDisabled = 61 final "delegation tokens are not switched on";
    DelegationTokenNotFound = 62 final "there is no such delegation token";
    DelegationTokenOwnerMismatch = 63 final "the delegation token belongs to another principal";
    DelegationTokenRequestNotAllowed = 64 final "delegation tokens are not allowed on this connection";
    DelegationTokenAuthorizationFailed = 65 final "the principal may not use this delegation token";
    DelegationTokenExpired = 66 final "the delegation token has expired";
    InvalidPrincipalType = 67 final "the principal's type is not supported";
    NonEmptyGroup = 68 final "the group has members";
    GroupIdNotFound = 69 final "there is no such group";
    FetchSessionIdNotFound = 70 retriable "there is no such fetch session";
    InvalidFetchSessionEpoch = 71 retriable "the fetch session's epoch is not the expected one";
    ListenerNotFound = 72 retriable "the leader has no listener of this name";
    TopicDeletionDisabled = 73 final "topics may not be deleted here";
    FencedLeaderEpoch = 74 retriable "the client's leader epoch is older than the broker's";
    UnknownLeaderEpoch = 75 retriable "the client's leader epoch is newer than the broker's";
    UnsupportedCompressionType = 76 final "the client's version cannot read this compression";
    StaleBrokerEpoch = 77 final "the broker's epoch is an old one";
    OffsetNotAvailable = 78 retriable "the leader does not know its high watermark yet";
    MemberIdRequired = 79 final "a member id is needed to join: join again with the one given";
    PreferredLeaderNotAvailable = 80 retriable "the preferred leader is not there";
    GroupMaxSizeReached = 81 final "the group has as many members as it may";
    FencedInstanceId = 82 final "another member has taken this group instance id";
    EligibleLeadersNotAvailable = 83 retriable "no replica that may lead is there";
    ElectionNotNeeded = 84 retriable "the election is not needed: the leader is the one asked for";
    NoReassignmentInProgress = 85 final "the partition is not being reassigned";
    GroupSubscribedToTopic = 86 final "a member of the group consumes this topic";
    InvalidRecord = 87 final "a record is not valid";
    UnstableOffsetCommit = 88 retriable "an open transaction may still change these offsets";
    ThrottlingQuotaExceeded = 89 retriable "the quota of such requests is used up for the moment";
    ProducerFenced = 90 final "a later producer has taken this transactional id";
    ResourceNotFound = 91 final "there is no such resource";
    DuplicateResource = 92 final "the resource is named twice, or exists";
    UnacceptableCredential = 93 final "the credential is not acceptable";
    InconsistentVoterSet = 94 final "the sets of voters differ";
    InvalidUpdateVersion = 95 final "the feature level is not valid";
    FeatureUpdateFailed = 96 final "the feature level could not be changed";
    PrincipalDeserializationFailure = 97 final "the principal could not be read";
    SnapshotNotFound = 98 final "there is no such snapshot";
    PositionOutOfRange = 99 final "the position lies outside the snapshot";
    UnknownTopicId = 100 retriable "the broker does not know this topic id";
    DuplicateBrokerRegistration = 101 final "another broker has registered with this id";
    BrokerIdNotRegistered = 102 final "no broker has registered with this id";
    InconsistentTopicId = 103 retriable "the topic id does not fit the topic";
    InconsistentClusterId = 104 final "the cluster id is another one";
    TransactionalIdNotFound = 105 final "there is no such transactional id";
    FetchSessionTopicIdError = 106 retriable "the fetch session does not use topic ids as the request does";
    IneligibleReplica = 107 final "the replica may not join those in sync";
    NewLeaderElected = 108 final "the change elected another leader";
    OffsetMovedToTieredStorage = 109 final "the offset has moved to tiered storage";
    FencedMemberEpoch = 110 final "the member's epoch is not valid: join again";
    UnreleasedInstanceId = 111 final "another member still holds this group instance id";
    UnsupportedAssignor = 112 final "the group has no such assignor";
    StaleMemberEpoch = 113 final "the member's epoch is an old one: ask for the current one";
    MismatchedEndpointType = 114 final "the endpoint is of another type than the one asked for";
    UnsupportedEndpointType = 115 final "the endpoint's type is not supported";
    UnknownControllerId = 116 final "there is no controller with this id";
    UnknownSubscriptionId = 117 final "the broker does not know this telemetry subscription";
    TelemetryTooLarge = 118 final "the telemetry is larger than allowed";
    InvalidRegistration = 119 final "the registration is not valid";
    TransactionAbortable = 120 final "the transaction must be aborted";
    InvalidRecordState = 121 final "the record is not in a state that allows this";
    ShareSessionNotFound = 122 retriable "there is no such share session";
    InvalidShareSessionEpoch = 123 retriable "the share session's epoch is not the expected one";
    FencedStateEpoch = 124 final "the epoch of the shared state is an old one";
    InvalidVoterKey = 125 final "the key is not the voter's";
    DuplicateVoter = 126 final "the voter is one already";
    VoterNotFound = 127 final "there is no such voter";
    InvalidRegularExpression = 128 final "the regular expression is not valid";
    RebootstrapRequired = 129 final "the client must start again from its bootstrap servers";
    StreamsInvalidTopology = 130 final "the streams topology is not valid";
    StreamsInvalidTopologyEpoch = 131 final "the epoch of the streams topology is not valid";
    StreamsTopologyFenced = 132 final "the epoch of the streams topology is an old one";
    ShareSessionLimitReached = 133 retriable "there are as many share sessions as there may be";
}

impl ErrorCode {
    /// The code.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Kafka's name, as its tools and documents show it: `NOT_LEADER_OR_FOLLOWER`.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in self.camel_case().chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }

    /// `Ok` for [`ErrorCode::None`], otherwise the error.
    pub fn ok(self) -> Result<(), Self> {
        if self == Self::None { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name(), self.code(), self.message())
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_run_from_minus_one_without_a_gap() {
        assert!(ErrorCode::ALL.iter().map(|error| error.code()).eq(-1..=133));
        assert!(ErrorCode::ALL.iter().all(|error| ErrorCode::from_code(error.code()) == *error));
        assert_eq!(ErrorCode::from_code(134), ErrorCode::UnknownServerError);
    }

    #[test]
    fn an_error_shows_the_name_that_operators_know() {
        let shown = ErrorCode::NotLeaderOrFollower.to_string();
        assert_eq!(
            shown,
            "NOT_LEADER_OR_FOLLOWER (6): this broker is not the leader of the partition, or not a replica of it"
        );
    }
}
