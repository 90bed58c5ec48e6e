//! O_DIRECT: past the page cache, with and without a flush of the device's cache in the same call.

use std::io;

use ringlog_io::ALIGNMENT_BYTES;
use rustix::fs::OFlags;

use super::pwrite::Plain;
use super::{Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

pub(crate) struct Direct;

impl Strategy for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }

    fn about(&self) -> &'static str {
        "pwrite(2) with O_DIRECT: from the buffer to the device, past the page cache"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        is_aligned(setting) && matches!(setting.sync, SyncPolicy::None | SyncPolicy::Interval(_))
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Plain { file: target.open(OFlags::DIRECT)?, target }))
    }

    fn remedy(&self, error: &io::Error) -> Option<String> {
        no_direct(error)
    }
}

pub(crate) struct DirectDsync;

impl Strategy for DirectDsync {
    fn name(&self) -> &'static str {
        "direct-dsync"
    }

    fn about(&self) -> &'static str {
        "pwrite(2) with O_DIRECT and O_DSYNC: on the device, and its cache flushed, on return"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        is_aligned(setting) && matches!(setting.sync, SyncPolicy::Every)
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(AlreadyDurable(Plain { file: target.open(OFlags::DIRECT | OFlags::DSYNC)?, target })))
    }

    fn remedy(&self, error: &io::Error) -> Option<String> {
        no_direct(error)
    }
}

/// A file whose writes are durable when they return.
struct AlreadyDurable(Plain);

impl Writer for AlreadyDurable {
    fn append(&mut self, position: u64, count: usize, _durable: bool) -> io::Result<()> {
        self.0.append(position, count, false)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Memory, length and position must be multiples of the device's logical block (statx(2), STATX_DIOALIGN).
pub(super) fn is_aligned(setting: &WriteSetting) -> bool {
    setting.size_bytes.is_multiple_of(ALIGNMENT_BYTES)
}

/// The remedy for a filesystem without O_DIRECT.
pub(super) fn no_direct(error: &io::Error) -> Option<String> {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
        .then(|| "this filesystem has no O_DIRECT: name a directory on ext4, xfs or btrfs with --dir".to_owned())
}
