//! One pwrite for each append.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::OFlags;

use super::{Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

pub(crate) struct Pwrite;

impl Strategy for Pwrite {
    fn name(&self) -> &'static str {
        "pwrite"
    }

    fn about(&self) -> &'static str {
        "one pwrite(2) for each append, into the page cache"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        matches!(setting.sync, SyncPolicy::None | SyncPolicy::Interval(_))
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Plain { file: target.open(OFlags::empty())?, target }))
    }
}

/// A file written by pwrite and synced by fdatasync.
pub(super) struct Plain {
    pub(super) file: File,
    pub(super) target: Target,
}

impl Writer for Plain {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        for position in self.target.positions(position, count) {
            self.file.write_all_at(self.target.block(position), position)?;
        }
        if durable { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
