//! Why a command failed, and the exit code that says so.

use std::io;
use std::process::ExitCode;

use ringlog_client::ClientError;

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A broker or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The reader of our output has gone, as `head` does.
    #[error("nobody reads the output any more")]
    BrokenPipe,
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// A file or the standard input cannot be read.
    #[error("{0}: {1}")]
    Read(String, io::Error),
    /// What was asked for contradicts itself: told as a usage error.
    #[error("{0}")]
    Usage(String),
    /// Anything else that the user should know.
    #[error("{0}")]
    Other(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::Output(error) }
    }
}

impl Failure {
    /// Tells the user, unless nobody listens, and gives the process's exit code: 2 for usage, 1 for the rest.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::BrokenPipe => return ExitCode::SUCCESS,
            _ => eprintln!("ringlog: {self}"),
        }
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }
}
