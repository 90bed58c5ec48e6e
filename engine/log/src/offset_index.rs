//! The offset index: from an offset to a place in the segment at or before it.

use crate::sparse_index::{Entry, SparseIndex};

/// `.index`: for the first batch that ends an interval of `index.interval.bytes`, its last offset and where it begins.
pub(crate) type OffsetIndex = SparseIndex<OffsetEntry>;

/// One entry: 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// Last offset of the batch, less the segment's base offset.
    pub(crate) relative_offset: u32,
    /// Where the batch begins in the segment.
    pub(crate) position: u32,
}

const _: () = assert!(OffsetEntry::BYTES == 8);

impl Entry for OffsetEntry {
    const BYTES: usize = size_of::<u32>() + size_of::<u32>();

    fn decode(bytes: &[u8]) -> Self {
        let (offset, position) = bytes.split_at(size_of::<u32>());
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
        Self { relative_offset: number(offset), position: number(position) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.relative_offset.to_be_bytes());
        out.extend(self.position.to_be_bytes());
    }

    fn follows(&self, previous: &Self) -> bool {
        self.relative_offset > previous.relative_offset && self.position > previous.position
    }
}

impl OffsetIndex {
    /// The last indexed batch that ends at or before `relative_offset`.
    pub(crate) fn at_or_before(&self, relative_offset: u32) -> Option<OffsetEntry> {
        self.last_where(|entry| entry.relative_offset <= relative_offset)
    }

    /// Where the last indexed batch at or before `position` begins.
    pub(crate) fn batch_start_at_or_before(&self, position: u64) -> Option<u64> {
        self.last_where(|entry| u64::from(entry.position) <= position).map(|entry| u64::from(entry.position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse_index::Unpersisted;

    fn entry(relative_offset: u32, position: u32) -> OffsetEntry {
        OffsetEntry { relative_offset, position }
    }

    #[test]
    fn a_lookup_gives_the_last_batch_at_or_before() {
        let mut index = OffsetIndex::default();
        assert_eq!(index.at_or_before(7), None);
        for (offset, position) in [(10, 100), (20, 5000), (30, 9500)] {
            assert!(index.push(entry(offset, position)));
        }
        assert_eq!(index.at_or_before(9), None);
        assert_eq!(index.at_or_before(10), Some(entry(10, 100)));
        assert_eq!(index.at_or_before(29), Some(entry(20, 5000)));
        assert_eq!(index.at_or_before(u32::MAX), Some(entry(30, 9500)));
        assert_eq!(index.batch_start_at_or_before(5001), Some(5000));
    }

    #[test]
    fn the_file_is_big_endian_pairs_and_reads_back() {
        let mut index = OffsetIndex::default();
        index.push(entry(1, 0x0102_0304));
        index.push(entry(0x0a0b_0c0d, 0x7fff_ffff));
        let bytes = [0, 0, 0, 1, 1, 2, 3, 4, 10, 11, 12, 13, 127, 255, 255, 255];
        assert_eq!(index.unpersisted(), Some(Unpersisted { position: 0, bytes: bytes.to_vec() }));
        let read = OffsetIndex::from_file(&bytes);
        assert_eq!((read.len(), read.last()), (2, Some(entry(0x0a0b_0c0d, 0x7fff_ffff))));
        index.mark_persisted(16);
        index.push(entry(0x0a0b_0c0e, 0x8000_0000));
        let bytes = vec![10, 11, 12, 14, 128, 0, 0, 0];
        assert_eq!(index.unpersisted(), Some(Unpersisted { position: 16, bytes }));
    }

    #[test]
    fn what_was_cut_off_leaves_the_file_too() {
        let mut bytes = Vec::new();
        [entry(5, 100), entry(9, 200), entry(12, 300)].iter().for_each(|entry| entry.encode(&mut bytes));
        let mut index = OffsetIndex::from_file(&bytes);
        assert_eq!(index.unpersisted(), None);
        index.truncate_where(|entry| entry.position < 200);
        assert_eq!(index.unpersisted(), Some(Unpersisted { position: 8, bytes: Vec::new() }));
        index.mark_persisted(8);
        assert_eq!(index.unpersisted(), None);
        bytes.extend([0; 8]);
        assert_eq!(
            OffsetIndex::from_file(&bytes).unpersisted(),
            Some(Unpersisted { position: 24, bytes: Vec::new() }),
            "what is no entry goes as well",
        );
    }

    #[test]
    fn reading_stops_at_zeros_a_half_entry_and_falling_offsets() {
        let mut bytes = Vec::new();
        entry(5, 100).encode(&mut bytes);
        entry(9, 200).encode(&mut bytes);
        for tail in [&[0; 64][..], &[0; 3], &[0, 0, 0, 7, 0, 0, 9, 9]] {
            let file = [&bytes, tail].concat();
            assert_eq!(OffsetIndex::from_file(&file).last(), Some(entry(9, 200)));
        }
    }
}
