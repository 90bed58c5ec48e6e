//! The time index: from a timestamp to an offset before which everything is older.

use crate::sparse_index::{Entry, SparseIndex};

/// `.timeindex`: up to `relative_offset` no timestamp of the segment is larger than `timestamp`. Strictly rising.
pub(crate) type TimeIndex = SparseIndex<TimeEntry>;

/// One entry: 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// Largest timestamp of the segment so far, in milliseconds.
    pub(crate) timestamp: i64,
    /// Last offset of the batch that has it, less the segment's base offset.
    pub(crate) relative_offset: u32,
}

const _: () = assert!(TimeEntry::BYTES == 12);

impl Entry for TimeEntry {
    const BYTES: usize = size_of::<i64>() + size_of::<u32>();

    fn decode(bytes: &[u8]) -> Self {
        let (timestamp, offset) = bytes.split_at(size_of::<i64>());
        Self {
            timestamp: timestamp.iter().fold(0, |number, &byte| number << 8 | i64::from(byte)),
            relative_offset: offset.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.relative_offset.to_be_bytes());
    }

    fn follows(&self, previous: &Self) -> bool {
        self.timestamp > previous.timestamp && self.relative_offset > previous.relative_offset
    }
}

impl TimeIndex {
    /// The last entry whose timestamp is smaller than `timestamp`: what is sought comes after it.
    pub(crate) fn before(&self, timestamp: i64) -> Option<TimeEntry> {
        self.last_where(|entry| entry.timestamp < timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_rise_strictly_and_read_back() {
        let mut index = TimeIndex::default();
        let entry = |timestamp, relative_offset| TimeEntry { timestamp, relative_offset };
        assert!(index.push(entry(1_000, 4)));
        assert!(!index.push(entry(1_000, 9)), "an equal timestamp adds nothing");
        assert!(index.push(entry(2_000, 12)));
        assert_eq!(index.before(1_000), None);
        assert_eq!(index.before(1_001), Some(entry(1_000, 4)));
        let bytes = index.unpersisted().map(|unpersisted| unpersisted.bytes).unwrap_or_default();
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 7, 208, 0, 0, 0, 12]);
        assert_eq!(TimeIndex::from_file(&bytes).last(), Some(entry(2_000, 12)));
    }
}
