//! The file that is sent: made once for all runs, and brought into the page cache or out of it.

use std::io::{self, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringlog_io::cpu::{available, pin_current_thread};
use ringlog_io::residency::is_cached;
use ringlog_io::{Disk, File, Mode};
use rustix::fs::{Advice, fadvise};

/// Several times a processor's own caches, and read from a disk within a run.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;

const BLOCK_BYTES: usize = 1 << 20;
const PAGE_BYTES: u64 = 4096;
/// Two seconds, in which a busy disk has read what was asked of it.
const TRIES: usize = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// A file of noise that nobody changes.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<File>,
    pub(crate) bytes: u64,
}

impl Segment {
    /// Opens it, or makes it: synced, so that its pages can leave the cache.
    pub(crate) fn at(path: &Path, bytes: u64) -> io::Result<Segment> {
        if !std::fs::metadata(path).is_ok_and(|found| found.len() == bytes) {
            let mut file = std::fs::File::create(path)?;
            let (mut random, mut block) = (fastrand::Rng::with_seed(0x5249_4e47), vec![0; BLOCK_BYTES]);
            let mut left = bytes as usize;
            while left > 0 {
                random.fill(&mut block);
                let part = block.get(..left.min(BLOCK_BYTES)).unwrap_or_default();
                file.write_all(part)?;
                left -= part.len();
            }
            file.sync_all()?;
        }
        Ok(Segment { file: Disk::syscall().open_file(path, Mode::Read)?, bytes })
    }

    /// On return all of it is in the page cache.
    pub(crate) fn warm(&self) -> io::Result<()> {
        if is_cached(&self.file, 0, self.bytes) == Some(true) {
            return Ok(());
        }
        let mut block = vec![0; BLOCK_BYTES];
        (0..self.bytes).step_by(BLOCK_BYTES).try_for_each(|position| self.file.read_at(&mut block, position).map(drop))
    }

    /// On return none of it is in the page cache: asked from the kernel for each page, not believed. Pages that are being read stay
    /// until they have been.
    pub(crate) fn evict(&self) -> io::Result<()> {
        let mut cached = 0;
        for _ in 0..TRIES {
            fadvise(&self.file, 0, None, Advice::DontNeed)?;
            cached = self.cached_pages()?;
            match cached {
                0 => return Ok(()),
                all if all == self.bytes.div_ceil(PAGE_BYTES) => break,
                _ => release_received()?,
            }
            thread::sleep(BETWEEN_TRIES);
        }
        let text = format!("{cached} of its pages stay in the page cache: name a directory on a disk with --dir");
        Err(unsupported(&text))
    }

    fn cached_pages(&self) -> io::Result<u64> {
        let pages = (0..self.bytes).step_by(PAGE_BYTES as usize);
        let cached = pages.map(|page| is_cached(&self.file, page, PAGE_BYTES.min(self.bytes - page)));
        cached.map(|cached| cached.map(u64::from)).sum::<Option<u64>>().ok_or_else(|| {
            unsupported("only cachestat(2) tells whether pages are cold: run the lab on Linux 6.5 or later")
        })
    }
}

fn unsupported(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// What was received is freed by the processor that had sent it, when that one handles packets again (net.core.skb_defer_max):
/// until then its pages, which sendfile and splice do not copy, can't leave the cache. So each processor sends itself a packet.
fn release_received() -> io::Result<()> {
    let send = |index| {
        pin_current_thread(index)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(&[0], socket.local_addr()?).map(drop)
    };
    let on_each = |index| thread::scope(|scope| scope.spawn(|| send(index)).join());
    (0..available()?.len())
        .try_for_each(|index| on_each(index).map_err(|_| io::Error::other("a thread that sends a packet panicked"))?)
}
