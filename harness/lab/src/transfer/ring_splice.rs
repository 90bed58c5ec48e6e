//! Two splices through a pipe, linked on a ring.

use std::io::{self, IoSlice, PipeReader, PipeWriter};
use std::sync::Arc;

use ringlog_io::{BareRing, File, Operation};

use super::ring::ring;
use super::{Sender, Socket, Strategy, ended, parts};

/// What a pipe holds unless it is told otherwise, pipe(7), less a page: bytes that don't begin at a page take one more.
const PIPE_BYTES: usize = 60 << 10;

pub(crate) struct RingSplice;

impl Strategy for RingSplice {
    fn name(&self) -> &'static str {
        "ring-splice"
    }

    fn about(&self) -> &'static str {
        "send(2) of the header with MSG_MORE, then two linked IORING_OP_SPLICE for each 60 KiB, by workers of the kernel"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        let (source, sink) = io::pipe()?;
        let (ring, socket) = (ring(&["SPLICE"])?, socket.blocking()?);
        Ok(Box::new(Piped { file, socket, ring, source, sink, results: Vec::new() }))
    }
}

struct Piped {
    file: Arc<File>,
    socket: Socket,
    ring: BareRing,
    source: PipeReader,
    sink: PipeWriter,
    results: Vec<io::Result<usize>>,
}

impl Sender for Piped {
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
        self.socket.send_all(&mut [IoSlice::new(header)], true)?;
        parts(position, length, PIPE_BYTES).try_for_each(|(position, length)| self.move_part(position, length))
    }
}

impl Piped {
    fn move_part(&mut self, position: u64, length: usize) -> io::Result<()> {
        let Piped { file, socket, ring, source, sink, results } = self;
        let file: &File = file;
        let splice = |from, from_position, to, length: usize, linked| Operation::Splice {
            from,
            from_position,
            to,
            to_position: None,
            length: length as u32,
            linked,
        };
        let (mut filled, mut drained) = (0, 0);
        while filled < length {
            let rest = length - filled;
            let fill = splice(file.into(), Some(position + filled as u64), (&*sink).into(), rest, true);
            let drain = splice((&*source).into(), None, (&*socket).into(), rest, false);
            ring.run(&mut [fill, drain], results)?;
            let mut moved = results.drain(..);
            match moved.next().unwrap_or(Ok(0))? {
                0 => return Err(ended(file, position + length as u64)),
                bytes => filled += bytes,
            }
            drained += match moved.next() {
                Some(Ok(bytes)) => bytes,
                // A short fill ends its chain.
                Some(Err(_)) if filled < length => 0,
                Some(Err(error)) => return Err(error),
                None => 0,
            };
            drop(moved);
            while drained < filled {
                let waiting = filled - drained;
                ring.run(&mut [splice((&*source).into(), None, (&*socket).into(), waiting, false)], results)?;
                drained += results.pop().unwrap_or(Ok(0))?;
            }
        }
        Ok(())
    }
}
