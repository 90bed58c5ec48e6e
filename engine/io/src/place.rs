//! Where a directory lies: the kernel and the filesystem that serve it, by which a measurement of them is known again.

use std::io;
use std::path::{Path, PathBuf};

/// A kernel and a filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Release of the kernel (uname(2)).
    pub kernel: String,
    /// Type of the filesystem, such as `ext4` (proc_pid_mountinfo(5)).
    pub filesystem: String,
}

impl Place {
    /// Of an existing directory.
    pub fn of(directory: impl AsRef<Path>) -> io::Result<Place> {
        let directory = directory.as_ref().canonicalize()?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let filesystem = filesystem_of(&mounts, &directory).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("no mount of /proc/self/mountinfo holds {}", directory.display()),
            )
        })?;
        Ok(Place { kernel, filesystem })
    }
}

/// The filesystem type of the longest mount point that holds the path; of several at one place the last one covers the others.
fn filesystem_of(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        // id, parent, device, root, mount point, options, any number of tags, a hyphen, type, source, options.
        let (Some(point), Some(kind)) = (line.split(' ').nth(4), line.split(" - ").nth(1)) else { continue };
        let point = unescape(point);
        let length = point.as_os_str().len();
        if path.starts_with(&point) && best.is_none_or(|(longest, _)| length >= longest) {
            best = Some((length, kind.split(' ').next().unwrap_or_default()));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Blanks, tabs, line ends and backslashes stand as three octal digits.
fn unescape(point: &str) -> PathBuf {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (octal, character)| point.replace(octal, character))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_last_mount_point_counts() {
        let mounts = "1 0 8:1 / / rw shared:1 - ext4 /dev/a rw\n2 1 0:5 / /data rw - tmpfs none rw\n\
                      3 2 8:2 / /data rw master:2 propagate_from:1 - xfs /dev/b rw\n4 1 0:6 / /a\\040b rw - btrfs c rw\n";
        let of = |path: &str| filesystem_of(mounts, Path::new(path)).unwrap();
        assert_eq!((of("/"), of("/datax")), ("ext4".to_owned(), "ext4".to_owned()));
        assert_eq!((of("/data/x"), of("/a b/c")), ("xfs".to_owned(), "btrfs".to_owned()));
        assert_eq!(filesystem_of("", Path::new("/")), None);
    }

    #[test]
    fn procfs_is_found_where_it_is_mounted() {
        let place = Place::of("/proc").unwrap();
        assert!(place.filesystem == "proc" && !place.kernel.is_empty(), "{place:?}");
    }
}
