//! pread into a buffer, send out of it.

use std::io::{self, IoSlice};
use std::sync::Arc;

use ringlog_io::File;
use ringlog_io::transfer::SLICE_BYTES;

use super::{Sender, Socket, Strategy, parts};

pub(crate) struct PreadSend;

impl Strategy for PreadSend {
    fn name(&self) -> &'static str {
        "pread-send"
    }

    fn about(&self) -> &'static str {
        "send(2) of the header, then pread(2) and send(2) for each 256 KiB"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(Copied { file, socket, buffer: vec![0; SLICE_BYTES] }))
    }
}

struct Copied {
    file: Arc<File>,
    socket: Socket,
    buffer: Vec<u8>,
}

impl Sender for Copied {
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
        self.socket.send_all(&mut [IoSlice::new(header)], true)?;
        for (position, length) in parts(position, length, SLICE_BYTES) {
            let bytes = self.buffer.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(bytes, position)?;
            self.socket.send_all(&mut [IoSlice::new(bytes)], false)?;
        }
        Ok(())
    }
}
