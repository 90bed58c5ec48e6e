//! `ringbench run`, `curve`, `max-rate` and `calibrate` as a user runs them, shortly.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringbench_report::results::{Run, RunCell};
use support::broker::Broker;

const SHORT: [&str; 4] =
    ["--set=warmupDuration=200ms", "--set=messageSize=100", "--set=testDuration=600ms", "--seed=7"];

fn ringbench(command: &str, target: &str, out: &Path) -> Command {
    let mut ringbench = Command::new(env!("CARGO_BIN_EXE_ringbench"));
    ringbench.args([command, "--target", target, "--out"]).arg(out).args(SHORT);
    ringbench
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_run_at_a_rate_is_verified_reported_and_never_overwritten() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let (url, out) = (format!("kafka://{}", broker.address()), out.path().join("run"));
    let ran = ringbench("run", &url, &out).args(["--rate", "2000", "--repeats", "2"]).output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    let run = Run::read(&out).unwrap();
    assert!(!run.interrupted && run.calibration.is_some() && run.command.contains("--seed=7"), "{}", run.command);
    assert_eq!(run.targets[0].product, format!("ringlog {}", env!("CARGO_PKG_VERSION")));
    // Nothing is hidden: who was measured, with what, where, and what that host can do.
    let (target, host) = (&run.targets[0], &run.host);
    assert!(
        target.config.contains_key("log.segment.bytes")
            && target.command.as_ref().is_some_and(|it| it.contains("serve"))
    );
    for said in [&host.cpu, &host.governor, &host.kernel, &host.mount, &host.filesystem, &host.device, &host.scheduler]
    {
        assert!(!said.is_empty(), "{host:?}");
    }
    assert!(
        !host.write_cache.is_empty() && !host.commit.is_empty() && !run.version.is_empty() && run.roofline.is_some()
    );
    let [ref cell] = run.cells[..] else { panic!("{} cells", run.cells.len()) };
    assert!(cell.valid && cell.repeats.len() == 2, "{:?}", cell.why);
    assert!(cell.client_config.contains_key("buffer.memory") && cell.topic_config.contains_key("flush.messages"));
    assert_eq!((cell.offered_per_s, cell.declared.driver.as_str()), (Some(2_000.0), "native"));
    let ledger = cell.ledger;
    // 0.8 s, twice; from each of the producers' first tick on.
    assert_eq!((ledger.sent, ledger.acked, ledger.received), (3_200, 3_200, 3_200));
    assert!(cell.broker_cpu_s.is_some() && cell.latency_us.p90.is_some() && cell.end_to_end_us.p90.is_some());
    assert!(out.join("report.html").exists() && out.join("cells.csv").exists());

    let before = std::fs::read(out.join("results.json")).unwrap();
    let again = ringbench("run", &url, &out).output().unwrap();
    assert!(!again.status.success() && said(&again).contains("holds a run already"), "{}", said(&again));
    assert_eq!(std::fs::read(out.join("results.json")).unwrap(), before);
}

#[test]
fn a_curve_has_the_maximum_and_each_load_and_two_targets_take_turns() {
    let (brokers, out) = ([Broker::start(&[]), Broker::start(&[])], tempfile::tempdir().unwrap());
    let [first, second] = brokers.each_ref().map(|broker| format!("kafka://{}", broker.address()));
    let ran =
        ringbench("curve", &first, out.path()).args(["--target", &second, "--loads", "0.1,0.5"]).output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    let run = Run::read(out.path()).unwrap();
    assert_eq!(run.targets.iter().map(|target| &*target.name).collect::<Vec<_>>(), ["ringlog", "ringlog-2"]);
    let of = |name: &str| run.cells.iter().filter(|cell| cell.target == name).map(|cell| cell.load).collect::<Vec<_>>();
    for name in ["ringlog", "ringlog-2"] {
        let mut loads = of(name);
        loads.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(loads, [None, Some(0.1), Some(0.5)]);
    }
}

/// The generator alone: where nothing is kept nobody consumes, and two of them tell in which turns targets run.
#[test]
fn several_targets_take_turns_there_and_back_and_from_a_null_sink_nobody_waits_for_anything() {
    let out = tempfile::tempdir().unwrap();
    let mut run = ringbench("run", "null://", out.path());
    let ran = run.args(["--target=null://", "--rate=2000", "--repeats=3"]).output().unwrap();
    assert!(ran.status.success() && said(&ran).contains("was not held against the books"), "{}", said(&ran));
    let run = Run::read(out.path()).unwrap();
    let orders = run.cells.iter().map(|cell| cell.repeats.iter().map(|repeat| repeat.order).collect::<Vec<_>>());
    assert_eq!(orders.collect::<Vec<_>>(), [[0, 3, 4], [1, 2, 5]]);
    assert!(run.cells.iter().all(|cell| cell.valid && cell.shape.consumers == 0 && cell.ledger.acked == 4_800));
    let busy = |cell: &RunCell| cell.repeats.iter().all(|repeat| repeat.client_busy_share > 0.0);
    assert!(run.cells.iter().all(busy), "what the generator uses of a processor is counted");
}

