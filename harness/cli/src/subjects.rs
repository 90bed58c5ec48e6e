//! Who is measured, as commands name them.

use std::path::PathBuf;

use clap::Args;
use ringbench_load::workload::Workload;
use ringbench_load::{Programs, Subject};

use crate::binary;

/// What brokers of the run's own need.
#[derive(Debug, Args)]
pub(crate) struct Own {
    /// The broker's binary for `serve` [default: ringlog, beside this program]
    #[arg(long, value_name = "FILE")]
    ringlog: Option<PathBuf>,
    /// The script that starts the peers of start://NAME
    #[arg(long, value_name = "FILE", default_value = "scripts/peers.sh")]
    peers: PathBuf,
    /// Where brokers that are started for a run keep their files meanwhile [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Own {
    /// Those who are named, each held against the workload; where it does not reach one as a whole, that is said.
    ///
    /// # Errors
    /// A sentence, when one can't be had, or can't do what the workload asks.
    pub(crate) fn subjects<S: AsRef<str>>(&self, named: &[S], workload: &Workload) -> Result<Vec<Subject>, String> {
        let (ringlog, data) = (binary::ringlog(self.ringlog.as_deref()), self.data());
        let programs = Programs { ringlog: &ringlog, peers: &self.peers, data: &data };
        let has_broker_settings = workload.cells.iter().any(|cell| !cell.broker_settings.is_empty());
        let mut subjects = Vec::new();
        for text in named {
            let subject = Subject::parse(text.as_ref(), &programs).map_err(|error| error.to_string())?;
            subject.honours(workload).map_err(|error| error.to_string())?;
            if has_broker_settings && !subject.takes_broker_settings() {
                eprintln!(
                    "{}: what it says below `broker` is for `--target serve`, and left to who started {subject}",
                    workload.name
                );
            }
            subjects.push(subject);
        }
        Ok(subjects)
    }

    /// Where their files are.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(std::env::temp_dir)
    }
}
