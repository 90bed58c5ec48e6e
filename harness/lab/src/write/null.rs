//! A writer that writes nothing: what is left is the bench. It is no contestant.

use std::io;

use super::{Strategy, Target, Writer};
use crate::setting::WriteSetting;

pub(crate) struct Null;

impl Strategy for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn about(&self) -> &'static str {
        "nothing at all"
    }

    fn takes(&self, _setting: &WriteSetting) -> bool {
        true
    }

    fn open(&self, _target: Target) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(Null))
    }
}

impl Writer for Null {
    fn append(&mut self, _position: u64, _count: usize, _durable: bool) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
