//! Runs that nobody measured, with histograms as a generator would write them: what tests read, derive and render.
#![allow(dead_code, reason = "every test uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ringbench_report::results::{
    Ack, Calibration, Cost, Declared, Durability, Kind, Ledger, MaxRate, Objective, Payload, Repeat, Run, RunCell,
    SCHEMA, Shape, Target, Tick,
};
use ringbench_stats::{DirtyLimits, HdrLog, Host, Interval, Latencies, Roofline, Slice};

const SECONDS: u64 = 6;
const REPEATS: usize = 5;

/// Splitmix64: the same numbers for the same seed everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn settings(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn target(name: &str, product: &str) -> Target {
    Target {
        name: name.to_owned(),
        url: "kafka://127.0.0.1:9092".to_owned(),
        product: product.to_owned(),
        command: Some(format!("{name} serve --data D")),
        config: settings(&[("log.segment.bytes", "1073741824"), ("note", "<b>&\"text\"")]),
        ready_ms: Some(11.5),
        resident_bytes: Some(48 << 20),
    }
}

/// A run without cells.
pub(crate) fn run(kind: Kind, workload: &str) -> Run {
    let part = |median: f64| Interval { median, low: median * 0.95, high: median * 1.04, confidence: 0.94, runs: 5 };
    Run {
        schema: SCHEMA.to_owned(),
        kind,
        workload: workload.to_owned(),
        workload_yaml: Some("name: example\n".to_owned()),
        command: format!("ringbench {workload} --target kafka://127.0.0.1:9092 --out O --seed 7"),
        version: "0.1.0".to_owned(),
        started_unix_ms: 1_795_249_131_919,
        took_seconds: 1_834.2,
        seed: 7,
        repeats: REPEATS,
        interrupted: false,
        objective: Some(Objective { percentile: 99.0, limit_us: 10_000.0 }),
        host: Host {
            cpu: "AMD EPYC".to_owned(),
            cpus: 2,
            governor: "unknown".to_owned(),
            memory_mib: 24_105,
            kernel: "6.18.44".to_owned(),
            mount: "/dev/vda ext4 rw,relatime".to_owned(),
            filesystem: "ext4".to_owned(),
            device: "vda".to_owned(),
            scheduler: "none".to_owned(),
            write_cache: "write back".to_owned(),
            load_average: "0.12".to_owned(),
            virtual_machine: true,
            commit: "7b75808d3410".to_owned(),
        },
        roofline: Some(Roofline {
            memcpy: part(8.1e9),
            crc32c: part(2.1e10),
            page_cache_write: part(1.9e9),
            page_cache_rewrite: part(3.2e9),
            loopback: part(3.4e9),
            sendfile: part(5.5e9),
            receive_crc_write: part(1.2e9),
            fdatasyncs: part(812.0),
            fdatasync_p50_us: part(1_180.0),
        }),
        dirty_limits: DirtyLimits {
            background_bytes: Some(2_400_000_000),
            throttle_bytes: Some(4_800_000_000),
            background_ratio: Some(10),
            ratio: Some(20),
            expire_ms: Some(30_000),
            look_every_ms: Some(5_000),
        },
        system_calls_uncounted: None,
        calibration: Some(Calibration { records_per_s: 3.4e6, mb_per_s: 2_150.0, record_bytes: 1024.0 }),
        targets: vec![target("ringlog", "ringlog 0.1.0"), target("kafka", "Apache Kafka 4.3.1")],
        cells: Vec::new(),
        max_rates: vec![MaxRate {
            target: "ringlog".to_owned(),
            settings: settings(&[("acks", "all")]),
            rate_per_s: Some(412_000.0),
            failed_per_s: Some(430_000.0),
            confirmed_by: Some("c0ffee".to_owned()),
            why: "p99 was 31 ms at 430,000/s".to_owned(),
        }],
    }
}

/// A cell that did not run.
pub(crate) fn cell(target: &str, varied: &[(&str, &str)], offered_per_s: Option<f64>) -> RunCell {
    let ack = match varied.iter().find(|(name, _)| *name == "acks").map(|(_, value)| *value) {
        Some("0") => Ack::None,
        Some("1") => Ack::Leader,
        _ => Ack::All,
    };
    let key = varied.iter().fold(14_695_981_039_346_656_037_u64, |hash, (name, value)| {
        name.bytes()
            .chain(value.bytes())
            .fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211))
    });
    let declared = Declared {
        driver: "native".to_owned(),
        durability: Durability::PageCache,
        sync_every_ms: None,
        replication: 1,
        evidence: Some("neither flush.messages nor flush.ms".to_owned()),
        ack,
        pipelining: Some(5),
        connections: 2,
    };
    let payload = Payload {
        source: "JSON log events, seed 7".to_owned(),
        record_bytes: 512.3,
        pool_bytes: 64 << 20,
        pool_crc32c: 0xdead_beef,
        random_share: Some(0.25),
        wire_ratio: Some(0.41),
    };
    let key = format!("{:016x}", key ^ offered_per_s.unwrap_or(0.0) as u64);
    RunCell {
        settings: settings(varied),
        topic_config: settings(&[("flush.ms", "9223372036854775807")]),
        broker_config: BTreeMap::new(),
        client_config: settings(
            &[varied, &[("buffer.memory", "33554432"), ("max.in.flight.requests.per.connection", "5")]].concat(),
        ),
        shape: Shape { topics: 1, partitions: 3, producers: 1, consumers: 1, threads: 1 },
        arrival: if offered_per_s.is_some() { "poisson" } else { "maximum" }.to_owned(),
        offered_per_s,
        warmup_seconds: 2.0,
        seconds: SECONDS as f64,
        ..RunCell::not_run(key, target, declared, payload)
    }
}

