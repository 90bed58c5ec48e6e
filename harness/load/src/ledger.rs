//! What was sent, what was acknowledged, what came back: nothing is lost unseen.

use ringlog_record::crc32c;
use serde::Serialize;

/// In front of every value: the CRC-32C of all that follows it, then run, partition and sequence number.
const STAMP_BYTES: usize = CRC_BYTES + 4 + 4 + 8;
const CRC_BYTES: usize = 4;

/// The books of one topic, which this run alone writes, each partition from one producer.
#[derive(Debug)]
pub struct Ledger {
    run: u32,
    partitions: Vec<Partition>,
    corrupt: u64,
    failed: u64,
}

#[derive(Debug, Default)]
struct Partition {
    /// By sequence number.
    acked: Vec<bool>,
    seen: Vec<bool>,
    next: u64,
    duplicated: u64,
    reordered: u64,
}

/// What the books say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// Handed to the producer.
    pub sent: u64,
    /// Acknowledged; with acks=0, handed to the kernel.
    pub acked: u64,
    /// Read back.
    pub read: u64,
    /// Acknowledged and not read back.
    pub lost: u64,
    /// Read more than once.
    pub duplicated: u64,
    /// Read after a later one of its partition.
    pub reordered: u64,
    /// Read with another checksum, from another partition, or with a stamp that nobody gave.
    pub corrupt: u64,
    /// Refused, or never answered.
    pub failed: u64,
}

impl Verdict {
    /// Whether the cell counts.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicated, self.reordered, self.corrupt, self.failed) == (0, 0, 0, 0, 0)
    }
}

impl Ledger {
    /// Books for so many partitions. `run` tells this run's records from others'.
    #[must_use]
    pub fn new(run: u32, partitions: usize) -> Ledger {
        let partitions = std::iter::repeat_with(Partition::default).take(partitions).collect();
        Ledger { run, partitions, corrupt: 0, failed: 0 }
    }

    /// Stamps `text` as the next record of `partition` into `value`; gives its sequence number.
    pub fn stamp(&mut self, partition: usize, text: &[u8], value: &mut Vec<u8>) -> u64 {
        let book = &mut self.partitions[partition];
        let sequence = book.acked.len() as u64;
        book.acked.push(false);
        book.seen.push(false);
        value.clear();
        value.extend_from_slice(&[0; CRC_BYTES]);
        value.extend_from_slice(&self.run.to_be_bytes());
        value.extend_from_slice(&(partition as u32).to_be_bytes());
        value.extend_from_slice(&sequence.to_be_bytes());
        value.extend_from_slice(text);
        let crc = crc32c(&value[CRC_BYTES..]);
        value[..CRC_BYTES].copy_from_slice(&crc.to_be_bytes());
        sequence
    }

    /// The broker has taken responsibility for it.
    pub fn acked(&mut self, partition: usize, sequence: u64) {
        if let Some(acked) = usize::try_from(sequence).ok().and_then(|at| self.partitions[partition].acked.get_mut(at))
        {
            *acked = true;
        }
    }

    /// The broker refused it, or never answered.
    pub fn failed(&mut self) {
        self.failed += 1;
    }

    /// It came back.
    pub fn read(&mut self, partition: usize, value: &[u8]) {
        let Some(sequence) = self.sequence(partition, value) else {
            self.corrupt += 1;
            return;
        };
        let book = &mut self.partitions[partition];
        match usize::try_from(sequence).ok().and_then(|at| book.seen.get_mut(at)) {
            // A number that was never given.
            None => self.corrupt += 1,
            Some(seen) => {
                book.duplicated += u64::from(*seen);
                book.reordered += u64::from(!*seen && sequence < book.next);
                *seen = true;
                book.next = book.next.max(sequence + 1);
            }
        }
    }

