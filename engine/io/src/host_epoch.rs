//! Whether the kernel's page cache can have been lost since we last looked.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

/// Equal before and after if and only if what was in the page cache for a directory must still be there: the same boot of the
/// kernel (`/proc/sys/kernel/random/boot_id`) and the same mount (statx STATX_MNT_ID_UNIQUE, Linux 6.8; never used again within
/// a boot). So bytes written but not synced before a crash of the *process* can be trusted when the epoch is unchanged.
///
/// Where the kernel can't tell, every value differs from every other: "may be lost". A write-back error is not covered: it
/// drops dirty pages while the mount lives on, and only fdatasync reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEpoch(String);

impl HostEpoch {
    /// The epoch of an existing directory.
    pub fn of(directory: impl AsRef<Path>) -> io::Result<HostEpoch> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        match (boot, unique_mount_id(directory.as_ref())?) {
            (Ok(boot), Some(mount)) => Ok(HostEpoch(format!("{} {mount}", boot.trim()))),
            _ => {
                let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
                Ok(HostEpoch(format!("unknown {now}-{}", std::process::id())))
            }
        }
    }

    /// An epoch as it was stored; anything else than what [`fmt::Display`] gave equals no real epoch.
    pub fn stored(text: &str) -> HostEpoch {
        HostEpoch(text.trim().to_owned())
    }
}

impl fmt::Display for HostEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unique_mount_id(path: &Path) -> io::Result<Option<u64>> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is NUL-terminated and `status` is large enough; both live across the call.
    let result =
        unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, libc::STATX_MNT_ID_UNIQUE, status.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeros is a valid statx, and the kernel has filled it in.
    let status = unsafe { status.assume_init() };
    Ok((status.stx_mask & libc::STATX_MNT_ID_UNIQUE != 0).then_some(status.stx_mnt_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_survives_being_stored_and_differs_between_mounts() {
        let here = HostEpoch::of("/").unwrap();
        if here.0.starts_with("unknown") {
            assert_ne!(here, HostEpoch::of("/").unwrap());
            return;
        }
        assert_eq!(HostEpoch::stored(&format!("{here}\n")), HostEpoch::of("/").unwrap());
        assert_ne!(here, HostEpoch::of("/proc").unwrap());
    }
}
