//! A broker of this measurement's own: a process with a fresh directory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ringlog_io::DirLock;
use tempfile::TempDir;

use crate::subject::Programs;
use crate::{Described, LoadError, Target};

/// How long a ringlog may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a peer may take: the first time it is fetched.
const PEER_START_LIMIT: Duration = Duration::from_secs(900);
/// How long a broker may take to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// The directories of these brokers, and of nothing else.
const PREFIX: &str = "ringbench-broker-";
/// Within such a directory, what the broker has.
const DATA: &str = "data";

/// Starts a peer, and stops it when the standard input ends: with the one who measures, however that ends. Its line may find nobody who
/// reads it any more: then the start has failed, and a peer runs.
const KEEP_PEER: &str =
    r#""$0" start "$1" --profile "$2" --dir "$3" && cat >/dev/null; "$0" stop "$1" --dir "$3" 2>/dev/null"#;

/// How a broker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// As the command line has it.
    text: String,
    program: Program,
    /// Which of its URLs is taken, and by which driver; without one its first.
    scheme: Option<String>,
    /// Its directory is made in this one.
    parent: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Program {
    Ringlog(PathBuf),
    Peer { script: PathBuf, name: String, profile: String },
}

/// A running broker. Dropping it stops it and removes its directory. When this process ends without that (SIGKILL), its end of the
/// broker's standard input closes and the broker stops by itself; what is left of a ringlog's directory goes when the next broker is
/// started beside it.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    program: Program,
    target: Target,
    /// Removed after the process has ended.
    _data: TempDir,
    /// From the start of a ringlog to its line that says that it is ready; a peer's script does more than that.
    ready_after: Option<Duration>,
    /// What it calls itself, where that is known.
    product: Option<String>,
    pid: u32,
}

impl Launch {
    /// A ringlog on a free port of loopback, with an empty directory below `parent`.
    #[must_use]
    pub fn ringlog(binary: &Path, parent: &Path) -> Launch {
        let program = Program::Ringlog(binary.to_owned());
        Launch { text: "serve".to_owned(), program, scheme: None, parent: parent.to_owned() }
    }

    /// From `NAME?profile=P&scheme=S`, which the command line calls `text`.
    ///
    /// # Errors
    /// [`LoadError::Start`].
    pub(crate) fn parse(text: &str, rest: &str, programs: &Programs<'_>) -> Result<Launch, LoadError> {
        let refused = |reason: String| LoadError::Start { text: text.to_owned(), reason };
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut profile, mut scheme) = (None, None);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("profile", value @ ("default" | "durable"))) => profile = Some(value.to_owned()),
                Some(("profile", value)) => {
                    return Err(refused(format!("{value} is no profile: default and durable are")));
                }
                Some(("scheme", value)) => scheme = Some(value.to_owned()),
                _ => {
                    return Err(refused(format!("{part} is not understood: only profile=… and scheme=… may be there")));
                }
            }
        }
        let program = match name {
            "ringlog" if profile.is_some() => return Err(refused("a ringlog has no profiles".to_owned())),
            "ringlog" => Program::Ringlog(programs.ringlog.clone().map_err(refused)?),
            _ if name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_lowercase()) => {
                return Err(refused(format!("{name:?} is no peer's name")));
            }
            _ if !programs.peers.is_file() => {
                let peers = programs.peers.display();
                return Err(refused(format!("{peers} is not there: go to Ringlog's source, or name it with --peers")));
            }
            _ => {
                let profile = profile.unwrap_or_else(|| "default".to_owned());
                let script = std::path::absolute(programs.peers).map_err(LoadError::file(programs.peers))?;
                Program::Peer { script, name: name.to_owned(), profile }
            }
        };
        Ok(Launch { text: text.to_owned(), program, scheme, parent: programs.data.to_owned() })
    }

    /// Starts one, with these settings where it is a ringlog.
    ///
    /// # Errors
    /// [`LoadError::Binary`], [`LoadError::NotReady`], [`LoadError::File`], [`LoadError::Start`].
    pub fn start(&self, settings: &BTreeMap<String, String>) -> Result<BrokerProcess, LoadError> {
        if !self.parent.is_dir() {
            let why = "there is no such directory: make it, or name another one with --data DIR";
            return Err(LoadError::file(&self.parent)(io::Error::new(io::ErrorKind::NotFound, why)));
        }
        remove_abandoned(&self.parent);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&self.parent);
        let directory = made.map_err(LoadError::file(&self.parent))?;
        let (data, log_path) = (directory.path().join(DATA), directory.path().join("broker.log"));
        let log = File::create(&log_path).map_err(LoadError::file(&log_path))?;
        let (program, mut command) = self.program.command(&data, settings);
        let begun = Instant::now();
        // A group of its own: Ctrl-C is for who measures.
        let child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = child.map_err(|source| LoadError::Binary { path: program.to_owned(), source })?;
        let line = first_line(&mut child, self.program.start_limit());
        let ready_after = self.is_ringlog().then(|| begun.elapsed());
        let pid = word(&line, "pid=").and_then(|pid| pid.parse().ok()).unwrap_or(child.id());
        let target = self.target(&line);
        let target = target.unwrap_or_else(|| {
            let said = std::fs::read_to_string(&log_path).unwrap_or_default();
            Err(LoadError::NotReady { program: program.to_owned(), said: last_words(&said).to_owned() })
        });
        match target {
            Ok(target) => {
                let product = self.program.version();
                Ok(BrokerProcess {
                    child,
                    program: self.program.clone(),
                    target,
                    _data: directory,
                    ready_after,
                    product,
                    pid,
                })
            }
            Err(error) => {
                self.program.end(&mut child);
                Err(error)
            }
        }
    }

    /// What its line says of where it is; nothing where there is none.
    fn target(&self, line: &str) -> Option<Result<Target, LoadError>> {
        let urls = match &self.program {
            Program::Ringlog(_) => format!("kafka://{}", word(line, "kafka://")?),
            Program::Peer { .. } => [word(line, " url=")?, word(line, " also=").unwrap_or_default()].join(","),
        };
        let mut urls = urls.split(',').filter(|url| !url.is_empty());
        let Some(scheme) = &self.scheme else { return urls.next().map(str::parse) };
        // Kafka's protocol has several drivers.
        let of_scheme = |url: &str| {
            let (own, rest) = url.split_once("://")?;
            (own == scheme || (own == "kafka" && scheme.starts_with("kafka+"))).then(|| format!("{scheme}://{rest}"))
        };
        Some(match urls.find_map(of_scheme) {
            Some(url) => url.parse(),
            None => Err(LoadError::Start { text: self.text.clone(), reason: format!("it has no URL of {scheme}://") }),
        })
    }

    /// Whether Kafka's settings reach it.
    pub(crate) fn speaks_kafka(&self) -> bool {
        self.is_ringlog() || matches!(&self.program, Program::Peer { name, .. } if name == "kafka")
    }

    pub(crate) fn is_ringlog(&self) -> bool {
        matches!(self.program, Program::Ringlog(_))
    }

    /// Where its directory is made.
    #[must_use]
    pub fn parent(&self) -> &Path {
        &self.parent
    }
}

