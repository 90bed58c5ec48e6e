//! The final sync: what the disk still owes when everything is acknowledged.

use std::collections::hash_map::{Entry, HashMap};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::syncfs;

use crate::LoadError;

/// What it came to when the time counts that the disk took to have everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinalSync {
    /// How long it took after the last acknowledgement.
    pub took: Duration,
    /// Bytes of values that were acknowledged since the load began, its warm-up included, a second: up to the end of the sync.
    pub bytes_per_second: f64,
}

/// The file systems that a process writes to, each by one of its files.
pub(crate) struct FileSystems(Vec<File>);

impl FileSystems {
    /// Those of process `pid`, synced: what comes later owes nothing of what came before.
    ///
    /// # Errors
    /// [`LoadError::FinalSync`] when it writes to none, or is not ours to see.
    pub(crate) fn of(pid: Option<u32>) -> Result<FileSystems, LoadError> {
        let refused = |why: String| LoadError::FinalSync { why };
        let pid =
            pid.ok_or_else(|| refused("the target's process is not on this host, or not ours to see".to_owned()))?;
        let files = written_files(pid).map_err(|error| refused(format!("its process {pid}: {error}")))?;
        if files.is_empty() {
            return Err(refused(format!("its process {pid} has no file open for writing")));
        }
        let systems = FileSystems(files.into_values().collect());
        systems.sync().map_err(|error| refused(error.to_string()))?;
        Ok(systems)
    }

    /// Waits until the disks have everything that was written to these file systems before (syncfs(2)), whoever wrote it; gives how
    /// long that took.
    ///
    /// # Errors
    /// What a disk could not take.
    pub(crate) fn sync(&self) -> io::Result<Duration> {
        let begun = Instant::now();
        self.0.iter().try_for_each(|file| syncfs(file).map_err(io::Error::from))?;
        Ok(begun.elapsed())
    }
}

/// A file that a process has open for writing, for each device.
fn written_files(pid: u32) -> io::Result<HashMap<u64, File>> {
    let mut files = HashMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        let flags = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", entry.file_name().display()));
        if !flags.is_ok_and(|flags| is_for_writing(&flags)) {
            continue;
        }
        // It may have been closed since.
        let Some(device) = regular_device(&entry.path()) else { continue };
        if let Entry::Vacant(place) = files.entry(device)
            && let Ok(file) = File::open(entry.path())
        {
            place.insert(file);
        }
    }
    Ok(files)
}

fn regular_device(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(Metadata::is_file).map(|file| file.dev())
}

/// By the line `flags:` of /proc/PID/fdinfo/FD, in octal: O_RDONLY is 0 (proc_pid_fdinfo(5)).
fn is_for_writing(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_file_systems_of_a_process_are_those_that_it_writes_to() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 1 << 20]).unwrap();
        let systems = written_files(std::process::id()).unwrap();
        assert!(systems.contains_key(&file.metadata().unwrap().dev()));
        FileSystems::of(Some(std::process::id())).unwrap().sync().unwrap();
    }

    #[test]
    fn where_nobody_can_see_the_files_that_is_said() {
        for (pid, said) in [(None, "is not on this host"), (Some(u32::MAX), "its process 4294967295: No such file")] {
            let refused = FileSystems::of(pid).err().unwrap().to_string();
            assert!(refused.starts_with("finalSync: ") && refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn a_file_that_is_only_read_is_not_written_to() {
        assert!(!is_for_writing("pos:\t0\nflags:\t0100000\n") && !is_for_writing(""));
        assert!(is_for_writing("pos:\t0\nflags:\t0100001\n") && is_for_writing("flags:\t02100002"));
    }
}
