//! What a process has cost, and what the kernel runs on its behalf.

use std::time::Duration;

use crate::Cost;

/// Linux counts processor time for user space in hundredths of a second (proc(5), `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// utime and stime, counted from the field behind the command's name.
const UTIME: usize = 11;
/// `TCP_LISTEN`, as /proc/net/tcp has it.
const LISTENS: &str = "0A";

/// What process `pid` has cost so far; `None` when it is gone. Processor time in steps of 10 ms; context switches of the threads that
/// live, where the kernel lets one see them.
#[must_use]
pub fn process_cost(pid: u32) -> Option<Cost> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |index: usize| Some((TICK * fields.get(index)?.parse::<u32>().ok()?).as_secs_f64());
    let mut cost = Cost { user_seconds: seconds(UTIME)?, system_seconds: seconds(UTIME + 1)?, ..Cost::default() };
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let count = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        };
        cost.voluntary_switches += count("voluntary_ctxt_switches:");
        cost.involuntary_switches += count("nonvoluntary_ctxt_switches:");
    }
    Some(cost)
}

/// What a process has read and written so far, by /proc/PID/io. No privilege is needed for one's own processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessIo {
    /// Reads (`syscr`): of read(2), pread(2), readv(2) and their kin, from files and sockets alike, and one for each sendfile(2).
    /// Not those of recv(2) and its kin.
    pub reads: u64,
    /// Writes (`syscw`): of write(2), pwrite(2), writev(2) and their kin, to files and sockets alike, and one for each sendfile(2).
    /// Not those of send(2) and its kin, and no fsync(2).
    pub writes: u64,
    /// Bytes that it has caused to be written to disks, most of them later (`write_bytes`): what it has put into the page cache.
    pub written_bytes: u64,
}

impl ProcessIo {
    /// Up to this moment; `None` when process `pid` is gone, or not ours to see.
    #[must_use]
    pub fn of(pid: u32) -> Option<ProcessIo> {
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
        let number = |name| io.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok();
        Some(ProcessIo { reads: number("syscr:")?, writes: number("syscw:")?, written_bytes: number("write_bytes:")? })
    }

    /// What was added since.
    #[must_use]
    pub fn since(&self, before: &ProcessIo) -> ProcessIo {
        ProcessIo {
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}

/// Memory of process `pid` that is in memory, shared pages included; `None` when it is gone.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The process of this host that listens on a TCP port; `None` where there is none, or where it is not ours to see.
#[must_use]
pub fn listener(port: u16) -> Option<u32> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        for line in table.lines().skip(1) {
            // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode (proc(5)).
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields[..] else { continue };
            let of_port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            if state == LISTENS && of_port == Some(port) {
                sockets.push(format!("socket:[{inode}]"));
            }
        }
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(|pid| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
    })
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
    use std::os::unix::fs::FileExt;

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
    fn who_listens_is_found_by_the_port_and_nobody_where_nobody_does() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(port), Some(std::process::id()));
        drop(socket);
        assert_eq!(listener(port), None);
    }

    #[test]
    fn this_process_has_memory_and_its_thread_has_waited() {
        let own = std::process::id();
        std::thread::sleep(Duration::from_millis(1));
        let cost = process_cost(own).unwrap();
        assert!(cost.voluntary_switches > 0 && resident_bytes(own).unwrap() > 1 << 20, "{cost:?}");
        assert_eq!((process_cost(u32::MAX), resident_bytes(u32::MAX), ProcessIo::of(u32::MAX)), (None, None, None));
    }

    #[test]
    fn reads_and_writes_are_counted_wherever_they_go() {
        let file = tempfile::tempfile().unwrap();
        let before = ProcessIo::of(std::process::id()).unwrap();
        (0..10).for_each(|block| file.write_all_at(&[1; 4096], block * 4096).unwrap());
        let done = ProcessIo::of(std::process::id()).unwrap().since(&before);
        assert!(done.writes >= 10 && done.reads >= 1, "{done:?}");
    }

    #[test]
    fn a_process_that_works_has_cost_something_and_one_that_is_gone_has_none() {
        let own = std::process::id();
        let spent = || Duration::from_secs_f64(process_cost(own).unwrap().cpu_seconds());
        let before = spent();
        let mut sum = 0u64;
        while spent() < before + 2 * TICK {
            sum = (0..1_000_000u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
        }
        assert!(std::hint::black_box(sum) != 1);
        assert_eq!(process_cost(u32::MAX), None);
    }
}
