//! pwrite, and fdatasync behind it.

use std::io;

use rustix::fs::OFlags;

use super::pwrite::Plain;
use super::{Strategy, Target, Writer};
use crate::setting::{SyncPolicy, WriteSetting};

pub(crate) struct WriteFdatasync;

impl Strategy for WriteFdatasync {
    fn name(&self) -> &'static str {
        "pwrite-fdatasync"
    }

    fn about(&self) -> &'static str {
        "pwrite(2) for each append, then one fdatasync(2)"
    }

    fn takes(&self, setting: &WriteSetting) -> bool {
        matches!(setting.sync, SyncPolicy::Every | SyncPolicy::Group)
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Plain { file: target.open(OFlags::empty())?, target }))
    }
}
