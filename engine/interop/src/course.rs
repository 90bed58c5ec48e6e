//! Runs the course of one client program against a broker, and counts what could not be run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::Broker;

/// Status of `scripts/clients.sh` and `scripts/kafka.sh` when the packages can't be had on this machine.
pub(crate) const UNAVAILABLE: i32 = 3;
/// Far more than any course takes; one that hangs ends here.
const LIMIT_SECONDS: &str = "180";

/// The course of the client that `scripts/clients.sh` knows as `name`, against a broker of its own.
///
/// Where the client can't be installed, the test says so on the terminal, adds a line to the file that `RINGLOG_SKIPS`
/// names (the test script prints and counts them), and passes.
///
/// # Panics
/// When the course ends at a failed check, and when the broker does not end cleanly afterwards.
pub fn walk(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/clients.sh");
    // First the packages: fetching them is not part of the client's time.
    let installed = Command::new(&script).args(["install", name]).output().expect("scripts/clients.sh");
    if installed.status.code() == Some(UNAVAILABLE) {
        return skip(&format!("the course of {name}"), String::from_utf8_lossy(&installed.stderr).trim());
    }
    assert!(installed.status.success(), "installing {name}: {}", String::from_utf8_lossy(&installed.stderr));

    let broker = Broker::start();
    let course = Command::new("timeout")
        .args(["--kill-after=5", LIMIT_SECONDS])
        .arg(&script)
        .args(["run", name, broker.bootstrap()])
        .args(broker.data())
        .output()
        .expect("timeout, of the coreutils");
    let said = String::from_utf8_lossy(&course.stdout);
    assert!(
        course.status.success(),
        "{name} ended with {} (124 is the time limit of {LIMIT_SECONDS} s).\n{said}{}\nThe broker's log:\n{}",
        course.status,
        String::from_utf8_lossy(&course.stderr),
        broker.log()
    );
    assert!(said.lines().count() > 3, "{name} checked next to nothing: {said}");
    broker.stop();
}

/// Not through `eprintln!`, which the test harness keeps to itself when a test passes.
pub(crate) fn skip(what: &str, reason: &str) {
    let line = format!("SKIPPED: {what}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("RINGLOG_SKIPS") {
        let _ = OpenOptions::new().create(true).append(true).open(list).and_then(|mut f| f.write_all(line.as_bytes()));
    }
}
