//! The machine that measured: without it a figure means nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// What a result says of its host.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
        Host {
            cpu: field("model name").or_else(|| field("CPU implementer")).unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            governor: trimmed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            memory_mib: memory_kib().unwrap_or(0) / 1024,
            kernel: trimmed("/proc/sys/kernel/osrelease"),
            mount: mount_of(data).unwrap_or_else(unknown),
            load_average: read("/proc/loadavg").split_whitespace().next().map_or_else(unknown, str::to_owned),
            virtual_machine: field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            commit: commit().unwrap_or_else(unknown),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn trimmed(path: &str) -> String {
    Some(read(path).trim().to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(unknown)
}

fn memory_kib() -> Option<u64> {
    let meminfo = read("/proc/meminfo");
    meminfo.lines().find(|line| line.starts_with("MemTotal:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// The mount whose directory is the longest beginning of the path.
fn mount_of(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = read("/proc/self/mounts");
    let mounts =
        mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|fields| fields.len() > 3);
    let holding = mounts.filter(|fields| path.starts_with(fields[1]));
    let mount = holding.max_by_key(|fields| fields[1].len())?;
    Some(format!("{} {} {}", mount[0], mount[2], mount[3]))
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
}
