//! Files in memory: a closed one to be read, a range of one to be written.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd};

use memmap2::{Mmap, MmapOptions, MmapRaw};
use nix::sys::stat::fstat;

use crate::file::File;

/// The bytes of a file that nobody changes any more. Derefs to `[u8]`; cold pages block the thread that touches them.
///
/// The caller's promise: the file is never truncated or written while the map lives. A read beyond a truncation ends the
/// process with SIGBUS.
#[derive(Debug)]
pub struct Map {
    inner: Mmap,
}

impl Map {
    /// Maps the whole file as it is long at this moment.
    pub fn of(file: &File) -> io::Result<Map> {
        // SAFETY: the map is read-only and private to this value; only closed, immutable files are mapped (see the type's
        // promise), so the bytes behind the slice do not change.
        let inner = unsafe { Mmap::map(file.std())? };
        Ok(Map { inner })
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.inner
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A range of a file as memory to write into. What was copied in is in the page cache, and so seen by every later read of the
/// file; on the device after [`MapMut::flush_range`].
///
/// The caller's promise: until the map is dropped, this process alone writes to the range, by this map alone, and nobody truncates
/// the file. Touching a page beyond a truncation ends the process with SIGBUS; so does a hole for which the disk has no room, so
/// allocate the blocks first. No reference into the map is ever handed out: whoever breaks the promise mixes up bytes, not memory.
#[derive(Debug)]
pub struct MapMut {
    inner: MmapRaw,
}

impl MapMut {
    /// Maps `length` bytes (at least 1) from `position` on, which must lie within the file; it must be open to read and write.
    pub fn of(file: impl AsFd, position: u64, length: usize) -> io::Result<MapMut> {
        let descriptor = file.as_fd();
        let size = u64::try_from(fstat(descriptor)?.st_size).unwrap_or_default();
        if length == 0 || position.checked_add(length as u64).is_none_or(|end| end > size) {
            return Err(outside(position, length, size));
        }
        let inner = MmapOptions::new().offset(position).len(length).map_raw(descriptor.as_raw_fd())?;
        Ok(MapMut { inner })
    }

    /// Copies `bytes` to `position` in the map; `InvalidInput` when they do not fit. The first touch of a page costs a fault.
    pub fn copy_from_slice(&mut self, position: usize, bytes: &[u8]) -> io::Result<()> {
        self.check(position, bytes.len())?;
        // SAFETY: the target lies within the map (checked above), which stays mapped while `self` lives. No reference to it exists
        // anywhere, and `bytes`, being borrowed from elsewhere, can't overlap it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.inner.as_mut_ptr().add(position), bytes.len()) };
        Ok(())
    }

    /// msync(MS_SYNC) of the pages that hold the range: on return its bytes are on the device, and so is what is needed to read
    /// them, as after fdatasync. Blocks the calling thread.
    pub fn flush_range(&self, position: usize, length: usize) -> io::Result<()> {
        self.check(position, length)?;
        self.inner.flush_range(position, length)
    }

    fn check(&self, position: usize, length: usize) -> io::Result<()> {
        match position.checked_add(length) {
            Some(end) if end <= self.inner.len() => Ok(()),
            _ => Err(outside(position as u64, length, self.inner.len() as u64)),
        }
    }
}

fn outside(position: u64, length: usize, size: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{length} bytes at {position} of {size} bytes can't be mapped"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn what_is_copied_into_a_map_is_read_from_the_file_wherever_the_map_begins() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10_000).unwrap();
        for position in [0, 4096, 5000] {
            let mut map = MapMut::of(&file, position, 5000).unwrap();
            map.copy_from_slice(4998, b"ab").unwrap();
            map.flush_range(4998, 2).unwrap();
            map.flush_range(0, 5000).unwrap();
            let mut back = [0; 2];
            file.read_exact_at(&mut back, position + 4998).unwrap();
            assert_eq!(&back, b"ab");
        }
    }

    #[test]
    fn nothing_is_mapped_copied_or_flushed_out_of_bounds() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        for (position, length) in [(0, 0), (0, 101), (100, 1), (u64::MAX, 2)] {
            assert_eq!(MapMut::of(&file, position, length).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        let mut map = MapMut::of(&file, 0, 100).unwrap();
        assert_eq!(map.copy_from_slice(99, b"ab").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(map.copy_from_slice(usize::MAX, b"ab").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(map.flush_range(1, 100).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        map.copy_from_slice(100, b"").unwrap();
    }
}
