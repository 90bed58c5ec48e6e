//! A contestant: a strategy by its name, and whether this host can run it.

use std::fmt;
use std::io;
use std::path::Path;

use ringlog_io::RingRefused;

use crate::bench::Bench;
use crate::sample::Sample;
use crate::setting::Setting;
use crate::{serve, transfer, write};

/// What a contestant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Writing an append-only log.
    Write,
    /// Moving a range of a file to a socket.
    Transfer,
    /// Answering requests over many connections.
    Serve,
}

/// One strategy.
#[derive(Clone, Copy)]
pub struct Contestant {
    pub(crate) strategy: Strategy,
}

#[derive(Clone, Copy)]
pub(crate) enum Strategy {
    Write(&'static dyn write::Strategy),
    Transfer(&'static dyn transfer::Strategy),
    Serve(&'static dyn serve::Strategy),
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
        let writing = write::STRATEGIES.iter().map(|&strategy| Strategy::Write(strategy));
        let moving = transfer::STRATEGIES.iter().map(|&strategy| Strategy::Transfer(strategy));
        let serving = serve::STRATEGIES.iter().map(|&strategy| Strategy::Serve(strategy));
        writing.chain(moving).chain(serving).map(|strategy| Contestant { strategy }).collect()
    }

    /// What tables and `--only` call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.strategy {
            Strategy::Write(strategy) => strategy.name(),
            Strategy::Transfer(strategy) => strategy.name(),
            Strategy::Serve(strategy) => strategy.name(),
        }
    }

    /// What it does, in one line.
    #[must_use]
    pub fn about(&self) -> &'static str {
        match self.strategy {
            Strategy::Write(strategy) => strategy.about(),
            Strategy::Transfer(strategy) => strategy.about(),
            Strategy::Serve(strategy) => strategy.about(),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.strategy {
            Strategy::Write(_) => Family::Write,
            Strategy::Transfer(_) => Family::Transfer,
            Strategy::Serve(_) => Family::Serve,
        }
    }

    /// Whether what the setting asks is what this contestant does: it is of its family, and one that syncs every write has no
    /// place where none is asked.
    #[must_use]
    pub fn takes(&self, setting: &Setting) -> bool {
        match (self.strategy, setting) {
            (Strategy::Write(strategy), Setting::Write(setting)) => strategy.takes(setting),
            (Strategy::Transfer(_), Setting::Transfer(_)) | (Strategy::Serve(_), Setting::Serve(_)) => true,
            _ => false,
        }
    }

    /// Runs it once in a setting that it takes.
    pub(crate) fn run(&self, setting: &Setting, bench: &Bench<'_>) -> io::Result<Sample> {
        match (self.strategy, setting) {
            (Strategy::Write(strategy), Setting::Write(setting)) => write::run(strategy, setting, bench),
            (Strategy::Transfer(strategy), Setting::Transfer(setting)) => transfer::run(strategy, setting, bench),
            (Strategy::Serve(strategy), Setting::Serve(setting)) => serve::run(strategy, setting, bench),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} does not take: {setting}", self.name()))),
        }
    }

    /// Tries it on a small scale, with a file in `directory` which is removed.
    #[must_use]
    pub fn availability(&self, directory: &Path) -> Availability {
        let tried = match self.strategy {
            Strategy::Write(strategy) => write::try_out(strategy, directory),
            Strategy::Transfer(strategy) => transfer::try_out(strategy, directory),
            Strategy::Serve(strategy) => serve::try_out(strategy),
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

    fn remedy(&self, error: &io::Error) -> String {
        let own = match self.strategy {
            Strategy::Write(strategy) => strategy.remedy(error),
            Strategy::Transfer(_) | Strategy::Serve(_) => None,
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
            Family::Transfer => "transfer",
            Family::Serve => "serve",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plan, PlanOptions};

    #[test]
    fn every_contestant_has_a_name_of_its_own_and_a_setting_to_run_in() {
        let plan = Plan::new(&PlanOptions { quick: true, ..PlanOptions::default() });
        let in_plan = plan.unwrap().contestants();
        let all = Contestant::all();
        for (n, contestant) in all.iter().enumerate() {
            let name = contestant.name();
            assert!(all.iter().skip(n + 1).all(|other| other.name() != name), "{name} twice");
            assert!(in_plan.iter().any(|contestant| contestant.name() == name), "{name}");
        }
    }
}
