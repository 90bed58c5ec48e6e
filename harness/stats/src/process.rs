//! What a process has cost, and what the kernel runs on its behalf.

use std::time::Duration;

/// Linux counts processor time for user space in hundredths of a second (proc(5), `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// utime and stime, counted from the field behind the command's name.
const UTIME: usize = 11;

/// Processor time, user and system, that process `pid` has used; `None` when it is gone.
#[must_use]
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(TICK * (ticks(UTIME)? + ticks(UTIME + 1)?))
}

/// How many threads the kernel runs for the rings of this process at this moment: workers of io-wq and pollers of SQPOLL
/// (`iou-wrk-*` and `iou-sqp-*` of /proc/self/task). Idle workers end after 5 s.
#[must_use]
pub fn ring_threads() -> usize {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let of_a_ring = |thread: &std::fs::DirEntry| {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        name.starts_with("iou-wrk-") || name.starts_with("iou-sqp-")
    };
    threads.flatten().filter(of_a_ring).count()
}

#[cfg(test)]
mod tests {
    use ringlog_io::{Backend, Disk, Mode, Wanted, probe};

    use super::*;

    #[tokio::test]
    async fn a_sync_on_a_ring_has_a_worker() {
        let directory = tempfile::tempdir().unwrap();
        let choice = probe(directory.path(), Wanted::Auto).unwrap();
        let disk = Disk::open(&choice).unwrap();
        let file = disk.open_file(directory.path().join("file"), Mode::Create).unwrap();
        disk.write_all_at(&file, vec![vec![0; 4096].into()], 0).await.unwrap();
        disk.sync_data(&file).await.unwrap();
        assert_eq!(ring_threads() > 0, disk.backend() == Backend::Uring, "{choice:?}");
    }

    #[test]
    fn a_process_that_works_has_cost_something_and_one_that_is_gone_has_none() {
        let own = std::process::id();
        let before = cpu_time(own).unwrap();
        let mut sum = 0u64;
        while cpu_time(own).unwrap() < before + 2 * TICK {
            sum = (0..1_000_000u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
        }
        assert!(std::hint::black_box(sum) != 1);
        assert_eq!(cpu_time(u32::MAX), None);
    }
}
