//! SIGINT and SIGTERM: the first one is a wish, which whoever measures fulfils with what it has.

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// What a shell says of a process that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// Does `act` on the first SIGINT or SIGTERM. The second one ends the process. SIGXFSZ does not: what was written past a limit of file
/// sizes (`ulimit -f`) is an error like a full disk.
pub(crate) fn on_first(act: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let watched = |kind| signal(kind).map_err(|e| format!("signals can't be watched: {e}"));
        drop(watched(SignalKind::from_raw(Signal::SIGXFSZ as i32))?);
        (watched(SignalKind::interrupt())?, watched(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        let mut wait = || {
            runtime.block_on(async {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            });
        };
        wait();
        act();
        wait();
        std::process::exit(INTERRUPTED.into());
    });
    Ok(())
}
