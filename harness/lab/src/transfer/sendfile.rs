//! sendfile: the socket gets references to the cache's pages.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::Arc;

use ringlog_io::File;
use ringlog_io::transfer::send_file;

use super::{Sender, Socket, Strategy, ended};

pub(crate) struct Sendfile;

impl Strategy for Sendfile {
    fn name(&self) -> &'static str {
        "sendfile"
    }

    fn about(&self) -> &'static str {
        "send(2) of the header with MSG_MORE, then sendfile(2) for each 256 KiB"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(Referred { file, socket }))
    }
}

struct Referred {
    file: Arc<File>,
    socket: Socket,
}

impl Sender for Referred {
    fn send(&mut self, header: &[u8], mut position: u64, length: usize) -> io::Result<()> {
        let Referred { file, socket } = self;
        socket.send_all(&mut [IoSlice::new(header)], true)?;
        let end = position + length as u64;
        while position < end {
            let rest = (end - position) as usize;
            match socket.when_writable(|| send_file(socket.as_fd(), file, position, rest))? {
                0 => return Err(ended(file, end)),
                sent => position += sent as u64,
            }
        }
        Ok(())
    }
}
