//! The faulty twin: faults come where they were put, and a power cut loses exactly what was not synced.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringlog_io::{Allocation, Disk, Fault, Faults, Mode, OperationKind, Unsynced};
use tempfile::TempDir;

struct Bench {
    dir: TempDir,
    faults: Arc<Faults>,
    disk: Disk,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("live")).unwrap();
    let faults = Faults::new(dir.path().join("live")).unwrap();
    let disk = Disk::faulty(faults.clone());
    Bench { dir, faults, disk }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("live").join(name)
    }

    fn sync_names(&self) {
        self.disk.sync_dir(self.dir.path().join("live")).unwrap();
    }

    async fn write(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<u64> {
        let file = self.disk.open_file(self.path(name), Mode::Create)?;
        self.disk.write_all_at(&file, vec![Bytes::copy_from_slice(bytes)], position).await
    }

    async fn sync(&self, name: &str) -> io::Result<()> {
        let file = self.disk.open_file(self.path(name), Mode::Write)?;
        self.disk.sync_data(&file).await
    }

    /// What is left after a power cut, in a directory of its own.
    fn cut(&self, unsynced: Unsynced) -> PathBuf {
        let into = self.dir.path().join(format!("{unsynced:?}"));
        self.faults.power_cut(&into, unsynced).unwrap();
        into
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn read(dir: &Path, name: &str) -> Option<Vec<u8>> {
    fs::read(dir.join(name)).ok()
}

#[test]
fn a_power_cut_loses_exactly_the_unsynced() {
    run(async {
        let bench = bench();
        bench.write("f", 0, b"synced").await.unwrap();
        bench.sync("f").await.unwrap();
        bench.sync_names();
        bench.write("f", 3, b"XYZ and more").await.unwrap();
        bench.write("unnamed", 0, b"bytes synced, name not").await.unwrap();
        bench.sync("unnamed").await.unwrap();
        let lost = bench.cut(Unsynced::Lost);
        assert_eq!(read(&lost, "f").unwrap(), b"synced");
        assert_eq!(read(&lost, "unnamed"), None);
        let kept = bench.cut(Unsynced::Kept);
        assert_eq!(read(&kept, "f").unwrap(), b"synXYZ and more");
        assert_eq!(read(&kept, "unnamed").unwrap(), b"bytes synced, name not");
        let after = bench.write("f", 0, b"x").await.unwrap_err();
        assert_eq!(after.kind(), io::Error::from_raw_os_error(5).kind(), "without power nothing is written");
    });
}

#[test]
fn what_was_there_at_the_start_is_durable() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("live/a/b")).unwrap();
        fs::write(dir.path().join("live/a/b/f"), b"old").unwrap();
        let faults = Faults::with_seed(dir.path().join("live"), 1).unwrap();
        let disk = Disk::faulty(faults.clone());
        disk.rename(dir.path().join("live/a"), dir.path().join("live/moved")).unwrap();
        faults.power_cut(dir.path().join("lost"), Unsynced::Lost).unwrap();
        faults.power_cut(dir.path().join("kept"), Unsynced::Kept).unwrap();
        assert_eq!(read(&dir.path().join("lost"), "a/b/f").unwrap(), b"old");
        assert_eq!(read(&dir.path().join("kept"), "moved/b/f").unwrap(), b"old");
        assert!(faults.power_cut(dir.path().join("kept"), Unsynced::Kept).is_err(), "never over another state");
    });
}

