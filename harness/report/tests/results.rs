//! `results.json` as it is written, read, documented and derived.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documented;
mod sample;

use std::path::Path;
use std::time::Duration;

use ringbench_report::results::{Kind, Ledger, Objective, Repeat, Run, RunCell, SERIES, Tick};
use ringbench_stats::{HdrLog, Latencies, Slice};
use sample::{Random, Shown};

const STEADY: Shown = Shown { per_s: 300_000.0, p50_us: 900.0, tail: 30.0 };

/// A run with a cell as fast as it goes, one that failed and one at a rate.
fn example(directory: &Path) -> Run {
    let mut run = sample::run(Kind::Sweep, "sweep-core");
    let mut random = Random(1);
    let varied = [("batch.size", "16384"), ("acks", "all")];
    sample::add(&mut run, sample::cell("ringlog", &varied, None), STEADY, &mut random, directory);
    sample::add(&mut run, sample::cell("kafka", &varied, Some(100_000.0)), STEADY, &mut random, directory);
    run.cells[1].load = Some(0.5);
    run.cells[1].repeats[0].failure = Some("kafka: connection reset".to_owned());
    run.cells[1].repeats[0].histograms = None;
    run.cells[1].derive(run.roofline.as_ref(), directory).unwrap();
    run.cells[0].flags = vec!["a flag".to_owned()];
    run
}

#[test]
fn every_field_that_is_written_is_documented_and_the_other_way_round() {
    let directory = tempfile::tempdir().unwrap();
    let path = example(directory.path()).write(directory.path()).unwrap();
    let written = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    documented::compare(&written, include_str!("../RESULTS.md"), &|path, value| {
        let is = |names: &[&str]| names.iter().all(|name| value.get(name).is_some());
        let is_whole = is(&["median", "low", "high"])
            || is(&["times", "runs", "pairs"])
            || is(&["p50", "p999", "max"])
            || is(&["user_s", "system_s"]);
        let maps = ["settings", "config", "client_config", "topic_config", "broker_config"];
        is_whole || maps.iter().any(|map| path.ends_with(&format!(".{map}")))
    });
}

#[test]
fn what_was_written_is_what_is_read() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    example(first.path()).write(first.path()).unwrap();
    Run::read(first.path()).unwrap().write(second.path()).unwrap();
    let bytes = |directory: &Path| std::fs::read(directory.join("results.json")).unwrap();
    assert_eq!(bytes(first.path()), bytes(second.path()));
    assert!(!second.path().join("results.part").exists());
}

#[test]
fn a_file_that_can_not_be_read_is_named_with_the_field() {
    let nowhere = Run::read(Path::new("/nowhere")).unwrap_err().to_string();
    assert!(
        nowhere.contains("/nowhere/results.json")
            && nowhere.ends_with("(os error 2): name a directory that ringbench has written results to"),
        "{nowhere}"
    );
    let directory = tempfile::tempdir().unwrap();
    example(directory.path()).write(directory.path()).unwrap();
    let path = directory.path().join("results.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    for (from, to, said) in [
        ("\"schema\"", "\"scheme\"", "field `schema` is missing"),
        ("ringbench/1", "ringbench/0", "field `schema` is \"ringbench/0\", and this ringbench reads"),
        ("\"seed\"", "\"seeds\"", "missing field `seed`"),
        (
            "\"durability\": \"page-cache\"",
            "\"durability\": \"sure\"",
            "field `cells[0].declared.durability`: unknown variant `sure`",
        ),
        ("\"target\": \"kafka\"", "\"target\": \"kafak\"", "field `cells[1].target`: no target is named `kafak`"),
    ] {
        std::fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let error = Run::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("results.json: ") && error.contains(said), "{from} as {to}: {error}");
    }
}

