//! `ringbench sweep` as a user runs, stops and resumes it: against the null sink, and against brokers of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringbench_load::Launch;
use ringbench_report::results::Run;
use tempfile::TempDir;

/// Two cells, twice each, into the null sink: which keeps nothing that could be read back.
const NULL: &str = "name: small\nsubscriptionsPerTopic: 0\ndurability: memory\narrival: maximum\nwarmupDuration: 0s\n\
testDuration: 200ms\nrepeats: 2\nsweep:\n  batch.size: [1k, 16k]\n";

struct Place {
    directory: TempDir,
    workload: PathBuf,
}

impl Place {
    fn of(text: &str) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let workload = directory.path().join("some.yaml");
        std::fs::write(&workload, text).unwrap();
        Place { directory, workload }
    }

    fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    fn sweep(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringbench"));
        command.arg("sweep").arg(&self.workload).arg("--out").arg(self.out()).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, more: &[&str]) -> (Output, String) {
        let output = self.sweep(more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output, said)
    }

    fn results(&self) -> Run {
        Run::read(&self.out()).unwrap()
    }

    /// When each repeat began, by cell and place in the order.
    fn repeats(&self) -> BTreeMap<(String, usize), u64> {
        let cells = self.results().cells;
        let repeats = cells.iter().flat_map(|cell| cell.repeats.iter().map(|repeat| (cell.key.clone(), repeat)));
        repeats
            .filter(|(_, repeat)| repeat.failure.is_none())
            .map(|(key, repeat)| ((key, repeat.order), repeat.started_unix_ms))
            .collect()
    }

    /// Until a repeat is on disk.
    fn wait_for_a_repeat(&self, child: &mut Child) {
        let begun = Instant::now();
        while !self.out().join("results.json").exists() || self.repeats().is_empty() {
            assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

fn ringlog() -> PathBuf {
    let ringbench = Path::new(env!("CARGO_BIN_EXE_ringbench"));
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "ringlog-cli"]).status().unwrap();
    assert!(built.success(), "ringlog-cli does not build");
    ringbench.with_file_name("ringlog")
}

#[test]
fn a_sweep_says_its_plan_runs_every_cell_in_rounds_and_is_reported() {
    let place = Place::of(NULL);
    let (output, said) = place.run(&["--target", "null://", "--plan"]);
    assert!(output.status.success() && !place.out().exists(), "{said}");
    assert!(said.contains("small: 2 cells × 2 = 4 runs, in rounds, ") && said.contains("time: about "), "{said}");
    // Without a target it is a ringlog for each run, of which a plan starts none.
    let (output, said) = place.run(&["--plan", "--ringlog", "/nonexistent/ringlog"]);
    assert!(output.status.success() && said.contains("= 4 runs") && !place.out().exists(), "{said}");
    let (output, said) = place.run(&["--target", "null://"]);
    assert!(output.status.success(), "{said}");
    let run = place.results();
    assert!(!run.interrupted && run.workload_yaml.as_deref() == Some(NULL));
    let mut orders: Vec<usize> =
        run.cells.iter().flat_map(|cell| cell.repeats.iter().map(|repeat| repeat.order)).collect();
    orders.sort_unstable();
    assert_eq!(orders, [0, 1, 2, 3]);
    // The second round is the first one backwards: the cell that ends the one begins the other.
    let last_of_first = run.cells.iter().position(|cell| cell.repeats.iter().any(|repeat| repeat.order == 1));
    let first_of_second = run.cells.iter().position(|cell| cell.repeats.iter().any(|repeat| repeat.order == 2));
    assert_eq!(last_of_first, first_of_second);
    for file in ["report.html", "report.md", "cells.csv"] {
        assert!(place.out().join(file).exists(), "{file}");
    }
    assert!(run.cells.iter().all(|cell| cell.valid && cell.settings.contains_key("batch.size")), "{said}");
}

