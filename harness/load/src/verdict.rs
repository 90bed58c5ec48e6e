//! What the books say when everything has been read back.

/// What the books say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// Read with another checksum, from another partition, with another key, or with a stamp that nobody gave.
    pub corrupt: u64,
    /// Refused, never answered, or due and never taken.
    pub failed: u64,
}

impl Verdict {
    /// Whether the cell counts.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicated, self.reordered, self.corrupt, self.failed) == (0, 0, 0, 0, 0)
    }
}
