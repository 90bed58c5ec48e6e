//! A cell on each peer that can be had, as `scripts/peers.sh` starts it: what is acknowledged comes back, once, in order.
//!
//! Redis by default; `RINGBENCH_PEERS` names others (`nats artemis`, or `all`). A peer whose packages can't be had is skipped: the
//! terminal says so, and the file that `RINGLOG_SKIPS` names.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it is wrong")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use ringbench_load::driver::Ack;
use ringbench_load::workload::{CellSpec, Durability, Workload};
use ringbench_load::{Conditions, LoadError, Outcome, Pool, Stop, Target};

/// Status of `scripts/peers.sh` when a peer can't be had on this machine.
const UNAVAILABLE: i32 = 3;

/// Records come and go at the same time; then they are all read back after the last acknowledgement.
const CELLS: [&str; 2] = ["consumerPerSubscription: 2\nsubscriptionsPerTopic: 1", "subscriptionsPerTopic: 0"];

#[test]
fn redis_gives_back_what_it_acknowledged() {
    holds("redis", "default");
}

#[test]
fn redis_that_syncs_gives_back_what_it_acknowledged() {
    holds("redis", "durable");
}

#[test]
fn nats_gives_back_what_it_acknowledged() {
    holds("nats", "default");
}

#[test]
fn nats_that_syncs_gives_back_what_it_acknowledged() {
    holds("nats", "durable");
}

#[test]
fn activemq_gives_back_what_it_acknowledged() {
    holds("activemq", "default");
}

#[test]
fn artemis_gives_back_what_it_acknowledged() {
    holds("artemis", "default");
}

#[test]
fn queues_of_rabbitmq_give_back_what_they_acknowledged() {
    let Some(mut peer) = Running::start("rabbitmq", "default") else { return };
    for target in std::iter::once(peer.target.clone()).chain(peer.also.clone()) {
        let driver = target.to_string().split_once(':').unwrap().0.to_owned();
        peer.durability = if driver == "rabbitmq-stream" { "page-cache" } else { "fsync" }.to_owned();
        peer.target = target;
        peer.gives_back(&driver);
    }
    assert_eq!(peer.also.len(), 2);
    let refused = run(&peer.target, &cell(CELLS[1], "fsync")).unwrap_err().to_string();
    assert!(refused.contains("fsync is asked for"), "{refused}");
}

#[test]
fn rocketmq_gives_back_what_it_acknowledged() {
    holds("rocketmq", "default");
}

#[test]
fn rocketmq_that_syncs_gives_back_what_it_acknowledged() {
    holds("rocketmq", "durable");
}

#[test]
fn pulsar_gives_back_what_it_acknowledged() {
    holds("pulsar", "default");
}

#[test]
fn pulsar_that_syncs_gives_back_what_it_acknowledged() {
    holds("pulsar", "durable");
}

