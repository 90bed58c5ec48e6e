//! `ringlog dump` on segments that a running or killed broker leaves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use ringlog_protocol::Stored;
use ringlog_protocol::offsets_topic::{GroupMetadataKey, OffsetCommitKey, OffsetCommitValue};
use ringlog_record::{BatchBuilder, Compression, crc32c};

fn dump(content: &[u8]) -> Output {
    dump_as("log", content, &[])
}

fn dump_as(extension: &str, content: &[u8], options: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let segment = directory.path().join("00000000000000000000").with_extension(extension);
    std::fs::write(&segment, content).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ringlog")).arg("dump").arg(&segment).args(options).output().unwrap()
}

/// What is shown without a failure.
fn shown(extension: &str, content: &[u8], options: &[&str]) -> String {
    let dumped = dump_as(extension, content, options);
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    String::from_utf8(dumped.stdout).unwrap()
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

#[test]
fn what_groups_have_committed_is_shown_in_words() {
    let key = OffsetCommitKey { group: "g".into(), topic: "orders".into(), partition: 3 }.to_bytes(1).unwrap();
    let value = OffsetCommitValue { offset: 258, metadata: "m".into(), commit_timestamp: 1, ..Default::default() };
    let group = GroupMetadataKey { group: "g".into() }.to_bytes(2).unwrap();
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(1_000, Some(&key), Some(&value.to_bytes(3).unwrap()), &[]).unwrap();
    batch.append(1_000, Some(&group), None, &[]).unwrap();
    // Of a kind that is not known.
    batch.append(1_000, Some(b"\0\x63?"), None, &[]).unwrap();
    let shown = shown("log", &batch.build().unwrap(), &["--offsets"]);
    let lines: Vec<_> = shown.lines().collect();
    let commit = r#"{"group":"g","partition":3,"topic":"orders"} = {"commit_timestamp_ms":1,"leader_epoch":-1,"metadata":"m","offset":258}"#;
    assert!(lines[1].ends_with(commit), "{shown}");
    assert!(lines[2].ends_with(r#"{"group":"g"} = null"#), "{shown}");
    assert!(lines[3].ends_with(r#""\u0000c?" = null"#), "{shown}");
}

#[test]
fn producers_and_aborted_transactions_are_shown() {
    let numbers = |numbers: &[i64]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
    let aborted = [&[0, 0][..], &numbers(&[7, 10, 12, 13])].concat();
    assert_eq!(shown("txnindex", &aborted, &[]), "10..12  producer 7  last stable offset 13\n");

    let later = dump_as("txnindex", &[&aborted, &[0, 1][..], &aborted[2..]].concat(), &[]);
    assert!(String::from_utf8_lossy(&later.stderr).contains("an entry has version 1"), "{later:?}");

    // Producer 7 of epoch 2, whose last record is number 5 at offset 12 and whose transaction began at 10.
    let producer = [
        &7i64.to_be_bytes()[..],
        &2i16.to_be_bytes(),
        &5i32.to_be_bytes(),
        &12i64.to_be_bytes(),
        &2i32.to_be_bytes(),
        &1_000i64.to_be_bytes(),
        &(-1i32).to_be_bytes(),
        &10i64.to_be_bytes(),
    ];
    let body = [&1u32.to_be_bytes()[..], &producer.concat()].concat();
    let snapshot = [&1u16.to_be_bytes()[..], &crc32c(&body).to_be_bytes(), &body].concat();
    let expected = "producer 7:2  seq 5  1970-01-01T00:00:01.000Z  last offset 12  in a transaction from offset 10\n";
    assert_eq!(shown("snapshot", &snapshot, &[]), expected);
    let damaged = dump_as("snapshot", &snapshot[..20], &[]);
    assert!(String::from_utf8_lossy(&damaged.stderr).contains("its CRC does not match"), "{damaged:?}");
}
