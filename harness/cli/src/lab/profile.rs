//! `ringbench lab profile`: what the broker is told of its host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use ringbench_lab::{Lab, Plan, profile};
use ringlog_io::Place;

use super::live::Live;
use super::stop_on_signals;

/// Options of `ringbench lab profile`.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// The directory to measure: the broker's data directory, or one on the same filesystem
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where the profile goes, for `ringlog serve --set io.profile=FILE`
    #[arg(long, value_name = "FILE", default_value = "host.profile")]
    out: PathBuf,
    /// Decides the order of the runs
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

impl Profile {
    pub(super) fn run(&self) -> Result<ExitCode, String> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = self.seed.unwrap_or(started.as_secs());
        let out = self.out.display();
        // Found out before a minute is spent; what stands there stays until there is something better.
        let unwritten = self.out.with_extension("unwritten");
        let failed = |error: std::io::Error| format!("--out {out}: {error}");
        std::fs::write(&unwritten, "").map_err(failed)?;
        let measured = self.measure(seed);
        let kept = match &measured {
            Ok(Some(text)) => std::fs::write(&unwritten, text).and_then(|()| std::fs::rename(&unwritten, &self.out)),
            Ok(None) | Err(_) => std::fs::remove_file(&unwritten),
        };
        kept.map_err(failed)?;
        let Some(text) = measured? else {
            eprintln!("ringbench: interrupted: no profile was written");
            return Ok(ExitCode::FAILURE);
        };
        print!("{text}");
        say!("\nprofile: {out}; ringlog serve --set io.profile={out} goes by it");
        Ok(ExitCode::SUCCESS)
    }

    /// The profile's text; `None` when somebody wanted the end.
    fn measure(&self, seed: u64) -> Result<Option<String>, String> {
        let stop = stop_on_signals()?;
        let plan = Plan::for_profile(seed);
        let runs = plan.cells().len() * plan.repeats();
        eprintln!("{runs} runs in a random order: about {} s", plan.expected().as_secs());
        let lab = Lab::new(&self.dir, plan).map_err(|e| e.to_string())?;
        let place = Place::of(&self.dir).map_err(|e| format!("--dir {}: {e}", self.dir.display()))?;
        let mut live = Live::new();
        let outcome = lab.run(&stop, &mut |event| live.show(&event));
        live.finish();
        if outcome.interrupted {
            return Ok(None);
        }
        let (profile, mut findings) = profile(&outcome, &place);
        let dir = self.dir.display();
        findings.insert(0, format!("ringbench lab profile --dir {dir} --out {} --seed {seed}", self.out.display()));
        Ok(Some(profile.render(&findings)))
    }
}
