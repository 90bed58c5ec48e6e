//! Cells through librdkafka: the same ledger, the same settings, another client.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use ringbench_load::workload::Workload;
use ringbench_load::{Conditions, Pool, Stop, Target};
use ringbench_report::results::{Run, RunCell};
use support::broker::Broker;

const SHORT: [&str; 3] = ["--set=warmupDuration=200ms", "--set=testDuration=800ms", "--set=messageSize=100"];

fn ringbench(command: &str, broker: &Broker, out: &Path) -> Command {
    let mut ringbench = Command::new(env!("CARGO_BIN_EXE_ringbench"));
    let target = format!("kafka+librdkafka://{}", broker.address());
    ringbench.args([command, "--target", &target, "--out"]).arg(out).args(SHORT);
    ringbench
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The one cell, which counts.
fn ran(ringbench: &mut Command, out: &Path) -> RunCell {
    let output = ringbench.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let run = Run::read(out).unwrap();
    assert_eq!(run.targets[0].name, "ringlog+librdkafka");
    let [ref cell] = run.cells[..] else { panic!("{} cells", run.cells.len()) };
    assert!(cell.valid && cell.declared.driver == "librdkafka", "{:?}", cell.why);
    cell.clone()
}

#[test]
fn what_it_acknowledges_is_read_back_and_its_settings_are_told_by_its_own_names() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let mut run = ringbench("run", &broker, out.path());
    run.args(["--rate=2000", "--set=producersPerTopic=2", "--set=buffer.memory=4M", "--set=compression.type=lz4"]);
    run.arg("--set=keyDistributor=RANDOM_NANO");
    let cell = ran(&mut run, out.path());
    // From each of the producers' first tick on: 1 s.
    assert_eq!((cell.ledger.sent, cell.ledger.acked, cell.ledger.received), (2_000, 2_000, 2_000));
    assert!(cell.latency_us.p90.is_some() && cell.end_to_end_us.p90.is_some());
    let told = |name: &str| cell.client_config.get(name).map(String::as_str);
    assert_eq!(told("queue.buffering.max.kbytes"), Some("4096"));
    assert_eq!((told("compression.codec"), told("request.required.acks")), (Some("lz4"), Some("-1")));
    // What Kafka has a name for is as Kafka has it, and the rest as librdkafka has it.
    assert_eq!((told("batch.size"), told("isolation.level")), (Some("16384"), Some("read_uncommitted")));
    assert!(told("librdkafka").is_some() && told("queued.min.messages") == Some("100000"));
}

#[test]
fn a_full_queue_makes_it_wait_and_nothing_is_dropped() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let mut run = ringbench("run", &broker, out.path());
    run.args(["--set=arrival=maximum", "--set=buffer.memory=1M", "--set=max.in.flight.requests.per.connection=1"]);
    let ledger = ran(&mut run, out.path()).ledger;
    // More than the queue holds.
    assert!(ledger.sent > 20_000, "{ledger:?}");
    assert_eq!((ledger.failed, ledger.lost, ledger.acked, ledger.received), (0, 0, ledger.sent, ledger.sent));
}

#[test]
fn its_consumers_share_out_the_partitions_as_a_group_before_they_read() {
    let broker = Broker::start(&["group.initial.rebalance.delay.ms=0"]);
    let out = tempfile::tempdir().unwrap();
    let mut run = ringbench("run", &broker, out.path());
    run.args(["--rate=2000", "--set=partitionsPerTopic=5", "--set=consumerPerSubscription=2"]);
    let cell = ran(run.args(["--set=consumerBacklogSizeGB=0.005"]), out.path());
    assert_eq!(cell.client_config.get("consumption").map(String::as_str), Some("group"));
    assert_eq!((cell.ledger.duplicated, cell.ledger.received), (0, cell.ledger.acked));
}

#[test]
fn what_retention_deletes_before_a_slow_reader_comes_to_it_is_lost_and_the_rest_is_read_by_both_clients() {
    let broker = Broker::start(&["log.retention.check.interval.ms=100"]);
    // Half a megabyte every fifth of a second, of ten in one: the reader's place is deleted under it.
    let text = "messageSize: 1000\nproducerRate: 10000\nwarmupDuration: 0s\ntestDuration: 1s\n\
                fetch.min.bytes: 50M\nfetch.max.wait.ms: 200\nmax.partition.fetch.bytes: 500k\n\
                topic: {segment.bytes: 1048576, retention.bytes: 1048576}\n";
    let cell = Workload::parse("past.yaml".as_ref(), text).unwrap().cells.remove(0);
    for scheme in ["kafka", "kafka+librdkafka"] {
        let conditions = Conditions {
            run: std::process::id(),
            seed: 7,
            threads: 2,
            target_pid: None,
            pool: Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap()),
            patience: Duration::from_secs(3),
            reads_back: true,
            stop: Stop::default(),
        };
        let target: Target = format!("{scheme}://{}", broker.address()).parse().unwrap();
        let outcome = target.run(&cell, &conditions).unwrap();
        let (verdict, deleted) = (outcome.verdict, outcome.deleted_records.unwrap());
        assert!(verdict.lost > 0 && verdict.lost <= deleted, "{scheme}: {verdict:?} {deleted} {:?}", outcome.trouble);
        assert_eq!((verdict.duplicated, verdict.corrupt, verdict.failed), (0, 0, 0), "{scheme}: {verdict:?}");
    }
}

#[test]
fn it_has_every_codec() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let out = out.path().join(codec);
        let mut run = ringbench("run", &broker, &out);
        let cell = ran(run.args(["--rate=2000", &format!("--set=compression.type={codec}")]), &out);
        assert!(cell.payload.wire_ratio.is_some_and(|ratio| ratio < 0.9), "{codec}: {:?}", cell.payload.wire_ratio);
    }
}

#[test]
fn a_value_that_it_does_not_take_is_refused_in_its_words() {
    let (broker, out) = (Broker::start(&[]), tempfile::tempdir().unwrap());
    let refused = ringbench("run", &broker, out.path()).args(["--set=linger.ms=1000000"]).output().unwrap();
    assert!(
        !refused.status.success() && said(&refused).contains("queue.buffering.max.ms=1000000"),
        "{}",
        said(&refused)
    );
}