#[test]
fn names_are_durable_per_directory_after_its_sync() {
    run(async {
        let bench = bench();
        bench.disk.create_dir_all(bench.path("t-0")).unwrap();
        bench.write("t-0/seg", 0, b"1").await.unwrap();
        bench.sync("t-0/seg").await.unwrap();
        bench.sync_names();
        let lost = bench.cut(Unsynced::Lost);
        assert!(lost.join("t-0").is_dir());
        assert_eq!(read(&lost, "t-0/seg"), None, "the entry is in t-0, which was not synced");
    });
    run(async {
        let bench = bench();
        bench.disk.create_dir_all(bench.path("t-0")).unwrap();
        bench.sync_names();
        bench.write("t-0/seg", 0, b"1").await.unwrap();
        bench.sync("t-0/seg").await.unwrap();
        bench.disk.sync_dir(bench.path("t-0")).unwrap();
        bench.disk.rename(bench.path("t-0/seg"), bench.path("t-0/seg.deleted")).unwrap();
        bench.disk.remove_dir_all(bench.path("t-0")).unwrap();
        assert_eq!(read(&bench.cut(Unsynced::Lost), "t-0/seg").unwrap(), b"1", "neither rename nor removal was synced");
        assert_eq!(fs::read_dir(bench.cut(Unsynced::Kept)).unwrap().count(), 0);
    });
}

#[test]
fn an_atomic_write_is_the_old_or_the_new_content_at_every_operation() {
    run(async {
        for operation in 0.. {
            let bench = bench();
            bench.disk.write_atomic(bench.path("c"), b"old").unwrap();
            bench.faults.at(bench.faults.operations() + operation, Fault::PowerCut);
            let written = bench.disk.write_atomic(bench.path("c"), b"newer");
            for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Some(bench.faults.seed())] {
                let content = read(&bench.cut(unsynced), "c").unwrap();
                assert!(content == b"newer" || (written.is_err() && content == b"old"), "{operation}: {content:?}");
            }
            if written.is_ok() {
                assert!(operation >= 5, "opened, truncated, written, synced, renamed, directory synced");
                return;
            }
        }
    });
}

#[test]
fn a_torn_write_keeps_whole_sectors_and_replays_from_its_seed() {
    run(async {
        let bench = bench();
        bench.write("f", 0, &[]).await.unwrap();
        bench.sync_names();
        bench.write("f", 100, &[7; 20 * 512]).await.unwrap();
        let mut states = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let state = read(&bench.cut(Unsynced::Some(seed)), "f").unwrap();
            let again = bench.dir.path().join(format!("again-{seed}"));
            bench.faults.power_cut(&again, Unsynced::Some(seed)).unwrap();
            assert_eq!(read(&again, "f").unwrap(), state);
            for sector in state.get(512..).unwrap_or_default().chunks(512) {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is written whole or not at all");
            }
            states.insert(state);
        }
        assert!(states.len() > 30, "{} different states", states.len());
    });
}

#[test]
fn a_failed_sync_loses_its_bytes_even_when_the_next_one_succeeds() {
    run(async {
        let bench = bench();
        bench.write("f", 0, b"lost").await.unwrap();
        bench.faults.next(OperationKind::Sync, Fault::Eio);
        assert_eq!(bench.sync("f").await.unwrap_err().raw_os_error(), Some(5));
        bench.write("f", 4, b"kept").await.unwrap();
        bench.sync("f").await.unwrap();
        bench.sync_names();
        assert_eq!(read(&bench.cut(Unsynced::Lost), "f").unwrap(), b"\0\0\0\0kept");
    });
}

#[test]
fn short_writes_are_resubmitted_until_all_is_written() {
    run(async {
        let bench = bench();
        bench.faults.rate(OperationKind::Write, Fault::Short(3), 1.0);
        bench.faults.rate(OperationKind::Read, Fault::Short(2), 1.0);
        let body: Vec<u8> = (0..200).collect();
        let file = bench.disk.open_file(bench.path("f"), Mode::Create).unwrap();
        let parts = body.chunks(7).map(Bytes::copy_from_slice).collect();
        assert_eq!(bench.disk.write_all_at(&file, parts, 1).await.unwrap(), 200);
        assert_eq!(bench.disk.read_at(&file, 200, 1).await.unwrap(), body);
        assert!(bench.faults.operations() >= 167, "{} operations", bench.faults.operations());
        bench.disk.sync_data(&file).await.unwrap();
        bench.sync_names();
        assert_eq!(&read(&bench.cut(Unsynced::Lost), "f").unwrap()[1..], body);
    });
}

