//! A sorted array of fixed-size entries: in memory for the active segment, mapped for a closed one.

use ringlog_io::Map;

/// What an index holds. The file is the entries one after the other, big-endian.
pub(crate) trait Entry: Copy {
    /// Size of an entry in the file.
    const BYTES: usize;
    /// The entry at the start of `bytes`, which are [`Self::BYTES`] long.
    fn decode(bytes: &[u8]) -> Self;
    /// Appends the entry's bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Whether the entry may stand after `previous`.
    fn follows(&self, previous: &Self) -> bool;
}

/// Entries in rising order.
#[derive(Debug)]
pub(crate) struct SparseIndex<E> {
    entries: Entries<E>,
    /// Entries that the file has already.
    persisted: usize,
}

#[derive(Debug)]
enum Entries<E> {
    Memory(Vec<E>),
    Mapped(Map),
}

impl<E: Entry> Default for SparseIndex<E> {
    fn default() -> Self {
        Self { entries: Entries::Memory(Vec::new()), persisted: 0 }
    }
}

impl<E: Entry> SparseIndex<E> {
    /// The index of a closed segment. A file whose size is no multiple of an entry's gives `None`: it is rebuilt.
    pub(crate) fn mapped(map: Map) -> Option<Self> {
        let whole = map.len().is_multiple_of(E::BYTES);
        let persisted = map.len() / E::BYTES;
        whole.then_some(Self { entries: Entries::Mapped(map), persisted })
    }

    /// The entries of an index file up to the first one that does not follow its predecessor. Kafka pre-allocates
    /// the files of the active segment, and the zeros behind the last entry end it the same way.
    pub(crate) fn from_file(bytes: &[u8]) -> Self {
        let mut entries: Vec<E> = Vec::with_capacity(bytes.len() / E::BYTES);
        for entry in bytes.chunks_exact(E::BYTES).map(E::decode) {
            if entries.last().is_some_and(|last| !entry.follows(last)) {
                break;
            }
            entries.push(entry);
        }
        let persisted = entries.len();
        Self { entries: Entries::Memory(entries), persisted }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Memory(entries) => entries.len(),
            Entries::Mapped(map) => map.len() / E::BYTES,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<E> {
        match &self.entries {
            Entries::Memory(entries) => entries.get(index).copied(),
            Entries::Mapped(map) => map.chunks_exact(E::BYTES).nth(index).map(E::decode),
        }
    }

    pub(crate) fn last(&self) -> Option<E> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The last entry for which `holds` is true; it must be true for a prefix of the entries.
    pub(crate) fn last_where(&self, holds: impl Fn(&E) -> bool) -> Option<E> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(|entry| holds(&entry)) { low = middle + 1 } else { high = middle }
        }
        self.get(low.checked_sub(1)?)
    }

    /// Appends `entry` when it follows the last one; tells whether it did.
    pub(crate) fn push(&mut self, entry: E) -> bool {
        let follows = self.last().is_none_or(|last| entry.follows(&last));
        if follows && let Entries::Memory(entries) = &mut self.entries {
            entries.push(entry);
        }
        follows
    }

    /// Keeps the entries before the first one for which `keep` is false.
    pub(crate) fn truncate_where(&mut self, keep: impl Fn(&E) -> bool) {
        if let Entries::Memory(entries) = &mut self.entries {
            entries.truncate(entries.partition_point(keep));
            self.persisted = self.persisted.min(entries.len());
        }
    }

    /// The bytes that the file lacks and their place in it; [`Self::mark_persisted`] when they are written.
    pub(crate) fn unpersisted(&self) -> (u64, Vec<u8>) {
        let mut out = Vec::new();
        if let Entries::Memory(entries) = &self.entries {
            entries.iter().skip(self.persisted).for_each(|entry| entry.encode(&mut out));
        }
        ((self.persisted * E::BYTES) as u64, out)
    }

    pub(crate) fn mark_persisted(&mut self, up_to: u64) {
        self.persisted = usize::try_from(up_to).unwrap_or(usize::MAX) / E::BYTES;
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        (self.len() * E::BYTES) as u64
    }
}
