//! Cells on the log in this process: closed, at random times and as fast as it goes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use ringbench_load::workload::Workload;
use ringbench_load::{Conditions, LoadError, Outcome, Pool, Stop, Target};

fn run(text: &str) -> Outcome {
    let outcome = tried(text).unwrap();
    assert!(outcome.verdict.is_clean(), "{:?} {:?} {:?}", outcome.verdict, outcome.trouble, outcome.failure);
    assert_eq!(outcome.verdict.sent, outcome.verdict.acked);
    outcome
}

fn tried(text: &str) -> Result<Outcome, LoadError> {
    let text = format!("messageSize: 200\nwarmupDuration: 100ms\ntestDuration: 900ms\n{text}");
    let cell = Workload::parse("test.yaml".as_ref(), &text).unwrap().cells.remove(0);
    let directory = tempfile::tempdir().unwrap();
    let conditions = Conditions {
        run: 1,
        seed: 7,
        threads: 2,
        target_pid: None,
        pool: Arc::new(Pool::new(&cell.payload, cell.message_bytes, 7).unwrap()),
        patience: Duration::from_secs(10),
        reads_back: true,
        stop: Stop::default(),
    };
    let outcome = Target::Engine(directory.path().into()).run(&cell, &conditions);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "its files are gone");
    outcome
}

#[test]
fn a_hundred_producers_at_random_times_share_two_threads_and_every_subscription_gets_everything() {
    let outcome =
        run("producerRate: 2000\narrival: poisson\nproducersPerTopic: 50\ntopics: 2\npartitionsPerTopic: 4\n\
                       subscriptionsPerTopic: 2\nconsumerPerSubscription: 2\nkeyDistributor: RANDOM_NANO\n");
    assert_eq!(outcome.verdict.read, 2 * outcome.verdict.acked);
    assert!((1_300..2_500).contains(&outcome.due_records), "{}", outcome.due_records);
    assert_eq!(outcome.threads, 2);
}

#[test]
fn in_a_closed_loop_no_more_are_on_their_way_than_were_asked_for() {
    let outcome = run("arrival: closed\ninFlight: 3\nlinger.ms: 20\nsubscriptionsPerTopic: 0\n");
    // Three records wait for a linger of 20 ms: no more than fifty times a second.
    assert!(outcome.acked_records <= 3 * 50, "{}", outcome.acked_records);
    assert!(outcome.acked_records > 0 && outcome.read_back.is_some());
}

#[test]
fn as_fast_as_it_goes_what_is_compressed_is_smaller_on_disk() {
    let outcome = run("compression.type: lz4\nproducersPerTopic: 2\n");
    let ratio = outcome.wire_ratio(200).unwrap();
    assert!((0.1..0.8).contains(&ratio), "{ratio}");
    assert!(outcome.acked_records > 1_000 && outcome.end_to_end.count() > 1_000);
}

#[test]
fn values_that_a_codec_would_find_again_are_sent_as_they_are_and_never_compressed() {
    let random = "useRandomizedPayloads: true\nproducerRate: 100\n";
    for (values, codec, said) in [
        ("randomBytesRatio: 0\n", "lz4", "come again after 200 bytes"),
        (
            "randomizedPayloadPoolSize: 50\n",
            "gzip",
            "after 10000 bytes (50 values, 50 % of each random, seed 7), and it looks back over 16384",
        ),
        ("randomizedPayloadPoolSize: 300\nbatch.size: 1M\n", "snappy", "looks back over 65536"),
        // As long as a batch, and still the same each time.
        ("randomBytesRatio: 0\nbatch.size: 200\n", "lz4", "come again after 200 bytes"),
    ] {
        let refused = tried(&format!("{random}{values}compression.type: {codec}\n")).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("compression.type={codec}: ")) && refused.contains(said), "{refused}");
        assert!(run(&format!("{random}{values}")).wire_ratio(200).is_some());
    }
    // It is longer than a batch, and longer than what gzip looks back over.
    run(&format!("{random}randomizedPayloadPoolSize: 300\nbatch.size: 1M\ncompression.type: gzip\n"));
}

#[test]
fn what_compaction_leaves_is_no_measure_of_what_was_sent_and_what_retention_leaves_is_one_of_known_records() {
    let outcome = run("producerRate: 100\ntopic: {cleanup.policy: compact}\n");
    assert_eq!((outcome.stored_bytes, outcome.wire_ratio(200)), (None, None));
    let mut outcome = run("producerRate: 100\ntopic: {retention.bytes: 1000000}\n");
    let whole = outcome.wire_ratio(200).unwrap();
    assert!(outcome.deleted_records == Some(0) && whole > 1.0, "{whole}");
    outcome.deleted_records = Some(outcome.verdict.acked / 2);
    assert!(outcome.wire_ratio(200).unwrap() > 1.9 * whole, "half of the records have all that is left");
}
