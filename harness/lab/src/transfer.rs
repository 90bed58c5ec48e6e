//! Ways to move a range of a file to a socket: what a strategy is, and all of them.
//!
//! | strategy | how the bytes get to the socket |
//! |---|---|
//! | `pread_send`, `nowait` | copied into a buffer and out of it; header and bytes in one call, and only what is cached |
//! | `mmap` | copied out of a map of the file |
//! | `sendfile`, `splice` | the socket takes references to the cache's pages; by way of a pipe |
//! | `ring_splice`, `ring_read_send` | the same two ways by io_uring, two linked operations in one system call |
//! | `send_zc` | the socket takes references to the pages of a buffer, or of a map |
//!
//! Every response is a small header and a slice behind it, as in a Fetch response. Slices lie behind each other in the file and, like
//! batches, across its pages. Strategies of system calls have a non-blocking socket and poll(2) when it is full, as a broker's
//! thread waits for it; those of a ring have a blocking one, because the ring waits in the kernel.

mod mmap;
mod nowait;
mod pread_send;
mod ring;
mod ring_read_send;
mod ring_splice;
mod run;
mod segment;
mod send_zc;
mod sendfile;
mod socket;
mod splice;

use std::io;
use std::path::Path;
use std::sync::Arc;

use ringlog_io::File;

pub(crate) use run::run;
pub(crate) use segment::SEGMENT_BYTES;
use segment::Segment;
use socket::Socket;

/// Every way to move, from the plainest on.
pub(crate) const STRATEGIES: &[&dyn Strategy] = &[
    &pread_send::PreadSend,
    &nowait::NowaitWritev,
    &mmap::MmapSend,
    &sendfile::Sendfile,
    &splice::Splice,
    &ring_splice::RingSplice,
    &ring_read_send::RingReadSend,
    &send_zc::ReadSendZc,
    &send_zc::MmapSendZc,
];

/// A way to move slices of a file to a socket.
pub(crate) trait Strategy: Sync {
    /// What tables call it.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn about(&self) -> &'static str;

    /// Gets ready to send from the file, in the thread that will do it.
    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>>;
}

/// A file and the socket that it is sent to.
pub(crate) trait Sender {
    /// Sends the header, and behind it `length` bytes of the file from `position` on, which it has; on return the socket has
    /// taken all of them.
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()>;
}

/// Moves a few slices of a file of its own: says whether the strategy can do its work in this directory.
pub(crate) fn try_out(strategy: &dyn Strategy, directory: &Path) -> io::Result<()> {
    let path = directory.join(format!("ringbench-try-{}-{}", std::process::id(), strategy.name()));
    let tried =
        Segment::at(&path, 16 << 10).and_then(|segment| run::check(strategy, &segment, &[(0, 4096), (5000, 9000)]));
    // Without a file there is nothing to remove.
    let _ = std::fs::remove_file(&path);
    tried
}

/// A slice in parts that are moved one after the other: their positions and lengths.
fn parts(position: u64, length: usize, most: usize) -> impl Iterator<Item = (u64, usize)> {
    (0..length).step_by(most).map(move |done| (position + done as u64, most.min(length - done)))
}

/// Somebody has made the file shorter.
fn ended(file: &File, position: u64) -> io::Error {
    let text = format!("{} ends before position {position}", file.path().display());
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::bench::{Bench, Budget};
    use crate::setting::{Pages, Receiver, TransferSetting};

    /// Those that this host can run, and loudly which not.
    fn able(directory: &Path) -> impl Iterator<Item = &'static dyn Strategy> {
        STRATEGIES.iter().copied().filter(|strategy| match try_out(*strategy, directory) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("\n!!! NOT TESTED: {} can't run here: {error}\n", strategy.name());
                false
            }
        })
    }

    #[test]
    fn every_strategy_sends_headers_and_slices_as_the_file_holds_them_warm_and_cold() {
        let directory = tempfile::tempdir().unwrap();
        let segment = Segment::at(&directory.path().join("segment"), 5 << 20).unwrap();
        let slices = [
            (0, 1),
            (1, 4095),
            (4096, 4096),
            (61, 65536),
            (65597, 65536),
            (100, 61441),
            (3, 256 << 10),
            (777, (256 << 10) + 1),
            (61, 1 << 20),
            ((5 << 20) - 4097, 4097),
        ];
        for strategy in able(directory.path()) {
            segment.warm().unwrap();
            run::check(strategy, &segment, &slices).unwrap_or_else(|error| panic!("{}: {error}", strategy.name()));
            match segment.evict() {
                Ok(()) => {
                    run::check(strategy, &segment, &slices).unwrap_or_else(|e| panic!("{}: {e}", strategy.name()))
                }
                Err(error) => eprintln!("\n!!! NOT TESTED ON COLD PAGES: {error}\n"),
            }
        }
    }

    #[test]
    fn a_run_counts_whole_slices_and_a_cold_file_is_sent_once_at_most() {
        let directory = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let budget = Budget { duration: Duration::from_millis(30), bytes: SEGMENT_BYTES };
        let bench = Bench { directory: directory.path(), budget, stop: &stop, counts_calls: false };
        let settings = [
            TransferSetting { size_bytes: 64 << 10, pages: Pages::Warm, receiver: Receiver::Reads },
            TransferSetting { size_bytes: 4 << 10, pages: Pages::Warm, receiver: Receiver::Discards },
            TransferSetting { size_bytes: 1 << 20, pages: Pages::Cold, receiver: Receiver::Reads },
        ];
        for strategy in able(directory.path()) {
            for setting in settings {
                match run(strategy, &setting, &bench) {
                    Ok(sample) => {
                        assert!(sample.bytes > 0, "{} {setting}", strategy.name());
                        assert_eq!(sample.bytes, sample.latencies.count() * setting.size_bytes as u64);
                        assert!(setting.pages == Pages::Warm || sample.bytes <= SEGMENT_BYTES);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                        eprintln!("\n!!! NOT TESTED: {setting}: {error}\n");
                    }
                    Err(error) => panic!("{} {setting}: {error}", strategy.name()),
                }
            }
        }
    }

    #[test]
    fn bytes_that_differ_from_the_file_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segment");
        let segment = Segment::at(&path, 16 << 10).unwrap();
        let error = run::check(&Shifted, &segment, &[(0, 4096), (4096, 4096)]).unwrap_err();
        assert!(error.to_string().contains("response 1, of 4096 B from position 4096, is not"), "{error}");
    }

    /// Reads every slice but the first one byte too late.
    struct Shifted;

    impl Strategy for Shifted {
        fn name(&self) -> &'static str {
            "shifted"
        }

        fn about(&self) -> &'static str {
            "wrong"
        }

        fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
            Ok(Box::new(ShiftedSender(pread_send::PreadSend.open(file, socket)?)))
        }
    }

    struct ShiftedSender(Box<dyn Sender>);

    impl Sender for ShiftedSender {
        fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
            self.0.send(header, position + u64::from(position > 0), length)
        }
    }
}
