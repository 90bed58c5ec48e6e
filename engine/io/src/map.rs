//! A read-only memory map of a closed file.

use std::io;
use std::ops::Deref;

use crate::file::File;

/// The bytes of a file that nobody changes any more. Derefs to `[u8]`; cold pages block the thread that touches them.
///
/// The caller's promise: the file is never truncated or written while the map lives. A read beyond a truncation ends the
/// process with SIGBUS.
#[derive(Debug)]
pub struct Map {
    inner: memmap2::Mmap,
}

impl Map {
    /// Maps the whole file as it is long at this moment.
    pub fn of(file: &File) -> io::Result<Map> {
        // SAFETY: the map is read-only and private to this value; only closed, immutable files are mapped (see the type's
        // promise), so the bytes behind the slice do not change.
        let inner = unsafe { memmap2::Mmap::map(file.std())? };
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
