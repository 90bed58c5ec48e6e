//! Where the broker's program is.

use std::path::{Path, PathBuf};

/// The one that is named, or the one beside this program.
pub(crate) fn ringlog(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let beside = own.parent().unwrap_or(Path::new(".")).join("ringlog");
    match beside.exists() {
        true => Ok(beside),
        false => Err(format!(
            "{} is not there: build it (cargo build --release -p ringlog-cli), or name it with --ringlog",
            beside.display()
        )),
    }
}
