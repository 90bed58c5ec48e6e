//! A target that takes everything at once and keeps nothing: what the generator itself can do.

use std::collections::BTreeMap;
use std::future::{Ready, pending, ready};
use std::hint::black_box;
use std::time::Duration;

use crate::LoadError;
use crate::driver::{Ack, Consume, Declaration, Driver, Evidence, Layout, Produce, Record};
use crate::workload::Durability;

/// The null sink.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullDriver;

impl Driver for NullDriver {
    type Producer = NullDriver;
    type Consumer = NullDriver;

    fn declares(&self) -> Declaration {
        Declaration {
            driver: "null",
            durability: Durability::Memory,
            replication: 0,
            evidence: Evidence::Told("it keeps nothing".to_owned()),
            ack: Ack::None,
            pipelining: None,
            connections: 0,
            keys: true,
            settings: BTreeMap::new(),
        }
    }

    async fn prepare(&self, _: &Layout) -> Result<Declaration, LoadError> {
        Ok(self.declares())
    }

    async fn producer(&self, _: &Layout, _: usize) -> Result<NullDriver, LoadError> {
        Ok(NullDriver)
    }

    async fn consumer(&self, _: &Layout, _: u32, _: &[u32]) -> Result<NullDriver, LoadError> {
        Ok(NullDriver)
    }

    async fn remove(&self, _: &Layout) -> Result<(), LoadError> {
        Ok(())
    }
}

impl Produce for NullDriver {
    type Receipt = Ready<Result<(), LoadError>>;

    async fn send(&mut self, record: Record<'_>) -> Result<Self::Receipt, LoadError> {
        black_box(record);
        Ok(ready(Ok(())))
    }

    fn idle(&mut self) {}
}

impl Consume for NullDriver {
    async fn poll(&mut self, wait: Duration, _: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        // Nothing ever comes.
        let _ = tokio::time::timeout(wait, pending::<()>()).await;
        Ok(())
    }
}
