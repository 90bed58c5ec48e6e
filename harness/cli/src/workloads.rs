//! `ringbench workloads`: what there is to measure, and whether a file says what its author means.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ringbench_load::workload::{Estimate, Workload};

/// `ringbench workloads …`
#[derive(Debug, Subcommand)]
pub(crate) enum Workloads {
    /// Names the workloads of a directory, and what each measures
    List(List),
    /// Says what is wrong with workload files, by line, key and value, or what they come to. All keys: harness/load/WORKLOADS.md
    Check(Check),
}

/// Options of `ringbench workloads list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The directory
    #[arg(long, value_name = "DIR", default_value = "workloads")]
    dir: PathBuf,
}

/// Options of `ringbench workloads check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Workload files, OpenMessaging Benchmark's among them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Names every cell
    #[arg(long)]
    cells: bool,
}

impl Workloads {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        match self {
            Workloads::List(list) => list.run(),
            Workloads::Check(check) => Ok(check.run()),
        }
    }
}

impl List {
    fn run(&self) -> Result<ExitCode, String> {
        let entries = std::fs::read_dir(&self.dir)
            .map_err(|e| format!("--dir {}: {e}: name the directory that holds workloads", self.dir.display()))?;
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_yaml(path)).collect();
        files.sort();
        let mut all_good = ExitCode::SUCCESS;
        for file in &files {
            match Workload::read(file) {
                Ok(workload) => say!("{:<24} {}\n{:<24} {}", workload.name, about(file), "", extent(&workload)),
                Err(error) => {
                    eprintln!("{error}");
                    all_good = ExitCode::FAILURE;
                }
            }
        }
        match files.is_empty() {
            true => Err(format!("--dir {}: there is no *.yaml in it", self.dir.display())),
            false => Ok(all_good),
        }
    }
}

impl Check {
    fn run(&self) -> ExitCode {
        let mut all_good = ExitCode::SUCCESS;
        for file in &self.files {
            match Workload::read(file) {
                Ok(workload) => {
                    say!("{}: {}: {}", file.display(), workload.name, extent(&workload));
                    for note in &workload.notes {
                        say!("{}:{note}", file.display());
                    }
                    for cell in workload.cells.iter().filter(|_| self.cells) {
                        say!("  {}  {}", cell.key(), cell.name);
                    }
                }
                Err(error) => {
                    eprintln!("{error}");
                    all_good = ExitCode::FAILURE;
                }
            }
        }
        all_good
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// `30 cells × 5, about 45 min`.
pub(crate) fn extent(workload: &Workload) -> String {
    let Estimate { time, .. } = workload.estimate();
    let (cells, repeats) = (workload.cells.len(), workload.repeats);
    format!("{cells} {} × {repeats}, about {}", if cells == 1 { "cell" } else { "cells" }, crate::duration::words(time))
}

/// The first sentence of the comment that a file begins with.
fn about(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let comment = comment.join(" ");
    comment.split_once(". ").map_or(&*comment, |(first, _)| first).trim_end_matches('.').to_owned()
}
