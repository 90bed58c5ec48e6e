//! The host's roofline: what its parts do alone. The figure of a broker or of a contestant means more as a share of it.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use ringlog_record::crc32c;
use serde::{Deserialize, Serialize};

use crate::loopback::Loopback;
use crate::{DirtyLimits, Interval};

/// What is moved at a time: a batch of the larger kind.
const BLOCK_BYTES: usize = 64 << 10;
/// Between two looks at the clock.
const STEPS: usize = 8;
/// Files and memory are begun anew at this size, at most: few enough to be touched in advance, and more than most caches hold.
const ROUND_BYTES: u64 = 64 << 20;
/// A page, which [`Roofline::fdatasyncs`] writes over and over in a file of [`SYNCED_BYTES`].
const PAGE_BYTES: usize = 4 << 10;
const SYNCED_BYTES: u64 = 4 << 20;

/// What the parts of a host do, one thread each: bytes a second but for `fdatasyncs` and `fdatasync_p50_us`. All parts are measured
/// in turns, in rounds; see [`Interval::of`] for what the bounds of so few rounds are worth.
///
/// Parts that move 64 KiB at a time are no upper limit for what moves more at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Copying, from a block in the processor's cache to memory.
    pub memcpy: Interval,
    /// CRC-32C of a block in the cache.
    pub crc32c: Interval,
    /// Appending to a file, into the page cache: pwrite(2) of 64 KiB at its end.
    pub page_cache_write: Interval,
    /// The same into pages that are in the page cache already: what is left of it without new pages and blocks.
    pub page_cache_rewrite: Interval,
    /// From one socket to another over loopback, a thread at each end.
    pub loopback: Interval,
    /// The same with sendfile(2) of a cached file, 256 KiB at a time, at the sender's end.
    pub sendfile: Interval,
    /// Receiving from loopback, CRC-32C and appending: what a broker can't do without, alone.
    ///
    /// It extends its file, as a log does. Into pages that are there already it is 1.5 times as fast (1.24 to 1.66 in 21 pairs, ext4
    /// on two processors): a broker would be held against what no log can do.
    pub receive_crc_write: Interval,
    /// How often a second 4 KiB are written into a page that is on disk already, and synced with fdatasync(2).
    pub fdatasyncs: Interval,
    /// Median of how long that takes, in microseconds.
    pub fdatasync_p50_us: Interval,
}

/// How much time a [`Roofline`] may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Five rounds: about 5 s.
    Full,
    /// Three shorter ones: about 2 s.
    Quick,
}

impl Depth {
    /// How many rounds, and how long each part is watched in each.
    fn rounds(self) -> (usize, Duration) {
        match self {
            Depth::Full => (5, Duration::from_millis(80)),
            Depth::Quick => (3, Duration::from_millis(50)),
        }
    }
}

impl Roofline {
    /// Measures this host. Files of some 130 MiB are made in a directory of their own in `directory`, and removed with it, also
    /// on an error; nothing else that is there is touched.
    ///
    /// # Errors
    /// Those of the file system, with the directory's name (it can't be written, it is full), and those of sockets on loopback.
    pub fn measure(directory: &Path, depth: Depth) -> io::Result<Roofline> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("measuring the host's roofline in {}: {error}", directory.display()))
        };
        let own = tempfile::Builder::new().prefix("ringbench-roofline-").tempdir_in(directory).map_err(named)?;
        rounds(own.path(), depth).map_err(named)
    }
}

