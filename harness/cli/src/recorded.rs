//! What the generator measured, in the form of results.json.

use std::collections::BTreeMap;
use std::time::Duration;

use ringbench_load::driver::{self, Declaration, Evidence};
use ringbench_load::workload::{self, Arrival, CellSpec};
use ringbench_load::{Outcome, Pool, Side, Target};
use ringbench_report::results::{Ack, Cost, Declared, Durability, Ledger, Payload, Repeat, RunCell, Shape, Tick};
use ringbench_stats::{HdrLog, Latencies, Slice, WriteBack};

const NAMED: [&str; 4] = ["acks", "batch.size", "compression.type", "linger.ms"];

/// A cell that has not run yet on a target, which is called `name`. What its payload is is known once it has.
pub(crate) fn planned(cell: &CellSpec, name: &str, target: &Target) -> RunCell {
    // What its driver does not take will not run: of that nothing is known but what was asked for.
    let declaration = target.declares(cell).unwrap_or_else(|_| Declaration {
        driver: "unknown",
        durability: cell.durability,
        replication: 1,
        evidence: Evidence::Delivered,
        ack: driver::Ack::None,
        pipelining: None,
        connections: 0,
        keys: true,
        settings: cell.settings.clone(),
    });
    let payload = Payload {
        source: "unknown".to_owned(),
        record_bytes: cell.message_bytes as f64,
        pool_bytes: 0,
        pool_crc32c: 0,
        random_share: None,
        wire_ratio: None,
    };
    RunCell {
        settings: told(cell),
        client_config: client_config(&declaration),
        topic_config: cell.topic_settings.clone(),
        broker_config: cell.broker_settings.clone(),
        shape: Shape {
            topics: cell.topics as usize,
            partitions: cell.partitions_per_topic as usize,
            producers: cell.producers() as usize,
            consumers: cell.consumers() as usize,
            threads: 0,
        },
        verified: cell.verify,
        arrival: match cell.arrival {
            Arrival::Maximum => "maximum",
            Arrival::Closed { .. } => "closed",
            Arrival::Uniform { .. } => "uniform",
            Arrival::Poisson { .. } => "poisson",
        }
        .to_owned(),
        offered_per_s: cell.arrival.per_second(),
        warmup_seconds: cell.warm_up.as_secs_f64(),
        seconds: cell.duration.as_secs_f64(),
        write_bytes: cell.write_bytes,
        // Nobody was asked.
        ..RunCell::not_run(cell.key(), name, Declared { evidence: None, ..declared(&declaration) }, payload)
    }
}

/// The settings that every table names, and what a sweep varies.
fn told(cell: &CellSpec) -> BTreeMap<String, String> {
    let named = NAMED.iter().filter_map(|name| Some(((*name).to_owned(), cell.settings.get(*name)?.clone())));
    named.chain(cell.varied.clone()).collect()
}

/// All settings of the client, and what it leaves out.
fn client_config(declaration: &Declaration) -> BTreeMap<String, String> {
    let left_out = (!declaration.keys).then(|| ("keys".to_owned(), "not sent".to_owned()));
    declaration.settings.clone().into_iter().chain(left_out).collect()
}

fn declared(declaration: &Declaration) -> Declared {
    Declared {
        driver: declaration.driver.to_owned(),
        durability: durability(declaration.durability),
        sync_every_ms: sync_every_ms(declaration.durability),
        replication: declaration.replication as usize,
        evidence: Some(declaration.evidence.to_string()),
        ack: match declaration.ack {
            driver::Ack::None => Ack::None,
            driver::Ack::Leader => Ack::Leader,
            driver::Ack::Quorum => Ack::Quorum,
            driver::Ack::All => Ack::All,
        },
        pipelining: declaration.pipelining.map(|requests| requests as usize),
        connections: declaration.connections as usize,
    }
}