#[test]
fn a_cell_is_what_its_repeats_are_and_a_failure_voids_it() {
    let directory = tempfile::tempdir().unwrap();
    let run = example(directory.path());
    let (whole, failed) = (&run.cells[0], &run.cells[1]);
    assert!(whole.valid && whole.why.is_none());
    assert!(!failed.valid && failed.why.as_deref() == Some("kafka: connection reset"));
    let rates: Vec<f64> = whole.repeats.iter().map(ringbench_report::results::Repeat::achieved_per_s).collect();
    let interval = whole.intervals.achieved_per_s.unwrap();
    assert_eq!((whole.achieved_per_s, interval.runs), (Some(interval.median), 5));
    assert!(rates.iter().all(|rate| (interval.low..=interval.high).contains(rate)));
    assert_eq!(failed.intervals.achieved_per_s.unwrap().runs, 4, "a repeat that failed has no rate");
    assert_eq!(whole.ledger.acked, whole.repeats.iter().map(|repeat| repeat.ledger.acked).sum::<u64>());
    let merged: Vec<f64> = whole.repeats.iter().filter_map(|repeat| repeat.latency_us.max).collect();
    assert_eq!(whole.latency_us.max, merged.into_iter().reduce(f64::max), "merged, not averaged");
    assert!(whole.roofline_share.is_some_and(|share| share > 0.01 && share < 1.0));
}

#[test]
fn a_repeat_that_ended_before_anything_was_counted_has_no_speed() {
    let repeat = Repeat { received_bytes: Some(0), failure: Some("gone".to_owned()), ..Repeat::default() };
    assert_eq!((repeat.achieved_per_s(), repeat.mb_per_s(), repeat.received_mb_per_s()), (0.0, 0.0, Some(0.0)));
}

#[test]
fn a_single_lost_record_voids_the_cell_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = example(directory.path());
    let cell = &mut run.cells[0];
    (cell.repeats[3].ledger.lost, cell.repeats[4].ledger.corrupt) = (1, 2);
    cell.derive(None, directory.path()).unwrap();
    assert_eq!((cell.valid, cell.why.as_deref()), (false, Some("lost 1, corrupt 2")));
    assert_eq!(run.void_cells().count(), 2);
}

#[test]
fn what_a_reader_has_to_know_is_flagged() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Curve, "curve");
    let overloaded = sample::cell("ringlog", &[("acks", "all")], Some(400_000.0));
    sample::add(&mut run, overloaded, STEADY, &mut Random(2), directory.path());
    let cell = &mut run.cells[0];
    (cell.repeats[0].client_busy_share, cell.repeats[0].negative_latencies) = (0.93, 3);
    cell.repeats[1].regime = Some("throttled".to_owned());
    cell.derive(None, directory.path()).unwrap();
    for said in ["93 % busy", "of the rate was achieved", "records piled up", "3 latencies were negative", "throttled"]
    {
        assert!(cell.flags.iter().any(|flag| flag.contains(said)), "{said}: {:?}", cell.flags);
    }
    assert!(cell.valid && !run.objective.unwrap().is_kept_by(&run.cells[0]));
}

#[test]
fn a_generator_is_late_when_its_lag_is_more_than_a_tenth_of_the_latency_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Curve, "curve");
    // The sample's lag is some 33 µs at the 99th percentile.
    for (place, (p50_us, is_late)) in [(900.0, false), (400.0, false), (200.0, true)].into_iter().enumerate() {
        let cell = sample::cell("ringlog", &[("linger.ms", &place.to_string())], Some(1_000.0));
        sample::add(&mut run, cell, Shown { per_s: 1_000.0, p50_us, tail: 0.0 }, &mut Random(3), directory.path());
        let cell = &run.cells[place];
        let (lag, p99) = (cell.generator_lag_us.p99.unwrap(), cell.latency_us.p99.unwrap());
        assert_eq!(lag > 0.1 * p99, is_late, "{lag} of {p99}");
        assert_eq!(cell.flags.iter().any(|flag| flag.contains("the generator came late")), is_late, "{:?}", cell.flags);
    }
}

#[test]
fn a_client_is_busy_from_eighty_percent_of_a_processor_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut cell = at_a_thousand(&[&[(10_000, 1)][..]; 2], directory.path());
    for (share, is_busy) in [(0.79, false), (0.81, true)] {
        cell.repeats[1].client_busy_share = share;
        cell.derive(None, directory.path()).unwrap();
        assert_eq!(cell.flags.iter().any(|flag| flag.contains("the target can do more")), is_busy, "{share}");
    }
}

