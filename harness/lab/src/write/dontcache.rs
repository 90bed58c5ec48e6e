//! pwritev2 with RWF_DONTCACHE: pages are written back at once and dropped behind it.

use std::io;

use rustix::fs::OFlags;
use rustix::io::ReadWriteFlags;

use super::dsync::Flagged;
use super::{Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

/// RWF_DONTCACHE of <linux/fs.h>, since Linux 6.14.
const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

pub(crate) struct DontCache;

impl Strategy for DontCache {
    fn name(&self) -> &'static str {
        "pwritev2-dontcache"
    }

    fn about(&self) -> &'static str {
        "pwritev2(2) with RWF_DONTCACHE: write-back begins at once, and the pages are dropped behind it"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        matches!(setting.sync, SyncPolicy::None | SyncPolicy::Interval(_))
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Flagged { file: target.open(OFlags::empty())?, target, flags: DONTCACHE }))
    }

    fn remedy(&self, error: &io::Error) -> Option<String> {
        (error.kind() == io::ErrorKind::Unsupported).then(|| {
            "RWF_DONTCACHE needs Linux 6.14 and ext4, xfs or btrfs: name a directory on one with --dir".to_owned()
        })
    }
}
