//! Two splices through a pipe: from the file into it, from it into the socket.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::Arc;

use ringlog_io::File;
use ringlog_io::transfer::Splicer;

use super::{Sender, Socket, Strategy, ended};

pub(crate) struct Splice;

impl Strategy for Splice {
    fn name(&self) -> &'static str {
        "splice"
    }

    fn about(&self) -> &'static str {
        "send(2) of the header with MSG_MORE, then splice(2) into a pipe of 64 KiB and out of it"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(Piped { file, socket, splicer: Splicer::new()? }))
    }
}

struct Piped {
    file: Arc<File>,
    socket: Socket,
    splicer: Splicer,
}

impl Sender for Piped {
    fn send(&mut self, header: &[u8], mut position: u64, length: usize) -> io::Result<()> {
        let Piped { file, socket, splicer } = self;
        socket.send_all(&mut [IoSlice::new(header)], true)?;
        let end = position + length as u64;
        while position < end {
            match splicer.fill(file, position, (end - position) as usize)? {
                0 => return Err(ended(file, end)),
                filled => position += filled as u64,
            }
            while splicer.waiting() > 0 {
                socket.when_writable(|| splicer.drain(socket.as_fd()))?;
            }
        }
        Ok(())
    }
}
