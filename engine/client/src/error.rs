//! What can go wrong between a client and its brokers.

use std::time::Duration;

use ringlog_protocol::{ApiKey, DecodeError, EncodeError, ErrorCode};
use ringlog_record::RecordError;

use crate::address::Address;

/// Why a client call failed. Each variant names the value concerned and, where there is one, the remedy.
///
/// Cloned freely: all records of a batch share the batch's fate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A broker answered with an error.
    #[error("{subject}: {code}{}{}", detail(.message), remedy(*.code))]
    Broker {
        /// The error, by Kafka's name.
        code: ErrorCode,
        /// What it is about: `topic orders`, `partition orders-3`, `group billing`.
        subject: String,
        /// The broker's own words; empty when it sent none.
        message: String,
    },
    /// A text that is no broker address.
    #[error("'{text}' is no broker address: {reason}; write host:port or kafka://host:port, several with commas")]
    Address {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No connection could be made.
    #[error(
        "no connection to {address}: {reason}; is a broker running there, and is its advertised address reachable?"
    )]
    Connect {
        /// Where to.
        address: Address,
        /// The system's words.
        reason: String,
    },
    /// The connection ended before the answer came. The broker may have done what was asked.
    #[error("the connection to {address} was lost: {reason}")]
    Disconnected {
        /// The broker.
        address: Address,
        /// The system's words, or how the broker broke the protocol.
        reason: String,
    },
    /// No answer within the time set.
    #[error("{what} took longer than {} ms; raise {setting} or look at the broker's load", .after.as_millis())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
        /// The setting that bounds it.
        setting: &'static str,
    },
    /// The broker serves no version of an API that this client speaks.
    #[error("{address} does not serve {api} in any version from {min} to {max}; its versions are {}", versions(.served))]
    Unsupported {
        /// The broker.
        address: Address,
        /// The API.
        api: ApiKey,
        /// The lowest version that would do.
        min: i16,
        /// The highest version that would do.
        max: i16,
        /// What the broker serves, if it serves the API at all.
        served: Option<(i16, i16)>,
    },
    /// A request that cannot be expressed in the version that the broker speaks.
    #[error("the request cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// An answer that is not what the protocol says.
    #[error("the answer to {api} version {version} cannot be read: {cause}")]
    Decode {
        /// The API.
        api: ApiKey,
        /// The version that was asked in.
        version: i16,
        /// What is wrong.
        cause: DecodeError,
    },
    /// A record batch that cannot be read. Consuming stops there: skipping it is for the application to decide, by a
    /// seek.
    #[error("{partition} at offset {offset}: {cause}; seek past it to go on")]
    Records {
        /// The partition.
        partition: crate::TopicPartition,
        /// Where reading stopped.
        offset: i64,
        /// What is wrong.
        cause: RecordError,
    },
    /// A batch could not be built.
    #[error("the batch for {partition} cannot be built: {cause}")]
    Batch {
        /// The partition.
        partition: crate::TopicPartition,
        /// What is wrong.
        cause: RecordError,
    },
    /// A serializer refused a value.
    #[error("the {part} of a record for topic {topic} cannot be serialized: {cause}")]
    Serialize {
        /// `key` or `value`.
        part: &'static str,
        /// The topic.
        topic: String,
        /// The serializer's words.
        cause: String,
    },
    /// A record over `max.request.size`.
    #[error(
        "a record of {bytes} bytes is over max.request.size={limit}; raise it together with the topic's max.message.bytes"
    )]
    RecordTooLarge {
        /// Size of the record with its headers.
        bytes: usize,
        /// The setting.
        limit: usize,
    },
    /// The partition asked for does not exist.
    #[error("topic {topic} has {partitions} partitions, numbered from 0: there is no partition {partition}")]
    NoSuchPartition {
        /// The topic.
        topic: String,
        /// What was asked for.
        partition: i32,
        /// How many there are.
        partitions: usize,
    },
    /// No transaction that is open begins there.
    #[error("no open transaction of {partition} begins at offset {start_offset}; its producers tell where theirs do")]
    NoTransaction {
        /// The partition.
        partition: crate::TopicPartition,
        /// What was asked for.
        start_offset: i64,
    },
    /// The consumer has no position and `auto.offset.reset` is `none`.
    #[error(
        "{partition} has no committed offset in range, and auto.offset.reset=none; seek, or set it to earliest or latest"
    )]
    NoOffset {
        /// The partition.
        partition: crate::TopicPartition,
    },
    /// Options that exclude each other or lie out of range.
    #[error("{name}={value}: {reason}")]
    Option {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why not, and what is allowed.
        reason: &'static str,
    },
    /// What the call needs was not done before, or is not there: a subscription, a group, an open transaction.
    #[error("{0}")]
    State(&'static str),
    /// The open transaction can't be committed: [abort](crate::Producer::abort_transaction) it, then begin another.
    #[error("the transaction must be aborted: {cause}")]
    AbortTransaction {
        /// What has happened to it.
        cause: Box<ClientError>,
    },
    /// The transactional producer can do nothing any more: another one has taken its id, or its coordinator refuses it.
    #[error("the transactional producer has failed, close it: {cause}")]
    ProducerFailed {
        /// Why.
        cause: Box<ClientError>,
    },
    /// The producer or consumer was closed.
    #[error("the client is closed")]
    Closed,
}