impl fmt::Display for Launch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Program {
    /// The program, and the whole command.
    fn command(&self, data: &Path, settings: &BTreeMap<String, String>) -> (&Path, Command) {
        match self {
            Program::Ringlog(binary) => {
                let mut command = Command::new(binary);
                command.args(["serve", "--until-eof", "--listen", "127.0.0.1:0", "--data"]).arg(data);
                command.args(settings.iter().map(|(key, value)| format!("--set={key}={value}")));
                (binary, command)
            }
            Program::Peer { script, name, profile } => {
                let mut command = Command::new("sh");
                command.args(["-c", KEEP_PEER]).arg(script).args([name, profile]).arg(data);
                (script, command)
            }
        }
    }

    fn start_limit(&self) -> Duration {
        match self {
            Program::Ringlog(_) => START_LIMIT,
            Program::Peer { .. } => PEER_START_LIMIT,
        }
    }

    /// Lets it drain. A ringlog that does not end then is killed; the shell of a peer never is, since nobody else would stop the peer.
    fn end(&self, child: &mut Child) {
        drop(child.stdin.take());
        let until = Instant::now() + DRAIN_LIMIT;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Program::Ringlog(_) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What it calls itself, where it is asked by its command.
    fn version(&self) -> Option<String> {
        let Program::Ringlog(binary) = self else { return None };
        let said = Command::new(binary).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }
}

impl BrokerProcess {
    /// Where it is.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Asks it what it is.
    ///
    /// # Errors
    /// Those of [`Target::describe`].
    pub fn describe(&self) -> Result<Described, LoadError> {
        let described = self.target.describe()?;
        let product = self.product.clone().unwrap_or(described.product);
        Ok(Described { product, pid: Some(self.pid), ready_after: self.ready_after, ..described })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        self.program.end(&mut self.child);
    }
}

/// What it prints first, or nothing where it ends before, or takes too long.
fn first_line(child: &mut Child, limit: Duration) -> String {
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
    said.recv_timeout(limit).unwrap_or_default()
}

/// What the script says of a peer, where that is not the last line; or the last one.
fn last_words(said: &str) -> &str {
    said.lines().rfind(|line| line.starts_with("peers: ")).or(said.lines().last()).unwrap_or("nothing")
}

/// What stands behind a mark, up to the next space.
fn word<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split(mark).nth(1)?.split_whitespace().next()
}

/// Removes what brokers left behind whose ringbench was killed: the data that no broker has locked any more, and what is empty.
fn remove_abandoned(parent: &Path) {
    let is_older = |path: &Path, than: Duration| {
        let made = path.metadata().and_then(|of| of.modified()).ok();
        made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > than)
    };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let data = entry.path().join(DATA);
        let is_abandoned = match data.exists() {
            // A broker that is about to start has a lock file as well, and takes the lock a moment later.
            true => is_older(&data.join(".lock"), START_LIMIT) && DirLock::take(&data).is_ok(),
            false => is_older(&entry.path(), PEER_START_LIMIT),
        };
        if is_abandoned {
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
