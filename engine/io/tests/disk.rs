//! The disk operations, each test on every backend that this machine has.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ringlog_io::{Allocation, Backend, Disk, Faults, File, INLINE_WRITE_BYTES, Mode, RingLimits, Wanted, probe};
use tempfile::TempDir;

/// A write that the ring never does in the calling thread.
const LARGE: usize = INLINE_WRITE_BYTES + 1;

/// A disk of one backend and a directory of its own.
struct Bench {
    disk: Disk,
    dir: TempDir,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str) -> Arc<File> {
        self.disk.open_file(self.path(name), Mode::Create).unwrap()
    }
}

/// Runs a test on each backend, in a runtime like a shard's.
fn on_every_backend<F: Future<Output = ()>>(test: impl Fn(Bench) -> F) {
    for backend in [Backend::Syscall, Backend::Uring, Backend::Faulty] {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let disk = match backend {
                Backend::Syscall => Disk::syscall(),
                Backend::Faulty => Disk::faulty(Faults::with_seed(dir.path(), 0).unwrap()),
                Backend::Uring => match probe(dir.path(), Wanted::Uring) {
                    Ok(choice) => Disk::open(&choice).unwrap(),
                    Err(error) => {
                        eprintln!("\n!!! NOT TESTED ON IO_URING: {error}\n");
                        return;
                    }
                },
            };
            assert_eq!(disk.backend(), backend);
            test(Bench { disk, dir }).await;
        });
    }
}

fn pattern(length: usize, salt: u8) -> Bytes {
    (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(salt)).collect()
}

#[test]
fn what_is_written_is_read_back_and_a_read_is_short_only_at_the_end() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        let parts = vec![Bytes::from_static(b"hello "), Bytes::new(), Bytes::from_static(b"world")];
        assert_eq!(bench.disk.write_all_at(&file, parts, 3).await.unwrap(), 11);
        bench.disk.sync_data(&file).await.unwrap();
        assert_eq!(&bench.disk.read_at(&file, 11, 3).await.unwrap()[..], b"hello world");
        assert_eq!(&bench.disk.read_at(&file, 100, 0).await.unwrap()[..], b"\0\0\0hello world");
        assert!(bench.disk.read_at(&file, 8, 14).await.unwrap().is_empty());
        assert_eq!(bench.disk.write_all_at(&file, Vec::new(), 99).await.unwrap(), 0);
        assert_eq!(file.len().unwrap(), 14);
    });
}

#[test]
fn cold_reads_give_what_was_written() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        let body = pattern(3_000_000, 9);
        bench.disk.write_all_at(&file, vec![body.clone()], 0).await.unwrap();
        let other = std::fs::File::open(bench.path("f")).unwrap();
        other.sync_all().unwrap();
        let advice = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        nix::fcntl::posix_fadvise(&other, 0, 0, advice).unwrap();
        let reads = (0..30).map(|part| bench.disk.read_at(&file, 100_000, part * 100_000));
        for (part, read) in all(reads).await.into_iter().enumerate() {
            assert_eq!(read.unwrap(), body.slice(part * 100_000..(part + 1) * 100_000));
        }
    });
}

#[test]
fn a_write_of_more_vectors_than_the_kernel_takes_is_split() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        let whole = pattern(3000 * 7, 1);
        let parts = (0..3000).map(|part| whole.slice(part * 7..(part + 1) * 7)).collect();
        assert_eq!(bench.disk.write_all_at(&file, parts, 0).await.unwrap(), 21_000);
        assert_eq!(bench.disk.read_at(&file, 30_000, 0).await.unwrap(), whole);
    });
}