#[test]
fn a_full_disk_is_an_error_of_its_kind_and_the_disk_goes_on() {
    run(async {
        let bench = bench();
        let file = bench.disk.open_file(bench.path("f"), Mode::Create).unwrap();
        bench.faults.next(OperationKind::Write, Fault::Enospc);
        bench.faults.next(OperationKind::Allocate, Fault::Enospc);
        bench.faults.next(OperationKind::Open, Fault::Eio);
        assert_eq!(bench.write("g", 0, b"x").await.unwrap_err().raw_os_error(), Some(5));
        assert_eq!(bench.write("f", 0, b"x").await.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let full = bench.disk.allocate(&file, 0, 9, Allocation::Extend).await.unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        bench.write("f", 0, b"x").await.unwrap();
    });
}

#[test]
fn a_sync_covers_what_was_written_before_its_call_only() {
    run(async {
        let bench = bench();
        bench.write("f", 0, b"before").await.unwrap();
        bench.sync_names();
        bench.faults.next(OperationKind::Sync, Fault::Delay(Duration::from_millis(20)));
        let (synced, written) = tokio::join!(bench.sync("f"), bench.write("f", 0, b"during"));
        synced.unwrap();
        written.unwrap();
        assert_eq!(read(&bench.cut(Unsynced::Lost), "f").unwrap(), b"before");
    });
}

#[test]
fn truncation_and_preallocation_are_lost_or_kept_like_writes() {
    run(async {
        let bench = bench();
        bench.write("f", 0, &[9; 2000]).await.unwrap();
        let file = bench.disk.open_file(bench.path("f"), Mode::Write).unwrap();
        bench.disk.sync_data(&file).await.unwrap();
        bench.sync_names();
        bench.disk.truncate(&file, 700).unwrap();
        bench.disk.allocate(&file, 700, 2300, Allocation::Extend).await.unwrap();
        assert_eq!(read(&bench.cut(Unsynced::Lost), "f").unwrap(), [9; 2000]);
        let kept = read(&bench.cut(Unsynced::Kept), "f").unwrap();
        assert_eq!((kept.len(), &kept[..700], &kept[700..]), (3000, &[9; 700][..], &[0; 2300][..]));
    });
}

#[test]
fn any_mix_of_writes_truncations_and_syncs_leaves_what_a_plain_model_says() {
    run(async {
        let bench = bench();
        let mut random = bench.faults.seed();
        let mut below = |limit: u64| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) % limit
        };
        bench.faults.rate(OperationKind::Write, Fault::Short(700), 0.3);
        let file = bench.disk.open_file(bench.path("f"), Mode::Create).unwrap();
        bench.sync_names();
        let (mut live, mut durable) = (Vec::new(), Vec::new());
        for step in 0..400u64 {
            match below(10) {
                0 => {
                    bench.disk.sync_data(&file).await.unwrap();
                    durable = live.clone();
                }
                1 => {
                    let length = below(6000) as usize;
                    bench.disk.truncate(&file, length as u64).unwrap();
                    live.resize(length, 0);
                }
                _ => {
                    let (position, length) = (below(5000) as usize, below(2000) as usize);
                    let bytes = vec![step as u8; length];
                    if length > 0 {
                        live.resize(live.len().max(position + length), 0);
                        live[position..position + length].copy_from_slice(&bytes);
                    }
                    bench.disk.write_all_at(&file, vec![bytes.into()], position as u64).await.unwrap();
                }
            }
        }
        assert!(bench.disk.read_at(&file, 10_000, 0).await.unwrap() == live);
        assert!(read(&bench.cut(Unsynced::Kept), "f").unwrap() == live);
        assert!(read(&bench.cut(Unsynced::Lost), "f").unwrap() == durable);
    });
}
