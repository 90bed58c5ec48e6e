//! pwrite, with write-back begun early by sync_file_range, so that dirty pages never pile up.

use std::io;

use ringlog_io::start_write_back;
use rustix::fs::OFlags;

use super::pwrite::Plain;
use super::{Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

/// How much is written before its write-back begins: one large request for the device.
const BEHIND_BYTES: u64 = 8 << 20;

pub(crate) struct WriteBehind;

impl Strategy for WriteBehind {
    fn name(&self) -> &'static str {
        "sync-file-range"
    }

    fn about(&self) -> &'static str {
        "pwrite(2), and sync_file_range(2) for every 8 MiB: write-back begins at once, nobody waits for it"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        matches!(setting.sync, SyncPolicy::None | SyncPolicy::Interval(_))
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Pushed { plain: Plain { file: target.open(OFlags::empty())?, target }, pushed: 0 }))
    }
}

struct Pushed {
    plain: Plain,
    /// Up to where write-back has begun.
    pushed: u64,
}

impl Writer for Pushed {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        self.plain.append(position, count, durable)?;
        let end = position + (count * self.plain.target.size_bytes) as u64;
        if end - self.pushed >= BEHIND_BYTES {
            start_write_back(&self.plain.file, self.pushed, end - self.pushed)?;
            self.pushed = end;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.plain.sync()
    }
}
