//! `ringbench report`: from results to pages, without measuring anything.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ringbench_report::results::Run;
use ringbench_report::{verdict, write_index, write_report};

/// Options of `ringbench report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Directories of runs; of several one report is made
    #[arg(value_name = "O", required_unless_present = "index")]
    runs: Vec<PathBuf>,
    /// Where the report goes [default: the run's own directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Writes a page that lists every run below this directory, with filters
    #[arg(long, value_name = "DIR", conflicts_with_all = ["runs", "out"])]
    index: Option<PathBuf>,
}

impl Report {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        if let Some(root) = &self.index {
            let page = write_index(root).map_err(|e| e.to_string())?;
            say!("index: {}", page.display());
            return Ok(ExitCode::SUCCESS);
        }
        let out = match (&self.out, &*self.runs) {
            (Some(out), _) => out.clone(),
            (None, [one]) => one.clone(),
            (None, _) => return Err("several runs make one report: name its directory with --out".to_owned()),
        };
        let read = |directory: PathBuf| Ok((Run::read(&directory).map_err(|e| e.to_string())?, directory));
        let runs: Vec<(Run, PathBuf)> = self.runs.into_iter().map(read).collect::<Result<_, String>>()?;
        let page = write_report(&runs, &out).map_err(|e| e.to_string())?;
        for (run, directory) in &runs {
            say!("{}", verdict(run, directory));
        }
        say!("report: {}", page.display());
        Ok(ExitCode::SUCCESS)
    }
}
