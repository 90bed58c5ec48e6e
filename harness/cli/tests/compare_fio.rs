//! `scripts/compare-fio.sh` where it refuses: what it compares takes a release build and two minutes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn compare(arguments: &[&str]) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/compare-fio.sh");
    let Output { status, stderr, .. } = Command::new(script).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_directory_that_is_missing_or_can_not_be_written_is_refused_with_its_name_and_the_remedy() {
    // procfs takes no files at all, from nobody.
    for directory in ["/nowhere/at/all", "/proc"] {
        let (status, said) = compare(&[directory]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(&format!("compare-fio: {directory}: ")) && said.contains("name a directory"), "{said}");
    }
    for wrong in [&[][..], &["--help"], &["/tmp", "/tmp"]] {
        let (status, said) = compare(wrong);
        assert!(status == Some(2) && said.contains("scripts/compare-fio.sh DIR"), "{said}");
    }
}
