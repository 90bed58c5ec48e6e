//! Which backend this machine and directory can have: decided once at start, with the reason and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Backend, Disk};

/// What the operator asked for (`io.backend`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// io_uring where it works, system calls otherwise.
    Auto,
    /// io_uring or an error.
    Uring,
    /// System calls.
    Syscall,
}

/// The backend to use and why; sent to every thread, which opens its own [`Disk`] by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Never `Faulty`.
    pub backend: Backend,
    /// Why this one, for the log.
    pub reason: String,
    /// What to change to get io_uring, when it was tried and can't be had.
    pub remedy: Option<String>,
}

/// Finds the backend for a data directory that exists.
pub fn probe(directory: impl AsRef<Path>, wanted: Wanted) -> io::Result<Choice> {
    let directory: PathBuf = directory.as_ref().to_owned();
    if !directory.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is not a directory", directory.display())));
    }
    let reason = match wanted {
        Wanted::Syscall => "io.backend=syscall",
        Wanted::Auto | Wanted::Uring => "system calls serve every operation",
    };
    Ok(Choice { backend: Backend::Syscall, reason: reason.to_owned(), remedy: None })
}

impl Disk {
    /// The calling thread's own handle on the chosen backend. Call it within the thread's tokio runtime.
    pub fn open(choice: &Choice) -> io::Result<Disk> {
        match choice.backend {
            Backend::Syscall => Ok(Disk::syscall()),
            other => Err(io::Error::new(io::ErrorKind::Unsupported, format!("no disk of backend {other}"))),
        }
    }
}
