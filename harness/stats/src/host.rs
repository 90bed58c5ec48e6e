//! The machine that measured: without it a figure means nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

/// What a result says of its host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Frequency governor; `unknown` in many virtual machines.
    pub governor: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Kernel release.
    pub kernel: String,
    /// Mount that holds the data: device, type and options.
    pub mount: String,
    /// Its file system.
    pub filesystem: String,
    /// The block device below it; `none` of a file system without one (tmpfs, overlay, network).
    pub device: String,
    /// The device's I/O scheduler.
    pub scheduler: String,
    /// The device's cache, as the kernel sees it: `write back` is flushed by every fsync, `write through` has nothing to flush.
    pub write_cache: String,
    /// Load average of the minute before: what else ran.
    pub load_average: String,
    /// Whether the kernel says that it runs under a hypervisor.
    pub virtual_machine: bool,
    /// Commit of the repository that this program was built in, where it still lies there.
    pub commit: String,
}

impl Host {
    /// Looks at this machine; `data` is where the broker will write.
    #[must_use]
    pub fn here(data: &Path) -> Host {
        let cpuinfo = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let mount = Mount::holding(data);
        let device = mount.as_ref().and_then(|mount| block_device(data, mount));
        let queue =
            |setting: &str| device.as_ref().map_or_else(unknown, |device| trimmed(device.join("queue").join(setting)));
        Host {
            cpu: field("model name").or_else(|| field("CPU implementer")).unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            governor: trimmed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            memory_mib: memory_bytes().unwrap_or(0) >> 20,
            kernel: trimmed("/proc/sys/kernel/osrelease"),
            mount: mount.as_ref().map_or_else(unknown, |mount| mount.line.clone()),
            filesystem: mount.as_ref().map_or_else(unknown, |mount| mount.filesystem.clone()),
            device: device
                .as_deref()
                .and_then(Path::file_name)
                .map_or("none".into(), |name| name.display().to_string()),
            scheduler: chosen(&queue("scheduler")),
            write_cache: queue("write_cache"),
            load_average: read("/proc/loadavg").split_whitespace().next().map_or_else(unknown, str::to_owned),
            virtual_machine: field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            commit: commit().unwrap_or_else(unknown),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn trimmed(path: impl AsRef<Path>) -> String {
    Some(read(path).trim().to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(unknown)
}

/// Memory of this host (`MemTotal` of /proc/meminfo); `None` where the kernel does not say.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    let meminfo = read("/proc/meminfo");
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// A mount that holds a path.
struct Mount {
    /// Device, type and options.
    line: String,
    source: PathBuf,
    filesystem: String,
}

impl Mount {
    /// The one whose directory is the longest beginning of the path; of several on one directory, the last.
    fn holding(path: &Path) -> Option<Mount> {
        let path = path.canonicalize().ok()?;
        let mounts = read("/proc/self/mounts");
        let mounts =
            mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|fields| fields.len() > 3);
        let holding = mounts.filter(|fields| path.starts_with(unescaped(fields[1])));
        let mount = holding.max_by_key(|fields| fields[1].len())?;
        Some(Mount {
            line: format!("{} {} {}", mount[0], mount[2], mount[3]),
            source: unescaped(mount[0]).into(),
            filesystem: mount[2].to_owned(),
        })
    }
}

/// Mount tables write blanks in octal (fstab(5)).
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (code, blank)| field.replace(code, blank))
}

/// The whole disk below a path, in /sys: that of the path's device number or, where the file system has one of its own (btrfs), of
/// the device that is mounted.
fn block_device(path: &Path, mount: &Mount) -> Option<PathBuf> {
    let in_sys = |number: u64| {
        let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
        let device = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        // A partition lies within its disk.
        let disk = if device.join("partition").exists() { device.parent()?.to_owned() } else { device };
        Some(disk)
    };
    let of_path = || in_sys(fs::metadata(path).ok()?.dev());
    of_path().or_else(|| in_sys(fs::metadata(&mount.source).ok()?.rdev()))
}

/// `mq-deadline` of `none [mq-deadline] kyber`.
fn chosen(schedulers: &str) -> String {
    let chosen = schedulers.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    chosen.map_or(schedulers, |(chosen, _)| chosen).to_owned()
}

fn commit() -> Option<String> {
    // Of the repository that this program was built in, wherever it is run.
    let program = std::env::current_exe().ok()?;
    let mut git = Command::new("git");
    git.current_dir(program.parent()?).args(["describe", "--always", "--dirty", "--abbrev=12"]);
    let git = git.output().ok()?;
    let commit = String::from_utf8(git.stdout).ok()?;
    Some(commit.trim().to_owned()).filter(|commit| git.status.success() && !commit.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_memory_and_a_mount() {
        let host = Host::here(&std::env::temp_dir());
        assert!(
            host.cpus > 0 && host.memory_mib > 0 && host.kernel != "unknown" && host.mount != "unknown",
            "{host:?}"
        );
    }

    #[test]
    fn a_file_system_without_a_disk_says_so_and_one_on_a_disk_names_its_scheduler() {
        let proc = Host::here(Path::new("/proc"));
        assert_eq!((proc.filesystem.as_str(), proc.device.as_str()), ("proc", "none"));
        assert_eq!((proc.scheduler.as_str(), proc.write_cache.as_str()), ("unknown", "unknown"));
        let here = Host::here(Path::new("."));
        assert!(here.device == "none" || !here.scheduler.contains('['), "{here:?}");
    }

    #[test]
    fn the_scheduler_in_brackets_is_the_chosen_one() {
        assert_eq!(chosen("none [mq-deadline] kyber"), "mq-deadline");
        assert_eq!(chosen("none"), "none");
    }

    #[test]
    fn a_mount_with_a_blank_in_its_name_is_read() {
        assert_eq!(unescaped("/mnt/a\\040b\\134040"), "/mnt/a b\\040");
    }
}
