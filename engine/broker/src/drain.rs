//! The signal that the broker is going away: connections finish what they have begun and take nothing further.

use std::time::Duration;

use tokio::sync::watch;

/// How long a stopping broker waits for requests that have begun, and then once more for writes and syncs.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Seen by every connection and background task.
#[derive(Clone)]
pub(crate) struct Drain {
    state: watch::Receiver<bool>,
}

/// Held by whoever decides.
pub(crate) struct DrainTrigger {
    state: watch::Sender<bool>,
}

impl DrainTrigger {
    pub(crate) fn new() -> (DrainTrigger, Drain) {
        let (sender, receiver) = watch::channel(false);
        (DrainTrigger { state: sender }, Drain { state: receiver })
    }

    pub(crate) fn start(&self) {
        self.state.send_replace(true);
    }
}

impl Drain {
    pub(crate) fn is_draining(&self) -> bool {
        *self.state.borrow()
    }

    /// Resolves once draining has begun (or whoever could begin it is gone).
    pub(crate) async fn started(&self) {
        let mut state = self.state.clone();
        // An error means that the trigger was dropped: that is the end, too.
        let _ = state.wait_for(|draining| *draining).await;
    }
}
