//! The offsets that bound a log, and the order that always holds between them.

/// A place between two batches, as an offset and as a position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boundary {
    /// Offset of the batch that begins here, or will.
    pub(crate) offset: i64,
    /// Base offset of the segment.
    pub(crate) segment: i64,
    /// Bytes of the segment before it.
    pub(crate) position: u64,
}

/// How the high watermark moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HighWatermarkMode {
    /// A single replica, page-cache level: with the log end.
    WithLogEnd,
    /// A single replica, fsync level: what is shown has been synced.
    WithSync,
    /// Set from outside, by replication.
    Manual,
}

/// log start ≤ last stable ≤ high watermark ≤ log end, and synced ≤ log end: asserted wherever one of them moves.
#[derive(Debug, Clone)]
pub(crate) struct Offsets {
    log_start: i64,
    /// The recovery point: everything below is on the device.
    synced: Boundary,
    high_watermark: Boundary,
    log_end: Boundary,
    first_open_transaction: Option<i64>,
    mode: HighWatermarkMode,
    /// Log ends of the last appends. A consumer that has caught up asks for one of them, and needs no look-up.
    recent: [Boundary; RECENT],
    next_recent: usize,
}

const RECENT: usize = 8;

impl Offsets {
    pub(crate) fn new(log_start: i64, synced: Boundary, log_end: Boundary, mode: HighWatermarkMode) -> Self {
        let high_watermark = log_end;
        let (recent, first_open_transaction) = ([log_end; RECENT], None);
        let offsets =
            Self { log_start, synced, high_watermark, log_end, first_open_transaction, mode, recent, next_recent: 0 };
        offsets.assert_order();
        offsets
    }

    pub(crate) fn log_start(&self) -> i64 {
        self.log_start
    }

    pub(crate) fn synced(&self) -> Boundary {
        self.synced
    }

    pub(crate) fn high_watermark(&self) -> Boundary {
        self.high_watermark
    }

    pub(crate) fn log_end(&self) -> Boundary {
        self.log_end
    }

    /// min(high watermark, first offset of the oldest open transaction).
    pub(crate) fn last_stable(&self) -> i64 {
        let open = self.first_open_transaction.unwrap_or(i64::MAX);
        self.high_watermark.offset.min(open).max(self.log_start.min(self.high_watermark.offset))
    }

    /// The boundary at `offset`, if it was the log end lately.
    pub(crate) fn recent(&self, offset: i64) -> Option<Boundary> {
        self.recent.iter().find(|boundary| boundary.offset == offset).copied()
    }

    /// Batches have been written up to `end`.
    pub(crate) fn appended(&mut self, end: Boundary, first_open_transaction: Option<i64>) {
        assert!(end.offset >= self.log_end.offset, "the log end falls from {} to {}", self.log_end.offset, end.offset);
        self.log_end = end;
        self.first_open_transaction = first_open_transaction;
        if let Some(oldest) = self.recent.get_mut(self.next_recent) {
            *oldest = end;
            self.next_recent = (self.next_recent + 1) % RECENT;
        }
        if self.mode == HighWatermarkMode::WithLogEnd {
            self.high_watermark = end;
        }
        self.assert_order();
    }

    /// An fdatasync has covered everything before `end`.
    pub(crate) fn synced_to(&mut self, end: Boundary) {
        if end.offset >= self.synced.offset && end.offset <= self.log_end.offset {
            self.synced = end;
            if self.mode == HighWatermarkMode::WithSync && end.offset > self.high_watermark.offset {
                self.high_watermark = end;
            }
        }
        self.assert_order();
    }

    /// The active segment was closed: the log end is the start of the next one.
    pub(crate) fn rolled(&mut self, end: Boundary) {
        for boundary in [&mut self.synced, &mut self.high_watermark, &mut self.log_end] {
            if boundary.offset == end.offset {
                *boundary = end;
            }
        }
        self.recent.iter_mut().filter(|recent| recent.offset == end.offset).for_each(|recent| *recent = end);
        self.assert_order();
    }

