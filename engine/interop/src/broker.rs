//! A broker for one test: ours in a child process, or the one that `RINGLOG_INTEROP_BOOTSTRAP` names; and Apache Kafka
//! for all tests of what ours does not serve.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use crate::course::{UNAVAILABLE, skip};

/// Where a running broker is, and what ends it: dropping it kills our child and removes its directory.
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    child: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    directory: tempfile::TempDir,
}

/// Kafka, which its keeper stops when this process has ended, however it did: the keeper's input ends then.
#[derive(Debug)]
struct Kafka {
    bootstrap: String,
    _keeper: Child,
}

impl Broker {
    /// Apache Kafka: one for all tests of this process, or the broker that `RINGLOG_INTEROP_BOOTSTRAP` names. `None` where
    /// it can't be had on this machine, which is added to the skips.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn kafka() -> Option<Broker> {
        static KAFKA: OnceLock<Option<Kafka>> = OnceLock::new();
        if let Some(named) = named() {
            return Some(named);
        }
        let kafka = KAFKA.get_or_init(Kafka::start).as_ref()?;
        Some(Broker { bootstrap: kafka.bootstrap.clone(), child: None })
    }

    /// A broker without a rebalance delay, so that groups form at once.
    ///
    /// # Panics
    /// When ours can't be built or does not say within its own time that it is ready; what it logged is in the message.
    #[must_use]
    pub fn start() -> Broker {
        if let Some(named) = named() {
            return named;
        }
        let directory = tempfile::Builder::new().prefix("ringlog-interop-").tempdir().expect("a temporary directory");
        let log = directory.path().join("log");
        let mut process = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--set", "group.initial.rebalance.delay.ms=0", "--data"])
            .arg(directory.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"))
            .spawn()
            .expect("ringlog serve");
        let mut stdout = BufReader::new(process.stdout.take().expect("its output was piped"));
        let mut line = String::new();
        let _ = stdout.read_line(&mut line);
        let Some(bootstrap) = line.split("kafka://").nth(1).and_then(|rest| rest.split_whitespace().next()) else {
            let _ = process.kill();
            let _ = process.wait();
            panic!("ringlog serve did not say that it is ready, but {line:?}:\n{}", tail(&log));
        };
        let bootstrap = bootstrap.to_owned();
        // The pipe stays open and is emptied: a broker that prints more must not find it closed or full.
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Broker { bootstrap, child: Some(Running { process, directory }) }
    }

    /// `host:port` of the broker.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The directory that holds the partitions; only for a broker of ours.
    #[must_use]
    pub fn data(&self) -> Option<PathBuf> {
        self.child.as_ref().map(|c| c.directory.path().join("data"))
    }

    /// The end of what our broker logged, for the message of a failed test.
    #[must_use]
    pub fn log(&self) -> String {
        self.child.as_ref().map(|c| tail(&c.directory.path().join("log"))).unwrap_or_default()
    }

    /// Runs `ringlog` with these words (none of which holds a space) against the broker; `input` is what it is given to read.
    ///
    /// # Panics
    /// When it can't be run.
    #[must_use]
    pub fn tool(&self, line: &str, input: &str) -> Output {
        let mut tool = Command::new(binary())
            .args(line.split_whitespace())
            .args(["--bootstrap", &self.bootstrap])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ringlog");
        // One that reads nothing may have ended.
        let _ = tool.stdin.take().expect("its input was piped").write_all(input.as_bytes());
        tool.wait_with_output().expect("its output")
    }

    /// Ends our broker as an operator does, and holds it to its word: SIGTERM drains, and the status is 0.
    ///
    /// # Panics
    /// When the broker ends with another status.
    pub fn stop(mut self) {
        if let Some(running) = &mut self.child {
            let pid = running.process.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
            assert!(sent.success(), "ringlog serve had ended already: {}", tail(&running.directory.path().join("log")));
            let status = running.process.wait().expect("its status");
            assert!(status.success(), "after SIGTERM: {status}: {}", tail(&running.directory.path().join("log")));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(running) = &mut self.child {
            let _ = running.process.kill();
            let _ = running.process.wait();
        }
    }
}

impl Kafka {
    fn start() -> Option<Kafka> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka.sh");
        let installed = Command::new(&script).arg("install").output().expect("scripts/kafka.sh");
        if installed.status.code() == Some(UNAVAILABLE) {
            skip("Apache Kafka", String::from_utf8_lossy(&installed.stderr).trim());
            return None;
        }
        let directory =
            tempfile::Builder::new().prefix("ringlog-kafka-").tempdir().expect("a temporary directory").keep();
        let small = ["offsets.topic.num.partitions=1", "transaction.state.log.num.partitions=1"];
        let started =
            Command::new(&script).arg("start").arg(&directory).args(small).output().expect("scripts/kafka.sh");
        assert!(started.status.success(), "Kafka did not start: {}", String::from_utf8_lossy(&started.stderr));
        let keeper = Command::new("sh")
            .args(["-c", r#"trap '' INT TERM; cat; "$0" stop "$1"; rm -rf "$1""#])
            .args([&script, &directory])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let bootstrap = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        Some(Kafka { bootstrap, _keeper: keeper })
    }
}

fn named() -> Option<Broker> {
    let bootstrap = std::env::var("RINGLOG_INTEROP_BOOTSTRAP").ok().filter(|named| !named.is_empty())?;
    Some(Broker { bootstrap, child: None })
}

/// `ringlog`: the one that `RINGLOG_BIN` names, or that of this build, built now: tests of one crate don't build another's binary.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("RINGLOG_BIN") {
            return named.into();
        }
        let test = std::env::current_exe().expect("the path of this test");
        // target/PROFILE/deps/test-hash
        let profile = test.ancestors().nth(2).expect("tests lie two folders below target");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "ringlog-cli"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo").success(), "ringlog-cli does not build");
        profile.join("ringlog")
    })
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
