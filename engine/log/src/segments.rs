//! The segments of a log in order, of which the last one is active.

use std::sync::Arc;

use crate::segment::Segment;

/// At least one segment. Cloning copies pointers: a reader works on the list as it was.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    closed: Vec<Arc<Segment>>,
    active: Arc<Segment>,
}

impl Segments {
    /// `closed` in rising order, all before `active`.
    pub(crate) fn new(closed: Vec<Arc<Segment>>, active: Arc<Segment>) -> Self {
        Self { closed, active }
    }

    pub(crate) fn active(&self) -> &Arc<Segment> {
        &self.active
    }

    pub(crate) fn closed(&self) -> &[Arc<Segment>] {
        &self.closed
    }

    pub(crate) fn first(&self) -> &Arc<Segment> {
        self.closed.first().unwrap_or(&self.active)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> {
        self.closed.iter().chain(std::iter::once(&self.active))
    }

    /// The segment whose range holds `offset`, and those after it.
    pub(crate) fn at_and_after(&self, offset: i64) -> impl Iterator<Item = &Arc<Segment>> {
        let after = self.closed.partition_point(|segment| segment.base_offset() <= offset);
        let skip = if self.active.base_offset() <= offset { self.closed.len() } else { after.saturating_sub(1) };
        self.iter().skip(skip)
    }

    /// The segment with exactly this base offset.
    pub(crate) fn with_base(&self, base_offset: i64) -> Option<&Arc<Segment>> {
        self.at_and_after(base_offset).next().filter(|segment| segment.base_offset() == base_offset)
    }

    /// Closes the active segment and goes on with `next`.
    pub(crate) fn roll(&mut self, next: Arc<Segment>) {
        self.closed.push(std::mem::replace(&mut self.active, next));
    }

    /// Takes closed segments out; they are returned.
    pub(crate) fn remove(&mut self, which: impl Fn(&Arc<Segment>) -> bool) -> Vec<Arc<Segment>> {
        self.closed.extract_if(.., |segment| which(segment)).collect()
    }

    /// Puts `new` in the place of the closed segments that it was made from.
    pub(crate) fn replace(&mut self, which: impl Fn(&Arc<Segment>) -> bool, new: Arc<Segment>) {
        let place = self.closed.iter().position(&which).unwrap_or(self.closed.len());
        self.closed.retain(|segment| !which(segment));
        self.closed.insert(place, new);
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.iter().map(|segment| segment.size_bytes()).sum()
    }
}
