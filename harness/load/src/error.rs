//! Why a measurement can't be had.

use std::io;
use std::path::{Path, PathBuf};

use ringlog_client::ClientError;

use crate::workload::Problem;

/// What ends a measurement. Each names the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The broker's binary can't be started.
    #[error("{path}: {source}: build it (cargo build --release -p ringlog-cli), or name it with --ringlog", path = path.display())]
    Binary {
        /// The binary.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The broker did not say that it is ready.
    #[error("the broker did not start; it said: {said}")]
    NotReady {
        /// The end of what it logged.
        said: String,
    },
    /// No text was found to send.
    #[error("no text was found in {looked}: name a file with --corpus")]
    NoText {
        /// Where it was looked for.
        looked: String,
    },
    /// A file or directory can't be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A workload can't be taken.
    #[error("{}", listed(file, problems))]
    Workload {
        /// The file.
        file: PathBuf,
        /// Everything that is wrong with it; at least one thing.
        problems: Vec<Problem>,
    },
    /// The broker refused, or is gone.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl LoadError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> LoadError {
        let path = path.into();
        move |source| LoadError::File { path, source }
    }

    pub(crate) fn workload(file: &Path, problems: Vec<Problem>) -> LoadError {
        LoadError::Workload { file: file.to_owned(), problems }
    }
}

/// A line for each, as compilers write them.
fn listed(file: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", file.display())).collect();
    lines.join("\n")
}
