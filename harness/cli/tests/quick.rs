//! `ringbench quick` as a user runs it, with fewer and shorter cells.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use ringbench_report::results::{Kind, Run};

/// The broker's binary, beside this test's own; built now where a test of this crate alone is run.
fn ringlog() -> std::path::PathBuf {
    let ringbench = Path::new(env!("CARGO_BIN_EXE_ringbench"));
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "ringlog-cli"]).status().unwrap();
    assert!(built.success(), "ringlog-cli does not build");
    ringbench.with_file_name("ringlog")
}

fn quick(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringbench")).arg("quick").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_short_cell_and_its_curve_are_verified_and_reported_and_nothing_is_left_behind() {
    let (out, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (out_path, data_path) = (out.path().display().to_string(), data.path().display().to_string());
    let ringlog = ringlog().display().to_string();
    let run = quick(&[
        "--cells",
        "1",
        "--seconds",
        "1",
        "--seed",
        "4",
        "--ringlog",
        &ringlog,
        "--out",
        &out_path,
        "--data",
        &data_path,
    ]);
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    assert!(text(&run.stdout).contains("none lost, duplicated, reordered or corrupt"), "{}", text(&run.stdout));

    let results = Run::read(out.path()).unwrap();
    assert_eq!((results.kind, results.cells.len()), (Kind::Quick, 1 + 6), "a cell, and its curve");
    for cell in &results.cells {
        assert!(cell.ledger.acked > 100 && cell.ledger.received == cell.ledger.acked, "{:?}", cell.ledger);
        assert!(cell.valid && cell.latency_us.p50.is_some() && cell.roofline_share.is_some(), "{cell:?}");
    }
    assert!(results.command.contains("--seed 4") && results.calibration.is_some());
    let target = &results.targets[0];
    assert!(target.name == "ringlog" && target.product.starts_with("ringlog "), "{target:?}");
    assert!(target.ready_ms.is_some() && target.command.is_some(), "{target:?}");
    let verified = ringbench_report::verify(&results, out.path());
    assert_eq!((verified.wrong, verified.histograms), (Vec::<String>::new(), 7));
    let html = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(
        html.contains("<svg") && !html.contains("http://") && !html.contains("https://"),
        "it opens without a network"
    );
    assert!(std::fs::read_to_string(out.path().join("report.md")).unwrap().contains("## Ledger"));
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "the broker's directory is gone");
}

#[test]
fn what_is_wrong_is_said_with_the_remedy() {
    let out = tempfile::tempdir().unwrap();
    let out_path = out.path().display().to_string();
    for (arguments, said) in [
        (&["--ringlog", "/nonexistent/ringlog"][..], "name it with --ringlog"),
        (&["--corpus", "/nonexistent/text"], "payloadFile: /nonexistent/text"),
        (&["--seconds", "0"], "0.1 to 600 are allowed"),
        (&["--cells", "13"], "13 is not in 1..=12"),
    ] {
        let run = quick(&[arguments, &["--out", &out_path]].concat());
        assert!(!run.status.success());
        assert!(text(&run.stderr).contains(said), "{arguments:?}: {}", text(&run.stderr));
    }
    let nothing = out.path().join("nothing");
    let run = quick(&["--bootstrap", "127.0.0.1:1", "--out", &nothing.display().to_string()]);
    assert!(text(&run.stderr).contains("is a broker running there") && !nothing.exists(), "{}", text(&run.stderr));
    let run = quick(&["--out", "/proc/nowhere"]);
    assert!(text(&run.stderr).contains("--out /proc/nowhere"), "{}", text(&run.stderr));
}
