//! Brokers that each run starts for itself, ringlogs and peers, as a user asks for them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringbench_report::results::Run;
use support::broker::ringlog;
use tempfile::TempDir;

/// A script as scripts/peers.sh, for a peer whose package everybody has: ringlog. It writes down who was started, and who has ended.
const PEERS: &str = r#"#!/bin/sh
here=$(dirname "$0")
case $1 in
start)
    echo "start $2" >>"$here/calls"
    [ "$4" = default ] || exit 9
    mkdir "$6"
    "$RINGLOG" serve --listen 127.0.0.1:0 --data "$6/data" >"$6/said" 2>&1 </dev/null &
    echo $! >"$6/pid"
    until url=$(grep -o 'kafka://[0-9.:]*' "$6/said"); do
        kill -0 "$(cat "$6/pid")" || exit 1
        sleep 0.05
    done
    echo "peer=$2 version=1 profile=$4 durability=page-cache replication=1 pid=$(cat "$6/pid") url=$url also=redis://127.0.0.1:1"
    ;;
stop)
    kill "$(cat "$4/pid")"
    while kill -0 "$(cat "$4/pid")" 2>/dev/null; do sleep 0.05; done
    rm -rf "$4"
    echo "stop $2" >>"$here/calls"
    ;;
esac
"#;

