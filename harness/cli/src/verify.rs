//! `ringbench verify`: whether results say what was measured.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ringbench_report::results::Run;
use ringbench_report::{Verified, grouped, verify};

/// Options of `ringbench verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Directory of the run
    #[arg(value_name = "O")]
    run: PathBuf,
}

impl Verify {
    /// 0: all is as it was measured to its end, and every cell counts; 1 otherwise.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let run = Run::read(&self.run).map_err(|e| e.to_string())?;
        let Verified { cells, repeats, histograms, records, unread, unfinished, wrong } = verify(&run, &self.run);
        wrong.iter().for_each(|what| say!("wrong: {what}"));
        unfinished.iter().for_each(|what| say!("unfinished: {}: {what}", self.run.display()));
        let void: Vec<_> = run.void_cells().collect();
        for cell in &void {
            say!("void: {} {}: {}", cell.target, cell.key, cell.why.as_deref().unwrap_or_default());
        }
        say!(
            "{}, {}: {} as written, with the quoted percentiles; ledgers of {} acknowledged records add up{}; {} wrong, {} void",
            counted(cells, "cell"),
            counted(repeats, "repeat"),
            counted(histograms, "histogram log"),
            grouped(records),
            if unread > 0 { format!(", {} more were read back by nobody", grouped(unread)) } else { String::new() },
            wrong.len(),
            void.len()
        );
        let is_sound = wrong.is_empty() && void.is_empty() && unfinished.is_none();
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
