//! `ringbench report`, `compare` and `verify` as a user runs them, on results that nobody measured.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../report/tests/sample/mod.rs"]
mod sample;

use std::path::Path;
use std::process::{Command, Output};

use ringbench_report::results::{Kind, Run};
use sample::{Random, Shown};

fn ringbench(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_ringbench")).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A run of two cells, as fast as they go, in a directory of its own.
fn measured(per_s: f64, seed: u64) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Sweep, "sweep-core");
    run.targets.truncate(1);
    run.max_rates.clear();
    let mut random = Random(seed);
    for acks in ["1", "all"] {
        let shown = Shown { per_s, p50_us: 900.0, tail: 20.0 };
        sample::add(&mut run, sample::cell("ringlog", &[("acks", acks)], None), shown, &mut random, directory.path());
    }
    run.write(directory.path()).unwrap();
    directory
}

fn text(directory: &tempfile::TempDir) -> String {
    directory.path().display().to_string()
}

#[test]
fn the_status_says_whether_the_second_run_is_worse_or_could_not_be_compared() {
    let (base, again, slow) = (measured(300_000.0, 1), measured(300_000.0, 2), measured(150_000.0, 3));
    let (status, said, _) = ringbench(&["compare", &text(&base), &text(&again)]);
    assert!(status == Some(0) && said.contains("not distinguishable"), "{said}");
    assert!(
        said.contains("all 2 cells together") && said.contains("noise floor, beyond which a difference counts: "),
        "{said}"
    );
    let (status, said, _) = ringbench(&["compare", &text(&base), &text(&slow)]);
    assert!(status == Some(1) && said.contains("WORSE") && said.contains("0.50"), "{said}");
    assert_eq!(ringbench(&["compare", &text(&slow), &text(&base)]).0, Some(0), "better is no failure");
    let (status, _, said) = ringbench(&["compare", &text(&base), "/nowhere"]);
    assert!(status == Some(2) && said.contains("/nowhere/results.json"), "{said}");
}

#[test]
fn half_a_run_is_compared_as_far_as_it_got_and_the_rest_is_named() {
    let (base, half, slow) = (measured(300_000.0, 1), measured(300_000.0, 2), measured(150_000.0, 3));
    for directory in [&half, &slow] {
        let mut run = Run::read(directory.path()).unwrap();
        run.interrupted = true;
        run.cells[1].repeats.clear();
        run.cells[1].derive(None, directory.path()).unwrap();
        run.write(directory.path()).unwrap();
    }
    let (status, said, _) = ringbench(&["compare", &text(&base), &text(&half)]);
    assert!(status == Some(2) && said.contains("the second run ended before its end"), "{said}");
    assert_eq!(ringbench(&["compare", &text(&half), &text(&base)]).0, Some(0), "the second one is whole");
    assert!(said.contains("nothing is said: 0 in the first run, 1 in the second"), "{said}");
    assert_eq!(ringbench(&["compare", &text(&base), &text(&slow)]).0, Some(1), "what both have is worse");
    let mut run = Run::read(half.path()).unwrap();
    run.cells[0].repeats.clear();
    run.cells[0].derive(None, half.path()).unwrap();
    run.write(half.path()).unwrap();
    let (status, _, said) = ringbench(&["compare", &text(&base), &text(&half)]);
    assert!(status == Some(2) && said.contains("ran in both: finish the sweep, or measure again"), "{said}");
}

#[test]
fn a_run_is_verified_until_something_of_it_is_missing_or_changes_and_the_file_is_named() {
    let directory = measured(300_000.0, 1);
    let results = directory.path().join("results.json");
    let log = std::fs::read_dir(directory.path().join("hdr")).unwrap().next().unwrap().unwrap().path();
    let verified = || ringbench(&["verify", &text(&directory)]);
    let refused = |file: &Path, said: &str| {
        let (status, out, err) = verified();
        assert!(
            status == Some(1) && format!("{out}{err}").contains(&format!("{}: {said}", file.display())),
            "{out}{err}"
        );
    };
    let (status, said, _) = verified();
    assert!(status == Some(0) && said.contains("10 histogram logs as written"), "{said}");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, bytes.split_last().unwrap().1).unwrap();
    refused(&log, "its SHA-256 is ");
    std::fs::remove_file(&log).unwrap();
    refused(&log, "No such file or directory (os error 2), and results.json names it: copy it from where");
    std::fs::write(&log, bytes).unwrap();
    let whole = std::fs::read_to_string(&results).unwrap();
    std::fs::write(&results, &whole[..whole.len() / 2]).unwrap();
    refused(&results, "it is no JSON: EOF while parsing");
    std::fs::write(&results, whole.replacen("\"ledger\"", "\"books\"", 1)).unwrap();
    refused(&results, "field `cells[0].repeats[0]`: missing field `ledger`");
    std::fs::write(&results, whole.replacen("\"interrupted\": false", "\"interrupted\": true", 1)).unwrap();
    refused(directory.path(), "it ended before its end: 2 of 2 cells have all their repeats");
    std::fs::remove_file(&results).unwrap();
    refused(&results, "No such file or directory (os error 2): name a directory that ringbench has written");
}

#[test]
fn records_are_counted_in_whole_ones() {
    let directory = measured(1.0, 1);
    let mut run = Run::read(directory.path()).unwrap();
    for cell in &mut run.cells {
        cell.repeats.truncate(1);
        cell.derive(run.roofline.as_ref(), directory.path()).unwrap();
    }
    run.write(directory.path()).unwrap();
    let acked: u64 = run.cells.iter().map(|cell| cell.ledger.acked).sum();
    let (_, said, _) = ringbench(&["verify", &text(&directory)]);
    assert!(acked < 100 && said.contains(&format!("ledgers of {acked} acknowledged records add up")), "{said}");
}

#[test]
fn a_report_is_made_anew_of_one_run_of_several_and_of_a_folder_of_them() {
    let (one, two, out) = (measured(300_000.0, 1), measured(150_000.0, 2), tempfile::tempdir().unwrap());
    let (status, said, _) = ringbench(&["report", &text(&one)]);
    assert!(status == Some(0) && said.contains("Fastest: ") && one.path().join("report.html").exists(), "{said}");
    for file in ["report.md", "cells.csv"] {
        assert!(one.path().join(file).exists(), "{file}");
    }
    let (status, _, said) = ringbench(&["report", &text(&one), &text(&two)]);
    assert!(status == Some(1) && said.contains("--out"), "{said}");
    let (status, _, said) = ringbench(&["report", &text(&one), &text(&two), "--out", &text(&out)]);
    assert!(status == Some(0) && out.path().join("report.html").exists(), "{said}");
    Run::read(one.path()).unwrap().write(&out.path().join("published")).unwrap();
    let (status, said, _) = ringbench(&["report", "--index", &text(&out)]);
    assert!(status == Some(0) && said.contains("index.html"), "{said}");
    let page = std::fs::read_to_string(Path::new(out.path()).join("index.html")).unwrap();
    assert!(page.contains("published/report.html"), "{page}");
}