#[test]
fn a_megabyte_and_many_operations_at_once_keep_their_bytes_apart() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        let bodies: Vec<Bytes> = (0..40).map(|salt| pattern(50_000, salt)).collect();
        let writes = bodies.iter().enumerate().map(|(index, body)| {
            let (disk, file, body) = (bench.disk.clone(), file.clone(), body.clone());
            async move { disk.write_all_at(&file, vec![body], index as u64 * 50_000).await }
        });
        for written in all(writes).await {
            assert_eq!(written.unwrap(), 50_000);
        }
        for (index, body) in bodies.iter().enumerate() {
            assert_eq!(bench.disk.read_at(&file, 50_000, index as u64 * 50_000).await.unwrap(), body);
        }
    });
}

#[test]
fn errors_keep_their_number_and_name_their_path() {
    on_every_backend(async |bench: Bench| {
        let missing = bench.disk.open_file(bench.path("none"), Mode::Write).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("none"), "{missing}");
        bench.file("f");
        let twice = bench.disk.open_file(bench.path("f"), Mode::CreateNew).unwrap_err();
        assert_eq!(twice.kind(), io::ErrorKind::AlreadyExists);
        let reader = bench.disk.open_file(bench.path("f"), Mode::Read).unwrap();
        let refused = bench.disk.write_all_at(&reader, vec![Bytes::from_static(b"x")], 0).await.unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(9), "EBADF: {refused}");
        let beyond = bench.disk.write_all_at(&bench.file("f"), vec![Bytes::from_static(b"x")], u64::MAX).await;
        assert!(beyond.is_err());
    });
}

#[test]
fn allocation_sets_the_size_it_says_and_reads_as_zeros() {
    on_every_backend(async |bench: Bench| {
        for (how, length) in
            [(Allocation::KeepSize, 5), (Allocation::Extend, 3_000_000), (Allocation::Zeroed, 3_000_000)]
        {
            let file = bench.file(&format!("{how:?}"));
            bench.disk.write_all_at(&file, vec![Bytes::from_static(b"12345")], 0).await.unwrap();
            bench.disk.allocate(&file, 5, 2_999_995, how).await.unwrap();
            assert_eq!(file.len().unwrap(), length, "{how:?}");
            let mut tail = [1; 4];
            if how != Allocation::KeepSize {
                file.read_exact_at(&mut tail, 2_999_996).unwrap();
                assert_eq!(tail, [0; 4]);
            }
            assert_eq!(file.read_at(&mut tail, 1).unwrap(), 4);
            assert_eq!(&tail, b"2345");
        }
    });
}

#[test]
fn names_are_made_renamed_and_removed() {
    on_every_backend(async |bench: Bench| {
        let Bench { disk, .. } = &bench;
        disk.create_dir_all(bench.path("a/b")).unwrap();
        disk.create_dir_all(bench.path("a/b")).unwrap();
        let file = disk.open_file(bench.path("a/b/f"), Mode::CreateNew).unwrap();
        disk.write_all_at(&file, vec![Bytes::from_static(b"keep")], 0).await.unwrap();
        disk.truncate(&file, 2).unwrap();
        disk.rename(bench.path("a/b"), bench.path("c")).unwrap();
        disk.sync_dir(bench.dir.path()).unwrap();
        assert_eq!(std::fs::read(bench.path("c/f")).unwrap(), b"ke");
        disk.write_atomic(bench.path("c/g"), b"first").unwrap();
        disk.write_atomic(bench.path("c/g"), b"2nd").unwrap();
        assert_eq!(std::fs::read(bench.path("c/g")).unwrap(), b"2nd");
        disk.remove_file(bench.path("c/f")).unwrap();
        assert_eq!(&disk.read_at(&file, 9, 0).await.unwrap()[..], b"ke", "an open file outlives its name");
        assert_eq!(std::fs::read_dir(bench.path("c")).unwrap().count(), 1, "no temporary file is left");
        disk.remove_dir_all(bench.path("c")).unwrap();
        assert_eq!(disk.remove_file(bench.path("c/g")).unwrap_err().kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn buffers_outlive_dropped_futures_and_are_freed_after_their_completion() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        // 64 writes, each begun and then abandoned; the owners must live until the kernel is done, and no longer.
        let mut owners = Vec::new();
        for index in 0..64u64 {
            let owner: Arc<Vec<u8>> = Arc::new(pattern(LARGE, index as u8).to_vec());
            let bytes = Bytes::from_owner(Shared(owner.clone()));
            let mut write = pin!(bench.disk.write_all_at(&file, vec![bytes], index * LARGE as u64));
            let _ = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            owners.push(owner);
        }
        // Scribble over what the allocator hands out next: a buffer freed too early would show up in the file.
        let scribbles: Vec<Vec<u8>> = (0..64).map(|_| vec![0xEE; LARGE]).collect();
        while owners.iter().any(|owner| Arc::strong_count(owner) > 1) {
            tokio::task::yield_now().await;
        }
        drop(scribbles);
        for (index, owner) in owners.iter().enumerate() {
            let back = bench.disk.read_at(&file, LARGE, index as u64 * LARGE as u64).await.unwrap();
            assert!(back == owner[..], "write {index} is not what its buffer held");
        }
    });
}

#[test]
fn the_last_handle_waits_for_abandoned_operations() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        let owner = Arc::new(vec![7; 1_000_000]);
        {
            let mut write = pin!(bench.disk.write_all_at(&file, vec![Bytes::from_owner(Shared(owner.clone()))], 0));
            let _ = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        drop(bench.disk);
        assert_eq!(Arc::strong_count(&owner), 1);
        assert_eq!(file.len().unwrap(), 1_000_000);
    });
}

