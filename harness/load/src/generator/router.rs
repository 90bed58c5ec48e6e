//! Which partition and key each record gets.

use ringlog_client::partition_of_key;

use super::producing::Task;
use crate::workload::{CellSpec, Keys};

/// How many keys there are: as many as OpenMessaging Benchmark has.
const KEYS: u64 = 10_000;
/// `k`, and seven digits.
pub(crate) type Key = [u8; 8];

/// Decides where a producer's records go. The generator does that itself, and not the client's partitioner, so that all targets get
/// the same: a record with a key goes where Java's hash says; without one the producer fills a batch of one partition, then one of
/// the next (KIP-794).
#[derive(Debug)]
pub(crate) struct Router {
    keys: Keys,
    sends_keys: bool,
    partitions: u32,
    /// Records of one batch.
    batch_records: u64,
    random: fastrand::Rng,
    /// The partition that the first record goes to.
    first: u32,
    n: u64,
}

impl Router {
    pub(crate) fn new(task: &Task, cell: &CellSpec) -> Router {
        let batch_bytes: usize = cell.settings.get("batch.size").and_then(|size| size.parse().ok()).unwrap_or(16_384);
        Router {
            keys: cell.keys,
            sends_keys: task.sends_keys,
            partitions: cell.partitions_per_topic.max(1),
            batch_records: (batch_bytes / cell.message_bytes.max(1)).max(1) as u64,
            // Not the numbers that its random arrival has: long pauses and certain keys would come together.
            random: fastrand::Rng::with_seed(!task.seed ^ (u64::from(task.number) << 32)),
            first: task.number % cell.partitions_per_topic.max(1),
            n: 0,
        }
    }

    /// Partition of the next record, and the key that goes with it.
    pub(crate) fn next(&mut self) -> (u32, Option<Key>) {
        let n = self.n;
        self.n += 1;
        let key = match self.keys {
            Keys::None => {
                let turn = n / self.batch_records + u64::from(self.first);
                return ((turn % u64::from(self.partitions)) as u32, None);
            }
            Keys::RoundRobin => n % KEYS,
            Keys::Random => self.random.u64(..KEYS),
        };
        let mut text = *b"k0000000";
        let mut rest = key;
        for digit in text[1..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        (partition_of_key(&text, self.partitions as usize) as u32, self.sends_keys.then_some(text))
    }
}
