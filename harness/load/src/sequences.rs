//! Which sequence numbers have been seen: ranges, since nearly all come in order.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of numbers. In order they cost nothing; each gap costs a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sequences {
    /// The highest range, where the next number is expected.
    last: Range<u64>,
    /// The others by their first numbers; between two of them, and before `last`, something is missing.
    earlier: BTreeMap<u64, u64>,
}

impl Sequences {
    /// Adds a number; tells whether it was not there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if number == self.last.end {
            self.last.end += 1;
            return true;
        }
        if number > self.last.end {
            if !self.last.is_empty() {
                self.earlier.insert(self.last.start, self.last.end);
            }
            self.last = number..number + 1;
            return true;
        }
        !self.last.contains(&number) && self.fill(number)
    }

    /// Adds a number that is missing below the last range.
    fn fill(&mut self, number: u64) -> bool {
        let below = self.earlier.range(..=number).next_back().map(|(&start, &end)| start..end);
        if below.as_ref().is_some_and(|below| below.contains(&number)) {
            return false;
        }
        let mut range = number..number + 1;
        if let Some(below) = below.filter(|below| below.end == number) {
            self.earlier.remove(&below.start);
            range.start = below.start;
        }
        if let Some(end) = self.earlier.remove(&range.end) {
            range.end = end;
        }
        if range.end == self.last.start {
            self.last.start = range.start;
        } else {
            self.earlier.insert(range.start, range.end);
        }
        true
    }

    /// The ranges in order, none touching the next.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let earlier = self.earlier.iter().map(|(&start, &end)| start..end);
        earlier.chain(Some(self.last.clone()).filter(|last| !last.is_empty()))
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.ranges().map(|range| range.end - range.start).sum()
    }

    /// How many are in both.
    pub(crate) fn count_common(&self, other: &Sequences) -> u64 {
        let (mut ours, mut theirs) = (self.ranges().peekable(), other.ranges().peekable());
        let mut common = 0;
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            common += a.end.min(b.end).saturating_sub(a.start.max(b.start));
            if a.end <= b.end {
                ours.next();
            } else {
                theirs.next();
            }
        }
        common
    }

    /// Adds all of another set.
    pub(crate) fn extend(&mut self, other: &Sequences) {
        let mut all: Vec<Range<u64>> = self.ranges().chain(other.ranges()).collect();
        all.sort_by_key(|range| range.start);
        *self = Sequences::default();
        for range in all {
            if self.last.is_empty() || range.start > self.last.end {
                if !self.last.is_empty() {
                    self.earlier.insert(self.last.start, self.last.end);
                }
                self.last = range;
            } else {
                self.last.end = self.last.end.max(range.end);
            }
        }
    }

    /// All below `end`.
    pub(crate) fn up_to(end: u64) -> Sequences {
        Sequences { last: 0..end, earlier: BTreeMap::new() }
    }

    /// One more than the highest; 0 of an empty set.
    pub(crate) fn end(&self) -> u64 {
        self.last.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_in_order_are_one_range() {
        let mut sequences = Sequences::default();
        assert!((0..1_000).all(|number| sequences.insert(number)));
        assert_eq!(sequences, Sequences::up_to(1_000));
        assert!(!sequences.insert(7) && sequences.count() == 1_000);
    }

    #[test]
    fn in_any_order_it_is_the_set_of_what_was_added() {
        let seed = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("RINGLOG_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..200 {
            let most = random.u64(2..300);
            let (mut sets, mut models) =
                ([Sequences::default(), Sequences::default()], [BTreeSet::new(), BTreeSet::new()]);
            for _ in 0..random.u64(1..400) {
                let (which, number) = (random.usize(..2), random.u64(..most));
                assert_eq!(sets[which].insert(number), models[which].insert(number));
            }
            let [mut a, b] = sets;
            let flat = |set: &Sequences| set.ranges().flatten().collect::<Vec<u64>>();
            assert_eq!(flat(&a), models[0].iter().copied().collect::<Vec<_>>());
            assert!(a.ranges().zip(a.ranges().skip(1)).all(|(one, next)| one.end < next.start));
            assert_eq!(a.count_common(&b), models[0].intersection(&models[1]).count() as u64);
            a.extend(&b);
            assert_eq!(flat(&a), models[0].union(&models[1]).copied().collect::<Vec<_>>());
            assert_eq!(a.end(), models[0].union(&models[1]).max().map_or(0, |highest| highest + 1));
        }
    }
}
