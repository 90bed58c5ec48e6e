//! A watched stretch: threads get ready, begin together, and are watched until the last of them has ended.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringbench_stats::{Cost, SystemCalls, WriteBack, ring_threads};

use crate::sample::Sample;

/// What the threads of one run and whoever watches them share.
pub(crate) struct Stretch {
    ready: Barrier,
    /// System calls up to here have been counted.
    begin: Barrier,
    end: Barrier,
    /// What the threads leave behind has been looked at.
    seen: Barrier,
    failed: AtomicBool,
    /// When the first thread began to work, and the last one ended. Whoever watches may wake later, on a busy host by a lot.
    bounds: Mutex<Option<(Moment, Moment)>>,
    calls: Mutex<Option<SystemCalls>>,
}

impl Stretch {
    /// For so many threads, each of which calls [`Stretch::run`], while one more calls [`Stretch::watch`].
    pub(crate) fn new(threads: usize) -> Stretch {
        let barrier = || Barrier::new(threads + 1);
        let (failed, bounds, calls) = (AtomicBool::new(false), Mutex::new(None), Mutex::new(None));
        Stretch { ready: barrier(), begin: barrier(), end: barrier(), seen: barrier(), failed, bounds, calls }
    }

    /// Counts system calls, if that is `wanted` and can be done: of the threads that begin after this.
    pub(crate) fn counting(self, wanted: bool) -> Stretch {
        let calls = wanted.then(SystemCalls::count).and_then(Result::ok);
        Stretch { calls: Mutex::new(calls), ..self }
    }

    /// One thread's part. `work` is watched; making what it works with, and dropping that, are not. `None` when this thread was
    /// ready and another was not: nobody works then.
    pub(crate) fn run<Prepared, Done>(
        &self,
        prepare: impl FnOnce() -> io::Result<Prepared>,
        work: impl FnOnce(&mut Prepared) -> io::Result<Done>,
    ) -> io::Result<Option<Done>> {
        let mut prepared = prepare();
        self.failed.fetch_or(prepared.is_err(), Ordering::Relaxed);
        // Nobody else can enter in the process's account what this thread has used.
        Moment::now();
        self.ready.wait();
        self.begin.wait();
        let all_ready = !self.failed.load(Ordering::Relaxed);
        let begun = Moment::now();
        let done = prepared.as_mut().ok().filter(|_| all_ready).map(work);
        self.widen(begun, Moment::now());
        self.end.wait();
        self.seen.wait();
        prepared?;
        done.transpose()
    }

    /// How long it took all threads, what that cost the process, and what it left behind.
    pub(crate) fn watch(&self) -> Sample {
        let mut counter = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = || counter.as_mut().and_then(|calls| calls.so_far().ok());
        self.ready.wait();
        let called = calls();
        self.begin.wait();
        self.end.wait();
        let bounds = self.bounds.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (elapsed, cost) = bounds.map(|(begun, ended)| ended.since(&begun)).unwrap_or_default();
        let system_calls = calls().zip(called).map(|(after, before)| after - before);
        let (ring_threads, write_back) = (ring_threads(), WriteBack::now());
        self.seen.wait();
        Sample { elapsed, cost, ring_threads, write_back, system_calls, ..Sample::default() }
    }

    fn widen(&self, begun: Moment, ended: Moment) {
        let mut bounds = self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = bounds.take().unwrap_or((begun, ended));
        let first = if begun.at < first.at { begun } else { first };
        let last = if ended.at > last.at { ended } else { last };
        *bounds = Some((first, last));
    }
}

/// A look at the clock and at the process's account.
///
/// The account holds what a running thread has used only up to its own getrusage(2), its last switch or the last timer tick, up to
/// 10 ms before (kernel/sched/cputime.c, thread_group_cputime). So each thread looks for itself, and the last one sees all.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    cost: Cost,
}

impl Moment {
    fn now() -> Moment {
        Moment { cost: Cost::now(), at: Instant::now() }
    }

    fn since(&self, before: &Moment) -> (Duration, Cost) {
        (self.at - before.at, self.cost.since(&before.cost))
    }
}