#[test]
fn retention_that_deletes_nothing_is_flagged_and_what_it_deleted_unread_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = example(directory.path());
    let cell = &mut run.cells[0];
    cell.topic_config.insert("retention.bytes".to_owned(), "1000".to_owned());
    cell.repeats.iter_mut().for_each(|repeat| repeat.deleted_records = Some(5_000));
    cell.derive(None, directory.path()).unwrap();
    assert!(cell.flags.is_empty(), "{:?}", cell.flags);
    cell.repeats[2].deleted_records = Some(0);
    cell.repeats[3].ledger.lost = 7;
    cell.derive(None, directory.path()).unwrap();
    assert!(cell.flags.iter().any(|flag| flag.contains("retention has deleted nothing")), "{:?}", cell.flags);
    assert!(cell.why.as_ref().unwrap().starts_with("lost 7; retention deleted 20,000 records"), "{:?}", cell.why);
}

#[test]
fn histograms_that_were_changed_since_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = example(directory.path());
    let file = directory.path().join(&run.cells[0].repeats[2].histograms.as_ref().unwrap().file);
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "#\n").unwrap();
    let error = run.cells[0].derive(None, directory.path()).unwrap_err().to_string();
    assert!(error.contains(".hlog: its SHA-256 is ") && error.contains("measure again"), "{error}");
}

/// A repeat of ten seconds at 1,000 a second, with so many latencies of so many milliseconds each.
fn repeat(order: usize, latencies: &[(u64, u64)], cell: &RunCell, directory: &Path) -> Repeat {
    let mut all = Latencies::default();
    for &(count, ms) in latencies {
        (0..count).for_each(|_| all.record(Duration::from_millis(ms)));
    }
    let slice = Slice { begin: Duration::ZERO, length: Duration::from_secs(10), latencies: all };
    let log = HdrLog { series: SERIES.map(|series| (series.to_owned(), vec![slice.clone()])).into() };
    let ledger = Ledger { sent: 10_000, acked: 10_000, received: 10_000, ..Ledger::default() };
    let tick = |backlog| Tick { backlog, ..Tick::default() };
    let mut repeat = Repeat {
        order,
        seconds: 10.0,
        due_records: Some(10_000),
        acked_records: 10_000,
        ledger,
        timeline: vec![tick(3), tick(4)],
        ..Repeat::default()
    };
    repeat.keep(&log, cell, directory).unwrap();
    repeat
}

/// A cell at 1,000 a second with these repeats.
fn at_a_thousand(repeats: &[&[(u64, u64)]], directory: &Path) -> RunCell {
    let mut cell = sample::cell("ringlog", &[("acks", "all")], Some(1_000.0));
    let all = repeats.iter().enumerate().map(|(order, latencies)| repeat(order, latencies, &cell, directory));
    cell.repeats = all.collect();
    cell.derive(None, directory).unwrap();
    cell
}

const WITHIN_TEN_MS: Objective = Objective { percentile: 99.0, limit_us: 10_000.0 };

#[test]
fn percentiles_of_a_cell_are_those_of_all_its_records_and_no_average() {
    let directory = tempfile::tempdir().unwrap();
    let cell = at_a_thousand(&[&[(9_000, 1)], &[(1_000, 101)]], directory.path());
    let ms = |us: Option<f64>| (us.unwrap() / 1e3).round();
    assert_eq!([cell.latency_us.p50, cell.latency_us.p90, cell.latency_us.p99].map(ms), [1.0, 1.0, 101.0]);
    assert_eq!(cell.latency_us.p999, Some(cell.latency_us.max.unwrap()));
}