    /// The sequence number of a value that is whole, and of this run and partition.
    fn sequence(&self, partition: usize, value: &[u8]) -> Option<u64> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, sequence @ ..] = *value.first_chunk::<STAMP_BYTES>()?;
        let is_whole = u32::from_be_bytes([a, b, c, d]) == crc32c(&value[CRC_BYTES..]);
        let is_ours = u32::from_be_bytes([e, f, g, h]) == self.run;
        let is_here = u32::from_be_bytes([i, j, k, l]) == partition as u32;
        (is_whole && is_ours && is_here).then_some(u64::from_be_bytes(sequence))
    }

    /// Whether everything that was acknowledged has come back.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.partitions.iter().all(|book| book.acked.iter().zip(&book.seen).all(|(acked, seen)| *seen || !*acked))
    }

    /// What the books say.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let count = |of: fn(&(bool, bool)) -> bool| -> u64 {
            let pairs =
                self.partitions.iter().flat_map(|book| book.acked.iter().copied().zip(book.seen.iter().copied()));
            pairs.filter(of).count() as u64
        };
        Verdict {
            sent: count(|_| true),
            acked: count(|(acked, _)| *acked),
            read: count(|(_, seen)| *seen),
            lost: count(|(acked, seen)| *acked && !*seen),
            duplicated: self.partitions.iter().map(|book| book.duplicated).sum(),
            reordered: self.partitions.iter().map(|book| book.reordered).sum(),
            corrupt: self.corrupt,
            failed: self.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(ledger: &mut Ledger, count: u64) -> Vec<Vec<u8>> {
        let stamp = |n: u64| {
            let mut value = Vec::new();
            let sequence = ledger.stamp(0, format!("text {n}").as_bytes(), &mut value);
            ledger.acked(0, sequence);
            value
        };
        (0..count).map(stamp).collect()
    }

    #[test]
    fn all_is_well_when_everything_comes_back_in_order() {
        let mut ledger = Ledger::new(7, 1);
        for value in sent(&mut ledger, 10) {
            ledger.read(0, &value);
        }
        let verdict = ledger.verdict();
        assert!(verdict.is_clean() && ledger.is_complete());
        assert_eq!((verdict.sent, verdict.acked, verdict.read), (10, 10, 10));
    }

    #[test]
    fn each_kind_of_fault_is_counted_as_what_it_is() {
        let mut ledger = Ledger::new(7, 1);
        let values = sent(&mut ledger, 6);
        let mut flipped = values[5].clone();
        *flipped.last_mut().unwrap() ^= 1;
        for value in [&values[0], &values[2], &values[1], &values[2], &flipped, &vec![1, 2, 3]] {
            ledger.read(0, value);
        }
        let verdict = ledger.verdict();
        assert_eq!((verdict.lost, verdict.duplicated, verdict.reordered, verdict.corrupt), (3, 1, 1, 2));
        assert!(!verdict.is_clean() && !ledger.is_complete());
    }

    #[test]
    fn partitions_that_have_changed_places_are_seen() {
        let mut ledger = Ledger::new(7, 2);
        let mut stamp = |partition| {
            let mut value = Vec::new();
            ledger.stamp(partition, b"the same text", &mut value);
            value
        };
        let (first, second) = (stamp(0), stamp(1));
        ledger.read(1, &first);
        ledger.read(0, &second);
        assert_eq!(ledger.verdict().corrupt, 2);
    }

    #[test]
    fn a_refusal_voids_the_cell() {
        let mut ledger = Ledger::new(7, 1);
        ledger.stamp(0, b"refused", &mut Vec::new());
        ledger.failed();
        assert!(!ledger.verdict().is_clean());
    }

    #[test]
    fn what_was_never_acknowledged_may_be_missing() {
        let mut ledger = Ledger::new(7, 1);
        ledger.stamp(0, b"maybe", &mut Vec::new());
        assert!(ledger.verdict().is_clean() && ledger.is_complete());
    }

    #[test]
    fn a_record_of_another_run_or_of_the_future_is_corrupt() {
        let (mut ledger, mut other) = (Ledger::new(7, 1), Ledger::new(8, 1));
        let strange = sent(&mut other, 1).remove(0);
        ledger.read(0, &strange);
        let mut same_run = Ledger::new(7, 1);
        let unknown = sent(&mut same_run, 1).remove(0);
        ledger.read(0, &unknown);
        assert_eq!(ledger.verdict().corrupt, 2);
    }
}