    /// Raises the high watermark; from now on only this does. A lower one than before, or one above the log end, is ignored.
    pub(crate) fn raise_high_watermark(&mut self, high_watermark: Boundary) {
        self.mode = HighWatermarkMode::Manual;
        if (self.high_watermark.offset..=self.log_end.offset).contains(&high_watermark.offset) {
            self.high_watermark = high_watermark;
        }
        self.assert_order();
    }

    /// Another durability level: what an automatic high watermark follows.
    pub(crate) fn set_mode(&mut self, mode: HighWatermarkMode) {
        if self.mode != HighWatermarkMode::Manual {
            self.mode = mode;
            let shown = if mode == HighWatermarkMode::WithSync { self.synced } else { self.log_end };
            if shown.offset > self.high_watermark.offset {
                self.high_watermark = shown;
            }
        }
    }

    /// Everything from `end` on was cut off.
    pub(crate) fn truncated(&mut self, end: Boundary, first_open_transaction: Option<i64>) {
        self.log_end = end;
        for boundary in [&mut self.synced, &mut self.high_watermark] {
            if boundary.offset >= end.offset {
                *boundary = end;
            }
        }
        self.log_start = self.log_start.min(end.offset);
        self.first_open_transaction = first_open_transaction;
        self.recent = [end; RECENT];
        self.assert_order();
    }

    /// Records before `offset` are no longer served; tells whether that is new.
    pub(crate) fn raise_log_start(&mut self, offset: i64) -> bool {
        let raises = offset > self.log_start && offset <= self.high_watermark.offset;
        if raises {
            self.log_start = offset;
        }
        self.assert_order();
        raises
    }

    fn assert_order(&self) {
        let Self { log_start, synced, high_watermark, log_end, .. } = self;
        let last_stable = self.last_stable();
        assert!(
            *log_start <= log_end.offset
                && last_stable <= high_watermark.offset
                && high_watermark.offset <= log_end.offset
                && synced.offset <= log_end.offset,
            "log start {log_start}, last stable {last_stable}, high watermark {}, synced {}, log end {}",
            high_watermark.offset,
            synced.offset,
            log_end.offset
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Boundary {
        Boundary { offset, segment: 0, position: offset as u64 * 100 }
    }

    #[test]
    fn at_the_fsync_level_only_what_is_synced_is_shown() {
        let mut offsets = Offsets::new(0, at(0), at(0), HighWatermarkMode::WithSync);
        offsets.appended(at(5), None);
        assert_eq!((offsets.high_watermark(), offsets.log_end()), (at(0), at(5)));
        offsets.synced_to(at(3));
        assert_eq!(offsets.high_watermark(), at(3));
    }

    #[test]
    fn an_open_transaction_holds_the_last_stable_offset_back() {
        let mut offsets = Offsets::new(0, at(0), at(0), HighWatermarkMode::WithLogEnd);
        offsets.appended(at(5), Some(2));
        assert_eq!((offsets.last_stable(), offsets.high_watermark()), (2, at(5)));
        offsets.appended(at(6), None);
        assert_eq!(offsets.last_stable(), 6);
    }

    #[test]
    fn the_high_watermark_neither_falls_nor_passes_the_log_end() {
        let mut offsets = Offsets::new(0, at(0), at(5), HighWatermarkMode::WithLogEnd);
        offsets.appended(at(9), None);
        offsets.raise_high_watermark(at(7));
        assert_eq!(offsets.high_watermark(), at(9));
        offsets.raise_high_watermark(at(10));
        assert_eq!(offsets.high_watermark(), at(9));
        offsets.appended(at(12), None);
        assert_eq!(offsets.high_watermark(), at(9), "manual from the first call on");
        offsets.raise_high_watermark(at(12));
        assert_eq!(offsets.high_watermark(), at(12));
    }

    #[test]
    #[should_panic(expected = "the log end falls")]
    fn a_falling_log_end_is_a_bug() {
        Offsets::new(0, at(0), at(5), HighWatermarkMode::WithLogEnd).appended(at(4), None);
    }
}
