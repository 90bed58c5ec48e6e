//! `results.json` as it is written, read, documented and derived.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documented;
mod sample;

use std::path::Path;

use ringbench_report::results::{Kind, Run};
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
    let written = serde_json::to_value(example(directory.path())).unwrap();
    documented::compare(&written, include_str!("../RESULTS.md"), &|path, value| {
        let is = |names: &[&str]| names.iter().all(|name| value.get(name).is_some());
        let is_whole = is(&["median", "low", "high"]) || is(&["p50", "p999", "max"]) || is(&["user_s", "system_s"]);
        is_whole || ["settings", "config", "client_config"].iter().any(|map| path.ends_with(&format!(".{map}")))
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
    assert!(nowhere.contains("/nowhere/results.json") && nowhere.contains("No such file"), "{nowhere}");
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
fn histograms_that_were_changed_since_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = example(directory.path());
    let file = directory.path().join(&run.cells[0].repeats[2].histograms.as_ref().unwrap().file);
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "#\n").unwrap();
    let error = run.cells[0].derive(None, directory.path()).unwrap_err().to_string();
    assert!(error.contains(".hlog: its SHA-256 is ") && error.contains("measure again"), "{error}");
}