fn rounds(directory: &Path, depth: Depth) -> io::Result<Roofline> {
    const PARTS: [fn(&mut Bench) -> io::Result<f64>; 8] = [
        Bench::memcpy,
        Bench::crc32c,
        Bench::page_cache_write,
        Bench::page_cache_rewrite,
        Bench::loopback,
        Bench::sendfile,
        Bench::receive_crc_write,
        Bench::fdatasyncs,
    ];
    let (rounds, watched) = depth.rounds();
    let mut bench = Bench::prepare(directory, watched)?;
    let mut rates: [Vec<f64>; PARTS.len()] = Default::default();
    for round in 0..rounds {
        // There and back: what slows down or speeds up in time does so for all.
        let mut order: Vec<usize> = (0..PARTS.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for part in order {
            rates[part].push(PARTS[part](&mut bench)?);
        }
    }
    let interval = |rates: &[f64]| Interval::of(rates).ok_or_else(|| io::Error::other("a part took no time at all"));
    Ok(Roofline {
        memcpy: interval(&rates[0])?,
        crc32c: interval(&rates[1])?,
        page_cache_write: interval(&rates[2])?,
        page_cache_rewrite: interval(&rates[3])?,
        loopback: interval(&rates[4])?,
        sendfile: interval(&rates[5])?,
        receive_crc_write: interval(&rates[6])?,
        fdatasyncs: interval(&rates[7])?,
        fdatasync_p50_us: interval(&bench.sync_p50s_us)?,
    })
}

/// Everything that the parts need, touched in advance: the first touch of a virtual machine's memory is ten times slower, and a
/// page that has been free for seconds may be its host's again.
struct Bench {
    watched: Duration,
    block: Vec<u8>,
    memory: Vec<u8>,
    /// Appended to.
    log: File,
    /// Where the positions in the log, in `cached` and in `memory` begin anew.
    round_bytes: u64,
    /// All of it in the page cache.
    cached: File,
    /// All of it on disk.
    synced: File,
    sync_p50s_us: Vec<f64>,
    loopback: Loopback,
    sendfile: Loopback,
}

impl Bench {
    fn prepare(directory: &Path, watched: Duration) -> io::Result<Bench> {
        let block: Vec<u8> = (0..BLOCK_BYTES).map(|n| (n * 31 % 251) as u8).collect();
        let create = |name| File::options().read(true).write(true).create_new(true).open(directory.join(name));
        let (log, cached, synced) = (create("log")?, create("cached")?, create("synced")?);
        // What is dirty stays below the limit from which on the kernel writes it back meanwhile.
        let quarter = DirtyLimits::here().background_bytes.map_or(ROUND_BYTES, |bytes| bytes / 4);
        let step_bytes = (STEPS * BLOCK_BYTES) as u64;
        let round_bytes = quarter.clamp(16 * step_bytes, ROUND_BYTES) / step_bytes * step_bytes;
        extend(&cached, &block, round_bytes)?;
        extend(&synced, &block, SYNCED_BYTES)?;
        synced.sync_all()?;
        let sendfile = Loopback::of_file(cached.try_clone()?, round_bytes)?;
        let loopback = Loopback::of_block(block.clone())?;
        let memory = vec![1; ROUND_BYTES as usize];
        Ok(Bench {
            watched,
            block,
            memory,
            log,
            round_bytes,
            cached,
            synced,
            sync_p50s_us: Vec::new(),
            loopback,
            sendfile,
        })
    }

    fn memcpy(&mut self) -> io::Result<f64> {
        let Bench { memory, block, .. } = self;
        rate(self.watched, ROUND_BYTES, nothing, |position| {
            let to = position as usize;
            black_box(&mut memory[to..to + BLOCK_BYTES]).copy_from_slice(black_box(block));
            Ok(())
        })
    }

    fn crc32c(&mut self) -> io::Result<f64> {
        rate(self.watched, ROUND_BYTES, nothing, |_| {
            black_box(crc32c(black_box(&self.block)));
            Ok(())
        })
    }

    fn page_cache_write(&mut self) -> io::Result<f64> {
        self.touch_log()?;
        let empty = || self.log.set_len(0);
        rate(self.watched, self.round_bytes, empty, |position| self.log.write_all_at(&self.block, position))
    }

    fn page_cache_rewrite(&mut self) -> io::Result<f64> {
        rate(self.watched, self.round_bytes, nothing, |position| self.cached.write_all_at(&self.block, position))
    }

    fn loopback(&mut self) -> io::Result<f64> {
        let mut buffer = vec![0; BLOCK_BYTES];
        rate(self.watched, u64::MAX, || self.loopback.settle(), |_| self.loopback.receive(&mut buffer))
    }

    fn sendfile(&mut self) -> io::Result<f64> {
        let mut buffer = vec![0; BLOCK_BYTES];
        rate(self.watched, u64::MAX, || self.sendfile.settle(), |_| self.sendfile.receive(&mut buffer))
    }

    fn receive_crc_write(&mut self) -> io::Result<f64> {
        self.touch_log()?;
        let mut buffer = vec![0; BLOCK_BYTES];
        let begin = || {
            self.log.set_len(0)?;
            self.loopback.settle()
        };
        rate(self.watched, self.round_bytes, begin, |position| {
            self.loopback.receive(&mut buffer)?;
            black_box(crc32c(black_box(&buffer)));
            self.log.write_all_at(&buffer, position)
        })
    }

    fn fdatasyncs(&mut self) -> io::Result<f64> {
        // What the other parts left dirty is not its to pay for.
        self.log.set_len(0)?;
        let (mut spent, mut took_us) = (Duration::ZERO, Vec::new());
        while spent < self.watched {
            let begun = Instant::now();
            let position = (took_us.len() * PAGE_BYTES) as u64 % SYNCED_BYTES;
            self.synced.write_all_at(&self.block[..PAGE_BYTES], position)?;
            self.synced.sync_data()?;
            let took = begun.elapsed();
            spent += took;
            took_us.push(took.as_secs_f64() * 1e6);
        }
        self.sync_p50s_us.extend(Interval::of(&took_us).map(|took| took.median));
        Ok(took_us.len() as f64 / spent.as_secs_f64())
    }

    /// Its pages go from here straight to who appends next.
    fn touch_log(&self) -> io::Result<()> {
        self.log.set_len(0)?;
        extend(&self.log, &self.block, self.round_bytes)
    }
}

fn extend(file: &File, block: &[u8], length: u64) -> io::Result<()> {
    (0..length).step_by(block.len()).try_for_each(|position| file.write_all_at(block, position))
}

fn nothing() -> io::Result<()> {
    Ok(())
}

/// Bytes a second of steps that move [`BLOCK_BYTES`] each, at positions that begin anew at `round_bytes`. What `begin` does before
/// each such round is not timed.
fn rate(
    watched: Duration,
    round_bytes: u64,
    mut begin: impl FnMut() -> io::Result<()>,
    mut step: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<f64> {
    let (mut spent, mut moved) = (Duration::ZERO, 0);
    while spent < watched {
        begin()?;
        let (begun, mut position) = (Instant::now(), 0);
        while position < round_bytes && spent + begun.elapsed() < watched {
            for _ in 0..STEPS {
                step(position)?;
                position += BLOCK_BYTES as u64;
            }
        }
        spent += begun.elapsed();
        moved += position;
    }
    Ok(moved as f64 / spent.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(roofline: &Roofline) -> [Interval; 9] {
        let Roofline { memcpy, crc32c, page_cache_write, page_cache_rewrite, loopback, .. } = *roofline;
        let Roofline { sendfile, receive_crc_write, fdatasyncs, fdatasync_p50_us, .. } = *roofline;
        let bytes = [memcpy, crc32c, page_cache_write, page_cache_rewrite, loopback, sendfile, receive_crc_write];
        let mut parts = [fdatasyncs; 9];
        parts[..7].copy_from_slice(&bytes);
        parts[8] = fdatasync_p50_us;
        parts
    }

    #[test]
    fn every_part_moves_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let roofline = Roofline::measure(directory.path(), Depth::Quick).unwrap();
        for part in parts(&roofline) {
            assert!(part.low > 0.0 && part.low <= part.median && part.median <= part.high, "{roofline:?}");
            assert_eq!(part.runs, 3);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = Roofline::measure(Path::new("/nonexistent"), Depth::Quick).unwrap_err();
        assert!(error.to_string().contains("/nonexistent"), "{error}");
    }

    #[test]
    fn an_error_in_a_round_ends_it_and_what_is_not_timed_runs_before_each() {
        let (mut begun, mut positions) = (0, Vec::new());
        let begin = || {
            begun += 1;
            Ok(())
        };
        let round_bytes = (2 * STEPS * BLOCK_BYTES) as u64;
        let ended = rate(Duration::MAX, round_bytes, begin, |position| {
            positions.push(position);
            if positions.len() == 5 * STEPS { Err(io::Error::other("full")) } else { Ok(()) }
        });
        assert_eq!(ended.unwrap_err().to_string(), "full");
        assert_eq!(begun, 3, "two whole rounds and a half");
        assert_eq!((positions[2 * STEPS], positions.iter().max()), (0, Some(&(round_bytes - BLOCK_BYTES as u64))));
    }
}
