//! Work that nobody may cut short: what changes topics or the metadata log goes on when the connection that asked for it ends.

use tokio::task::spawn_local;

/// Does the work whether or not the returned future is polled to its end, on the thread that this is called from. A panic of
/// the work is the caller's.
pub(crate) async fn to_the_end<T: 'static>(work: impl Future<Output = T> + 'static) -> T {
    match spawn_local(work).await {
        Ok(outcome) => outcome,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the runtime's end cancels the task, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::{LocalSet, yield_now};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn work_ends_though_nobody_waits_for_it() {
        let steps = Rc::new(Cell::new(0));
        let work = {
            let steps = steps.clone();
            async move {
                for _ in 0..3 {
                    steps.set(steps.get() + 1);
                    yield_now().await;
                }
            }
        };
        let local = LocalSet::new();
        local
            .run_until(async {
                let waiting = spawn_local(to_the_end(work));
                while steps.get() == 0 {
                    yield_now().await;
                }
                waiting.abort();
            })
            .await;
        local.await;
        assert_eq!(steps.get(), 3);
    }
}
