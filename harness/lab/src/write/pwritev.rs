//! One pwritev for all appends that are queued: what the broker's log does.

use std::fs::File;
use std::io;

use nix::sys::uio::pwritev;
use rustix::fs::OFlags;

use super::target::write_whole;
use super::{Strategy, Target, Writer};
use crate::setting::WriteSetting;

pub(crate) struct Pwritev;

impl Strategy for Pwritev {
    fn name(&self) -> &'static str {
        "pwritev"
    }

    fn about(&self) -> &'static str {
        "one pwritev(2) for all appends that are queued; fdatasync(2) behind it where durability is asked"
    }

    fn takes(&self, _setting: &WriteSetting) -> bool {
        true
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Vectored { file: target.open(OFlags::empty())?, target }))
    }
}

struct Vectored {
    file: File,
    target: Target,
}

impl Writer for Vectored {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        let mut vector = self.target.vector(position, count);
        write_whole(&mut vector, position, |vector, position| {
            Ok(pwritev(&self.file, vector, position.cast_signed())?)
        })?;
        if durable { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
