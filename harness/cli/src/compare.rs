//! `ringbench compare`: whether a second run is worse than a first one, for people and as a gate.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringbench_report::results::Run;
use ringbench_report::{Comparison, compare};

/// The comparison could not be made.
const COULD_NOT_RUN: u8 = 2;

/// Options of `ringbench compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Directory of the first run: what it is compared with
    a: PathBuf,
    /// Directory of the second run
    b: PathBuf,
}

impl Compare {
    /// 0: the same or better; 1: worse beyond interval and noise floor, in a figure or over all cells together; 2: it could not be
    /// made, or not to its end.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        match compared(&self.a, &self.b) {
            Ok(comparison) => {
                say!("{}", comparison.to_string().trim_end());
                if comparison.has_too_few_repeats() {
                    eprintln!(
                        "ringbench: fewer than three repeats can't tell a difference from chance: measure with --repeats 5"
                    );
                }
                Ok(match (comparison.is_worse(), comparison.is_unfinished()) {
                    (true, _) => ExitCode::FAILURE,
                    (false, true) => {
                        eprintln!(
                            "ringbench: nothing is worse so far, and the second run is not whole: finish the sweep, or measure it again"
                        );
                        ExitCode::from(COULD_NOT_RUN)
                    }
                    (false, false) => ExitCode::SUCCESS,
                })
            }
            Err(reason) => {
                eprintln!("ringbench: {reason}");
                Ok(ExitCode::from(COULD_NOT_RUN))
            }
        }
    }
}

fn compared(a: &Path, b: &Path) -> Result<Comparison, String> {
    let read = |directory: &Path| Run::read(directory).map_err(|e| e.to_string());
    compare((&read(a)?, a), (&read(b)?, b)).map_err(|e| e.to_string())
}
