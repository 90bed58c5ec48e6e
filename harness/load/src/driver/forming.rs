//! Consumer groups while they form: who has how many partitions, until all of them are given out for good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::LoadError;

/// How often a member looks whether the others are there.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// How long one that leaves waits for the answer: from a broker that is gone none comes.
pub(crate) const LEAVE_LIMIT: Duration = Duration::from_secs(3);
/// More than `group.initial.rebalance.delay.ms` on any broker, and some rebalances.
const LIMIT: Duration = Duration::from_secs(60);

/// The groups of a cell, which are all of one size.
#[derive(Debug)]
pub(crate) struct Forming {
    members: usize,
    partitions: usize,
    /// By name: how many partitions each member has.
    groups: Mutex<HashMap<String, Vec<usize>>>,
}

/// A member's place in its group.
#[derive(Debug)]
pub(crate) struct Place {
    forming: Arc<Forming>,
    pub(crate) group: String,
    number: usize,
}

impl Forming {
    /// Groups of so many members, each of which reads a topic of so many partitions. A group has no more members than that.
    pub(crate) fn new(members: u32, partitions: u32) -> Arc<Forming> {
        let members = members.min(partitions) as usize;
        Arc::new(Forming { members, partitions: partitions as usize, groups: Mutex::default() })
    }

    /// One more member, which has nothing yet.
    pub(crate) fn place(self: &Arc<Forming>, group: String) -> Place {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let members = groups.entry(group.clone()).or_default();
        members.push(0);
        Place { forming: Arc::clone(self), group, number: members.len() - 1 }
    }

    /// The names of those that have members.
    pub(crate) fn names(&self) -> Vec<String> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Place {
    /// Gives up on the group after a while.
    ///
    /// # Errors
    /// [`LoadError::Refused`].
    pub(crate) fn is_late(&self, begun: Instant) -> Result<(), LoadError> {
        if begun.elapsed() < LIMIT {
            return Ok(());
        }
        let (group, seconds) = (&self.group, LIMIT.as_secs());
        Err(LoadError::refused(format!(
            "group {group} has not come to rest within {seconds} s: see its coordinator's log, or say `consumption: assigned`"
        )))
    }

    /// Notes how many partitions it has; whether the group has come to rest: every member has some, and together they have all of
    /// them. As long as others join nobody's share grows (range assignment), so a share that is out of date makes the sum too large.
    pub(crate) fn has(&self, partitions: usize) -> bool {
        let mut groups = self.forming.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(members) = groups.get_mut(&self.group) else { return false };
        if let Some(own) = members.get_mut(self.number) {
            *own = partitions;
        }
        members.len() == self.forming.members
            && members.iter().all(|share| *share > 0)
            && members.iter().sum::<usize>() == self.forming.partitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_come_to_rest_when_everybody_has_a_part_and_nothing_is_given_out_twice() {
        let forming = Forming::new(3, 4);
        let [a, b, c] = std::array::from_fn(|_| forming.place("g".to_owned()));
        let other = forming.place("h".to_owned());
        assert!(!a.has(4), "it is alone yet");
        assert!(!a.has(2) && !b.has(2), "the third has nothing");
        assert!(!c.has(1), "the others do not know of it yet");
        assert!(b.has(1) && a.has(2) && c.has(1), "now they do");
        assert!(!other.has(4), "another group is another matter");
    }
}