#[test]
fn an_objective_is_kept_in_every_repeat_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let (good, bad) = (&[(10_000, 1)][..], &[(9_700, 1), (300, 50)][..]);
    assert!(WITHIN_TEN_MS.is_kept_by(&at_a_thousand(&[good; 5], directory.path())));
    let mut cell = at_a_thousand(&[good, good, bad, good, good], directory.path());
    assert!(cell.latency_us.p99.unwrap() < 10_000.0, "of all records together it is kept");
    assert!(!WITHIN_TEN_MS.is_kept_by(&cell));
    let kept: Vec<bool> = cell.repeats.iter().map(|repeat| WITHIN_TEN_MS.is_kept_in(&cell, repeat)).collect();
    assert_eq!(kept, [true, true, false, true, true]);
    type Change = fn(&mut Repeat);
    let changes: [Change; 4] = [
        |repeat| repeat.acked_records = 9_890,
        |repeat| repeat.timeline[1].backlog = 200,
        |repeat| repeat.ledger.lost = 1,
        |repeat| repeat.failure = Some("gone".to_owned()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        cell = at_a_thousand(&[good; 5], directory.path());
        change(&mut cell.repeats[3]);
        cell.derive(None, directory.path()).unwrap();
        assert!(!WITHIN_TEN_MS.is_kept_by(&cell), "change {number}");
        assert!(!WITHIN_TEN_MS.is_kept_in(&cell, &cell.repeats[3]), "change {number}");
        assert!(WITHIN_TEN_MS.is_kept_in(&cell, &cell.repeats[2]), "change {number}");
    }
    let few = at_a_thousand(&[&[(900, 1)]], directory.path());
    assert!(!WITHIN_TEN_MS.is_kept_by(&few), "nine records beyond are too few");
}

#[test]
fn a_rate_is_kept_when_what_was_due_was_acknowledged_however_many_that_were() {
    let directory = tempfile::tempdir().unwrap();
    let mut cell = at_a_thousand(&[&[(10_000, 1)][..]; 3], directory.path());
    // A Poisson process of 10,000 in the mean has fewer than 9,900 in every sixth run.
    for (due, acked, kept) in [(9_850, 9_850, true), (10_200, 10_000, false), (10_000, 9_901, true), (0, 0, true)] {
        for repeat in &mut cell.repeats {
            (repeat.due_records, repeat.acked_records) = (Some(due), acked);
        }
        cell.derive(None, directory.path()).unwrap();
        assert_eq!(cell.kept_rate(), kept, "{acked} of {due}");
    }
    cell.repeats[0].due_records = None;
    assert!(!cell.repeats[0].kept_rate(1_000.0), "where it is not known the rate says it");
}

#[test]
fn a_generator_that_came_late_is_flagged_and_one_in_time_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut cell = at_a_thousand(&[&[(10_000, 1)]], directory.path());
    // Its lag is recorded as large as its latency.
    assert!(cell.flags.iter().any(|flag| flag.starts_with("the generator came late")), "{:?}", cell.flags);
    cell.offered_per_s = None;
    cell.derive(None, directory.path()).unwrap();
    assert_eq!(cell.flags, [""; 0], "as fast as it goes nobody is late");
}

#[test]
fn units_are_megabytes_of_ten_to_the_sixth_microseconds_and_a_share_of_the_floor() {
    let directory = tempfile::tempdir().unwrap();
    let roofline = sample::run(Kind::Run, "units").roofline.unwrap();
    let mut cell = at_a_thousand(&[&[(10_000, 3)]], directory.path());
    let repeat = &mut cell.repeats[0];
    (repeat.acked_bytes, repeat.received_bytes) = (512 << 20, Some(1 << 20));
    repeat.wire_bytes = Some((roofline.receive_crc_write.median * 10.0 * 0.25) as u64);
    repeat.client_cost.user_s = 2.0;
    repeat.client_cost.system_s = 1.0;
    cell.derive(Some(&roofline), directory.path()).unwrap();
    let near = |found: Option<f64>, wanted: f64| found.is_some_and(|found| (found / wanted - 1.0).abs() < 0.001);
    assert!(near(cell.mb_per_s, 53.687_091_2) && near(cell.received_mb_per_s, 0.104_857_6), "{:?}", cell.mb_per_s);
    assert!(near(cell.roofline_share, 0.25), "{:?}", cell.roofline_share);
    assert!(near(cell.latency_us.p50, 3_000.0) && near(cell.latency_us.max, 3_000.0), "{:?}", cell.latency_us);
    assert!(near(cell.intervals.client_cpu_s_per_million.map(|cost| cost.median), 300.0), "3 s for 10,000 records");
    assert!(near(cell.client_cpu_s, 3.0));
}
