//! What a stretch of this process cost: processor time and context switches.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::Serialize;

/// What this process has cost so far, or between two moments: getrusage(2) of all its threads, also of those that have ended and of
/// the kernel's workers of its rings (io-wq, SQPOLL), which are threads of the process.
///
/// Not in it: what the kernel does on nobody's account (write-back of dirty pages, soft interrupts while the processor is idle).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Processor seconds in the program. Together with the kernel's to the microsecond; how the two share it is sampled by the timer
    /// tick on most kernels, so believe the parts of a tenth of a second or more.
    pub user_seconds: f64,
    /// Processor seconds in the kernel.
    pub system_seconds: f64,
    /// How often a thread waited.
    pub voluntary_switches: u64,
    /// How often one was made to wait.
    pub involuntary_switches: u64,
}

impl Cost {
    /// Up to this moment; nothing where the kernel refuses to say, which it has no reason to.
    #[must_use]
    pub fn now() -> Cost {
        Cost::of(UsageWho::RUSAGE_SELF)
    }

    /// The same of the calling thread alone.
    #[must_use]
    pub fn of_this_thread() -> Cost {
        Cost::of(UsageWho::RUSAGE_THREAD)
    }

    fn of(whose: UsageWho) -> Cost {
        let Ok(usage) = getrusage(whose) else { return Cost::default() };
        Cost {
            user_seconds: seconds(usage.user_time()),
            system_seconds: seconds(usage.system_time()),
            voluntary_switches: u64::try_from(usage.voluntary_context_switches()).unwrap_or(0),
            involuntary_switches: u64::try_from(usage.involuntary_context_switches()).unwrap_or(0),
        }
    }

    /// What was added since.
    #[must_use]
    pub fn since(&self, before: &Cost) -> Cost {
        Cost {
            user_seconds: (self.user_seconds - before.user_seconds).max(0.0),
            system_seconds: (self.system_seconds - before.system_seconds).max(0.0),
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            involuntary_switches: self.involuntary_switches.saturating_sub(before.involuntary_switches),
        }
    }

    /// Processor seconds, user and system.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }
}

fn seconds(time: TimeVal) -> f64 {
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    (Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0)) + Duration::from_micros(micros)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_worked_and_ended_is_counted() {
        let before = Cost::now();
        let work = move || {
            let mut sum = 0u64;
            while Cost::now().since(&before).cpu_seconds() < 0.02 {
                sum = (0..100_000u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
            }
            std::hint::black_box(sum);
        };
        std::thread::spawn(work).join().unwrap();
        assert!(Cost::now().since(&before).cpu_seconds() >= 0.02);
    }

    #[test]
    fn what_another_thread_did_is_not_this_ones() {
        let before = Cost::of_this_thread();
        let work = || {
            let mut sum = 0u64;
            while Cost::of_this_thread().cpu_seconds() < 0.02 {
                sum = (0..100_000u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
            }
            std::hint::black_box(sum);
        };
        std::thread::spawn(work).join().unwrap();
        assert!(Cost::of_this_thread().since(&before).cpu_seconds() < 0.02);
    }

    #[test]
    fn a_thread_that_waits_has_switched() {
        let before = Cost::now();
        std::thread::sleep(Duration::from_millis(1));
        let cost = Cost::now().since(&before);
        assert!(cost.voluntary_switches >= 1, "{cost:?}");
    }

    #[test]
    fn nothing_costs_less_than_nothing() {
        let later = Cost { user_seconds: 1.0, voluntary_switches: 5, ..Cost::default() };
        assert_eq!(Cost::default().since(&later), Cost::default());
    }
}