#[test]
fn what_was_measured_before_a_kill_is_kept_and_the_rest_is_made_up_for() {
    let place = Place::of(&NULL.replace("repeats: 2", "repeats: 4"));
    let mut child = place.sweep(&["--target", "null://"]).spawn().unwrap();
    place.wait_for_a_repeat(&mut child);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let before = place.repeats();
    assert!(place.results().interrupted && !before.is_empty() && before.len() < 8);
    let (output, said) = place.run(&["--target", "null://"]);
    assert!(output.status.success() && said.contains("of 8 runs are there already"), "{said}");
    let after = place.repeats();
    assert!(!place.results().interrupted && after.len() == 8);
    assert!(before.iter().all(|repeat| after.get(repeat.0) == Some(repeat.1)), "a run was made twice");
    let (output, said) = place.run(&["--target", "null://"]);
    assert!(output.status.success() && said.contains("8 of 8 runs are there already"), "{said}");
    assert_eq!(place.repeats(), after);
}

#[test]
fn an_interrupt_ends_it_with_what_it_has_and_says_how_to_go_on() {
    let place = Place::of(&NULL.replace("testDuration: 200ms", "testDuration: 1s").replace("repeats: 2", "repeats: 9"));
    let mut child = place.sweep(&["--target", "null://"]).spawn().unwrap();
    place.wait_for_a_repeat(&mut child);
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the same command goes on from here"));
    let run = place.results();
    assert!(run.interrupted && place.out().join("report.html").exists());
    // The run that was cut short counts for nothing, and is not kept.
    assert!(run.cells.iter().flat_map(|cell| &cell.repeats).all(|repeat| repeat.failure.is_none()));
}

#[test]
fn more_repeats_are_added_to_those_that_are_there() {
    let place = Place::of(NULL);
    assert!(place.run(&["--target", "null://"]).0.status.success());
    let before = place.repeats();
    let (output, said) = place.run(&["--target", "null://", "--repeats", "3"]);
    assert!(output.status.success() && said.contains("4 of 6 runs are there already"), "{said}");
    assert!(before.iter().all(|repeat| place.repeats().get(repeat.0) == Some(repeat.1)));
    let (output, said) = place.run(&["--target", "null://"]);
    assert!(!output.status.success() && said.contains("it holds 3 repeats, not 2"), "{said}");
}

#[test]
fn two_sweeps_into_one_directory_are_one_too_many() {
    let place = Place::of(&NULL.replace("repeats: 2", "repeats: 50"));
    let mut child = place.sweep(&["--target", "null://"]).spawn().unwrap();
    place.wait_for_a_repeat(&mut child);
    let (output, said) = place.run(&["--target", "null://"]);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert!(!output.status.success() && said.contains("another ringbench writes into it"), "{said}");
}

#[test]
fn a_directory_of_something_else_is_refused_and_left_as_it_is() {
    let place = Place::of(NULL);
    assert!(place.run(&["--target", "null://"]).0.status.success());
    let before = std::fs::read(place.out().join("results.json")).unwrap();
    let refused = |text: &str, more: &[&str], why: &str| {
        std::fs::write(&place.workload, text).unwrap();
        let (output, said) = place.run(&[&["--target", "null://"], more].concat());
        assert!(!output.status.success() && said.contains(why) && said.contains("name another directory"), "{said}");
        assert!(std::fs::read(place.out().join("results.json")).unwrap() == before, "{why}");
    };
    refused(&NULL.replace("small", "other"), &[], "another workload: small, not other");
    refused(&NULL.replace("16k", "32k"), &[], "have changed since it began");
    refused(NULL, &["--set", "acks=1"], "have changed since it began");
    refused(&NULL.replace("repeats", "seed: 5\nrepeats"), &[], "another order, by its seed: ");

    let strange = Place::of(NULL);
    std::fs::create_dir(strange.out()).unwrap();
    std::fs::write(strange.out().join("notes.txt"), "mine").unwrap();
    let (output, said) = strange.run(&["--target", "null://"]);
    assert!(!output.status.success() && said.contains("it holds notes.txt and no results.json"), "{said}");
}

