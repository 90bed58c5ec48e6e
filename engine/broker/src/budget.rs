//! The bound on request bytes that the broker holds at one time, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts the bytes of requests that have arrived and are not answered yet. Over the limit, connections stop reading
/// from their sockets until something is answered: the pressure reaches the clients by TCP.
#[derive(Clone)]
pub(crate) struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    limit: usize,
    held: AtomicUsize,
    released: Notify,
}

impl Budget {
    /// `limit` in bytes.
    pub(crate) fn new(limit: usize) -> Budget {
        Budget { shared: Arc::new(Shared { limit, held: AtomicUsize::new(0), released: Notify::new() }) }
    }

    /// Counts `bytes` until the guard is dropped. Never waits: the bytes are in memory already.
    pub(crate) fn hold(&self, bytes: usize) -> Held {
        self.shared.held.fetch_add(bytes, Ordering::Relaxed);
        Held { budget: self.clone(), bytes }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.held() < self.shared.limit
    }

    pub(crate) fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Resolves when there is room.
    pub(crate) async fn room(&self) {
        loop {
            let released = self.shared.released.notified();
            if self.has_room() {
                return;
            }
            released.await;
        }
    }

    fn release(&self, bytes: usize) {
        let before = self.shared.held.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "released {bytes} of {before} held bytes");
        if before >= self.shared.limit && before - bytes < self.shared.limit {
            self.shared.released.notify_waiters();
        }
    }
}

/// A share of the budget, given back on drop.
pub(crate) struct Held {
    budget: Budget,
    bytes: usize,
}

impl Held {
    /// Sets the share to `bytes`.
    pub(crate) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.shared.held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.budget.release(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back() {
        let budget = Budget::new(100);
        let mut held = budget.hold(60);
        held.resize(100);
        assert!(!budget.has_room());
        held.resize(10);
        assert!(budget.has_room());
        drop(held);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_waiter_wakes_when_room_appears() {
        let budget = Budget::new(1);
        let held = budget.hold(1);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap();
    }
}