impl ClientError {
    /// An answer's `error_code` about `subject`: `Ok` for none.
    pub(crate) fn check(code: i16, subject: impl FnOnce() -> String, message: Option<&str>) -> Result<(), Self> {
        ErrorCode::from_code(code).ok().map_err(|code| Self::Broker {
            code,
            subject: subject(),
            message: message.unwrap_or_default().to_owned(),
        })
    }

    /// An answer that says nothing of what was asked: it was done or not.
    pub(crate) fn unmentioned(subject: String) -> Self {
        Self::Broker {
            code: ErrorCode::UnknownServerError,
            subject,
            message: "the answer does not mention it".to_owned(),
        }
    }

    /// The broker's error, if a broker answered with one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            Self::AbortTransaction { cause } | Self::ProducerFailed { cause } => cause.code(),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Broker { code, .. } => code.is_retriable(),
            Self::Connect { .. } | Self::Disconnected { .. } | Self::Timeout { .. } => true,
            _ => false,
        }
    }

    /// Whether what the client believed about leaders or coordinators may be wrong: it should ask again before it
    /// retries.
    pub(crate) fn calls_for_metadata(&self) -> bool {
        use ErrorCode as E;
        match self {
            Self::Broker { code, .. } => matches!(
                code,
                E::NotLeaderOrFollower
                    | E::LeaderNotAvailable
                    | E::UnknownTopicOrPartition
                    | E::UnknownTopicId
                    | E::InconsistentTopicId
                    | E::FencedLeaderEpoch
                    | E::UnknownLeaderEpoch
                    | E::ReplicaNotAvailable
                    | E::KafkaStorageError
                    | E::ListenerNotFound
                    | E::NotController
            ),
            Self::Connect { .. } | Self::Disconnected { .. } | Self::Timeout { .. } => true,
            _ => false,
        }
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn versions(served: &Option<(i16, i16)>) -> String {
    served.map_or_else(|| "none".to_owned(), |(min, max)| format!("{min} to {max}"))
}

fn remedy(code: ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::UnknownTopicOrPartition => "; check the name, or create the topic first",
        E::TopicAlreadyExists => "; choose another name, or alter the one that is there",
        E::MessageTooLarge => "; lower batch.size, or raise the topic's max.message.bytes",
        E::RecordListTooLarge => "; lower batch.size, or raise the topic's segment.bytes",
        E::InvalidReplicationFactor => "; it can be at most the number of brokers",
        E::NonEmptyGroup => "; stop its members first",
        E::UnknownMemberId | E::IllegalGeneration => {
            "; the member was too slow: poll more often or raise max.poll.interval.ms"
        }
        E::FencedInstanceId => "; give every member its own group.instance.id",
        E::InconsistentGroupProtocol => "; all members need a common partition.assignment.strategy",
        E::InvalidTopicException => "; letters, digits, '.', '_' and '-' are allowed, at most 249 of them",
        E::ProducerFenced => {
            "; each producer that runs needs a transactional.id of its own, and to end a transaction within \
             transaction.timeout.ms"
        }
        E::InvalidTransactionTimeout => {
            "; lower transaction.timeout.ms, or raise the broker's transaction.max.timeout.ms"
        }
        E::OffsetOutOfRange => "; ask for the earliest and latest offset and choose one between them",
        E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend => "; min.insync.replicas needs more replicas to be up",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_error_shows_its_name_the_subject_and_the_remedy() {
        let error = ClientError::check(3, || "topic orders".into(), None).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with("topic orders: UNKNOWN_TOPIC_OR_PARTITION (3)"), "{shown}");
        assert!(shown.ends_with("create the topic first"), "{shown}");
        assert!(error.is_retriable() && error.calls_for_metadata());
    }

    #[test]
    fn advice_for_transactions_is_for_who_has_a_transactional_id() {
        let shown = |code: ErrorCode| ClientError::check(code.code(), || "it".into(), None).unwrap_err().to_string();
        assert!(shown(ErrorCode::ProducerFenced).contains("transactional.id"));
        assert!(
            !shown(ErrorCode::InvalidProducerEpoch).contains("transactional.id"),
            "every idempotent producer gets it"
        );
    }

    #[test]
    fn the_brokers_own_words_are_kept() {
        let error = ClientError::check(40, || "topic t".into(), Some("unknown key foo")).unwrap_err();
        assert!(error.to_string().contains("(unknown key foo)"), "{error}");
    }
}
