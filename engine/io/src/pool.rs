//! Page-aligned buffers of one size under a byte bound, used again and again.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use memmap2::MmapMut;

/// Alignment of buffers, and what their size is a multiple of: enough for O_DIRECT on every device (STATX_DIOALIGN).
pub const ALIGNMENT_BYTES: usize = 4096;

/// A pool of aligned buffers; shared between threads by cloning. Buffers come back when they are dropped, or when the last
/// [`Bytes`] made from them is, so an operation in flight keeps its buffer out of the pool.
#[derive(Debug, Clone)]
pub struct Pool {
    shelf: Arc<Shelf>,
}

struct Shelf {
    buffer_bytes: usize,
    limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: Vec<MmapMut>,
    made: usize,
}

/// A buffer taken from a [`Pool`]. Fresh ones are zeros, others hold what their last user left.
#[derive(Debug)]
pub struct Buffer {
    /// Some until the buffer goes back.
    memory: Option<MmapMut>,
    shelf: Arc<Shelf>,
}

impl Pool {
    /// Buffers of `buffer_bytes` (rounded up to [`ALIGNMENT_BYTES`]), in all at most `limit_bytes`. Memory is taken when it is
    /// first needed and kept.
    pub fn new(buffer_bytes: usize, limit_bytes: usize) -> Pool {
        let buffer_bytes = buffer_bytes.max(1).next_multiple_of(ALIGNMENT_BYTES);
        Pool { shelf: Arc::new(Shelf { buffer_bytes, limit_bytes, state: Mutex::default() }) }
    }

    /// The size of every buffer.
    pub fn buffer_bytes(&self) -> usize {
        self.shelf.buffer_bytes
    }

    /// A buffer; `None` when the bound is reached, an error when the system has no memory.
    pub fn take(&self) -> io::Result<Option<Buffer>> {
        let mut state = self.shelf.state();
        let memory = match state.free.pop() {
            Some(memory) => memory,
            None if (state.made + 1) * self.shelf.buffer_bytes > self.shelf.limit_bytes => return Ok(None),
            None => {
                let memory = MmapMut::map_anon(self.shelf.buffer_bytes)?;
                state.made += 1;
                memory
            }
        };
        Ok(Some(Buffer { memory: Some(memory), shelf: self.shelf.clone() }))
    }
}

impl Buffer {
    /// The first `length` bytes (at most all), to be written or sent; the buffer goes back when the last of these is dropped.
    pub fn freeze(self, length: usize) -> Bytes {
        let length = length.min(self.len());
        Bytes::from_owner(self).slice(..length)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.as_deref_mut().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.shelf.state().free.extend(self.memory.take());
    }
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "{} of {} buffers of {} bytes free", state.free.len(), state.made, self.buffer_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_gives_no_more_than_its_bound_and_takes_buffers_back() {
        let pool = Pool::new(5000, 20_000);
        let mut first = pool.take().unwrap().unwrap();
        let second = pool.take().unwrap().unwrap();
        assert_eq!((first.len(), first.as_ptr() as usize % ALIGNMENT_BYTES), (8192, 0));
        assert!(pool.take().unwrap().is_none());
        first[..3].copy_from_slice(b"abc");
        let (bytes, address) = (first.freeze(3), second.as_ptr());
        let shared = bytes.clone();
        drop(bytes);
        assert_eq!(&shared[..], b"abc");
        assert!(pool.take().unwrap().is_none(), "somebody still holds the bytes");
        drop(second);
        assert_eq!(pool.take().unwrap().unwrap().as_ptr(), address);
        drop(shared);
        assert_eq!(&pool.take().unwrap().unwrap()[..3], b"abc");
    }
}
