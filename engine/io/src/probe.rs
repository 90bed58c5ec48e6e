//! Which backend this machine and directory can have: decided once at start, with the reason and the remedy.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode, squeue};

use crate::disk::{Backend, Disk};
use crate::file::at_path;
use crate::limits::locked_memory_bytes;
use crate::ring::{RingLimits, missing_opcodes, set_up};

/// What the operator asked for (`io.backend`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// io_uring where it works, system calls otherwise.
    Auto,
    /// io_uring or an error.
    Uring,
    /// System calls.
    Syscall,
}

/// The backend to use and why; sent to every thread, which opens its own [`Disk`] by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Never `Faulty`.
    pub backend: Backend,
    /// Why this one, for the log.
    pub reason: String,
    /// Of each thread's ring.
    pub limits: RingLimits,
    /// What to change to get io_uring, when it was tried and can't be had.
    pub remedy: Option<String>,
}

/// Finds the backend for an existing data directory: sets up a ring, asks for its opcodes, and takes one page through write,
/// fdatasync and read in the directory. `Auto` falls back to system calls and says why; `Uring` fails instead. Blocks for one
/// fdatasync.
pub fn probe(directory: impl AsRef<Path>, wanted: Wanted) -> io::Result<Choice> {
    let choice = |backend, reason: &str, remedy| Choice {
        backend,
        reason: reason.to_owned(),
        limits: RingLimits::default(),
        remedy,
    };
    if wanted == Wanted::Syscall {
        return Ok(choice(Backend::Syscall, "io.backend=syscall", None));
    }
    match try_ring(directory.as_ref()) {
        Ok(()) => Ok(choice(Backend::Uring, "io_uring took a page through write, fdatasync and read", None)),
        Err(Refused::Directory(error)) => Err(error),
        Err(Refused::Ring(error)) => {
            let remedy = remedy(&error);
            if wanted == Wanted::Uring {
                return Err(io::Error::new(error.kind(), format!("io.backend=uring: {error}. {remedy}")));
            }
            Ok(choice(Backend::Syscall, &format!("io_uring can't be used: {error}"), Some(remedy)))
        }
    }
}

impl Disk {
    /// The calling thread's own handle on the chosen backend. Call it within the thread's current-thread tokio runtime.
    pub fn open(choice: &Choice) -> io::Result<Disk> {
        match choice.backend {
            Backend::Syscall => Ok(Disk::syscall()),
            Backend::Uring => Disk::uring(choice.limits),
            Backend::Faulty => Err(io::Error::new(io::ErrorKind::Unsupported, "a faulty disk is opened by its faults")),
        }
    }
}

/// Whose fault it is that the probe failed.
enum Refused {
    /// Not even a plain file can be made: no backend will do.
    Directory(io::Error),
    Ring(io::Error),
}

fn try_ring(directory: &Path) -> Result<(), Refused> {
    let path = directory.join(format!(".ringlog-probe-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let file = file.map_err(|error| Refused::Directory(at_path(error, "open", &path)))?;
    let removed = std::fs::remove_file(&path).map_err(|error| Refused::Directory(at_path(error, "remove", &path)));
    removed.and_then(|()| round_trip(&file).map_err(Refused::Ring))
}

fn round_trip(file: &File) -> io::Result<()> {
    const PAGE: [u8; 4096] = [0xA5; 4096];
    let mut uring = set_up(RingLimits { operations: 4, workers: 1, ..RingLimits::default() })?;
    let missing = missing_opcodes(&uring)?;
    if !missing.is_empty() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("the kernel lacks {}", missing.join(", "))));
    }
    let fd = Fd(file.as_raw_fd());
    let vector = libc::iovec { iov_base: PAGE.as_ptr().cast_mut().cast(), iov_len: PAGE.len() };
    let written = wait_for(&mut uring, opcode::Writev::new(fd, &raw const vector, 1).build())?;
    wait_for(&mut uring, opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build())?;
    let mut back = [0; PAGE.len()];
    let read = wait_for(&mut uring, opcode::Read::new(fd, back.as_mut_ptr(), back.len() as u32).build())?;
    let mut plain = [0; PAGE.len()];
    file.read_exact_at(&mut plain, 0)?;
    if written as usize == PAGE.len() && read as usize == PAGE.len() && back == PAGE && plain == PAGE {
        return Ok(());
    }
    Err(io::Error::other(format!("wrote {written} and read {read} of {} bytes, or other ones", PAGE.len())))
}

