//! What can go wrong with a report's files.

use std::io;
use std::path::PathBuf;

/// What can go wrong with a report's files.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file can't be read.
    #[error("{path}: {source}", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("{path}: {source}", path = .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else than its name says.
    #[error("{path}: it is not what `ringbench lab run` writes: field `schema` {found}; name the directory that --out named", path = .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What the field is.
        found: String,
    },
    /// A field is missing or has another type.
    #[error("{path}: field `{field}`: {reason}; another version of ringbench wrote it: use that one, or measure again with `ringbench lab run`", path = .path.display())]
    Field {
        /// Of which file.
        path: PathBuf,
        /// Where, such as `cells[3].mb_per_s`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}