/// Ringlog, and a line for each broker that it becomes.
const RINGLOG: &str = r#"#!/bin/sh
[ "$1" != serve ] || echo "start ringlog" >>"$(dirname "$0")/calls"
exec "$RINGLOG" "$@"
"#;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { directory };
        std::fs::create_dir(place.data()).unwrap();
        for (script, text) in [(place.script(), PEERS), (place.ringlog(), RINGLOG)] {
            std::fs::write(&script, text).unwrap();
            std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        }
        place
    }

    fn script(&self) -> PathBuf {
        self.directory.path().join("peers.sh")
    }

    fn ringlog(&self) -> PathBuf {
        self.directory.path().join("ringlog")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.directory.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn ringbench(&self, command: &str, targets: &[&str]) -> Command {
        let mut ringbench = Command::new(env!("CARGO_BIN_EXE_ringbench"));
        ringbench.arg(command).args(["--set=warmupDuration=0s", "--set=messageSize=100", "--duration=300ms"]);
        ringbench.args(targets.iter().map(|target| format!("--target={target}"))).arg("--out").arg(self.out());
        ringbench.arg("--data").arg(self.data()).arg("--peers").arg(self.script());
        ringbench.arg("--ringlog").arg(self.ringlog()).env("RINGLOG", ringlog());
        ringbench
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn each_repeat_of_each_target_has_a_broker_of_its_own_and_nothing_is_left() {
    let place = Place::new();
    let mut run = place.ringbench("run", &["serve", "start://fake"]);
    let ran = run.args(["--rate=500", "--repeats=2"]).output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    let run = Run::read(&place.out()).unwrap();
    let urls: Vec<_> = run.targets.iter().map(|target| target.url.as_str()).collect();
    assert_eq!(urls, ["serve", "start://fake"]);
    assert_eq!(run.targets[0].name, "ringlog");
    assert!(run.targets[0].ready_ms.is_some() && run.targets[1].ready_ms.is_none(), "{:?}", run.targets);
    assert!(run.targets.iter().all(|target| target.resident_bytes.is_some()), "{:?}", run.targets);
    assert!(run.cells.iter().all(|cell| cell.valid && cell.repeats.len() == 2 && cell.broker_cpu_s.is_some()));
    // Once to say what it is.
    let (serve, fake) = (&["start ringlog"][..], &["start fake", "stop fake"][..]);
    assert_eq!(place.calls(), [serve, fake, serve, fake, fake, serve].concat());
    assert_eq!(std::fs::read_dir(place.data()).unwrap().count(), 0);
}

#[test]
fn curves_and_searches_have_brokers_of_their_own_too() {
    for (command, options) in [("curve", &["--loads=0.1", "--repeats=1"][..]), ("max-rate", &["--slo=p50<10s"])] {
        let place = Place::new();
        let ran = place.ringbench(command, &["serve"]).args(options).output().unwrap();
        assert!(ran.status.success(), "{command}: {}", said(&ran));
        assert_eq!(std::fs::read_dir(place.data()).unwrap().count(), 0);
    }
}

#[test]
fn a_peer_that_was_started_ends_with_a_ringbench_that_is_killed() {
    let place = Place::new();
    let mut ringbench =
        place.ringbench("run", &["start://fake"]).arg("--rate=100").arg("--repeats=1000").spawn().unwrap();
    let begun = Instant::now();
    while place.calls().len() < 3 {
        assert!(ringbench.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(ringbench.id() as i32), Signal::SIGKILL).unwrap();
    ringbench.wait().unwrap();
    let count = |wanted: &str| place.calls().iter().filter(|call| call.starts_with(wanted)).count();
    while count("stop") < count("start") {
        assert!(begun.elapsed() < Duration::from_secs(90), "it was not stopped: {:?}", place.calls());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn one_that_can_not_be_started_is_named_with_what_to_do() {
    let place = Place::new();
    for (target, why) in [
        ("start://", "\"\" is no peer's name"),
        ("start://Kafka", "\"Kafka\" is no peer's name"),
        ("start://kafka?profile=best", "best is no profile: default and durable are"),
        ("start://kafka?port=1", "port=1 is not understood"),
        ("start://ringlog?profile=durable", "a ringlog has no profiles"),
        ("start://fake?scheme=nats", "it has no URL of nats://"),
        ("start://fake?profile=durable", "did not start a broker"),
    ] {
        let ran = place.ringbench("run", &[target]).output().unwrap();
        let said = said(&ran);
        assert!(!ran.status.success() && said.contains(&format!("--target {target}")) && said.contains(why), "{said}");
        assert!(!place.out().exists(), "{target}: {said}");
    }
    std::fs::remove_dir_all(place.data()).unwrap();
    let said_of_data = said(&place.ringbench("run", &["serve"]).output().unwrap());
    assert!(said_of_data.contains("--data ") && said_of_data.contains("there is no such directory"), "{said_of_data}");
    std::fs::create_dir(place.data()).unwrap();
    std::fs::remove_file(place.script()).unwrap();
    let said = said(&place.ringbench("run", &["start://kafka"]).output().unwrap());
    assert!(said.contains("peers.sh is not there") && said.contains("--peers"), "{said}");
}

#[test]
fn what_one_target_does_not_offer_is_said_and_the_others_are_measured() {
    let place = Place::new();
    let durable = "--set=durability=page-cache";
    let ran =
        place.ringbench("run", &["serve", "zeromq://127.0.0.1:0"]).arg(durable).arg("--rate=500").output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    let run = Run::read(&place.out()).unwrap();
    let [ringlog, zeromq] = &run.cells[..] else { panic!("{} cells", run.cells.len()) };
    let why = zeromq.why.as_deref().unwrap();
    assert!(ringlog.valid && zeromq.repeats.is_empty() && why.contains("page-cache is asked for"), "{why}");
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains("page-cache is asked for"), "{report}");

    let refused = Place::new();
    let mut curve = refused.ringbench("curve", &["serve", "zeromq://127.0.0.1:0"]);
    let ran = curve.arg(durable).args(["--loads=0.1", "--repeats=1"]).output().unwrap();
    let run = Run::read(&refused.out()).unwrap_or_else(|error| panic!("{error}: {}", said(&ran)));
    assert!(ran.status.success() && run.cells.iter().filter(|cell| cell.ran()).count() == 2, "{}", said(&ran));

    let alone = Place::new();
    let ran = alone.ringbench("run", &["zeromq://127.0.0.1:0"]).arg(durable).output().unwrap();
    assert!(!ran.status.success() && said(&ran).contains("page-cache is asked for"), "{}", said(&ran));
    assert!(!alone.out().exists(), "nothing ran, and the same command may come again");
}
