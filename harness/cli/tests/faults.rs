//! What a generator must see: a broker that stands still, one that dies, one that lies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringbench_load::workload::{CellSpec, Workload};
use ringbench_load::{Conditions, Outcome, Pool, Stop, Target};
use ringbench_report::results::Run;
use support::broker::Broker;
use support::proxy::{Lie, Proxy};

const VALUE_BYTES: usize = 100;

fn cell(text: &str) -> CellSpec {
    let text = format!("messageSize: {VALUE_BYTES}\nacks: 1\nlinger.ms: 0\n{text}");
    Workload::parse("test.yaml".as_ref(), &text).unwrap().cells.remove(0)
}

fn conditions(cell: &CellSpec, pid: Option<u32>) -> Conditions {
    Conditions {
        run: std::process::id(),
        seed: 7,
        threads: 2,
        target_pid: pid,
        pool: Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap()),
        patience: Duration::from_secs(2),
        reads_back: true,
        stop: Stop::default(),
    }
}

fn run(address: &str, cell: &CellSpec, pid: Option<u32>) -> Outcome {
    Target::Kafka(address.to_owned()).run(cell, &conditions(cell, pid)).unwrap()
}

/// Sends a signal to a broker once a cell has run for a while.
fn signal_after(seconds: f64, pid: u32, signal: Signal) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs_f64(seconds));
        kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
    })
}

#[test]
fn a_broker_that_stands_still_for_two_seconds_delays_two_thousand_records_of_a_thousand_a_second() {
    let broker = Broker::start(&[]);
    let cell = cell("producerRate: 1000\nwarmupDuration: 500ms\ntestDuration: 6s\n");
    let pid = broker.pid();
    let signals = [signal_after(2.0, pid, Signal::SIGSTOP), signal_after(4.0, pid, Signal::SIGCONT)];
    let outcome = run(broker.address(), &cell, Some(pid));
    signals.into_iter().for_each(|signal| signal.join().unwrap());
    let longest = outcome.latency.max_ms();
    let delayed: u64 =
        outcome.latency.buckets().iter().filter(|(ns, _)| *ns > 50_000_000).map(|(_, count)| count).sum();
    assert_eq!(outcome.latency.count(), 6_000, "no tick is skipped");
    // The two signals are two seconds apart, or more on a busy host; never much less.
    assert!(longest > 1_900.0, "{longest}");
    assert!((1_850..6_000).contains(&delayed), "{delayed}");
    assert!(outcome.verdict.is_clean() && outcome.failure.is_none(), "{:?}", outcome.verdict);
    let backlog = outcome.timeline.iter().map(|tick| tick.backlog).max().unwrap();
    assert!(backlog > 900, "{backlog}");
    // The stall was the broker's, not the generator's.
    assert!(outcome.lag.max_ms() < longest / 2.0, "{}", outcome.lag.max_ms());
}

#[test]
fn a_broker_that_is_killed_ends_the_cell_and_what_came_before_is_kept() {
    let broker = Broker::start(&[]);
    let cell = cell("producerRate: 1000\nwarmupDuration: 0s\ntestDuration: 60s\n");
    let signal = signal_after(2.0, broker.pid(), Signal::SIGKILL);
    let outcome = run(broker.address(), &cell, Some(broker.pid()));
    signal.join().unwrap();
    let failure = outcome.failure.clone().unwrap();
    assert!(failure.contains("has ended"), "{failure}");
    assert!(outcome.seconds < 30.0 && outcome.verdict.acked > 0, "{} {:?}", outcome.seconds, outcome.verdict);
}

#[test]
fn a_target_that_is_not_there_is_named() {
    let cell = cell("testDuration: 1s\n");
    let error = Target::Kafka("127.0.0.1:1".to_owned()).run(&cell, &conditions(&cell, None)).unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("is a broker running there"), "{error}");
}

/// A broker behind a proxy that lies once.
fn behind(lie: Lie) -> (Proxy, Broker) {
    let proxy = Proxy::bind();
    let broker = Broker::start(&[&format!("advertised.listeners=PLAINTEXT://{}", proxy.address())]);
    proxy.serve(broker.address(), lie);
    (proxy, broker)
}