#[test]
fn a_search_ends_with_a_rate_that_was_confirmed_or_with_the_reason_why_there_is_none() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let url = format!("kafka://{}", broker.address());
    let (easy, hopeless) = (out.path().join("easy"), out.path().join("hopeless"));
    let ran = ringbench("max-rate", &url, &easy).args(["--slo", "p50<10s"]).output().unwrap();
    let run = Run::read(&easy).unwrap_or_else(|error| panic!("{error}: {}", said(&ran)));
    let [ref found] = run.max_rates[..] else { panic!("{}", said(&ran)) };
    if let Some(rate) = found.rate_per_s {
        let key = found.confirmed_by.clone().unwrap();
        let cell = run.cells.iter().find(|cell| cell.key == key).unwrap();
        assert!(cell.offered_per_s == Some(rate) && cell.repeats.len() >= 2, "{found:?}");
    }
    assert!(!found.why.is_empty());
    let ran = ringbench("max-rate", &url, &hopeless).args(["--slo", "p50<0.001ms"]).output().unwrap();
    let run = Run::read(&hopeless).unwrap_or_else(|error| panic!("{error}: {}", said(&ran)));
    assert_eq!(run.max_rates[0].rate_per_s, None);
    let short = out.path().join("short");
    let ran =
        ringbench("max-rate", &url, &short).args(["--slo", "p99.9<10s", "--set=testDuration=50ms"]).output().unwrap();
    let run = Run::read(&short).unwrap_or_else(|error| panic!("{error}: {}", said(&ran)));
    let why = run.max_rates.first().map_or("", |found| &*found.why);
    assert!(why.contains("measure for longer") && run.cells.len() < 6, "{why}: {}", said(&ran));
    assert!(said(&ran).contains("No rate was found that keeps p99.9 < 10"), "{}", said(&ran));
    let none = ringbench("max-rate", &url, &out.path().join("none")).output().unwrap();
    assert!(said(&none).contains("--slo 'p99<10ms'"), "{}", said(&none));
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_marks_it() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let url = format!("kafka://{}", broker.address());
    let mut run = ringbench("run", &url, out.path());
    run.args(["--rate=500", "--set=testDuration=60s", "--repeats=9"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    let written = || {
        let io = std::fs::read_to_string(format!("/proc/{}/io", broker.pid())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse::<u64>().ok()).unwrap()
    };
    // Before, there is nothing to keep: a thousand of its records are about two seconds.
    let before = written();
    while written() < before + 100_000 {
        assert!(child.try_wait().unwrap().is_none(), "{}", said(&child.wait_with_output().unwrap()));
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.code() == Some(130) && said(&ended).contains("interrupted"), "{}", said(&ended));
    let run = Run::read(out.path()).unwrap();
    assert!(run.interrupted);
    assert!(run.cells.iter().all(|cell| !cell.valid), "half a cell is none");
}

#[test]
fn what_is_wrong_is_said_with_the_value_and_the_remedy() {
    let out = tempfile::tempdir().unwrap();
    let nowhere = "kafka://127.0.0.1:1";
    let through_librdkafka = "kafka+librdkafka://127.0.0.1:1";
    let unbuilt = "cargo build --release --features librdkafka";
    for (command, target, more, expected) in [
        ("run", "127.0.0.1:9092", &[][..], "write kafka://HOST:PORT"),
        ("run", nowhere, &[], "is a broker running there"),
        (
            "run",
            through_librdkafka,
            &[],
            if cfg!(feature = "librdkafka") { "is a broker running there" } else { unbuilt },
        ),
        ("run", nowhere, &["--set", "batch.sise=1"], "batch.size"),
        ("run", nowhere, &["--set", "acks"], "KEY=VALUE"),
        ("run", "redis://127.0.0.1:1", &["--set", "linger.ms=5"], "linger.ms is Kafka's and does not reach redis://"),
        ("max-rate", "zeromq://127.0.0.1:0", &["--set", "acks=1", "--slo", "p99<9ms"], "acks is Kafka's"),
        ("run", nowhere, &["--rate", "-5"], "producerRate: -5: a number from 0 to 1000000000 is needed"),
        ("run", nowhere, &["--rate", "1e12"], "--rate 1000000000000: "),
        ("run", nowhere, &["--rate", "0"], "say how many records a second with producerRate"),
        ("run", nowhere, &["--rate", "NaN"], "producerRate: NaN: a number"),
        ("run", nowhere, &["--duration", "soon"], "testDuration: soon"),
        ("run", "redis://127.0.0.1:1", &[], "redis://127.0.0.1:1"),
        ("curve", "nats://127.0.0.1:1", &[], "start it (scripts/peers.sh start NAME)"),
        ("run", nowhere, &["--threads", "0"], "1 to 1024 are allowed"),
        ("run", nowhere, &["--repeats", "0"], "repeats: 0: an integer from 1"),
        ("run", "carrier-pigeon://coop", &[], "no driver is named carrier-pigeon"),
        ("curve", nowhere, &["--loads", "0"], "0.001 to 10 are allowed"),
        ("max-rate", nowhere, &["--slo", "fast"], "p99<10ms"),
    ] {
        let ran = ringbench(command, target, &out.path().join("out")).args(more).output().unwrap();
        assert!(!ran.status.success() && said(&ran).contains(expected), "{command} {target} {more:?}: {}", said(&ran));
    }
    assert!(!out.path().join("out").exists(), "nothing is made for a run that can't begin");
    let nowhere = ringbench("run", "null://", Path::new("/dev/null/run")).output().unwrap();
    assert!(said(&nowhere).contains("--out /dev/null/run: Not a directory (os error 20): name a directory that can"));
}

#[test]
fn ctrl_c_leaves_whole_repeats_alone_and_nothing_where_there_is_none() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let url = format!("kafka://{}", broker.address());
    let child = with_a_repeat(&url, out.path());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = child.wait_with_output().unwrap();
    let run = Run::read(out.path()).unwrap();
    let [ref cell] = run.cells[..] else { panic!("{} cells", run.cells.len()) };
    assert!(ended.status.code() == Some(130) && run.interrupted && cell.valid, "{:?} {}", cell.why, said(&ended));
}

