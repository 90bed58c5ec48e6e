//! Leader epochs of a partition: where each began.

use crate::checkpoint;

/// The epochs in rising order with their first offsets: `leader-epoch-checkpoint`, derived from the batches' headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeaderEpochs(Vec<LeaderEpoch>);

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaderEpoch {
    pub(crate) epoch: i32,
    pub(crate) start_offset: i64,
}

impl LeaderEpochs {
    /// A batch of `epoch` begins at `start_offset`. Tells whether that was the epoch's first. Entries that it contradicts,
    /// left by a log that was truncated, go.
    pub(crate) fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 || self.0.last().is_some_and(|last| last.epoch >= epoch) {
            return false;
        }
        self.0.retain(|entry| entry.start_offset < start_offset);
        self.0.push(LeaderEpoch { epoch, start_offset });
        true
    }

    /// The newest epoch, or −1.
    pub(crate) fn latest(&self) -> i32 {
        self.0.last().map_or(-1, |last| last.epoch)
    }

    /// The epoch of a batch at `offset`.
    pub(crate) fn at(&self, offset: i64) -> Option<i32> {
        self.0.iter().rev().find(|entry| entry.start_offset <= offset).map(|entry| entry.epoch)
    }

    /// The largest known epoch that is not above `epoch`, and the offset where it ends (OffsetForLeaderEpoch). `None` when
    /// `epoch` is unknown and larger than all, or smaller than all.
    pub(crate) fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        if epoch == self.latest() {
            return Some((epoch, log_end_offset));
        }
        let next = self.0.iter().position(|entry| entry.epoch > epoch)?;
        let end_offset = self.0.get(next)?.start_offset;
        let own = self.0.get(next.checked_sub(1)?)?;
        Some((own.epoch, end_offset))
    }

    /// Forgets epochs that begin at or after `end_offset`; tells whether there were any.
    pub(crate) fn truncate_to(&mut self, end_offset: i64) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.start_offset < end_offset);
        self.0.len() != before
    }

    /// Forgets epochs that ended before the log's start; the one that spans it begins there. Tells whether anything changed.
    pub(crate) fn start_at(&mut self, log_start_offset: i64) -> bool {
        let spans = self.0.iter().rposition(|entry| entry.start_offset <= log_start_offset);
        let Some(first) = spans.and_then(|spans| {
            self.0.drain(..spans).for_each(drop);
            self.0.first_mut()
        }) else {
            return false;
        };
        let changed = first.start_offset != log_start_offset;
        first.start_offset = log_start_offset;
        changed
    }

    pub(crate) fn encode(&self) -> String {
        checkpoint::encode(self.0.iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset)))
    }

    /// The epochs of a checkpoint file; `None` when it is none, or its rows don't rise.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let mut epochs = Self::default();
        for row in checkpoint::decode(text)? {
            let (epoch, start_offset) = row.split_once(' ')?;
            let entry = LeaderEpoch { epoch: epoch.parse().ok()?, start_offset: start_offset.parse().ok()? };
            let rises = |last: &LeaderEpoch| last.epoch < entry.epoch && last.start_offset < entry.start_offset;
            if entry.epoch < 0 || entry.start_offset < 0 || !epochs.0.last().is_none_or(rises) {
                return None;
            }
            epochs.0.push(entry);
        }
        Some(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs(entries.iter().map(|&(epoch, start_offset)| LeaderEpoch { epoch, start_offset }).collect())
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_begins() {
        let epochs = epochs(&[(2, 0), (5, 30), (7, 50)]);
        let cases = [
            (1, None),
            (2, Some((2, 30))),
            (3, Some((2, 30))),
            (5, Some((5, 50))),
            (6, Some((5, 50))),
            (7, Some((7, 80))),
            (8, None),
        ];
        for (epoch, expected) in cases {
            assert_eq!(epochs.end_offset_for(epoch, 80), expected, "epoch {epoch}");
        }
        assert_eq!(epochs.at(49), Some(5));
    }

    #[test]
    fn only_a_larger_epoch_is_assigned_and_contradicted_ones_go() {
        let mut epochs = epochs(&[(2, 0), (5, 30)]);
        assert!(!epochs.assign(5, 40));
        assert!(!epochs.assign(-1, 40));
        assert!(epochs.assign(6, 30));
        assert_eq!(epochs, self::epochs(&[(2, 0), (6, 30)]));
    }

    #[test]
    fn truncation_and_deletion_cut_both_ends() {
        let mut from_end = epochs(&[(2, 0), (5, 30), (7, 50)]);
        assert!(from_end.truncate_to(50));
        assert_eq!(from_end, epochs(&[(2, 0), (5, 30)]));
        let mut from_start = epochs(&[(2, 0), (5, 30), (7, 50)]);
        assert!(from_start.start_at(40));
        assert_eq!(from_start, epochs(&[(5, 40), (7, 50)]));
    }

    #[test]
    fn the_checkpoint_has_kafkas_lines_and_reads_back() {
        let epochs = epochs(&[(0, 0), (3, 1234)]);
        assert_eq!(epochs.encode(), "0\n2\n0 0\n3 1234\n");
        assert_eq!(LeaderEpochs::decode(&epochs.encode()), Some(epochs));
        for bad in ["", "1\n0\n", "0\n2\n0 0\n", "0\n1\n0\n", "0\n2\n3 0\n1 5\n", "0\nx\n", "0\n1\n-1 0\n"] {
            assert_eq!(LeaderEpochs::decode(bad), None, "{bad:?}");
        }
    }
}
