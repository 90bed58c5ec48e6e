//! The file mapped into memory: header and bytes leave in one call, copied once.

use std::io::{self, IoSlice};
use std::sync::Arc;

use ringlog_io::{File, Map};

use super::{Sender, Socket, Strategy, ended};

pub(crate) struct MmapSend;

impl Strategy for MmapSend {
    fn name(&self) -> &'static str {
        "mmap-send"
    }

    fn about(&self) -> &'static str {
        "one sendmsg(2) of the header and of a map of the file: copied once, page faults at first touch"
    }

    fn open(&self, file: Arc<File>, socket: Socket) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(Mapped { map: Map::of(&file)?, file, socket }))
    }
}

/// A file in memory, and the socket.
pub(super) struct Mapped {
    pub(super) map: Map,
    pub(super) file: Arc<File>,
    pub(super) socket: Socket,
}

impl Mapped {
    pub(super) fn slice(&self, position: u64, length: usize) -> io::Result<&[u8]> {
        let start = position as usize;
        self.map.get(start..start + length).ok_or_else(|| ended(&self.file, position + length as u64))
    }
}

impl Sender for Mapped {
    fn send(&mut self, header: &[u8], position: u64, length: usize) -> io::Result<()> {
        self.socket.send_all(&mut [IoSlice::new(header), IoSlice::new(self.slice(position, length)?)], false)
    }
}
