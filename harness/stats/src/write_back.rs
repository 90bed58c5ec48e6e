//! Dirty pages: how much was written that the disk does not have yet, and from where on the kernel does something about it.

use std::fs;

use serde::{Deserialize, Serialize};

const PROC_VM: &str = "/proc/sys/vm";

/// Dirty pages of the whole host at one moment. Bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WriteBack {
    /// Written and not yet on their way to the disk.
    pub dirty_bytes: u64,
    /// On their way.
    pub writing_bytes: u64,
}

impl WriteBack {
    /// `Dirty` and `Writeback` of /proc/meminfo; 0 where they can't be read.
    #[must_use]
    pub fn now() -> WriteBack {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let bytes = |name| field(&meminfo, name).unwrap_or(0) * 1024;
        WriteBack { dirty_bytes: bytes("Dirty:"), writing_bytes: bytes("Writeback:") }
    }

    /// Has the kernel write back all that is dirty, and waits for it (sync(2)). Who is measured after somebody fast would wait for the disk
    /// earlier than he, by what he left.
    pub fn settle() {
        nix::unistd::sync();
    }

    /// What the disk does not have yet.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.dirty_bytes + self.writing_bytes
    }
}

/// From how many dirty pages on the kernel writes them back, and from how many on it makes the writer wait. A cell that passes
/// these is another cell: on two processors 1.85 GB/s became 0.55.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyLimits {
    /// Bytes from which on the kernel writes back behind the writer's back. Both follow free memory: they hold at this moment.
    pub background_bytes: Option<u64>,
    /// Bytes from which on the writer waits (from half way between the two, in steps).
    pub throttle_bytes: Option<u64>,
    /// `vm.dirty_background_ratio`, percent of available memory; 0 where it is set in bytes.
    pub background_ratio: Option<u64>,
    /// `vm.dirty_ratio`, percent of available memory; 0 where it is set in bytes.
    pub ratio: Option<u64>,
    /// `vm.dirty_expire_centisecs`: older pages are written back in any case. Milliseconds.
    pub expire_ms: Option<u64>,
    /// `vm.dirty_writeback_centisecs`: how often the kernel looks. Milliseconds; 0 is never.
    pub look_every_ms: Option<u64>,
}

impl DirtyLimits {
    /// Those of this host; a cgroup with a memory limit has lower ones of its own.
    #[must_use]
    pub fn here() -> DirtyLimits {
        let vmstat = fs::read_to_string("/proc/vmstat").unwrap_or_default();
        let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        let bytes = |name| Some(field(&vmstat, name)? * u64::try_from(page_bytes?).ok()?);
        let setting = |name| fs::read_to_string(format!("{PROC_VM}/{name}")).ok()?.trim().parse::<u64>().ok();
        DirtyLimits {
            background_bytes: bytes("nr_dirty_background_threshold"),
            throttle_bytes: bytes("nr_dirty_threshold"),
            background_ratio: setting("dirty_background_ratio"),
            ratio: setting("dirty_ratio"),
            expire_ms: setting("dirty_expire_centisecs").map(|centiseconds| centiseconds * 10),
            look_every_ms: setting("dirty_writeback_centisecs").map(|centiseconds| centiseconds * 10),
        }
    }
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "WritebackTmp: 7 kB\nWriteback:  12 kB\nbroken\nDirty: x kB\n";
        assert_eq!((field(text, "Writeback:"), field(text, "Dirty:"), field(text, "Gone:")), (Some(12), None, None));
    }

    #[test]
    fn the_writer_waits_later_than_the_kernel_begins_to_write() {
        let limits = DirtyLimits::here();
        assert!(limits.background_bytes.unwrap() < limits.throttle_bytes.unwrap(), "{limits:?}");
        assert!(limits.ratio.is_some() && limits.expire_ms.is_some(), "{limits:?}");
    }
}
