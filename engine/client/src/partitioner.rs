//! Which partition a record goes to: explicit, by key hash, sticky, or in turn.

use std::hash::{BuildHasher, Hasher, RandomState};

/// How a record without an explicit partition finds its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partitioner {
    /// Records with a key go by its [`murmur2`] hash, to the same partition as from a Java producer. Records without
    /// one stay with a random partition for a batch's worth of bytes, then move on (KIP-794).
    #[default]
    KeyHash,
    /// Each record goes to the partition after the last one's, whatever its key.
    RoundRobin,
}

/// One topic's state of a [`Partitioner`].
#[derive(Debug, Default)]
pub(crate) struct TopicPartitioner {
    current: usize,
    bytes: usize,
    chosen: bool,
}

impl TopicPartitioner {
    /// Index into the topic's `partitions` (at least one) for a record of `bytes`; `sticky_bytes` is how much one
    /// partition gets of records without a key before the next is chosen.
    pub(crate) fn partition(
        &mut self,
        kind: Partitioner,
        key: Option<&[u8]>,
        bytes: usize,
        sticky_bytes: usize,
        partitions: usize,
    ) -> usize {
        match (kind, key) {
            (Partitioner::KeyHash, Some(key)) => partition_of_key(key, partitions),
            (Partitioner::KeyHash, None) => {
                if !self.chosen || self.bytes >= sticky_bytes || self.current >= partitions {
                    self.choose_another(partitions);
                }
                self.bytes += bytes;
                self.current
            }
            (Partitioner::RoundRobin, _) => {
                self.current = (self.current + 1) % partitions;
                self.current
            }
        }
    }

    fn choose_another(&mut self, partitions: usize) {
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

    #[test]
    fn records_without_a_key_stay_for_a_batch_and_then_move() {
        let mut topic = TopicPartitioner::default();
        let mut next = || topic.partition(Partitioner::KeyHash, None, 40, 100, 6);
        for _ in 0..50 {
            let (a, b, c, d) = (next(), next(), next(), next());
            assert!(a == b && b == c, "{a} {b} {c}");
            assert_ne!(c, d);
            next();
            next();
        }
    }

    #[test]
    fn one_partition_is_always_that_partition() {
        let mut topic = TopicPartitioner::default();
        for kind in [Partitioner::KeyHash, Partitioner::RoundRobin] {
            assert!((0..100).all(|_| topic.partition(kind, None, 40, 100, 1) == 0));
        }
    }

    #[test]
    fn round_robin_visits_every_partition_in_turn() {
        let mut topic = TopicPartitioner::default();
        let visited: Vec<_> = (0..6).map(|_| topic.partition(Partitioner::RoundRobin, Some(b"k"), 1, 1, 3)).collect();
        assert_eq!(visited, [1, 2, 0, 1, 2, 0]);
    }
}
