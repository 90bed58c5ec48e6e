//! Cells whose consumers are members of groups: the partitions are shared out before anything is read, and nothing is read twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use ringbench_load::workload::Workload;
use ringbench_load::{Conditions, Outcome, Pool, Stop, Target};
use ringlog_client::{Admin, Client, ClientOptions};
use support::broker::Broker;

/// Members wait for each other, not for those that may yet come.
const AT_ONCE: &str = "group.initial.rebalance.delay.ms=0";

fn run(broker: &Broker, text: &str) -> Outcome {
    let text = format!("messageSize: 100\nwarmupDuration: 100ms\ntestDuration: 900ms\nproducerRate: 2000\n{text}");
    let cell = Workload::parse("test.yaml".as_ref(), &text).unwrap().cells.remove(0);
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
    let outcome = Target::Kafka(broker.address().to_owned()).run(&cell, &conditions).unwrap();
    assert!(outcome.verdict.is_clean(), "{:?} {:?} {:?}", outcome.verdict, outcome.trouble, outcome.failure);
    outcome
}

fn groups(broker: &Broker) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(ClientOptions::new(broker.address()).unwrap()).await.unwrap();
        Admin::new(client).groups().await.unwrap().len()
    })
}

#[test]
fn every_group_gets_everything_once_and_is_gone_afterwards() {
    let broker = Broker::start(&[AT_ONCE]);
    let outcome = run(
        &broker,
        "topics: 2\npartitionsPerTopic: 5\nproducersPerTopic: 2\nsubscriptionsPerTopic: 2\nconsumerPerSubscription: 3\n",
    );
    assert_eq!(outcome.verdict.read, 2 * outcome.verdict.acked);
    let said = |name: &str| outcome.declaration.settings.get(name).map(String::as_str);
    assert_eq!((said("consumption"), said("enable.auto.commit")), (Some("group"), Some("true")));
    assert_eq!(groups(&broker), 0);
}

#[test]
fn a_group_that_finds_a_backlog_reads_none_of_it_before_it_is_complete() {
    let broker = Broker::start(&[AT_ONCE]);
    let outcome = run(&broker, "partitionsPerTopic: 4\nconsumerPerSubscription: 2\nconsumerBacklogSizeGB: 0.005\n");
    assert!(outcome.verdict.acked > 50_000 && outcome.verdict.duplicated == 0, "{:?}", outcome.verdict);
}

#[test]
fn consumers_that_are_told_what_to_read_need_no_group() {
    let broker = Broker::start(&[]);
    let outcome = run(&broker, "partitionsPerTopic: 4\nconsumerPerSubscription: 2\nconsumption: assigned\n");
    let said = |name: &str| outcome.declaration.settings.get(name).map(String::as_str);
    assert_eq!((said("consumption"), said("enable.auto.commit")), (Some("assigned"), Some("false")));
}
