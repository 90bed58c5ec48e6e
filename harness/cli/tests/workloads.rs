//! `ringbench workloads` on our own files and on wrong ones.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use ringbench_load::workload::Workload;

fn workloads() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workloads")
}

fn ringbench(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringbench")).arg("workloads").args(words).output().unwrap()
}

#[test]
fn every_workload_of_ours_is_taken_and_says_what_it_is_comparable_with() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workloads()).unwrap() {
        let path = entry.unwrap().path();
        let workload = Workload::read(&path).unwrap();
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), workload.name);
        assert_eq!(workload.notes, [], "{}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("# Comparable with: "), "{}", path.display());
        names.push(workload.name);
    }
    for family in [
        "quick",
        "sweep-core",
        "sweep-full",
        "curve",
        "omb-",
        "confluent2020-",
        "linkedin2014-",
        "vanlightly-",
        "many-partitions",
        "many-connections",
        "small-batches",
        "peers-common",
        "durability",
    ] {
        assert!(names.iter().any(|name| name.starts_with(family)), "{family}");
    }
}

#[test]
fn the_core_sweep_takes_an_hour_at_most_and_the_full_one_has_all_cells() {
    let sweep = |name: &str| Workload::read(&workloads().join(name)).unwrap();
    let (core, full) = (sweep("sweep-core.yaml"), sweep("sweep-full.yaml"));
    assert!(core.estimate().time <= Duration::from_secs(3600) && core.repeats >= 5);
    assert_eq!(full.cells.len(), 375);
    let keys: Vec<String> = full.cells.iter().map(|cell| cell.key()).collect();
    assert!(core.cells.iter().all(|cell| keys.contains(&cell.key())), "a cell of the part is one of the whole");
    assert!(sweep("quick.yaml").estimate().time <= Duration::from_secs(180));
}

#[test]
fn the_list_says_what_each_measures_and_how_long_it_takes() {
    let output = ringbench(&["list", "--dir", workloads().to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(said.contains("sweep-core ") && said.contains("25 cells × 5, about "), "{said}");
    assert!(said.contains("What durability costs in latency"), "{said}");
}

#[test]
fn a_directory_without_workloads_is_named_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    for (path, said) in [(directory.path().join("none"), "name the directory"), (directory.path().into(), "no *.yaml")]
    {
        let output = ringbench(&["list", "--dir", path.to_str().unwrap()]);
        assert!(!output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains(said), "{}", path.display());
    }
}

#[test]
fn each_wrong_file_is_named_by_line_and_key_and_the_others_are_checked_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wrong = write("wrong.yaml", "topics: 1\npartitionPerTopic: 0\n");
    let right = write("right.yaml", "sweep: {linger.ms: [0, 5]}\n");
    let output = ringbench(&["check", "--cells", &wrong, &right]);
    assert!(!output.status.success());
    let (said, refused) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(
        refused,
        format!("{wrong}:2: partitionPerTopic: 0: there is no such key: did you mean partitionsPerTopic?\n")
    );
    assert!(said.contains("right: 2 cells × 1") && said.contains("linger.ms=5"), "{said}");
}

#[test]
fn a_reader_that_has_left_changes_no_status() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut listing = Command::new(env!("CARGO_BIN_EXE_ringbench"));
    let listed = listing.args(["workloads", "list", "--dir"]).arg(workloads()).stdout(writer).output().unwrap();
    assert_eq!((listed.status.code(), String::from_utf8_lossy(&listed.stderr).into_owned()), (Some(0), String::new()));
}
