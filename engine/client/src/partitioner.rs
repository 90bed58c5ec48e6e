//! Which partition a record goes to: explicit, by key hash, sticky, in turn, or as the application says.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use crate::ProducerRecord;

/// How a record without an explicit partition finds its own. Partitions without a leader are passed over where nothing
/// depends on which it is: by the sticky choice and in turn.
#[derive(Clone, Default)]
pub enum Partitioner {
    /// Records with a key go by its [`murmur2`] hash, to the same partition as from a Java producer. Records without
    /// one are sticky.
    #[default]
    KeyHash,
    /// Records stay with a random partition for a batch's worth of bytes, then move on, whatever their keys (KIP-794;
    /// `partitioner.ignore.keys`).
    Sticky,
    /// Each record goes to the partition after the last one's, whatever its key.
    RoundRobin,
    /// The application chooses; see [`custom`](Self::custom).
    Custom(Arc<Choose>),
}

/// What a custom partitioner is: from a record, and how many partitions its topic has (at least one), to an index below
/// that.
type Choose = dyn Fn(&ProducerRecord<'_>, usize) -> usize + Send + Sync;

impl Partitioner {
    /// The partition is what `choose` gives for the record and the number of partitions, at least one; an index that is
    /// not below that number fails the record with [`NoSuchPartition`](crate::ClientError::NoSuchPartition). It runs
    /// within `send`, under the producer's lock: it must not send.
    pub fn custom(choose: impl Fn(&ProducerRecord<'_>, usize) -> usize + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(choose))
    }
}

impl fmt::Debug for Partitioner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::KeyHash => "KeyHash",
            Self::Sticky => "Sticky",
            Self::RoundRobin => "RoundRobin",
            Self::Custom(_) => "Custom",
        })
    }
}

/// One topic's state of a [`Partitioner`].
#[derive(Debug, Default)]
pub(crate) struct TopicPartitioner {
    /// The last choice, among those with a leader.
    current: usize,
    bytes: usize,
    chosen: bool,
}

impl TopicPartitioner {
    /// The partition for a record of `bytes`, of `partitions`; `led` are those with a leader. There is at least one of
    /// each. `sticky_bytes` is how much one partition gets of sticky records before the next is chosen.
    pub(crate) fn partition(
        &mut self,
        kind: &Partitioner,
        record: &ProducerRecord<'_>,
        bytes: usize,
        sticky_bytes: usize,
        partitions: usize,
        led: &[usize],
    ) -> usize {
        match (kind, record.key) {
            (Partitioner::KeyHash, Some(key)) => return partition_of_key(key, partitions),
            (Partitioner::Custom(choose), _) => return choose(record, partitions),
            (Partitioner::KeyHash | Partitioner::Sticky, _) => {
                if !self.chosen || self.bytes >= sticky_bytes || self.current >= led.len() {
                    self.choose_another(led.len());
                }
                self.bytes += bytes;
            }
            (Partitioner::RoundRobin, _) => self.current = (self.current + 1) % led.len().max(1),
        }
        led.get(self.current).copied().unwrap_or_default()
    }

    fn choose_another(&mut self, partitions: usize) {
        let partitions = partitions.max(1);
        // A step of 1 to partitions − 1 from the last one: never the same again.
        let step =
            if self.chosen && partitions > 1 { 1 + random() as usize % (partitions - 1) } else { random() as usize };
        self.current = (self.current % partitions).wrapping_add(step % partitions) % partitions;
        self.bytes = 0;
        self.chosen = true;
    }
}

/// The partition, of `partitions` (at least one), that Java's default partitioner gives a key.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partitions
}

/// MurmurHash2, 32 bits, with the seed of Kafka's Java client: keys agree on their partition across languages.
#[must_use]
pub fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, &byte| (rest << 8) | u32::from(byte));
        hash = (hash ^ rest).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// A number that nobody needs to predict or repeat: the keys of a fresh `RandomState` differ every time.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_what_java_gives() {
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
    }

    fn record(key: Option<&[u8]>) -> ProducerRecord<'_> {
        ProducerRecord { topic: "t", key, ..Default::default() }
    }

    #[test]
    fn sticky_records_stay_for_a_batch_and_then_move() {
        for (kind, key) in [(Partitioner::KeyHash, None), (Partitioner::Sticky, Some(&b"k"[..]))] {
            let mut topic = TopicPartitioner::default();
            let mut next = || topic.partition(&kind, &record(key), 40, 100, 6, &[0, 1, 2, 3, 4, 5]);
            for _ in 0..50 {
                let (a, b, c, d) = (next(), next(), next(), next());
                assert!(a == b && b == c, "{a} {b} {c}");
                assert_ne!(c, d);
                next();
                next();
            }
        }
    }

    #[test]
    fn one_partition_is_always_that_partition() {
        let mut topic = TopicPartitioner::default();
        for kind in [Partitioner::KeyHash, Partitioner::Sticky, Partitioner::RoundRobin] {
            assert!((0..100).all(|_| topic.partition(&kind, &record(None), 40, 100, 1, &[0]) == 0));
        }
    }

    #[test]
    fn round_robin_visits_every_partition_with_a_leader_in_turn() {
        let mut topic = TopicPartitioner::default();
        let mut next = |_| topic.partition(&Partitioner::RoundRobin, &record(Some(b"k")), 1, 1, 5, &[0, 2, 4]);
        assert_eq!((0..6).map(&mut next).collect::<Vec<_>>(), [2, 4, 0, 2, 4, 0]);
    }

    #[test]
    fn a_custom_partitioner_sees_the_record_and_the_number_of_partitions() {
        let by_length = Partitioner::custom(|record, partitions| record.key.map_or(0, <[u8]>::len) % partitions);
        let mut topic = TopicPartitioner::default();
        assert_eq!(topic.partition(&by_length, &record(Some(b"seven77")), 1, 1, 4, &[0]), 3);
    }
}
