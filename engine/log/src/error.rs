//! Why a log refuses, and what can be done about it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ringlog_record::RecordError;

/// Why an operation on a log failed. Cloned to everyone whose batch went down with the same write.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The offset lies outside the log (Kafka: `OFFSET_OUT_OF_RANGE`, 1).
    #[error("offset {offset} is outside of the log, which holds {start} to {end} (exclusive)")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// Log start offset.
        start: i64,
        /// Log end offset.
        end: i64,
    },
    /// A sequence number that does not follow the producer's last one (`OUT_OF_ORDER_SEQUENCE_NUMBER`, 45).
    #[error("producer {producer_id} epoch {epoch} sent sequence {found} where {expected} was expected")]
    OutOfOrderSequence {
        /// The idempotent producer.
        producer_id: i64,
        /// Its epoch in the batch.
        epoch: i16,
        /// First sequence number that would have been accepted.
        expected: i32,
        /// First sequence number of the batch.
        found: i32,
    },
    /// A producer that has been replaced by one with a higher epoch (`INVALID_PRODUCER_EPOCH`, 47).
    #[error("producer {producer_id} has epoch {current}; epoch {found} is fenced: initialise the producer again")]
    FencedProducer {
        /// The idempotent producer.
        producer_id: i64,
        /// Highest epoch seen.
        current: i16,
        /// Epoch of the batch.
        found: i16,
    },
    /// A batch outside of a transaction from a producer that has one open here (`INVALID_TXN_STATE`, 48).
    #[error(
        "producer {producer_id} has a transaction open since offset {first_offset}: end it before writing outside of it"
    )]
    InvalidTransactionState {
        /// The transactional producer.
        producer_id: i64,
        /// First offset of its open transaction.
        first_offset: i64,
    },
    /// A marker of a transaction coordinator that is not the current one (`TRANSACTION_COORDINATOR_FENCED`, 52).
    #[error("the marker for producer {producer_id} comes from coordinator epoch {found}, the current one is {current}")]
    FencedCoordinator {
        /// The transactional producer.
        producer_id: i64,
        /// Highest coordinator epoch seen.
        current: i32,
        /// Epoch of the marker.
        found: i32,
    },
    /// The bytes are no batch (`CORRUPT_MESSAGE`, 2, or what [`RecordError::kafka_code`] says).
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The file system is full: retriable, reads go on (`KAFKA_STORAGE_ERROR`, 56).
    #[error("no space left on the file system of {path}: free some, or lower retention.bytes; appends resume unaided", path = path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused an operation (`KAFKA_STORAGE_ERROR`, 56).
    #[error("{operation} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A file's bytes are not what the log wrote, and truncating would lose acknowledged records.
    #[error("{path} is corrupt at byte {position}: {reason}; restore the file from a replica or a backup, or move the partition's directory away", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A sync failed, or a failed write could not be undone: the log takes no more appends until it is opened again
    /// (`KAFKA_STORAGE_ERROR`, 56).
    #[error("the log is fenced: {reason}; check the disk, then restart")]
    Fenced {
        /// The first failure.
        reason: Arc<str>,
    },
    /// The log has been closed or deleted (`NOT_LEADER_OR_FOLLOWER`, 6).
    #[error("the log is closed")]
    Closed,
    /// The directory holds something else than this log's files.
    #[error("{path}: {reason}", path = path.display())]
    BadDirectory {
        /// The directory or file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

impl LogError {
    /// The error of `operation` on `path`; a full file system gets its own variant.
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_owned() },
            _ => Self::Io { operation, path: path.to_owned(), source: Arc::new(source) },
        }
    }

    /// Whether the same request may succeed later without anybody changing it.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Io { .. } | Self::Fenced { .. } | Self::Closed)
    }
}

/// Adds operation and path to what the operating system says.
pub(crate) trait IoContext<T> {
    /// `operation` on `path` gave this.
    fn context(self, operation: &'static str, path: &Path) -> Result<T, LogError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T, LogError> {
        self.map_err(|source| LogError::io(operation, path, source))
    }
}