/// What is known of a cell since one of its repeats ran. One that promises something else than the whole ones before it has failed: their
/// figures stand in the tier of the cell.
pub(crate) fn learn(cell: &mut RunCell, outcome: &mut Outcome, pool: &Pool) {
    let declared = declared(&outcome.declaration);
    let (before, now) = (promise(&cell.declared), promise(&declared));
    if before != now && cell.whole().next().is_some() {
        outcome.failure.get_or_insert_with(|| format!("the target has {now}, and had {before} before: set it back"));
        return;
    }
    cell.client_config = client_config(&outcome.declaration);
    cell.declared = declared;
    cell.shape.threads = outcome.threads;
    if outcome.received_records.is_none() {
        cell.shape.consumers = 0;
    }
    let wire_ratio = outcome.wire_ratio(cell.payload.record_bytes as usize);
    cell.payload = Payload {
        source: pool.source.clone(),
        pool_bytes: pool.bytes() as u64,
        pool_crc32c: pool.crc32c,
        random_share: pool.random_share,
        wire_ratio: wire_ratio.or(cell.payload.wire_ratio),
        ..cell.payload
    };
}

/// What all repeats of a cell have in common.
fn promise(declared: &Declared) -> String {
    let Declared { durability, sync_every_ms, replication, ack, .. } = declared;
    let every = sync_every_ms.map_or_else(String::new, |ms| format!(" of {ms} ms"));
    format!("durability {durability:?}{every}, copies {replication}, ack {ack:?}")
}

/// One run of a cell: its figures, and its histograms.
pub(crate) fn repeat(outcome: &Outcome, message_bytes: usize, order: usize, started_unix_ms: u64) -> (Repeat, HdrLog) {
    let verdict = &outcome.verdict;
    let is_consumed = outcome.received_records.is_some();
    let wire_bytes = outcome.wire_ratio(message_bytes).map(|ratio| (ratio * outcome.acked_bytes as f64) as u64);
    let ticks = outcome.timeline.iter().map(|tick| Tick {
        at_s: tick.at.as_secs_f64(),
        acked: tick.acked,
        received: is_consumed.then_some(tick.received),
        backlog: tick.backlog,
        unread: is_consumed.then_some(tick.unread),
    });
    let WriteBack { dirty_bytes, writing_bytes } = outcome.write_back;
    let repeat = Repeat {
        order,
        started_unix_ms,
        seconds: outcome.seconds,
        due_records: Some(outcome.due_records),
        acked_records: outcome.acked_records,
        acked_bytes: outcome.acked_bytes,
        received_bytes: outcome.received_bytes,
        wire_bytes,
        disk_bytes: outcome.target.and_then(|target| Some(target.io?.written_bytes)),
        zero_latencies: outcome.zero_latencies,
        negative_latencies: outcome.negative_latencies,
        ledger: Ledger {
            sent: verdict.sent,
            acked: verdict.acked,
            received: verdict.read,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            reordered: verdict.reordered,
            corrupt: verdict.corrupt,
            failed: verdict.failed,
        },
        broker_cost: outcome.target.map(|target| cost(&target, outcome.acked_records)),
        client_cost: cost(&outcome.client, outcome.acked_records),
        client_busy_share: outcome.busiest_thread_seconds / outcome.seconds.max(f64::MIN_POSITIVE),
        dirty_bytes,
        write_back_bytes: writing_bytes,
        regime: outcome.regime.map(|regime| regime.to_string()),
        final_sync_s: outcome.final_sync.map(|sync| sync.took.as_secs_f64()),
        synced_mb_per_s: outcome.final_sync.map(|sync| sync.bytes_per_second / 1e6),
        deleted_records: outcome.deleted_records,
        timeline: ticks.collect(),
        failure: outcome.failure.clone().or_else(|| outcome.trouble.clone().filter(|_| !verdict.is_clean())),
        ..Repeat::default()
    };
    (repeat, histograms(outcome))
}

/// A run of a cell that could not begin.
pub(crate) fn failed(why: String, order: usize, started_unix_ms: u64) -> Repeat {
    Repeat { order, started_unix_ms, failure: Some(why), ..Repeat::default() }
}

