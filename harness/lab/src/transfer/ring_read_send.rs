//! A read into a registered buffer and a send out of it, linked on a ring.

use std::io;
use std::sync::Arc;

use ringlog_io::transfer::SLICE_BYTES;
use ringlog_io::{ALIGNMENT_BYTES, BareRing, File, Operation, Pool};

use super::ring::{ring, run_whole};
use super::{Sender, Socket, Strategy, parts};

pub(crate) struct RingReadSend;

impl Strategy for RingReadSend {
    fn name(&self) -> &'static str {
        "ring-read-send"
    }

    fn about(&self) -> &'static str {
        "linked IORING_OP_READ_FIXED and IORING_OP_SEND for each 256 KiB, the header in the same buffer: one system call"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        let mut ring = ring(&["READ_FIXED", "SEND"])?;
        let bytes = SLICE_BYTES + ALIGNMENT_BYTES;
        ring.register_buffers(Pool::new(bytes, bytes).take()?.into_iter().collect())?;
        Ok(Box::new(Linked { file, socket: socket.blocking()?, ring, results: Vec::new() }))
    }
}

struct Linked {
    file: Arc<File>,
    socket: Socket,
    ring: BareRing,
    results: Vec<io::Result<usize>>,
}

impl Sender for Linked {
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
        let Linked { file, socket, ring, results } = self;
        let (file, socket): (&File, &Socket) = (file, socket);
        ring.buffer_mut(0).get_mut(..header.len()).unwrap_or_default().copy_from_slice(header);
        let mut start = 0;
        for (position, length) in parts(position, length, SLICE_BYTES) {
            let range = header.len()..header.len() + length;
            let read =
                Operation::ReadFixed { file: file.into(), buffer: 0, range: range.clone(), position, linked: true };
            let sent = start..range.end;
            let send = Operation::SendFixed { socket: socket.into(), buffer: 0, range: sent.clone(), linked: false };
            run_whole(ring, &mut [read, send], &[length, sent.len()], results)?;
            // The header went with the first part.
            start = header.len();
        }
        Ok(())
    }
}
