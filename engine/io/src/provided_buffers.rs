//! Buffers that a ring's receives choose from when bytes arrive, instead of holding one each while they wait.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use memmap2::{MmapMut, MmapRaw};

/// The group of the only ring of buffers that is registered.
pub(crate) const GROUP: u16 = 0;

/// A ring of entries shared with the kernel, which takes at the head what was put at the tail, and the memory that they point to.
/// Must outlive the io_uring that it is registered with.
pub(crate) struct ProvidedBuffers {
    entries: MmapRaw,
    memory: MmapRaw,
    count: u16,
    buffer_bytes: u32,
    tail: u16,
}

impl ProvidedBuffers {
    /// `count` buffers, a power of two up to 32,768, all of them the kernel's.
    pub(crate) fn register(uring: &IoUring, count: u16, buffer_bytes: u32) -> io::Result<ProvidedBuffers> {
        let buffer_bytes = buffer_bytes.max(1);
        let entries = MmapRaw::from(MmapMut::map_anon(usize::from(count) * size_of::<BufRingEntry>())?);
        let memory = MmapRaw::from(MmapMut::map_anon(usize::from(count) * buffer_bytes as usize)?);
        let mut buffers = ProvidedBuffers { entries, memory, count, buffer_bytes, tail: 0 };
        // SAFETY: the map is page-aligned, has room for `count` entries of zeros, and lives as long as the ring (the caller keeps
        // both and drops the ring first).
        unsafe {
            uring.submitter().register_buf_ring_with_flags(buffers.entries.as_ptr() as u64, count, GROUP, 0)?;
        }
        (0..count).for_each(|number| buffers.provide(number));
        Ok(buffers)
    }

    /// Gives buffer `number` (below the count) to the kernel; it must not be there already.
    pub(crate) fn provide(&mut self, number: u16) {
        let base = self.entries.as_mut_ptr().cast::<BufRingEntry>();
        let address = self.memory.as_ptr() as u64 + u64::from(number) * u64::from(self.buffer_bytes);
        // SAFETY: the masked index lies within the map, which is aligned for entries and full of initialised ones. The kernel reads
        // this entry only after the tail has passed it; the tail itself, in the first entry's spare field, is written by
        // nobody else, and only while no reference to that entry exists.
        unsafe {
            let entry = &mut *base.add(usize::from(self.tail & (self.count - 1)));
            entry.set_addr(address);
            entry.set_len(self.buffer_bytes);
            entry.set_bid(number);
            self.tail = self.tail.wrapping_add(1);
            AtomicU16::from_ptr(BufRingEntry::tail(base).cast_mut()).store(self.tail, Ordering::Release);
        }
    }

    /// The first `length` bytes of a buffer that the kernel has filled and given back; `None` where there is no such range.
    pub(crate) fn filled(&self, number: u16, length: usize) -> Option<&[u8]> {
        if number >= self.count || length > self.buffer_bytes as usize {
            return None;
        }
        // SAFETY: the range lies within the map, whose bytes are initialised. The kernel writes to no buffer that it has given back,
        // and `provide`, which would let it, needs `&mut self`.
        Some(unsafe {
            let first = self.memory.as_ptr().add(usize::from(number) * self.buffer_bytes as usize);
            std::slice::from_raw_parts(first, length)
        })
    }
}
