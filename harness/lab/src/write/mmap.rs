//! The file mapped into memory: an append is a copy, msync makes it durable.

use std::fs::File;
use std::io;

use ringlog_io::MapMut;
use rustix::fs::{FallocateFlags, OFlags, fallocate};

use super::{Strategy, Target, Writer};
use crate::setting::WriteSetting;

/// How much is mapped at a time, and added to a file that is extended: a multiple of every size that is appended.
const WINDOW_BYTES: u64 = 16 << 20;

pub(crate) struct MmapMsync;

impl Strategy for MmapMsync {
    fn name(&self) -> &'static str {
        "mmap-msync"
    }

    fn about(&self) -> &'static str {
        "copied into a map of the file, 16 MiB at a time; msync(2) where durability is asked"
    }

    fn takes(&self, _setting: &WriteSetting) -> bool {
        true
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        let file = target.open(OFlags::empty())?;
        Ok(Box::new(Mapped { file, target, window: None, left: false }))
    }
}

struct Mapped {
    file: File,
    target: Target,
    /// The part of the file that is mapped.
    window: Option<Window>,
    /// A window was left whose bytes are not durable.
    left: bool,
}

struct Window {
    /// Where it begins in the file.
    start: u64,
    map: MapMut,
    /// What was copied into it, and how much of that is durable. Bytes from its start.
    filled: usize,
    synced: usize,
}

impl Window {
    fn sync(&mut self) -> io::Result<()> {
        self.map.flush_range(self.synced, self.filled - self.synced)?;
        self.synced = self.filled;
        Ok(())
    }
}

impl Mapped {
    /// The window that holds `position`.
    fn window(&mut self, position: u64, durable: bool) -> io::Result<&mut Window> {
        let start = position / WINDOW_BYTES * WINDOW_BYTES;
        match self.window.take() {
            Some(window) if window.start == start => return Ok(self.window.insert(window)),
            Some(mut left) if durable => left.sync()?,
            Some(_) => self.left = true,
            None => {}
        }
        let mut length = WINDOW_BYTES;
        if self.target.is_extended() {
            // A hole in a map ends the process when the disk is full: blocks first.
            fallocate(&self.file, FallocateFlags::empty(), start, length)?;
        } else {
            length = length.min(self.target.capacity_bytes - start);
        }
        let map = MapMut::of(&self.file, start, length as usize)?;
        Ok(self.window.insert(Window { start, map, filled: 0, synced: 0 }))
    }
}

impl Writer for Mapped {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        let size_bytes = self.target.size_bytes;
        for position in self.target.positions(position, count) {
            self.window(position, durable)?;
            let (Some(window), block) = (&mut self.window, self.target.block(position)) else { continue };
            window.map.copy_from_slice(window.filled, block)?;
            window.filled += size_bytes;
        }
        if durable { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.left) {
            return self.file.sync_data();
        }
        self.window.as_mut().map_or(Ok(()), Window::sync)
    }
}
