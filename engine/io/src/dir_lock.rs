//! One process per data directory.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::file::at_path;

/// An exclusive lock on `<directory>/.lock`, Kafka's own lock file; held until dropped or until the process ends, however it
/// ends. It is an open-file-description lock (fcntl(2), F_OFD_SETLK): unlike flock it also conflicts with the POSIX lock that
/// a Java broker takes on the same file.
#[derive(Debug)]
pub struct DirLock {
    _file: std::fs::File,
}

impl DirLock {
    /// Takes the lock or fails at once: `WouldBlock`, naming the directory, when somebody else has it.
    pub fn take(directory: impl AsRef<Path>) -> io::Result<DirLock> {
        let path = directory.as_ref().join(".lock");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| at_path(error, "open", &path))?;
        let whole = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)) {
            Ok(_) => Ok(DirLock { _file: file }),
            Err(Errno::EAGAIN | Errno::EACCES) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!(
                    "{} is in use by another broker (it holds .lock): stop that one, or choose another directory",
                    directory.as_ref().display()
                ),
            )),
            Err(error) => Err(at_path(error.into(), "lock", &path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_locked_once_until_the_lock_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::take(dir.path()).unwrap();
        let refused = DirLock::take(dir.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(refused.to_string().contains(dir.path().to_str().unwrap()));
        drop(held);
        DirLock::take(dir.path()).unwrap();
    }
}
