//! Write-back of dirty pages, asked for before the kernel's own limits force it. sync_file_range(2).
//!
//! Nothing here makes anything durable: neither the file's size and extents nor the device's cache are flushed. It spreads what a
//! later fdatasync, or the writer that meets the dirty limits, would have to wait for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use crate::syscall::offset;

/// Starts to write the dirty pages of `length` bytes from `position` on (0: to the end of the file) to the device. Does not wait
/// for them, but for room in the device's queue.
pub fn start_write_back(file: impl AsFd, position: u64, length: u64) -> io::Result<()> {
    sync_file_range(file, position, length, libc::SYNC_FILE_RANGE_WRITE)
}

/// Writes the dirty pages of the range and waits until the device has taken them, also those whose write-back had begun before.
pub fn finish_write_back(file: impl AsFd, position: u64, length: u64) -> io::Result<()> {
    let wait = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_file_range(file, position, length, wait | libc::SYNC_FILE_RANGE_WRITE)
}

fn sync_file_range(file: impl AsFd, position: u64, length: u64, flags: libc::c_uint) -> io::Result<()> {
    let (position, length) = (offset(position)?, offset(length)?);
    loop {
        // SAFETY: the call takes no pointers, and the descriptor is borrowed, so open, for as long as it lasts.
        if unsafe { libc::sync_file_range(file.as_fd().as_raw_fd(), position, length, flags) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn write_back_takes_a_range_of_a_file_and_leaves_its_bytes_alone() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 8192], 0).unwrap();
        start_write_back(&file, 0, 4096).unwrap();
        finish_write_back(&file, 0, 0).unwrap();
        let mut back = [0; 8192];
        file.read_exact_at(&mut back, 0).unwrap();
        assert_eq!(back, [7; 8192]);
    }

    #[test]
    fn positions_beyond_the_kernels_and_descriptors_without_pages_are_errors() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(start_write_back(&file, u64::MAX, 1).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let (reader, _writer) = std::io::pipe().unwrap();
        assert_eq!(start_write_back(&reader, 0, 0).unwrap_err().raw_os_error(), Some(libc::ESPIPE));
    }
}
