//! The host's floor: what its parts do alone. A broker's figure means more as a share of them.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use ringlog_record::crc32c;
use serde::Serialize;

use crate::LoadError;

/// What is moved at a time: a batch of the larger kind.
const BLOCK_BYTES: usize = 64 << 10;
/// How long each part is watched.
const WATCHED: Duration = Duration::from_millis(700);
/// The file is begun anew at this size, so that it stays in the page cache.
const FILE_BYTES: u64 = 256 << 20;

/// Bytes a second, one thread each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Floor {
    /// Copying in memory.
    pub memcpy: f64,
    /// CRC-32C.
    pub crc32c: f64,
    /// Writing to a file, into the page cache.
    pub page_cache_write: f64,
    /// From one socket to another over loopback, a thread at each end.
    pub loopback: f64,
    /// Receiving from loopback, CRC-32C and writing: what a broker can't do without, alone.
    pub receive_crc_write: f64,
    /// fdatasyncs of one written page, a second.
    pub fdatasyncs: f64,
}

impl Floor {
    /// Measures this host for some seconds; files are made, and removed, in `directory`.
    ///
    /// # Errors
    /// [`LoadError::File`] when the directory can't be written; the error of a socket as one of loopback.
    pub fn measure(directory: &Path) -> Result<Floor, LoadError> {
        let block: Vec<u8> = (0..BLOCK_BYTES).map(|n| (n * 31 % 251) as u8).collect();
        let mut copy = vec![0; BLOCK_BYTES];
        let memcpy = rate(|| {
            copy.copy_from_slice(std::hint::black_box(&block));
            std::hint::black_box(&mut copy);
            Ok(BLOCK_BYTES)
        });
        let crc = rate(|| {
            std::hint::black_box(crc32c(std::hint::black_box(&block)));
            Ok(BLOCK_BYTES)
        });
        // A directory of its own: nothing that is there already is touched.
        let own = directory.join(format!("ringbench-floor-{}", std::process::id()));
        let file_error = LoadError::file(own.clone());
        if let Err(error) = std::fs::create_dir(&own) {
            return Err(file_error(error));
        }
        let measured = (|| {
            let mut sink = Sink::create(&own.join("file"))?;
            let page_cache_write = rate(|| sink.write(&block))?;
            // What was written before is not theirs to pay for.
            sink.file.sync_data()?;
            let syncs = rate(|| {
                sink.write(&block[..4096])?;
                sink.file.sync_data().map(|()| 1)
            })?;
            let loopback = over_loopback(&block, |_| Ok(()))?;
            let receive_crc_write = over_loopback(&block, |bytes| {
                std::hint::black_box(crc32c(bytes));
                sink.write(bytes).map(drop)
            })?;
            Ok(Floor {
                memcpy: memcpy?,
                crc32c: crc?,
                page_cache_write,
                loopback,
                receive_crc_write,
                fdatasyncs: syncs,
            })
        })();
        let _ = std::fs::remove_dir_all(&own);
        measured.map_err(file_error)
    }
}

struct Sink {
    file: File,
    written: u64,
}

impl Sink {
    fn create(path: &Path) -> std::io::Result<Sink> {
        Ok(Sink { file: File::create(path)?, written: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt;
        self.file.write_all_at(bytes, self.written % FILE_BYTES)?;
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// What a step gives, a second.
fn rate(mut step: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<f64> {
    let (begun, mut total) = (Instant::now(), 0);
    while begun.elapsed() < WATCHED {
        for _ in 0..8 {
            total += step()?;
        }
    }
    Ok(total as f64 / begun.elapsed().as_secs_f64())
}

fn over_loopback(block: &[u8], mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let block = block.to_vec();
    // It ends when the receiver is gone.
    let sending = std::thread::spawn(move || while sender.write_all(&block).is_ok() {});
    let mut buffer = vec![0; BLOCK_BYTES];
    let measured = rate(|| {
        receiver.read_exact(&mut buffer)?;
        take(&buffer).map(|()| BLOCK_BYTES)
    });
    drop(receiver);
    let _ = sending.join();
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_floor_moves() {
        let directory = tempfile::tempdir().unwrap();
        let floor = Floor::measure(directory.path()).unwrap();
        for value in [
            floor.memcpy,
            floor.crc32c,
            floor.page_cache_write,
            floor.loopback,
            floor.receive_crc_write,
            floor.fdatasyncs,
        ] {
            assert!(value > 0.0, "{floor:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
    }
}
