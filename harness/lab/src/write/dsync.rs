//! pwritev2 with RWF_DSYNC: written and synced by one call.

use std::fs::File;
use std::io;

use rustix::fs::OFlags;
use rustix::io::{ReadWriteFlags, pwritev2};

use super::target::write_whole;
use super::{Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

pub(crate) struct WriteDsync;

impl Strategy for WriteDsync {
    fn name(&self) -> &'static str {
        "pwritev2-dsync"
    }

    fn about(&self) -> &'static str {
        "pwritev2(2) with RWF_DSYNC for all appends that are queued"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        matches!(setting.sync, SyncPolicy::Every | SyncPolicy::Group)
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Flagged { file: target.open(OFlags::empty())?, target, flags: ReadWriteFlags::DSYNC }))
    }
}

/// A file whose writes carry flags.
pub(super) struct Flagged {
    pub(super) file: File,
    pub(super) target: Target,
    pub(super) flags: ReadWriteFlags,
}

impl Writer for Flagged {
    fn append(&mut self, position: u64, count: usize, _durable: bool) -> io::Result<()> {
        let mut vector = self.target.vector(position, count);
        write_whole(&mut vector, position, |vector, position| Ok(pwritev2(&self.file, vector, position, self.flags)?))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
