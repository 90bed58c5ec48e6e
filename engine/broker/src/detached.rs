//! Work that nobody may cut short: what changes topics or the metadata log goes on when the connection that asked for it ends, and
//! a thread ends after its tasks.

use std::io;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tracing::warn;

use crate::drain::DRAIN_LIMIT;

/// Does the work on a runtime of this thread alone, and then what it has left to tasks, for [`DRAIN_LIMIT`] at most: a log of
/// which a write or sync ends with its thread is fenced, since nobody knows how far that came.
///
/// # Errors
/// When there is no runtime to be had.
pub(crate) fn on_own_runtime<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let outcome = tasks.block_on(&runtime, work);
    if runtime.block_on(async { tokio::time::timeout(DRAIN_LIMIT, tasks).await }).is_err() {
        warn!(limit = ?DRAIN_LIMIT, "tasks cut off: what they wrote or synced is checked by the next start");
    }
    Ok(outcome)
}

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

    use tokio::task::yield_now;

    use super::*;

    #[test]
    fn a_thread_ends_after_its_tasks() {
        let ended = Rc::new(Cell::new(false));
        let task = {
            let ended = ended.clone();
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                ended.set(true);
            }
        };
        let begun = on_own_runtime(async { drop(spawn_local(task)) });
        assert!(begun.is_ok() && ended.get());
    }

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
