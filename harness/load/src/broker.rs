//! A broker of this measurement's own: a child process with a fresh directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::LoadError;

/// How long a broker may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a broker may take to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// A running `ringlog serve`. Dropping it stops it and removes its directory.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    bootstrap: String,
    /// Removed after the process has ended.
    _data: TempDir,
    /// From the start of the process to its line that says that it is ready.
    pub ready_after: Duration,
    /// Which way to the disk it has chosen.
    pub backend: String,
    /// What it calls itself.
    pub version: String,
}

impl BrokerProcess {
    /// Starts `binary` on a free port of loopback with an empty directory below `parent`, and with these settings.
    ///
    /// # Errors
    /// [`LoadError::Binary`], [`LoadError::NotReady`], [`LoadError::File`].
    pub fn start(
        binary: &Path,
        parent: &Path,
        settings: &BTreeMap<String, String>,
    ) -> Result<BrokerProcess, LoadError> {
        let data = tempfile::Builder::new().prefix("ringbench-").tempdir_in(parent).map_err(LoadError::file(parent))?;
        let log_path = data.path().join("broker.log");
        let log = File::create(&log_path).map_err(LoadError::file(&log_path))?;
        let version = Command::new(binary).arg("--version").output();
        let version = version.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default();
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path().join("data"))
            .args(settings.iter().map(|(key, value)| format!("--set={key}={value}")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        let mut child = child.map_err(|source| LoadError::Binary { path: binary.to_owned(), source })?;
        let (first_line, said) = std::sync::mpsc::channel();
        let stdout = child.stdout.take();
        std::thread::spawn(move || {
            let Some(mut stdout) = stdout.map(BufReader::new) else { return };
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = first_line.send(line);
            // The pipe stays open and is emptied: a broker that prints more must not find it closed or full.
            let _ = stdout.read_to_end(&mut Vec::new());
        });
        let line = said.recv_timeout(START_LIMIT).unwrap_or_default();
        let ready_after = begun.elapsed();
        let word = |mark: &str| Some(line.split(mark).nth(1)?.split_whitespace().next()?.to_owned());
        let (bootstrap, backend) = (word("kafka://"), word("io=").unwrap_or_default());
        let Some(bootstrap) = bootstrap else {
            let _ = child.kill();
            let _ = child.wait();
            let said = std::fs::read_to_string(&log_path).unwrap_or_default();
            return Err(LoadError::NotReady { said: said.lines().last().unwrap_or("nothing").to_owned() });
        };
        Ok(BrokerProcess { child, bootstrap, _data: data, ready_after, backend, version })
    }

    /// `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let until = Instant::now() + DRAIN_LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
