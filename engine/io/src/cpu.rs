//! The processors that this process may use, and pinning a thread to one of them.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors that the calling thread may run on, by number: the cgroup's and the affinity mask's share of the machine.
pub fn available() -> io::Result<Vec<usize>> {
    let mask = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&cpu| mask.is_set(cpu).unwrap_or(false)).collect())
}

/// Pins the calling thread to the `index`th of its available processors (modulo their number); returns the processor's number.
pub fn pin_current_thread(index: usize) -> io::Result<usize> {
    let cpus = available()?;
    let cpu = index.checked_rem(cpus.len()).and_then(|place| cpus.get(place).copied());
    let cpu = cpu.ok_or_else(|| io::Error::other("the affinity mask is empty"))?;
    let mut mask = CpuSet::new();
    mask.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &mask)?;
    Ok(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_run_on_one_processor_only() {
        let pinned =
            std::thread::spawn(|| pin_current_thread(7).map(|cpu| (cpu, available().unwrap()))).join().unwrap();
        let (cpu, left) = pinned.unwrap();
        assert_eq!(left, [cpu]);
    }
}
