//! Drivers: how records get to a target, and back.
//!
//! A driver is made for one cell on one target. Load threads ask it for producers and consumers; these stay on the thread that asked,
//! a tokio runtime of one thread, and need not be `Send`. Nothing is boxed for a record: a driver's futures are its own types.

mod engine;
mod forming;
mod kafka_durability;
mod kafka_settings;
#[cfg(feature = "librdkafka")]
mod librdkafka;
mod native;
mod null;
mod peer;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::LoadError;
use crate::workload::{Consumption, Durability};

pub use self::engine::{EngineConsumer, EngineDriver, EngineProducer, EngineReceipt};
#[cfg(feature = "librdkafka")]
pub use self::librdkafka::{LibrdkafkaConsumer, LibrdkafkaDriver, LibrdkafkaProducer, LibrdkafkaReceipt};
pub use self::native::{NativeConsumer, NativeDriver, NativeProducer, NativeReceipt};
pub use self::null::NullDriver;
pub use self::peer::{
    AmqpDriver, AmqpReader, BatchProducer, Consumer, NatsDriver, NatsReader, NatsWriter, Peer, Producer, PulsarDriver,
    PulsarReader, Receipt, RedisConsumer, RedisDriver, RocketmqDriver, RocketmqProducer, RocketmqReader, StompDriver,
    StompReader, StreamDriver, StreamReader, ZeromqConsumer, ZeromqDriver, ZeromqProducer,
};

/// A way to one target, made for one cell.
pub trait Driver: Sync {
    /// One sender of records.
    type Producer: Produce + 'static;
    /// One reader of records.
    type Consumer: Consume + 'static;

    /// What it does as far as that is known before the target was asked.
    fn declares(&self) -> Declaration;

    /// How consumers of this cell come to their partitions. In a group each of them is told all slots of its topic.
    fn consumption(&self) -> Consumption {
        Consumption::Assigned
    }

    /// Makes the topics (queues, streams), empty, with the durability that the cell asks for, and says what it does, for tables that compare
    /// only what can be compared: what the target tells of that is believed before anything else.
    ///
    /// # Errors
    /// [`LoadError`] when the target is not there, refuses, or does less than the cell asks for.
    fn prepare(&self, layout: &Layout) -> impl Future<Output = Result<Declaration, LoadError>>;

    /// A connected producer of this topic, one of [`Layout::topics`].
    ///
    /// # Errors
    /// As [`Self::prepare`].
    fn producer(&self, layout: &Layout, topic: usize) -> impl Future<Output = Result<Self::Producer, LoadError>>;

    /// A connected consumer, which reads these slots, of one topic, from their first record. Each subscription gets every record once;
    /// its consumers share the slots among them.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    fn consumer(
        &self,
        layout: &Layout,
        subscription: u32,
        slots: &[u32],
    ) -> impl Future<Output = Result<Self::Consumer, LoadError>>;

    /// Bytes that the target stores for the topics, which is what went over the wire; `None` where it can't be told.
    fn stored_bytes(&self, _: &Layout) -> impl Future<Output = Option<u64>> {
        std::future::ready(None)
    }

    /// Records that retention has deleted from the topics since they were made; `None` where it can't be told.
    fn deleted_records(&self, _: &Layout) -> impl Future<Output = Option<u64>> {
        std::future::ready(None)
    }

    /// The process that has the target's files open, given that of the target where it is one of this host's.
    fn process(&self, target: Option<u32>) -> Option<u32> {
        target
    }

    /// Removes the topics.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    fn remove(&self, layout: &Layout) -> impl Future<Output = Result<(), LoadError>>;
}

/// One sender of records.
pub trait Produce {
    /// Resolves when the target has acknowledged the record, or refused it. Receipts of one slot are looked at in the order of their
    /// records.
    type Receipt: Future<Output = Result<(), LoadError>> + Unpin + 'static;

    /// Resolves when the first record would go at once. All producers of a load thread are asked at the same time.
    ///
    /// # Errors
    /// [`LoadError`] when it can't send.
    fn ready(&mut self) -> impl Future<Output = Result<(), LoadError>> {
        std::future::ready(Ok(()))
    }