/// `run` until a repeat is on disk.
fn with_a_repeat(url: &str, out: &Path) -> std::process::Child {
    let mut run = ringbench("run", url, out);
    run.args(["--rate=500", "--repeats=30"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    let repeats = || Run::read(out).map_or(0, |run| run.cells.iter().map(|cell| cell.repeats.len()).sum());
    while repeats() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "{}", said(&child.wait_with_output().unwrap()));
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn a_target_that_dies_ends_the_run_and_what_it_did_before_is_kept_and_marked() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let child = with_a_repeat(&format!("kafka://{}", broker.address()), out.path());
    kill(Pid::from_raw(broker.pid().cast_signed()), Signal::SIGKILL).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(!ended.status.success() && said(&ended).contains("what was measured before is in "), "{}", said(&ended));
    let run = Run::read(out.path()).unwrap();
    assert!(run.interrupted && !run.cells[0].valid && out.path().join("report.html").exists());
    assert!(run.cells[0].whole().count() > 0, "{:?}", run.cells[0].why);
}

#[test]
fn a_full_disk_ends_the_run_and_leaves_what_was_written_before() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let child = with_a_repeat(&format!("kafka://{}", broker.address()), out.path());
    // What is written there from here on finds no room.
    while std::os::unix::fs::symlink("/dev/full", out.path().join("results.part")).is_err() {}
    let ended = child.wait_with_output().unwrap();
    let said = said(&ended);
    assert!(
        !ended.status.success() && said.contains("No space left on device") && said.contains("make room"),
        "{said}"
    );
    assert!(Run::read(out.path()).unwrap().cells[0].whole().count() > 0);
}

#[test]
fn a_limit_of_file_sizes_is_named_and_where_nothing_ran_nothing_is_left() {
    let out = tempfile::tempdir().unwrap();
    let ringbench = |bytes: u32, out: &Path| {
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--fsize={bytes}")).arg(env!("CARGO_BIN_EXE_ringbench"));
        limited
            .args(["run", "--target=null://", "--rate=1000", "--repeats=1", "--out"])
            .arg(out)
            .args(SHORT)
            .output()
            .unwrap()
    };
    let (none, half) = (out.path().join("none"), out.path().join("half"));
    for (bytes, out, kept) in
        [(100, &none, "nothing was measured"), (20_000, &half, "what was measured before is kept")]
    {
        let ended = ringbench(bytes, out);
        let expected = format!("File too large (os error 27): {kept}: raise the limit of file sizes (ulimit -f)");
        assert!(ended.status.code() == Some(1) && said(&ended).contains(&expected), "{}", said(&ended));
    }
    assert!(!none.exists() && Run::read(&half).unwrap().cells[0].valid, "the report is too large, the results are not");
}

#[test]
fn two_runs_into_one_directory_are_one_too_many() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let url = format!("kafka://{}", broker.address());
    let mut child = with_a_repeat(&url, out.path());
    for command in ["run", "curve", "max-rate"] {
        let second = ringbench(command, &url, out.path()).arg("--set=slo=p99<1s").output().unwrap();
        assert!(!second.status.success() && said(&second).contains("it holds a run already"), "{}", said(&second));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_generator_says_what_it_can_do_alone() {
    let calibrated = Command::new(env!("CARGO_BIN_EXE_ringbench"));
    let calibrated = { calibrated }.args(["calibrate", "--seconds", "0.2", "--repeats", "1"]).output().unwrap();
    assert!(calibrated.status.success(), "{}", said(&calibrated));
    let refused = Command::new(env!("CARGO_BIN_EXE_ringbench")).args(["calibrate", "--seconds", "0"]).output().unwrap();
    assert!(!refused.status.success() && said(&refused).contains("0.1 to 600 are allowed"), "{}", said(&refused));
    let said = said(&calibrated);
    assert!(said.contains("| 100 B |") && said.contains("| 1024 B |") && said.contains("| 1000 | "), "{said}");
}
