//! A watched stretch: threads get ready, begin together, and are watched until the last of them has ended.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::sample::{Cost, Sample};

/// What the threads of one run and whoever watches them share.
pub(crate) struct Stretch {
    ready: Barrier,
    end: Barrier,
    failed: AtomicBool,
}

impl Stretch {
    /// For so many threads, each of which calls [`Stretch::run`], while one more calls [`Stretch::watch`].
    pub(crate) fn new(threads: usize) -> Stretch {
        Stretch { ready: Barrier::new(threads + 1), end: Barrier::new(threads + 1), failed: AtomicBool::new(false) }
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
        prepared?;
        done.transpose()
    }

    /// How long it took all threads, and what that cost the process.
    pub(crate) fn watch(&self) -> Sample {
        self.ready.wait();
        let (before, begun) = (Cost::now(), Instant::now());
        self.end.wait();
        Sample { elapsed: begun.elapsed(), cost: Cost::now().since(&before), ..Sample::default() }
    }
}
