//! The host profile: which way of doing I/O was measured to be best on one host and filesystem. `ringbench lab profile` writes
//! it, `io.profile` names it to the broker.

use std::fmt::Write as _;

use crate::{Backend, Properties, SettingsError};

/// What the broker takes from a measurement of its host.
///
/// ```
/// # use ringlog_settings::HostProfile;
/// let text = "host.kernel=6.18.1\nhost.filesystem=ext4\nwrite.backend=uring\nwrite.inline.max.bytes=262144\nsendfile.min.bytes=65536\n";
/// let profile = HostProfile::parse(text)?;
/// assert!(profile.check("6.18.1", "ext4").is_ok() && profile.check("6.18.1", "xfs").is_err());
/// assert_eq!(HostProfile::parse(&profile.render(&["as measured".to_owned()]))?, profile);
/// # Ok::<(), ringlog_settings::SettingsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProfile {
    /// Release of the kernel that it holds for, as uname(2) gives it.
    pub kernel: String,
    /// Type of the filesystem that it holds for, as mount(8) gives it.
    pub filesystem: String,
    /// Which way to the disk was fastest for appends: never [`Backend::Auto`].
    pub write_backend: Backend,
    /// On io_uring: a write of up to so many bytes is faster in the calling thread, where the filesystem would have a worker of
    /// the kernel do it.
    pub write_inline_max_bytes: usize,
    /// From so many bytes on a stretch of a file is sent by sendfile; a shorter one is read and sent with its header.
    pub sendfile_min_bytes: usize,
}

const KERNEL: &str = "host.kernel";
const FILESYSTEM: &str = "host.filesystem";
const BACKEND: &str = "write.backend";
const INLINE: &str = "write.inline.max.bytes";
const SENDFILE: &str = "sendfile.min.bytes";
/// Of either size: what one response may hold is far below.
const MOST_BYTES: usize = 1 << 30;

impl HostProfile {
    /// Reads the text of a profile.
    ///
    /// # Errors
    /// [`SettingsError`] names the line or key, the value and what is allowed.
    pub fn parse(text: &str) -> Result<HostProfile, SettingsError> {
        let properties = Properties::parse(text)?;
        let known = [KERNEL, FILESYSTEM, BACKEND, INLINE, SENDFILE];
        if let Some(name) = properties.values.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(SettingsError::Conflict(format!(
                "{name} is no line of a host profile, which has {}: make it anew with ringbench lab profile",
                known.join(", ")
            )));
        }
        let text = |name: &'static str| {
            let missing = SettingsError::Missing { name, remedy: "make the profile anew with ringbench lab profile" };
            properties.get(name).filter(|value| !value.is_empty()).ok_or(missing)
        };
        let refuse = |name: &str, allowed: &str| {
            let value = properties.get(name).unwrap_or_default().to_owned();
            SettingsError::Value { name: name.to_owned(), value, allowed: allowed.to_owned() }
        };
        let bytes = |name: &'static str| {
            let bytes = text(name)?.parse().ok().filter(|bytes| *bytes <= MOST_BYTES);
            bytes.ok_or_else(|| refuse(name, "bytes from 0 to 1073741824 are allowed"))
        };
        Ok(HostProfile {
            kernel: text(KERNEL)?.to_owned(),
            filesystem: text(FILESYSTEM)?.to_owned(),
            write_backend: match text(BACKEND)? {
                "uring" => Backend::Uring,
                "syscall" => Backend::Syscall,
                _ => return Err(refuse(BACKEND, "uring and syscall are allowed")),
            },
            write_inline_max_bytes: bytes(INLINE)?,
            sendfile_min_bytes: bytes(SENDFILE)?,
        })
    }

    /// The text of the profile, with what was found and how above it.
    #[must_use]
    pub fn render(&self, findings: &[String]) -> String {
        let mut out = String::new();
        for finding in findings {
            for line in finding.lines() {
                let _ = writeln!(out, "# {line}");
            }
        }
        let backend = if self.write_backend == Backend::Syscall { "syscall" } else { "uring" };
        let _ = write!(
            out,
            "{KERNEL}={}\n{FILESYSTEM}={}\n{BACKEND}={backend}\n{INLINE}={}\n{SENDFILE}={}\n",
            self.kernel, self.filesystem, self.write_inline_max_bytes, self.sendfile_min_bytes
        );
        out
    }

    /// Whether it was made for a host with this kernel and filesystem.
    ///
    /// # Errors
    /// What differs, and what to do.
    pub fn check(&self, kernel: &str, filesystem: &str) -> Result<(), String> {
        for (what, made_for, found) in
            [("kernel", self.kernel.as_str(), kernel), ("filesystem", self.filesystem.as_str(), filesystem)]
        {
            if made_for != found {
                return Err(format!(
                    "it was made for {what} {made_for}, and this is {found}: make one here with ringbench lab profile, or leave io.profile out"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "host.kernel=6.1\nhost.filesystem=xfs\nwrite.backend=syscall\nwrite.inline.max.bytes=0\nsendfile.min.bytes=4096\n";

    #[test]
    fn what_is_wrong_with_a_profile_is_named() {
        let refused = |from: &str, to: &str| HostProfile::parse(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(HostProfile::parse(GOOD).is_ok());
        assert!(refused("=syscall", "=direct").contains("write.backend=direct: uring and syscall"));
        assert!(refused("=4096", "=-1").contains("sendfile.min.bytes=-1"));
        assert!(refused("=4096", "=99999999999").contains("bytes from 0"));
        assert!(refused("host.kernel=6.1", "").contains("host.kernel is missing"));
        assert!(refused("sendfile.", "sendfiel.").contains("sendfiel.min.bytes is no line"));
    }

    #[test]
    fn another_host_is_told_from_this_one() {
        let profile = HostProfile::parse(GOOD).unwrap();
        assert_eq!(profile.check("6.1", "xfs"), Ok(()));
        let other = profile.check("6.2", "xfs").unwrap_err();
        assert!(other.contains("kernel 6.1") && other.contains("this is 6.2"), "{other}");
    }
}
