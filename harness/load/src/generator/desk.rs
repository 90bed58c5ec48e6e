//! What the producers and consumers of a load thread share, and what the threads do.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ringbench_stats::Cost;

use super::tally::Tally;
use super::window::Window;
use crate::timer::Timer;

/// What all load threads of a cell share.
#[derive(Debug, Default)]
pub(crate) struct Hall {
    /// No more records: the cell was cut short.
    pub(crate) cut_short: AtomicBool,
    /// Load threads whose producers have closed their books.
    pub(crate) threads_done_producing: AtomicUsize,
    /// Producers may go home, and wait for their receipts as always.
    pub(crate) enough: AtomicBool,
    /// Consumers may go home.
    pub(crate) all_read: AtomicBool,
    /// Records acknowledged, of all threads.
    pub(crate) acked: AtomicU64,
    /// Records received for the first time, of all threads and subscriptions.
    pub(crate) received: AtomicU64,
    first_trouble: Mutex<Option<String>>,
}

impl Hall {
    pub(crate) fn is_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Relaxed)
    }

    /// Notes why something does not go on; the first reason is kept.
    pub(crate) fn trouble(&self, why: impl FnOnce() -> String) {
        self.first_trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(why);
    }

    pub(crate) fn first_trouble(&self) -> Option<String> {
        self.first_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the producers and consumers of one load thread share.
pub(crate) struct Desk {
    pub(crate) window: Window,
    pub(crate) timer: Timer,
    pub(crate) tally: RefCell<Tally>,
    /// What the thread had cost when counting began, until it ends.
    before: Cell<Option<Cost>>,
}

impl Desk {
    pub(crate) fn new(window: Window) -> io::Result<Desk> {
        Ok(Desk { window, timer: Timer::new()?, tally: RefCell::new(Tally::new(window)), before: Cell::new(None) })
    }

    /// Counting begins.
    pub(crate) fn open_meter(&self) {
        self.before.set(Some(Cost::of_this_thread()));
    }

    /// Counting has ended, or was cut short; nothing the second time.
    pub(crate) fn close_meter(&self) {
        if let Some(before) = self.before.take() {
            self.tally.borrow_mut().cost = Cost::of_this_thread().since(&before);
        }
    }
}
