//! Long polls: one waiter registered in many logs, woken when any of them moves.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// What a fetch sleeps on while none of its partitions has enough. Register it, read again, then wait: a change
/// between the read and the wait is kept, so that no wake-up is lost. Dropping the last `Arc` unregisters it.
#[derive(Debug, Default)]
pub struct Waiter {
    notify: Notify,
}

impl Waiter {
    /// A waiter that is registered nowhere.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Resolves once one of the logs has moved since the last call, at once if one has. Cancel-safe.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

/// The waiters of one log. A wake-up takes them all off: who still waits registers again.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    waiters: Vec<Weak<Waiter>>,
    prune_at: usize,
}

impl Waiters {
    pub(crate) fn register(&self, waiter: &Arc<Waiter>) {
        let mut registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Polls that time out on a quiet partition leave dead entries; pruning at twice the live ones keeps it linear.
        if registered.waiters.len() >= registered.prune_at {
            registered.waiters.retain(|waiter| waiter.strong_count() > 0);
            registered.prune_at = 16.max(2 * registered.waiters.len());
        }
        registered.waiters.push(Arc::downgrade(waiter));
    }

    pub(crate) fn wake_all(&self) {
        let mut registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiter in registered.waiters.drain(..).filter_map(|waiter| waiter.upgrade()) {
            waiter.notify.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_between_registration_and_wait_is_kept() {
        let (waiters, waiter) = (Waiters::default(), Waiter::new());
        waiters.register(&waiter);
        waiters.wake_all();
        waiter.woken().await;
    }

    #[test]
    fn dropped_waiters_do_not_pile_up() {
        let waiters = Waiters::default();
        let live = Waiter::new();
        for _ in 0..10_000 {
            waiters.register(&Waiter::new());
        }
        waiters.register(&live);
        assert!(waiters.0.lock().unwrap().waiters.len() <= 17);
    }
}
