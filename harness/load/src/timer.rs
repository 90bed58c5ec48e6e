//! Waking at a nanosecond: timerfd_create(2), since tokio's timer wakes at the next millisecond.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Poll, Waker};

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;

use crate::monotonic_ns;

/// The kernel wakes a thread 50 to 100 µs late where its processor has gone to sleep meanwhile. So it is asked to wake it this much
/// earlier, and the rest is waited for awake, beside whatever else the thread does.
const EARLY_NS: u64 = 100_000;
/// But only where it has slept for so many times as long: waiting awake costs an eighth of a processor at the most. Who wakes more
/// often finds his processor awake.
const SELDOM: u64 = 8;

/// One timer for all that sleep on a thread.
pub(crate) struct Timer {
    file: AsyncFd<OwnedFd>,
    /// Whether it is armed for a little before the first sleeper is due.
    is_early: Cell<bool>,
    sleepers: RefCell<BinaryHeap<Reverse<Sleeper>>>,
}

struct Sleeper {
    at_ns: u64,
    waker: Waker,
}

impl Timer {
    pub(crate) fn new() -> io::Result<Timer> {
        let file = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd that nobody takes out keeps its descriptor")]
        let file = AsyncFd::new(file)?;
        Ok(Timer { file, is_early: Cell::new(false), sleepers: RefCell::default() })
    }

    /// Waits for this moment of [`monotonic_ns`]; [`Self::run`] must run meanwhile.
    ///
    /// # Errors
    /// Those of timerfd_settime(2).
    pub(crate) async fn sleep_until(&self, at_ns: u64) -> io::Result<()> {
        let mut sleeps = false;
        poll_fn(|context| {
            if monotonic_ns() >= at_ns {
                return Poll::Ready(Ok(()));
            }
            if !std::mem::replace(&mut sleeps, true) {
                let mut sleepers = self.sleepers.borrow_mut();
                let is_first = sleepers.peek().is_none_or(|Reverse(first)| at_ns < first.at_ns);
                sleepers.push(Reverse(Sleeper { at_ns, waker: context.waker().clone() }));
                if is_first && let Err(error) = self.arm(at_ns) {
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Wakes who is due, until it fails or is dropped.
    ///
    /// # Errors
    /// Those of read(2) and timerfd_settime(2).
    pub(crate) async fn run(&self) -> io::Result<()> {
        loop {
            let mut ready = self.file.readable().await?;
            match rustix::io::read(self.file.get_ref(), &mut [0; 8]) {
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
            while self.wake_who_is_due()? {
                yield_now().await;
            }
        }
    }

    /// Whether the next one is waited for awake; otherwise the timer is armed for him, if there is one.
    fn wake_who_is_due(&self) -> io::Result<bool> {
        let now_ns = monotonic_ns();
        let mut sleepers = self.sleepers.borrow_mut();
        while let Some(Reverse(sleeper)) = sleepers.peek() {
            if sleeper.at_ns > now_ns {
                if self.is_early.get() && sleeper.at_ns - now_ns <= EARLY_NS {
                    return Ok(true);
                }
                self.arm(sleeper.at_ns)?;
                break;
            }
            self.is_early.set(false);
            if let Some(Reverse(sleeper)) = sleepers.pop() {
                sleeper.waker.wake();
            }
        }
        Ok(false)
    }

    fn arm(&self, at_ns: u64) -> io::Result<()> {
        let (at_ns, is_early) = woken_at(at_ns, monotonic_ns());
        self.is_early.set(is_early);
        let (seconds, nanoseconds) = (at_ns / 1_000_000_000, at_ns % 1_000_000_000);
        let at = Timespec { tv_sec: seconds.cast_signed(), tv_nsec: nanoseconds.cast_signed() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(self.file.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }
}

/// When the kernel is asked to wake the thread for a moment, and whether that is before it.
fn woken_at(at_ns: u64, now_ns: u64) -> (u64, bool) {
    let is_early = at_ns.saturating_sub(now_ns) >= SELDOM * EARLY_NS;
    (if is_early { at_ns - EARLY_NS } else { at_ns }, is_early)
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Sleeper) -> bool {
        self.at_ns == other.at_ns
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Sleeper) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Sleeper) -> std::cmp::Ordering {
        self.at_ns.cmp(&other.at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use tokio::task::{LocalSet, spawn_local};

    #[test]
    fn who_sleeps_for_long_is_woken_a_little_early_and_who_sleeps_shortly_is_not() {
        let now = 5_000_000_000;
        for (sleep_ns, wake_ns) in
            [(0, 0), (50_000, 50_000), (799_999, 799_999), (800_000, 700_000), (5_000_000, 4_900_000)]
        {
            assert_eq!(woken_at(now + sleep_ns, now), (now + wake_ns, wake_ns < sleep_ns));
        }
        assert_eq!(woken_at(now - 1, now), (now - 1, false));
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_times_and_never_early() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let woken = LocalSet::new().block_on(&runtime, async {
            let timer = Rc::new(Timer::new().unwrap());
            let runner = spawn_local({
                let timer = timer.clone();
                async move { timer.run().await }
            });
            let (begun, woken) = (monotonic_ns(), Rc::new(RefCell::new(Vec::new())));
            let sleep = |ms: u64| {
                let (timer, woken, at_ns) = (timer.clone(), woken.clone(), begun + ms * 1_000_000);
                spawn_local(async move {
                    timer.sleep_until(at_ns).await.unwrap();
                    assert!(monotonic_ns() >= at_ns);
                    woken.borrow_mut().push(ms);
                })
            };
            for sleeper in [30, 1, 60, 0].map(sleep) {
                sleeper.await.unwrap();
            }
            runner.abort();
            woken.take()
        });
        assert_eq!(woken, [0, 1, 30, 60]);
    }
}