/// What a cell is made to show.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// Records a second that it does.
    pub(crate) per_s: f64,
    /// Median latency in microseconds.
    pub(crate) p50_us: f64,
    /// How much longer the longest are.
    pub(crate) tail: f64,
}

/// Adds a cell with its repeats to a run, in a directory.
pub(crate) fn add(run: &mut Run, mut cell: RunCell, shown: Shown, random: &mut Random, directory: &Path) {
    let place = run.cells.len();
    for round in 0..run.repeats {
        let noise = 1.0 + 0.06 * (random.unit() - 0.5);
        let per_s = (shown.per_s * noise).min(cell.offered_per_s.unwrap_or(f64::MAX));
        let late = cell.offered_per_s.map_or(0.0, |offered| (offered - per_s).max(0.0));
        let acked = (per_s * SECONDS as f64) as u64;
        let bytes = |records: u64| (records as f64 * cell.payload.record_bytes) as u64;
        let cost = |us: f64| Cost {
            user_s: acked as f64 * us * 0.4e-6,
            system_s: acked as f64 * us * 0.6e-6,
            context_switches: Some(acked / 90),
            involuntary_switches: Some(acked / 900),
            system_calls: Some(acked / 30),
            reads: Some(acked / 60),
            writes: Some(acked / 70),
        };
        let tick = |second: u64| Tick {
            at_s: (second + 1) as f64,
            acked: acked * (second + 1) / SECONDS - acked * second / SECONDS,
            received: Some(acked / SECONDS),
            backlog: (120.0 + late * (second + 1) as f64) as u64,
            unread: Some(300),
        };
        let mut repeat = Repeat {
            order: round * 1_000 + place,
            started_unix_ms: run.started_unix_ms + (round * 1_000 + place) as u64 * 10_000,
            seconds: SECONDS as f64,
            // Its histograms are of fewer.
            due_records: None,
            acked_records: acked,
            acked_bytes: bytes(acked),
            received_bytes: Some(bytes(acked)),
            wire_bytes: Some((bytes(acked) as f64 * 0.41) as u64),
            disk_bytes: Some((bytes(acked) as f64 * 0.42) as u64),
            zero_latencies: 0,
            negative_latencies: 0,
            ledger: Ledger { sent: acked + 9, acked: acked + 9, received: acked + 9, ..Ledger::default() },
            broker_cost: Some(cost(1.1)),
            client_cost: cost(0.9),
            client_busy_share: 0.62,
            dirty_bytes: 310 << 20,
            write_back_bytes: 0,
            regime: Some("below the dirty limits".to_owned()),
            timeline: (0..SECONDS).map(tick).collect(),
            ..Repeat::default()
        };
        repeat.keep(&log(shown, noise, random), &cell, directory).unwrap();
        cell.repeats.push(repeat);
    }
    cell.derive(run.roofline.as_ref(), directory).unwrap();
    run.cells.push(cell);
}

/// Histograms of a service that is slow now and then, and of a generator that is in time.
fn log(shown: Shown, noise: f64, random: &mut Random) -> HdrLog {
    let mut series: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
    for second in 0..SECONDS {
        let mut latencies: [Latencies; 4] = Default::default();
        let stall = if second == SECONDS / 2 { 2.5 } else { 1.0 };
        for _ in 0..500 {
            let service =
                shown.p50_us / noise * (0.6 + 0.8 * random.unit() + shown.tail * random.unit().powi(40) * stall);
            let lag = 4.0 + 30.0 * random.unit().powi(6);
            for (all, us) in latencies.iter_mut().zip([service + lag, service, 1.7 * service + lag, lag]) {
                all.record(Duration::from_nanos((us * 1e3) as u64));
            }
        }
        for (name, latencies) in ringbench_report::results::SERIES.into_iter().zip(latencies) {
            let (begin, length) = (Duration::from_secs(second), Duration::from_secs(1));
            series.entry(name.to_owned()).or_default().push(Slice { begin, length, latencies });
        }
    }
    HdrLog { series }
}