#[test]
fn operations_beyond_the_completion_queue_wait_their_turn() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        if let Err(error) = probe(dir.path(), Wanted::Uring) {
            eprintln!("\n!!! NOT TESTED ON IO_URING: {error}\n");
            return;
        }
        let disk = Disk::uring(RingLimits { operations: 4, workers: 1, ..RingLimits::default() }).unwrap();
        let file = disk.open_file(dir.path().join("f"), Mode::Create).unwrap();
        // The first poll of every write: four go to the kernel, the others hold their buffers and wait.
        let mut writes: Vec<_> = (0..100u64)
            .map(|index| {
                let (disk, file) = (disk.clone(), file.clone());
                let write = async move {
                    disk.write_all_at(&file, vec![pattern(LARGE, index as u8)], index * LARGE as u64).await
                };
                (index, Box::pin(write))
            })
            .collect();
        let mut context = Context::from_waker(Waker::noop());
        writes.retain_mut(|(_, write)| write.as_mut().poll(&mut context).is_pending());
        assert!(disk.in_flight() <= 4, "{} in flight", disk.in_flight());
        // Half of them are dropped while they wait or fly; the rest must all come through.
        writes.retain(|(index, _)| index % 2 == 1);
        for written in all(writes.into_iter().map(|(_, write)| write)).await {
            assert_eq!(written.unwrap(), LARGE as u64);
        }
        for index in (1..100u64).step_by(2) {
            assert_eq!(disk.read_at(&file, LARGE, index * LARGE as u64).await.unwrap(), pattern(LARGE, index as u8));
        }
    });
}

#[test]
fn one_stalled_future_does_not_hold_up_the_others() {
    on_every_backend(async |bench: Bench| {
        let file = bench.file("f");
        // Polled once and then kept, as a select! loop may do: whoever else waits must still be woken.
        let mut stalled = Box::pin(bench.disk.write_all_at(&file, vec![pattern(LARGE, 1)], 0));
        let begun = stalled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        for round in 1..20 {
            bench.disk.write_all_at(&file, vec![pattern(LARGE, 2)], round * LARGE as u64).await.unwrap();
            bench.disk.sync_data(&file).await.unwrap();
        }
        let written = match begun {
            Poll::Ready(written) => written,
            Poll::Pending => stalled.await,
        };
        assert_eq!(written.unwrap(), LARGE as u64);
    });
}

/// Polls all futures until each has ended.
async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ended) = future.as_mut().poll(context) {
                *output = Some(ended);
            }
        }
        if running.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
