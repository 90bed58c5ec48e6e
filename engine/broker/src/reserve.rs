//! The reserve: space on the disk that is given up when producers have filled the rest, so that what makes room again (deleting a
//! topic, retention, a group's commits) still finds some. While it is gone, producing is refused before anything is written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::statvfs::statvfs;
use ringlog_io::{Allocation, Disk, Mode};
use tracing::{error, info, warn};

/// Of the file in the data directory; Kafka looks at directories there only.
const FILE: &str = ".ringlog_reserve";
/// Enough for the metadata log, checkpoints and offsets while somebody makes room.
const RESERVE_BYTES: u64 = 4 << 20;
/// With less than this free, what must go on may already be stuck.
const LEAST_BYTES: u64 = 64 << 10;

/// Whether the disk is full, and what is set aside for that case.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    is_given_up: AtomicBool,
}

impl Reserve {
    /// Of the data directory, given up: what starting a broker writes may need it.
    pub(crate) fn given_up(disk: &Disk, directory: &Path) -> Reserve {
        let reserve = Reserve { path: directory.join(FILE), is_given_up: AtomicBool::new(true) };
        reserve.remove(disk);
        reserve
    }

    /// Why nothing may be produced; `None` as long as there is room.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.is_given_up.load(Ordering::Relaxed).then(|| {
            let directory = self.path.parent().unwrap_or(&self.path).display();
            format!("the disk of {directory} is full: delete topics or records, or lower retention.bytes; producing resumes unaided")
        })
    }

    /// Somebody has met the full disk.
    pub(crate) fn give_up(&self, disk: &Disk) {
        if self.is_given_up.swap(true, Ordering::Relaxed) {
            return;
        }
        error!(path = %self.path.display(), "the disk is full: producing is refused until there is room, reads go on");
        self.remove(disk);
    }

    /// To be done every so often: a disk without a block left is found out about whoever filled it, and producing is allowed
    /// again when there is room.
    pub(crate) async fn look(&self, disk: &Disk) {
        if self.is_given_up.load(Ordering::Relaxed) {
            if self.restore(disk).await {
                info!("the disk has room: producing is allowed again");
            }
        } else if self.free_bytes().is_ok_and(|free_bytes| free_bytes < LEAST_BYTES) {
            self.give_up(disk);
        }
    }

    /// Sets a reserve aside that was given up, where as much again stays free: producing is allowed from then on.
    pub(crate) async fn restore(&self, disk: &Disk) -> bool {
        let is_restored = self.is_set_aside(disk).await;
        self.is_given_up.store(!is_restored, Ordering::Relaxed);
        is_restored
    }

    /// Tries to; no room is the one reason to refuse producers.
    async fn is_set_aside(&self, disk: &Disk) -> bool {
        match self.set_aside(disk).await {
            Ok(()) => true,
            Err(error) if is_full(&error) => {
                self.remove(disk);
                false
            }
            Err(error) => {
                warn!(path = %self.path.display(), %error, "no reserve can be set aside for a full disk");
                true
            }
        }
    }

    fn remove(&self, disk: &Disk) {
        match disk.remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(path = %self.path.display(), %error, "the reserve could not be given up");
            }
            _ => {}
        }
    }

    async fn set_aside(&self, disk: &Disk) -> io::Result<()> {
        let file = disk.open_file(&self.path, Mode::Create)?;
        match disk.allocate(&file, 0, RESERVE_BYTES, Allocation::Extend).await {
            // A filesystem that reserves nothing: what is free alone tells whether it is full.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            outcome => outcome?,
        }
        let is_roomy = self.free_bytes()? >= RESERVE_BYTES;
        is_roomy.then_some(()).ok_or_else(|| io::ErrorKind::StorageFull.into())
    }

    /// A file system without a size (tmpfs without a limit, some over a network) says 0 of everything: it has room until a write
    /// fails.
    fn free_bytes(&self) -> io::Result<u64> {
        let space = statvfs(self.path.parent().unwrap_or(&self.path))?;
        let is_sized = space.blocks() > 0;
        Ok(if is_sized { space.blocks_available().saturating_mul(space.fragment_size()) } else { u64::MAX })
    }
}

/// Whether that is what the operating system said.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