#[test]
fn what_can_not_begin_says_why_and_what_to_do() {
    let place = Place::of(NULL);
    for (more, why) in [
        (&["--target", "kafka://127.0.0.1:1"][..], "127.0.0.1:1"),
        (&["--target", "carrier-pigeon://coop"], "serve starts a ringlog for each run"),
        (&["--target", "nats://127.0.0.1:1"], "batch.size is Kafka's and does not reach nats://127.0.0.1:1"),
        (&["--target", "nats://127.0.0.1:1", "--plan"], "take it out of `sweep` and `--set`"),
        (&["--target", "serve", "--ringlog", "/nonexistent/ringlog"], "/nonexistent/ringlog"),
        (&["--target", "zeromq://127.0.0.1:0", "--set", "batch.size=3"], "batch.size is Kafka's"),
        (&["--ringlog", "/nonexistent/ringlog", "--data", "/nonexistent"], "/nonexistent: there is no such directory"),
        (&["--target", "null://", "--set", "batchsize=3"], "did you mean batch.size?"),
        (&["--target", "null://", "--set", "acks"], "KEY=VALUE is needed"),
        (&["--target", "null://", "--repeats", "0"], "repeats: 0: an integer from 1"),
    ] {
        let (output, said) = place.run(more);
        assert!(!output.status.success() && said.contains(why), "{more:?}: {said}");
        assert!(!place.out().exists(), "{more:?}");
    }
}