/// It needs no package.
#[test]
fn zeromq_carries_every_record_from_each_producer_to_its_one_reader() {
    let target: Target = "zeromq://127.0.0.1:0".parse().unwrap();
    let outcome = run(&target, &cell(CELLS[0], "memory")).unwrap();
    let (verdict, declaration) = (&outcome.verdict, &outcome.declaration);
    assert!(verdict.is_clean() && outcome.failure.is_none(), "{verdict:?} {:?}", outcome.trouble);
    assert!(verdict.acked > 100 && verdict.read == verdict.acked, "{verdict:?}");
    assert_eq!((declaration.ack, declaration.durability), (Ack::None, Durability::Memory));
    for (consumers, durability, said) in [
        (CELLS[0], "page-cache", "page-cache is asked for"),
        (CELLS[1], "memory", "subscriptionsPerTopic must be 1"),
        ("subscriptionsPerTopic: 2", "memory", "subscriptionsPerTopic must be 1"),
    ] {
        let refused = run(&target, &cell(consumers, durability)).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

fn holds(name: &str, profile: &str) {
    let Some(peer) = Running::start(name, profile) else { return };
    peer.gives_back(name);
    if profile == "default" && name != "activemq" && name != "artemis" {
        let refused = run(&peer.target, &cell(CELLS[1], "fsync")).unwrap_err().to_string();
        assert!(refused.contains("fsync is asked for"), "{name}: {refused}");
    }
}

fn cell(consumers: &str, durability: &str) -> CellSpec {
    let text = format!(
        "name: peer\ntopics: 1\npartitionsPerTopic: 4\nproducersPerTopic: 2\n{consumers}\nmessageSize: 200\nproducerRate: 2000\n\
         keyDistributor: RANDOM_NANO\ndurability: {durability}\nwarmupDuration: 0s\ntestDuration: 1s\n"
    );
    Workload::parse(Path::new("peer.yaml"), &text).unwrap().cells.remove(0)
}

fn run(target: &Target, cell: &CellSpec) -> Result<Outcome, LoadError> {
    let pool = Arc::new(Pool::new(&cell.payload, cell.message_bytes, 1).unwrap());
    let conditions = Conditions {
        run: std::process::id(),
        seed: 1,
        threads: 1,
        target_pid: None,
        pool,
        patience: Duration::from_secs(20),
        reads_back: true,
        stop: Stop::default(),
    };
    target.run(cell, &conditions)
}

/// A peer of this test's own. Dropping it stops it and removes its directory.
struct Running {
    name: String,
    dir: PathBuf,
    target: Target,
    /// Other ways to it.
    also: Vec<Target>,
    durability: String,
    version: String,
}

impl Running {
    fn start(name: &str, profile: &str) -> Option<Running> {
        let asked_for = std::env::var("RINGBENCH_PEERS").unwrap_or_else(|_| "redis".to_owned());
        if !asked_for.split_whitespace().any(|asked| asked == name || asked == "all") {
            say(&format!("not asked for: {name} ({profile}): name it in RINGBENCH_PEERS\n"));
            return None;
        }
        // First the packages: fetching them is not part of the peer's time.
        let installed = peers(&["install", name]);
        if installed.status.code() == Some(UNAVAILABLE) {
            skip(name, String::from_utf8_lossy(&installed.stderr).trim());
            return None;
        }
        let dir = std::env::temp_dir().join(format!("ringbench-peer-{name}-{profile}-{}", std::process::id()));
        let started = peers(&["start", name, "--profile", profile, "--dir", &dir.to_string_lossy()]);
        let line = String::from_utf8_lossy(&started.stdout).into_owned();
        let said = String::from_utf8_lossy(&started.stderr);
        assert!(started.status.success(), "{name} did not start: {said}");
        let word =
            |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)).unwrap_or_default().to_owned();
        Some(Running {
            name: name.to_owned(),
            dir,
            target: word("url=").parse().unwrap(),
            also: word("also=").split_terminator(',').map(|url| url.parse().unwrap()).collect(),
            durability: word("durability="),
            version: word("version="),
        })
    }

    fn gives_back(&self, driver: &str) {
        let product = self.target.describe().unwrap().product;
        let version = product.split_whitespace().next_back().unwrap();
        assert!(self.version.starts_with(version), "{product} of package {}", self.version);
        for consumers in CELLS {
            let outcome = run(&self.target, &cell(consumers, &self.durability)).unwrap();
            let (verdict, trouble) = (&outcome.verdict, &outcome.trouble);
            assert!(
                verdict.is_clean() && outcome.failure.is_none(),
                "{driver}: {verdict:?} {trouble:?} {:?}",
                outcome.failure
            );
            assert!(verdict.acked > 100 && verdict.read == verdict.acked, "{driver}: {verdict:?} {trouble:?}");
            assert_eq!(outcome.declaration.driver, driver);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        peers(&["stop", &self.name, "--dir", &self.dir.to_string_lossy()]);
    }
}

fn peers(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/peers.sh");
    Command::new(script).args(arguments).output().expect("scripts/peers.sh")
}

fn skip(name: &str, reason: &str) {
    let line = format!("SKIPPED: the peer {name}: {reason}\n");
    say(&line);
    if let Some(list) = std::env::var_os("RINGLOG_SKIPS") {
        let _ = OpenOptions::new()
            .create(true)
            .append(true)
            .open(list)
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// Not through `eprintln!`, which the test harness keeps to itself when a test passes.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}
