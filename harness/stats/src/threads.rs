//! How much of a processor each thread of this process has used.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Processor time of every thread that lives, a library's threads included, which nobody else can ask; by the scheduler's account
/// (`/proc/self/task/*/schedstat`). Of a thread that runs at this moment it is true up to the last timer tick, at most 10 ms before.
#[derive(Debug, Clone, Default)]
pub struct ThreadTimes(BTreeMap<String, Duration>);

impl ThreadTimes {
    /// Up to this moment; nothing where the kernel keeps no such account.
    #[must_use]
    pub fn now() -> ThreadTimes {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let used = |thread: fs::DirEntry| {
            // Time on a processor, time of waiting for one, and how often: nanoseconds. A thread may end before it is looked at.
            let account = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let on_processor = account.split_whitespace().next()?.parse().ok()?;
            Some((thread.file_name().into_string().ok()?, Duration::from_nanos(on_processor)))
        };
        ThreadTimes(threads.filter_map(used).collect())
    }

    /// What the one used since that used most, of those that still live.
    #[must_use]
    pub fn busiest_since(&self, before: &ThreadTimes) -> Duration {
        let used = self.0.iter().map(|(thread, now)| {
            let before = before.0.get(thread).copied().unwrap_or_default();
            now.saturating_sub(before)
        });
        used.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::Cost;

    #[test]
    fn the_busiest_thread_is_found_whoever_began_it() {
        let (ready, is_ready) = channel();
        let (end, is_over) = channel::<()>();
        let before = ThreadTimes::now();
        let worker = std::thread::spawn(move || {
            let mut sum = 0u64;
            while Cost::of_this_thread().cpu_seconds() < 0.05 {
                sum = (0..100_000u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
            }
            ready.send(std::hint::black_box(sum)).unwrap();
            let _ = is_over.recv();
        });
        is_ready.recv().unwrap();
        let busiest = ThreadTimes::now().busiest_since(&before);
        assert!(busiest >= Duration::from_millis(49), "{busiest:?}");
        drop(end);
        worker.join().unwrap();
    }

    #[test]
    fn a_thread_counts_from_when_it_was_seen_first_and_one_that_is_gone_not_at_all() {
        let times = |threads: &[(&str, u64)]| {
            ThreadTimes(threads.iter().map(|(id, ms)| ((*id).to_owned(), Duration::from_millis(*ms))).collect())
        };
        let before = times(&[("1", 900), ("2", 10), ("4", 50)]);
        let after = times(&[("1", 910), ("2", 30), ("3", 15)]);
        assert_eq!(after.busiest_since(&before), Duration::from_millis(20));
        assert_eq!(times(&[]).busiest_since(&before), Duration::ZERO);
    }
}