#[test]
fn each_run_has_a_broker_of_its_own_and_leaves_nothing_behind() {
    let place = Place::of(
        "name: own\npartitionsPerTopic: 2\nmessageSize: 200\nwarmupDuration: 0s\ntestDuration: 500ms\nproducerRate: 200\n\
        linger.ms: 0\nbroker: {log.segment.bytes: 1048576}\nsweep: {acks: [0, all]}\n",
    );
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let options =
        ["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let (output, said) = place.run(&options);
    assert!(output.status.success(), "{said}");
    let run = place.results();
    assert!(run.cells.iter().all(|cell| cell.valid && cell.ledger.acked >= 100), "{said}");
    let target = &run.targets[0];
    assert!(target.name == "ringlog" && target.ready_ms.is_some_and(|ms| ms > 0.0), "{target:?}");
    assert!(run.calibration.is_some() && run.roofline.is_some() && run.host.mount != "unknown");
    for repeat in run.cells.iter().flat_map(|cell| &cell.repeats) {
        for cost in [repeat.client_cost, repeat.broker_cost.unwrap()] {
            assert!(cost.context_switches.is_some_and(|switches| switches > 0), "{cost:?}");
            assert!(cost.reads.is_some() && cost.writes.is_some() && cost.involuntary_switches.is_some(), "{cost:?}");
        }
        assert!(repeat.disk_bytes.is_some() && repeat.wire_bytes.is_some() && repeat.regime.is_some(), "{repeat:?}");
        // What the broker has just written is dirty for some seconds, where there is a disk.
        let unwritten = repeat.dirty_bytes + repeat.write_back_bytes;
        assert!(unwritten > 0 || run.host.device == "none", "{repeat:?}");
    }
    assert!(target.product.starts_with("ringlog ") && target.config["log.segment.bytes"] == "1048576", "{target:?}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_target_that_dies_is_named_and_what_it_did_before_is_kept() {
    let place = Place::of(
        "name: dying\nmessageSize: 200\nwarmupDuration: 0s\ntestDuration: 1s\nproducerRate: 200\nrepeats: 30\n",
    );
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let broker = Launch::ringlog(&ringlog, data.path()).start(&BTreeMap::new()).unwrap();
    let url = broker.target().to_string();
    let mut child = place.sweep(&["--target", &url]).spawn().unwrap();
    place.wait_for_a_repeat(&mut child);
    kill(Pid::from_raw(broker.pid() as i32), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("is gone: ") && said.contains("goes on from here"), "{said}");
    let run = place.results();
    assert!(run.interrupted && !place.repeats().is_empty());
    assert!(run.cells[0].repeats.iter().filter(|repeat| repeat.failure.is_some()).count() <= 1);
}

#[test]
fn a_cell_that_the_disk_has_no_room_for_does_not_begin() {
    let place = Place::of("name: large\ntestDuration: 8000h\n");
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let options =
        ["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let (output, said) = place.run(&options);
    assert!(
        !output.status.success() && said.contains("GB are free, and large may need ") && said.contains("make room"),
        "{said}"
    );
    assert!(place.results().interrupted && std::fs::read_dir(data.path()).unwrap().count() == 0);
}

#[test]
fn a_cell_larger_than_the_disk_is_refused_before_it_begins() {
    let place = Place::of("name: huge\ntimesMemory: 1000\n");
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let options =
        ["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let (output, said) = place.run(&options);
    assert!(!output.status.success() && said.contains("and huge may need "), "{said}");
    assert!(said.contains("disk: up to ") && said.contains("--set timesMemory=NUMBER"), "{said}");
}

#[test]
fn a_cell_ends_when_everything_is_written_and_the_final_sync_counts() {
    let place = Place::of("name: bytes\nmessageSize: 10000\ntimesMemory: 0.001\nfinalSync: true\nwarmupDuration: 0s\n");
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let options =
        ["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let (output, said) = place.run(&options);
    assert!(output.status.success(), "{said}");
    let cell = &place.results().cells[0];
    let (repeat, bytes) = (&cell.repeats[0], cell.write_bytes.unwrap());
    assert!(cell.valid && cell.ledger.acked * 10_000 >= bytes, "{:?} of {bytes}", cell.ledger);
    // It ended with them: what was on its way then is in the producer's buffer.
    assert!(cell.ledger.acked * 10_000 < bytes + (40 << 20), "{:?} of {bytes}", cell.ledger);
    let end = repeat.timeline.last().unwrap().at_s;
    assert!((end - repeat.seconds).abs() < 1e-9 && repeat.seconds < cell.seconds, "{end} {}", repeat.seconds);
    assert_eq!(repeat.timeline.iter().map(|tick| tick.acked).sum::<u64>(), repeat.acked_records);
    let synced = cell.synced_mb_per_s.unwrap();
    assert!(synced > 0.0 && repeat.regime.is_some(), "{repeat:?}");
    // No more than all of it in the time that was counted and that of the sync.
    let most = cell.ledger.acked as f64 * 10_000.0 / 1e6 / (repeat.seconds + repeat.final_sync_s.unwrap());
    assert!(synced <= most * 1.000_1, "{synced} {most}");
}

#[test]
fn past_retention_segments_are_deleted_while_it_is_measured() {
    let place = Place::of(
        "name: past\nmessageSize: 10000\nproducerRate: 800\nlinger.ms: 0\nwarmupDuration: 0s\ntestDuration: 4s\n\
        topic: {segment.bytes: 1048576, retention.bytes: 8388608}\nbroker: {log.retention.check.interval.ms: 100}\n",
    );
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let options =
        ["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let (_, said) = place.run(&options);
    let cell = &place.results().cells[0];
    let deleted = cell.repeats[0].deleted_records.unwrap();
    assert!(deleted > 800 && cell.topic_config["retention.bytes"] == "8388608", "{deleted} {said}");
    // A consumer that is a second late on a busy host has lost what was deleted, and that is said.
    assert!(cell.valid || cell.why.as_ref().unwrap().contains("retention deleted"), "{:?}", cell.why);
    // What is stored at the end is of the records that are still there.
    let ratio = cell.payload.wire_ratio.unwrap();
    assert!((0.9..1.3).contains(&ratio), "{ratio}");
}

#[test]
fn a_broker_of_its_own_ends_with_a_ringbench_that_is_killed() {
    let place = Place::of("name: killed\nmessageSize: 200\nproducerRate: 200\ntestDuration: 1h\n");
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let data = data.path().to_str().unwrap();
    let mut ringbench =
        place.sweep(&["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data]).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", ringbench.id());
    let begun = Instant::now();
    // The first one only says what it is; the second one is measured.
    let broker = loop {
        assert!(ringbench.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
        let started = std::fs::read_to_string(&children).unwrap_or_default();
        match started.split_whitespace().next().filter(|_| place.out().join("results.json").exists()) {
            Some(pid) => break pid.to_owned(),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    signal(&ringbench, Signal::SIGKILL);
    ringbench.wait().unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{broker}/stat")).unwrap_or_default();
    while stat().rsplit_once(')').is_some_and(|(_, state)| !state.starts_with(" Z")) {
        assert!(begun.elapsed() < Duration::from_secs(90), "broker {broker} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_of_openmessaging_benchmark_runs_as_it_is() {
    // As its workloads/max-rate-1-topic-1-partition-1p-1c-100b.yaml, for less than its five minutes.
    let place = Place::of(
        "name: max-rate-1-topic-1-partition-1p-1c-100b\n\ntopics: 1\npartitionsPerTopic: 1\n\nmessageSize: 100\n\
        useRandomizedPayloads: true\nrandomBytesRatio: 0.5\nrandomizedPayloadPoolSize: 1000\n\nsubscriptionsPerTopic: 1\n\
        consumerPerSubscription: 1\nproducersPerTopic: 1\n\n# Discover max-sustainable rate\nproducerRate: 10000000\n\n\
        consumerBacklogSizeGB: 0\ntestDurationMinutes: 5\n",
    );
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let (data, ringlog) = (data.path().to_str().unwrap(), ringlog.to_str().unwrap());
    let shorter = ["--set", "testDurationMinutes=0.01", "--set", "warmupDurationMinutes=0"];
    let (output, said) =
        place.run(&[&["--target", "serve", "--ringlog", ringlog, "--data", data], &shorter[..]].concat());
    assert!(output.status.success() && said.contains("taken as: as fast as it goes"), "{said}");
    let run = place.results();
    let cell = &run.cells[0];
    assert!(cell.valid && cell.ledger.acked > 100 && cell.ledger.received == cell.ledger.acked, "{:?}", cell.ledger);
}

#[test]
fn a_backlog_is_there_before_anybody_consumes_and_is_read_to_its_end() {
    let place = Place::of(
        "name: backlog\nmessageSize: 1000\npartitionsPerTopic: 2\nconsumerBacklogSizeGB: 0.02\nproducerRate: 200\n\
        warmupDuration: 0s\ntestDuration: 2s\n",
    );
    let (data, ringlog) = (tempfile::tempdir().unwrap(), ringlog());
    let options =
        ["--target", "serve", "--ringlog", ringlog.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    let (output, said) = place.run(&options);
    assert!(output.status.success(), "{said}");
    let cell = &place.results().cells[0];
    let records = (0.02 * f64::from(1 << 30) / 1000.0) as u64;
    assert!(cell.valid && cell.ledger.acked >= records + 400, "{:?}", cell.ledger);
    assert_eq!(cell.ledger.received, cell.ledger.acked);
    // What was produced before is no part of what was counted; what was consumed of it is.
    let repeat = &cell.repeats[0];
    assert!((390..=410).contains(&repeat.acked_records), "{}", repeat.acked_records);
    let consumed: u64 = repeat.timeline.iter().filter_map(|tick| tick.received).sum();
    assert!(consumed > 1_000, "{consumed}");
}

#[test]
fn a_full_disk_is_named_and_what_was_written_before_is_whole() {
    let place = Place::of(NULL);
    assert!(place.run(&["--target", "null://"]).0.status.success());
    // What is written there finds no room.
    let part = place.out().join("results.part");
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let (output, said) = place.run(&["--target", "null://", "--repeats", "3"]);
    assert!(!output.status.success() && said.contains("No space left on device"), "{said}");
    assert!(said.contains("what was measured before is kept"), "{said}");
    assert_eq!(place.repeats().len(), 4);
    std::fs::remove_file(&part).unwrap();
    let (output, said) = place.run(&["--target", "null://", "--repeats", "3"]);
    assert!(output.status.success() && place.repeats().len() == 6, "{said}");
}
