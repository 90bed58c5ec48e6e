//! A watched stretch: threads get ready, begin together, and are watched until the last of them has ended.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Instant;

use ringbench_stats::{Cost, SystemCalls, WriteBack, ring_threads};

use crate::sample::Sample;

/// What the threads of one run and whoever watches them share.
pub(crate) struct Stretch {
    ready: Barrier,
    end: Barrier,
    /// What the threads leave behind has been looked at.
    seen: Barrier,
    failed: AtomicBool,
    calls: Mutex<Option<SystemCalls>>,
}

impl Stretch {
    /// For so many threads, each of which calls [`Stretch::run`], while one more calls [`Stretch::watch`].
    pub(crate) fn new(threads: usize) -> Stretch {
        let barrier = || Barrier::new(threads + 1);
        let (failed, calls) = (AtomicBool::new(false), Mutex::new(None));
        Stretch { ready: barrier(), end: barrier(), seen: barrier(), failed, calls }
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
        self.ready.wait();
        let all_ready = !self.failed.load(Ordering::Relaxed);
        let done = prepared.as_mut().ok().filter(|_| all_ready).map(work);
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
        let (called, before, begun) = (calls(), Cost::now(), Instant::now());
        self.end.wait();
        let (elapsed, cost) = (begun.elapsed(), Cost::now().since(&before));
        let system_calls = calls().zip(called).map(|(after, before)| after - before);
        let (ring_threads, write_back) = (ring_threads(), WriteBack::now());
        self.seen.wait();
        Sample { elapsed, cost, ring_threads, write_back, system_calls, ..Sample::default() }
    }
}
