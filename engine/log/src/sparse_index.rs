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
    /// The file has more behind them, which is not true or no entry at all.
    has_stale_tail: bool,
}

#[derive(Debug)]
enum Entries<E> {
    Memory(Vec<E>),
    Mapped(Map),
}

/// The end of an index that its file lacks: what the file has from `position` on is replaced by `bytes`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unpersisted {
    pub(crate) position: u64,
    pub(crate) bytes: Vec<u8>,
}

impl<E: Entry> Default for SparseIndex<E> {
    fn default() -> Self {
        Self { entries: Entries::Memory(Vec::new()), persisted: 0, has_stale_tail: true }
    }
}

impl<E: Entry> SparseIndex<E> {
    /// The index of a closed segment. A file whose size is no multiple of an entry's gives `None`: it is rebuilt.
    pub(crate) fn mapped(map: Map) -> Option<Self> {
        let whole = map.len().is_multiple_of(E::BYTES);
        let persisted = map.len() / E::BYTES;
        whole.then_some(Self { entries: Entries::Mapped(map), persisted, has_stale_tail: false })
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
        let has_stale_tail = bytes.len() > persisted * E::BYTES;
        Self { entries: Entries::Memory(entries), persisted, has_stale_tail }
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
            self.has_stale_tail |= self.persisted > entries.len();
            self.persisted = self.persisted.min(entries.len());
        }
    }

    /// What the file lacks; [`Self::mark_persisted`] when it has it. `None` when it is as it should be.
    pub(crate) fn unpersisted(&self) -> Option<Unpersisted> {
        let mut bytes = Vec::new();
        if let Entries::Memory(entries) = &self.entries {
            entries.iter().skip(self.persisted).for_each(|entry| entry.encode(&mut bytes));
        }
        let position = (self.persisted * E::BYTES) as u64;
        (self.has_stale_tail || !bytes.is_empty()).then_some(Unpersisted { position, bytes })
    }

    pub(crate) fn mark_persisted(&mut self, up_to: u64) {
        self.persisted = usize::try_from(up_to).unwrap_or(usize::MAX) / E::BYTES;
        self.has_stale_tail = false;
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        (self.len() * E::BYTES) as u64
    }
}
