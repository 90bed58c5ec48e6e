//! SEND_ZC: the socket gets references to the pages of a buffer, or of a map of the file, and says when it has let go of them.

use std::io::{self, IoSlice};
use std::sync::Arc;

use ringlog_io::transfer::SLICE_BYTES;
use ringlog_io::{BareRing, File, Map, Operation};

use super::mmap::Mapped;
use super::ring::{ring, run_whole};
use super::{Sender, Socket, Strategy, parts};

pub(crate) struct ReadSendZc;

impl Strategy for ReadSendZc {
    fn name(&self) -> &'static str {
        "pread-send-zc"
    }

    fn about(&self) -> &'static str {
        "pread(2) behind the header, then IORING_OP_SEND_ZC of both, for each 256 KiB; copied after all on loopback"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        let (ring, socket) = (ring(&["SEND_ZC"])?, socket.blocking()?);
        Ok(Box::new(Copied { file, socket, ring, buffer: Vec::new(), results: Vec::new() }))
    }
}

struct Copied {
    file: Arc<File>,
    socket: Socket,
    ring: BareRing,
    buffer: Vec<u8>,
    results: Vec<io::Result<usize>>,
}

impl Sender for Copied {
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
        let Copied { file, socket, ring, buffer, results } = self;
        if buffer.is_empty() {
            buffer.resize(header.len() + SLICE_BYTES, 0);
        }
        buffer.get_mut(..header.len()).unwrap_or_default().copy_from_slice(header);
        let mut start = 0;
        for (position, length) in parts(position, length, SLICE_BYTES) {
            let end = header.len() + length;
            file.read_exact_at(buffer.get_mut(header.len()..end).unwrap_or_default(), position)?;
            let bytes = buffer.get(start..end).unwrap_or_default();
            let socket = (&*socket).into();
            run_whole(ring, &mut [Operation::SendZc { socket, bytes, linked: false }], &[bytes.len()], results)?;
            // The header went with the first part.
            start = header.len();
        }
        Ok(())
    }
}

pub(crate) struct MmapSendZc;

impl Strategy for MmapSendZc {
    fn name(&self) -> &'static str {
        "mmap-send-zc"
    }

    fn about(&self) -> &'static str {
        "send(2) of the header with MSG_MORE, then IORING_OP_SEND_ZC of a map of the file; copied after all on loopback"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        let ring = ring(&["SEND_ZC"])?;
        let mapped = Mapped { map: Map::of(&file)?, file, socket: socket.blocking()? };
        Ok(Box::new(Pinned { mapped, ring, results: Vec::new() }))
    }
}

struct Pinned {
    mapped: Mapped,
    ring: BareRing,
    results: Vec<io::Result<usize>>,
}

impl Sender for Pinned {
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
        let Pinned { mapped, ring, results } = self;
        mapped.socket.send_all(&mut [IoSlice::new(header)], true)?;
        let (socket, bytes) = ((&mapped.socket).into(), mapped.slice(position, length)?);
        run_whole(ring, &mut [Operation::SendZc { socket, bytes, linked: false }], &[length], results)
    }
}