/// Runs one operation whose buffers live in the caller's frame.
pub(crate) fn wait_for(uring: &mut IoUring, entry: squeue::Entry) -> io::Result<i32> {
    // SAFETY: what the entry points to lives in the caller's frame, and this function comes back only with the completion (it
    // ends the process rather than leave the kernel with pointers into a frame that is gone).
    if unsafe { uring.submission().push(&entry) }.is_err() {
        return Err(io::Error::other("the submission queue of a fresh ring is full"));
    }
    let result = loop {
        match uring.submit_and_wait(1) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {
                // Refused before it was taken (a seccomp profile that lets set-up through): the kernel holds nothing.
                if !uring.submission().is_empty() {
                    return Err(error);
                }
                std::process::abort();
            }
            _ => {}
        }
        if let Some(completion) = uring.completion().next() {
            break completion.result();
        }
    };
    if result < 0 { Err(io::Error::from_raw_os_error(result.wrapping_neg())) } else { Ok(result) }
}

/// What an operator can change, by the error number that the kernel gave.
pub(crate) fn remedy(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => match disabled() {
            Some(level @ (1 | 2)) => format!(
                "kernel.io_uring_disabled is {level}: `sysctl -w kernel.io_uring_disabled=0`{}",
                if level == 1 { ", or add the user to the group in kernel.io_uring_group" } else { "" }
            ),
            _ => "A seccomp profile refuses it (Docker's and containerd's defaults do): run with a profile that allows \
                  io_uring_setup, io_uring_enter and io_uring_register"
                .to_owned(),
        },
        Some(libc::ENOSYS) => {
            "The kernel has no io_uring (Linux 5.6 or later, CONFIG_IO_URING=y), or a seccomp profile hides it: use a later \
             kernel, or a profile that allows io_uring_setup, io_uring_enter and io_uring_register"
                .to_owned()
        }
        Some(libc::ENOMEM) => format!(
            "The ring's memory can't be locked: raise RLIMIT_MEMLOCK (it is {}; `ulimit -l`, LimitMEMLOCK= in a systemd \
             unit) or the cgroup's memory limit",
            locked_memory_bytes().map_or_else(|_| "unknown".to_owned(), |bytes| format!("{bytes} bytes"))
        ),
        _ => "Set io.backend=syscall to use plain system calls without this message".to_owned(),
    }
}

fn disabled() -> Option<u8> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_what_the_operator_can_change() {
        let remedy = |number| remedy(&io::Error::from_raw_os_error(number));
        assert!(remedy(libc::ENOSYS).contains("CONFIG_IO_URING"));
        assert!(remedy(libc::ENOMEM).contains("RLIMIT_MEMLOCK"));
        let refused = remedy(libc::EPERM);
        assert!(refused.contains("seccomp") || refused.contains("io_uring_disabled"), "{refused}");
    }

    #[test]
    fn system_calls_are_had_when_wanted_and_a_missing_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(probe(dir.path(), Wanted::Syscall).unwrap().backend, Backend::Syscall);
        assert_eq!(probe(dir.path().join("none"), Wanted::Auto).unwrap_err().kind(), io::ErrorKind::NotFound);
        let automatic = probe(dir.path(), Wanted::Auto).unwrap();
        assert_eq!(automatic.backend == Backend::Syscall, automatic.remedy.is_some(), "{automatic:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the probe leaves nothing behind");
    }

    /// In a thread for which the kernel refuses io_uring_setup like a container's seccomp profile does.
    pub(crate) fn where_rings_are_refused<T: Send + 'static>(
        errno: i32,
        test: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
        let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        std::thread::spawn(move || {
            nix::sys::prctl::set_no_new_privs().unwrap();
            let mut filter = [
                step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
                step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, libc::SYS_io_uring_setup as u32),
                step(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | errno as u32),
                step(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW),
            ];
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
            // SAFETY: the program and its steps live across the call; it concerns this thread only.
            let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
            assert_eq!(set, 0, "{}", io::Error::last_os_error());
            test()
        })
        .join()
        .unwrap()
    }

    #[test]
    fn where_io_uring_is_refused_system_calls_serve_and_the_remedy_is_told() {
        for errno in [libc::EPERM, libc::ENOSYS, libc::ENOMEM] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().to_owned();
            let (automatic, insisted) =
                where_rings_are_refused(errno, move || (probe(&path, Wanted::Auto), probe(&path, Wanted::Uring)));
            let automatic = automatic.unwrap();
            assert_eq!(automatic.backend, Backend::Syscall);
            let expected = remedy(&io::Error::from_raw_os_error(errno));
            assert_eq!(automatic.remedy.as_ref(), Some(&expected));
            assert!(insisted.unwrap_err().to_string().contains(&expected));
        }
    }
}
