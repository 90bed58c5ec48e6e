//! Appends as operations of an io_uring: those that are queued are submitted by one call and awaited together.

mod buffered;
mod coop;
mod defer;
mod direct;
mod fixed;
mod linked;
mod sqpoll;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use ringlog_io::{BareRing, Descriptor, Operation, RingSetup};
use rustix::fs::OFlags;

pub(crate) use self::buffered::BUFFERED;
pub(crate) use self::coop::COOP;
pub(crate) use self::defer::DEFER;
pub(crate) use self::direct::DIRECT;
pub(crate) use self::fixed::FIXED;
pub(crate) use self::linked::LINKED;
pub(crate) use self::sqpoll::SQPOLL;
use super::direct::{is_aligned, no_direct};
use super::{Source, Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

/// Operations that a ring takes at once: all that wait in an open loop, and the sync behind them.
const ENTRIES: u32 = 128;

/// A way to set up a ring and to write through it.
pub(crate) struct Ring {
    name: &'static str,
    about: &'static str,
    setup: RingSetup,
    /// O_DIRECT.
    direct: bool,
    /// The file and the memory are registered once, instead of being looked up for each operation.
    registered: bool,
    /// The sync is linked behind the appends, instead of being submitted when they are done.
    linked: bool,
}

impl Ring {
    /// What the others depart from.
    const PLAIN: Ring =
        Ring { name: "", about: "", setup: RingSetup::Default, direct: false, registered: false, linked: false };
}

impl Strategy for Ring {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        let syncs = matches!(setting.sync, SyncPolicy::Every | SyncPolicy::Group);
        // Each ring's thread in the kernel spins: with many writers they would measure each other.
        let has_poller = matches!(self.setup, RingSetup::Sqpoll { .. });
        (!self.linked || syncs) && (!self.direct || is_aligned(setting)) && (!has_poller || setting.writers == 1)
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        let file = target.open(if self.direct { OFlags::DIRECT } else { OFlags::empty() })?;
        let mut ring = BareRing::new(self.setup, ENTRIES)?;
        let size_bytes = target.size_bytes as u64;
        let memory = if self.registered {
            ring.register_files(&[file.as_fd()])?;
            let memory = target.source.into_memory();
            let bytes = memory.len();
            ring.register_buffers(vec![memory])?;
            Memory::Registered { bytes }
        } else {
            Memory::Borrowed(target.source)
        };
        Ok(Box::new(Submitter { ring, file, memory, size_bytes, linked: self.linked, results: Vec::new() }))
    }

    fn remedy(&self, error: &io::Error) -> Option<String> {
        if self.direct { no_direct(error) } else { None }
    }
}

struct Submitter {
    ring: BareRing,
    file: File,
    memory: Memory,
    size_bytes: u64,
    linked: bool,
    /// Of the operations that were submitted last; room that is used again.
    results: Vec<io::Result<usize>>,
}

/// Where the source's bytes are.
enum Memory {
    Borrowed(Source),
    /// In the ring's only buffer; its only file is the writer's.
    Registered {
        bytes: usize,
    },
}

impl Memory {
    fn descriptor<'a>(&self, file: &'a File) -> Descriptor<'a> {
        match self {
            Memory::Borrowed(_) => file.into(),
            Memory::Registered { .. } => Descriptor::Registered(0),
        }
    }

    /// Writes what belongs at these positions of the file.
    fn write<'a>(&'a self, file: &'a File, positions: &Range<u64>, linked: bool) -> Operation<'a> {
        let (file, position) = (self.descriptor(file), positions.start);
        let length = (positions.end - position) as usize;
        match self {
            Memory::Borrowed(source) => {
                Operation::Write { file, bytes: source.block(position, length), position, linked }
            }
            &Memory::Registered { bytes } => {
                let range = Source::place(bytes, position, length);
                Operation::WriteFixed { file, buffer: 0, range, position, linked }
            }
        }
    }
}

impl Writer for Submitter {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        let size_bytes = self.size_bytes;
        let linked = durable && self.linked;
        let mut left: Vec<Range<u64>> =
            (0..count as u64).map(|n| position + n * size_bytes).map(|start| start..start + size_bytes).collect();
        while !left.is_empty() {
            let Submitter { ring, file, memory, results, .. } = self;
            let mut operations: Vec<_> = left.iter().map(|positions| memory.write(file, positions, linked)).collect();
            if linked {
                operations.push(Operation::Fdatasync { file: memory.descriptor(file), linked: false });
            }
            ring.run(&mut operations, results)?;
            left = still_left(left, results)?;
        }
        match (linked, durable) {
            (true, _) => self.results.pop().unwrap_or(Ok(0)).map(drop),
            (false, true) => self.sync(),
            (false, false) => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let Submitter { ring, file, memory, results, .. } = self;
        ring.run(&mut [Operation::Fdatasync { file: memory.descriptor(file), linked: false }], results)?;
        results.pop().unwrap_or(Ok(0)).map(drop)
    }
}

/// What was not written: the rests of short writes, and what was linked behind them. A short write is no error of the strategy.
fn still_left(asked: Vec<Range<u64>>, results: &mut [io::Result<usize>]) -> io::Result<Vec<Range<u64>>> {
    const ECANCELED: i32 = rustix::io::Errno::CANCELED.raw_os_error();
    let mut left = Vec::new();
    for (positions, result) in asked.into_iter().zip(results) {
        let written = match std::mem::replace(result, Ok(0)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written as u64,
            // What canceled it stands before it, and was seen.
            Err(error) if error.raw_os_error() == Some(ECANCELED) => 0,
            Err(error) => return Err(error),
        };
        let rest = positions.start + written..positions.end;
        left.extend((!rest.is_empty()).then_some(rest));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_short_write_and_what_it_canceled_are_left() {
        let canceled = || Err(io::Error::from(rustix::io::Errno::CANCELED));
        let asked = vec![0..10, 10..20, 20..30];
        let left = still_left(asked.clone(), &mut [Ok(10), Ok(4), canceled(), canceled()]).unwrap();
        assert_eq!(left, [14..20, 20..30]);
        assert!(still_left(asked.clone(), &mut [Ok(10), Ok(10), Ok(10), canceled()]).unwrap().is_empty());
        let full = io::Error::from(rustix::io::Errno::NOSPC);
        let failed = still_left(asked.clone(), &mut [Ok(10), Err(full), canceled()]).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert_eq!(still_left(asked, &mut [Ok(0)]).unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
