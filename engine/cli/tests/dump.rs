//! `ringlog dump` on segments that a running or killed broker leaves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use ringlog_record::{BatchBuilder, Compression};

fn dump(content: &[u8]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let segment = directory.path().join("00000000000000000000.log");
    std::fs::write(&segment, content).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ringlog")).arg("dump").arg(&segment).output().unwrap()
}

fn batch() -> Vec<u8> {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(1_000, None, Some(b"value"), &[]).unwrap();
    batch.build().unwrap().to_vec()
}

#[test]
fn zeros_behind_the_last_batch_are_no_damage() {
    let dumped = dump(&[batch(), vec![0; 10_000]].concat());
    let (shown, said) = (String::from_utf8_lossy(&dumped.stdout), String::from_utf8_lossy(&dumped.stderr));
    assert!(dumped.status.success(), "{said}");
    assert!(shown.contains("1 batches, 1 records"), "{shown}");
    assert!(said.contains(&format!("from byte {} on zeros", batch().len())), "{said}");
}

#[test]
fn zeros_between_batches_are_damage_at_their_first_byte() {
    let dumped = dump(&[batch(), vec![0; 10_000], batch()].concat());
    let said = String::from_utf8_lossy(&dumped.stderr);
    assert!(!dumped.status.success() && said.contains(&format!("at byte {}", batch().len())), "{said}");
}
