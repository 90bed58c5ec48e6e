//! A contestant: a strategy by its name, and whether this host can run it.

use std::fmt;
use std::io;
use std::path::Path;

use ringlog_io::RingRefused;

use crate::lab::Bench;
use crate::sample::Sample;
use crate::setting::Setting;
use crate::write;

/// What a contestant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Writing an append-only log.
    Write,
}

/// One strategy.
#[derive(Clone, Copy)]
pub struct Contestant {
    pub(crate) strategy: Strategy,
}

#[derive(Clone, Copy)]
pub(crate) enum Strategy {
    Write(&'static dyn write::Strategy),
}

/// Whether this host can run a contestant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// It was tried and did its work.
    Available,
    /// It was tried and refused.
    Unavailable {
        /// By what.
        reason: String,
        /// What to change to have it.
        remedy: String,
    },
}

impl Contestant {
    /// All of them, a family after the other.
    #[must_use]
    pub fn all() -> Vec<Contestant> {
        write::STRATEGIES.iter().map(|&strategy| Contestant { strategy: Strategy::Write(strategy) }).collect()
    }

    /// What tables and `--only` call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.strategy {
            Strategy::Write(strategy) => strategy.name(),
        }
    }

    /// What it does, in one line.
    #[must_use]
    pub fn about(&self) -> &'static str {
        match self.strategy {
            Strategy::Write(strategy) => strategy.about(),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.strategy {
            Strategy::Write(_) => Family::Write,
        }
    }

    /// Whether what the setting asks is what this contestant does: one that syncs every write has no place where none is asked.
    #[must_use]
    pub fn takes(&self, setting: &Setting) -> bool {
        match (self.strategy, setting) {
            (Strategy::Write(strategy), Setting::Write(setting)) => strategy.takes(setting),
        }
    }

    /// Tries it, with a few appends to a file in `directory` which is removed.
    #[must_use]
    pub fn availability(&self, directory: &Path) -> Availability {
        let tried = match self.strategy {
            Strategy::Write(strategy) => write::try_out(strategy, directory),
        };
        match tried {
            Ok(()) => Availability::Available,
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<RingRefused>()) {
                Some(RingRefused { error, remedy }) => {
                    Availability::Unavailable { reason: error.to_string(), remedy: remedy.clone() }
                }
                None => Availability::Unavailable { reason: error.to_string(), remedy: self.remedy(&error) },
            },
        }
    }

    /// Runs it once in a setting that it takes.
    pub(crate) fn run(&self, setting: &Setting, bench: &Bench<'_>) -> io::Result<Sample> {
        match (self.strategy, setting) {
            (Strategy::Write(strategy), Setting::Write(setting)) => write::run(strategy, setting, bench),
        }
    }

    fn remedy(&self, error: &io::Error) -> String {
        let own = match self.strategy {
            Strategy::Write(strategy) => strategy.remedy(error),
        };
        own.unwrap_or_else(|| match error.kind() {
            io::ErrorKind::StorageFull => "make room in the directory".to_owned(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem => {
                "name a directory that can be written with --dir".to_owned()
            }
            _ => "run the lab on another kernel or filesystem".to_owned(),
        })
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Write => "write",
        })
    }
}