const LIED_TO: &str = "producerRate: 2000\nkeyDistributor: KEY_ROUND_ROBIN\nwarmupDuration: 0s\ntestDuration: 1s\n";

/// What the ledger says of it.
fn lied_to(lie: Lie) -> Outcome {
    let (proxy, _broker) = behind(lie);
    run(proxy.address(), &cell(LIED_TO), None)
}

#[test]
fn a_loss_voids_the_cell_the_status_says_so_and_no_load_is_a_share_of_a_maximum_that_lost_records() {
    let directory = tempfile::tempdir().unwrap();
    let workload = directory.path().join("lied-to.yaml");
    std::fs::write(&workload, "messageSize: 100\nlinger.ms: 0\nwarmupDuration: 0s\ntestDuration: 100ms\nrepeats: 1\n")
        .unwrap();
    let begun = ["sweep", "curve", "max-rate"].map(|command| {
        let (proxy, broker) = behind(Lie::Drop);
        let (out, target) = (directory.path().join(command), format!("kafka://{}", proxy.address()));
        let mut ringbench = Command::new(env!("CARGO_BIN_EXE_ringbench"));
        ringbench.arg(command).arg(&workload).args(["--target", &target, "--out"]).arg(&out);
        match command {
            "curve" => ringbench.arg("--loads=0.1"),
            // Of so few records there hardly is such a percentile: the search ends soon.
            "max-rate" => ringbench.arg("--slo=p99.9<10s"),
            _ => &mut ringbench,
        };
        (command, out, ringbench.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), proxy, broker)
    });
    for (command, out, ringbench, ..) in begun {
        let ended = ringbench.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{command}: {said}");
        let run = Run::read(&out).unwrap();
        let cell = &run.cells[0];
        assert!(!cell.valid && cell.ledger.lost > 0, "{command}: {:?}", cell.ledger);
        assert!(cell.why.as_ref().is_some_and(|why| why.starts_with("lost ")), "{command}: {:?}", cell.why);
        let (goes_on, why) = match command {
            "curve" => (false, "no loads: they would be shares of a maximum that is void: lost "),
            "max-rate" => (true, "the search begins there all the same"),
            _ => (false, "void: "),
        };
        assert!(said.contains(why) && goes_on == (run.cells.len() > 1), "{command}: {said}");
    }
}

#[test]
fn a_batch_that_was_acknowledged_and_dropped_is_lost() {
    let verdict = lied_to(Lie::Drop).verdict;
    assert!(verdict.lost > 0, "{verdict:?}");
    assert_eq!((verdict.sent, verdict.read), (verdict.acked, verdict.acked - verdict.lost), "{verdict:?}");
    assert_eq!((verdict.duplicated, verdict.corrupt, verdict.failed), (0, 0, 0), "{verdict:?}");
}

#[test]
fn a_batch_that_was_written_twice_is_duplicated() {
    let verdict = lied_to(Lie::Duplicate).verdict;
    assert!(verdict.duplicated > 0, "{verdict:?}");
    assert_eq!((verdict.lost, verdict.corrupt, verdict.failed), (0, 0, 0), "{verdict:?}");
}

#[test]
fn a_value_or_a_key_that_was_changed_under_a_right_batch_checksum_is_corrupt() {
    for lie in [Lie::Corrupt, Lie::Rekey { value_bytes: VALUE_BYTES }] {
        let verdict = lied_to(lie).verdict;
        assert_eq!((verdict.corrupt, verdict.lost), (1, 1), "{lie:?}: {verdict:?}");
        assert_eq!((verdict.duplicated, verdict.failed), (0, 0), "{lie:?}: {verdict:?}");
    }
}

#[test]
fn an_honest_proxy_leaves_the_books_clean() {
    let outcome = lied_to(Lie::None);
    assert!(outcome.verdict.is_clean(), "{:?}", outcome.verdict);
    assert_eq!(outcome.latency.count(), 2_000);
    assert!(outcome.end_to_end.count() == 2_000 && outcome.negative_latencies == 0);
}
