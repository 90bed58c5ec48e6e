//! What the cache holds, in one call with the header: preadv2 with RWF_NOWAIT, then writev.

use std::io::{self, IoSlice};
use std::sync::Arc;

use ringlog_io::File;
use ringlog_io::residency::read_cached;
use ringlog_io::transfer::SLICE_BYTES;

use super::{Sender, Socket, Strategy, parts};

pub(crate) struct NowaitWritev;

impl Strategy for NowaitWritev {
    fn name(&self) -> &'static str {
        "nowait-writev"
    }

    fn about(&self) -> &'static str {
        "preadv2(2) with RWF_NOWAIT, pread(2) of what is cold, one sendmsg(2) of header and bytes"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(Gathered { file, socket, buffer: vec![0; SLICE_BYTES] }))
    }
}

struct Gathered {
    file: Arc<File>,
    socket: Socket,
    buffer: Vec<u8>,
}

impl Sender for Gathered {
    fn send(&mut self, mut header: &[u8], position: u64, length: usize) -> io::Result<()> {
        for (position, length) in parts(position, length, SLICE_BYTES) {
            let bytes = self.buffer.get_mut(..length).unwrap_or_default();
            let cached = match read_cached(&self.file, bytes, position) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                other => other?,
            };
            // A broker would have this done by its ring, and serve others meanwhile.
            self.file.read_exact_at(bytes.get_mut(cached..).unwrap_or_default(), position + cached as u64)?;
            self.socket.send_all(&mut [IoSlice::new(std::mem::take(&mut header)), IoSlice::new(bytes)], false)?;
        }
        Ok(())
    }
}
