//! A broker of this measurement's own: a child process with a fresh directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringlog_io::DirLock;
use tempfile::TempDir;

use crate::{Described, LoadError, Target};

/// How long a broker may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a broker may take to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// The directories of these brokers, and of nothing else.
const PREFIX: &str = "ringbench-broker-";
/// Within such a directory, what the broker has.
const DATA: &str = "data";

/// A running `ringlog serve`. Dropping it stops it and removes its directory. When this process ends without that (SIGKILL), its end
/// of the broker's standard input closes and the broker stops by itself; the directory goes when the next one is started beside it.
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
        remove_abandoned(parent);
        let data = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(LoadError::file(parent))?;
        let log_path = data.path().join("broker.log");
        let log = File::create(&log_path).map_err(LoadError::file(&log_path))?;
        let version = Command::new(binary).arg("--version").output();
        let version = version.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default();
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--until-eof", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path().join(DATA))
            .args(settings.iter().map(|(key, value)| format!("--set={key}={value}")))
            .stdin(Stdio::piped())
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

    /// The same as a target.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::Kafka(self.bootstrap.clone())
    }

    /// Asks it what it is.
    ///
    /// # Errors
    /// Those of [`Target::describe`].
    pub fn describe(&self) -> Result<Described, LoadError> {
        let product = self.version.clone();
        Ok(Described { product, ready_after: Some(self.ready_after), ..self.target().describe()? })
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

/// Removes what brokers left behind whose ringbench was killed: the data that no broker has locked any more.
fn remove_abandoned(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let data = entry.path().join(DATA);
        // A broker that is about to start has a lock file as well, and takes the lock a moment later.
        let made = data.join(".lock").metadata().and_then(|lock| lock.modified()).ok();
        let is_old = made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > START_LIMIT);
        if is_old && entry.file_name().to_string_lossy().starts_with(PREFIX) && DirLock::take(&data).is_ok() {
            // What can't be removed is in nobody's way.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn what_a_killed_run_left_behind_is_removed_and_what_somebody_has_stays() {
        let parent = tempfile::tempdir().unwrap();
        let broker = |name: &str, age: Duration| {
            let data = parent.path().join(name).join(DATA);
            std::fs::create_dir_all(&data).unwrap();
            let lock = DirLock::take(&data).unwrap();
            let file = File::options().write(true).open(data.join(".lock")).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            lock
        };
        let hour = Duration::from_secs(3600);
        drop(broker("ringbench-broker-left", hour));
        drop(broker("ringbench-peer-kafka", hour));
        drop(broker("ringbench-broker-starting", Duration::ZERO));
        let _running = broker("ringbench-broker-running", hour);
        remove_abandoned(parent.path());
        let there = std::fs::read_dir(parent.path()).unwrap().flatten().map(|entry| entry.file_name());
        let mut there: Vec<_> = there.map(|name| name.to_string_lossy().into_owned()).collect();
        there.sort();
        assert_eq!(there, ["ringbench-broker-running", "ringbench-broker-starting", "ringbench-peer-kafka"]);
    }
}