fn histograms(outcome: &Outcome) -> HdrLog {
    let whole = |latencies: &Latencies| {
        let length = Duration::from_secs_f64(outcome.seconds);
        vec![Slice { begin: Duration::ZERO, length, latencies: latencies.clone() }]
    };
    let begins = std::iter::once(Duration::ZERO).chain(outcome.timeline.iter().map(|tick| tick.at));
    let latency = begins.zip(&outcome.timeline).map(|(begin, tick)| Slice {
        begin,
        length: tick.at.saturating_sub(begin),
        latencies: tick.latency.clone(),
    });
    let series = [
        ("latency", latency.collect()),
        ("service", whole(&outcome.service)),
        ("end_to_end", whole(&outcome.end_to_end)),
        ("generator_lag", whole(&outcome.lag)),
    ];
    HdrLog { series: series.map(|(name, slices)| (name.to_owned(), slices)).into() }
}

fn durability(level: workload::Durability) -> Durability {
    match level {
        workload::Durability::Memory => Durability::Memory,
        workload::Durability::PageCache => Durability::PageCache,
        workload::Durability::FsyncEvery(_) => Durability::SyncedInIntervals,
        workload::Durability::Fsync => Durability::Synced,
    }
}

fn sync_every_ms(level: workload::Durability) -> Option<u64> {
    match level {
        workload::Durability::FsyncEvery(period) => u64::try_from(period.as_millis()).ok(),
        _ => None,
    }
}

fn cost(side: &Side, acked_records: u64) -> Cost {
    let Side { cost, io, calls_per_record } = side;
    Cost {
        user_s: cost.user_seconds,
        system_s: cost.system_seconds,
        context_switches: Some(cost.voluntary_switches + cost.involuntary_switches),
        involuntary_switches: Some(cost.involuntary_switches),
        system_calls: calls_per_record.map(|calls| (calls * acked_records as f64).round() as u64),
        reads: io.map(|io| io.reads),
        writes: io.map(|io| io.writes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Generator;
    use ringbench_load::workload::Workload;
    use ringbench_load::{Stop, Subject};

    #[test]
    fn what_has_not_run_stands_in_the_tier_that_its_driver_declares() {
        let of = |text: &str, url: &str| {
            let cell = Workload::parse("test.yaml".as_ref(), text).unwrap().cells.remove(0);
            planned(&cell, "any name", &url.parse().unwrap()).declared
        };
        let asked = "acks: all\ndurability: memory\n";
        let null = of(asked, "null://");
        assert_eq!((null.driver.as_str(), null.ack), ("null", Ack::None));
        let nats = of(asked, "nats://127.0.0.1:1?durability=fsync");
        assert_eq!((nats.durability, nats.ack), (Durability::Synced, Ack::Leader));
        let refused = of("durability: fsync\n", "zeromq://127.0.0.1:0");
        assert_eq!((refused.driver.as_str(), refused.durability), ("unknown", Durability::Synced));
    }

    #[test]
    fn a_repeat_with_something_else_behind_it_than_the_whole_ones_before_has_failed() {
        let text = "durability: memory\nmessageSize: 100\nproducerRate: 100\nwarmupDuration: 0s\ntestDuration: 50ms\n";
        let cell = Workload::parse("test.yaml".as_ref(), text).unwrap().cells.remove(0);
        let ready = Subject::There(Target::Null).ready(&BTreeMap::new()).unwrap();
        let (ran, pool) = Generator::new(7, 1, Stop::default()).run(&cell, 0, &ready).unwrap();
        let mut row = planned(&cell, "any name", &Target::Null);
        let mut repeats = |durability| {
            let mut outcome = ran.clone();
            outcome.declaration.durability = durability;
            learn(&mut row, &mut outcome, &pool);
            row.repeats.push(repeat(&outcome, cell.message_bytes, row.repeats.len(), 0).0);
            (outcome.failure, row.declared.durability)
        };
        let cached = (None, Durability::PageCache);
        assert_eq!(repeats(workload::Durability::PageCache), cached, "nothing was said before");
        let (failure, stands) = repeats(workload::Durability::FsyncEvery(Duration::from_secs(1)));
        let expected = "the target has durability SyncedInIntervals of 1000 ms, copies 0, ack None, and had durability PageCache, ";
        assert!(failure.as_ref().is_some_and(|why| why.starts_with(expected)), "{failure:?}");
        assert_eq!((stands, repeats(workload::Durability::PageCache)), (Durability::PageCache, cached), "as it was");
    }
}