    /// Hands over a record. Waits only while the target, or the driver's own buffer, takes no more.
    ///
    /// # Errors
    /// The record was refused, and nothing of it was sent.
    fn send(&mut self, record: Record<'_>) -> impl Future<Output = Result<Self::Receipt, LoadError>>;

    /// No record is due for the moment, or ever: a driver that collects records for one write, without a linger of its own, writes
    /// what it has.
    fn idle(&mut self);
}

/// One reader of records.
pub trait Consume {
    /// Resolves when it is settled what it reads, and nothing of that was read. All consumers of a cell are asked at the same time.
    ///
    /// # Errors
    /// [`LoadError`] when it does not settle.
    fn ready(&mut self) -> impl Future<Output = Result<(), LoadError>> {
        std::future::ready(Ok(()))
    }

    /// Waits for records, at most for `wait`, and gives each to `each`. A record that is there but can't be read has an empty value.
    ///
    /// # Errors
    /// [`LoadError`] when the target refuses or is gone. The next call tries again.
    fn poll(&mut self, wait: Duration, each: impl FnMut(Record<'_>)) -> impl Future<Output = Result<(), LoadError>>;

    /// Gives its place up, when all is read.
    fn leave(self) -> impl Future<Output = ()>
    where
        Self: Sized,
    {
        std::future::ready(())
    }
}

/// A record on its way, there or back. It borrows: a driver copies what it keeps.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where to, or where from.
    pub slot: u32,
    /// Its key; none on a way without [`Declaration::keys`].
    pub key: Option<&'a [u8]>,
    /// Its value, stamp included.
    pub value: &'a [u8],
}

/// The topics of one cell. Their partitions are numbered through as *slots*: those of the first topic, then those of the second.
/// For a peer without partitions a slot is a queue or stream of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Names, which no other run uses.
    pub topics: Vec<String>,
    /// Partitions of each.
    pub partitions: u32,
}

impl Layout {
    /// How many slots.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.topics.len() as u32 * self.partitions
    }

    /// Topic and partition of a slot.
    #[must_use]
    pub fn place(&self, slot: u32) -> (&str, u32) {
        let topic = self.topics.get((slot / self.partitions) as usize);
        (topic.map_or("", String::as_str), slot % self.partitions)
    }

    /// The name of a slot where it is a queue or stream of its own.
    #[must_use]
    pub fn name(&self, slot: u32) -> String {
        let (topic, partition) = self.place(slot);
        format!("{topic}-{partition}")
    }

    /// The names of all slots, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        (0..self.slots()).map(|slot| self.name(slot)).collect()
    }

    /// The first slot of a topic.
    #[must_use]
    pub fn first_slot(&self, topic: usize) -> u32 {
        topic as u32 * self.partitions
    }
}

/// What a driver does. A table never mixes durability, nor who waits for answers with who does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its name: `native`, `librdkafka`, `engine`, `null`, or the peer's.
    pub driver: &'static str,
    /// What an acknowledgement has behind it.
    pub durability: Durability,
    /// Copies of each record.
    pub replication: u32,
    /// How both are known.
    pub evidence: Evidence,
    /// Whose answer counts as an acknowledgement.
    pub ack: Ack,
    /// Requests, or records, that wait for their answers at the same time on a connection; `None`: as many as fit the buffer.
    pub pipelining: Option<u32>,
    /// Connections that records go over, to each of its servers. A client may have others, for what is not records.
    pub connections: u32,
    /// Whether records take their keys with them. Where they don't, a key only decides which slot its record goes to.
    pub keys: bool,
    /// All settings of its client, defaults included, by the client's own names.
    pub settings: BTreeMap<String, String>,
}

/// How it is known what an acknowledgement has behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// By what the target says of itself, or was made with: these words.
    Told(String),
    /// By its URL. Its protocol has no word for it.
    Url,
    /// By how it is delivered: neither it nor its URL says.
    Delivered,
}

impl fmt::Display for Evidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Told(words) => out.write_str(words),
            Evidence::Url => {
                out.write_str("its URL, as scripts/peers.sh writes it for what it starts: it can't be asked")
            }
            Evidence::Delivered => out.write_str("how it is delivered: it can't be asked"),
        }
    }
}

/// Whose answer counts as an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// Nobody's: a record counts when it was handed to the kernel.
    None,
    /// One server's.
    Leader,
    /// That of most replicas.
    Quorum,
    /// That of all replicas in sync.
    All,
}
