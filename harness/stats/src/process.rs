//! What a process has cost.

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

#[cfg(test)]
mod tests {
    use super::*;

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
