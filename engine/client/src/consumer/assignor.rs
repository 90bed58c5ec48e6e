//! Who reads what: the assignment strategies that a group's leader computes.
//!
//! All of them are functions of the members and the topics' partition counts alone, so every client that may lead the
//! group comes to the same result. Members are ordered by `group.instance.id` first, so that a static member that
//! returns under another member id keeps its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A topic and one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: String,
    /// Partition index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.topic, self.partition)
    }
}

/// An assignment strategy; the names are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Consecutive partitions of each topic: members that read the same topics get the same partition numbers.
    Range,
    /// All partitions of all topics dealt out in turn.
    RoundRobin,
    /// As even as can be, while every member keeps what it has (KIP-54); all stop reading while the group rebalances.
    Sticky,
    /// The same, but what moves is given up in one rebalance and taken in
    /// the next, so nobody stops reading what stays (KIP-429).
    CooperativeSticky,
}

/// One member as the leader sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) topics: Vec<String>,
    /// What it read before this rebalance, and the generation in which it was given that.
    pub(crate) owned: Vec<TopicPartition>,
    pub(crate) generation: i32,
}

/// What each member id gets. Every member of the group has an entry, be it empty.
pub(crate) type Assignment = BTreeMap<String, BTreeSet<TopicPartition>>;

impl Assignor {
    /// The name under which members agree on it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The strategy of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];
        all.into_iter().find(|known| known.name() == name)
    }

    /// Whether members go on reading what they keep while the group rebalances.
    pub(crate) fn is_cooperative(self) -> bool {
        self == Self::CooperativeSticky
    }

    /// Deals the partitions of all subscribed topics in `partition_counts` to the members.
    pub(crate) fn assign(self, mut members: Vec<Member>, partition_counts: &BTreeMap<String, i32>) -> Assignment {
        members.sort_by(|a, b| place(a).cmp(&place(b)));
        match self {
            Self::Range => range(&members, partition_counts),
            Self::RoundRobin => round_robin(&members, partition_counts),
            Self::Sticky => sticky(&members, partition_counts),
            Self::CooperativeSticky => withhold_moving(sticky(&members, partition_counts), &members),
        }
    }
}

/// Static members first, in the order of their instance ids.
fn place(member: &Member) -> (bool, &str) {
    (member.instance_id.is_none(), member.instance_id.as_deref().unwrap_or(&member.id))
}

fn nothing_for_anyone(members: &[Member]) -> Assignment {
    members.iter().map(|member| (member.id.clone(), BTreeSet::new())).collect()
}

fn range(members: &[Member], partition_counts: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = nothing_for_anyone(members);
    for (topic, &count) in partition_counts {
        let readers: Vec<_> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let mut partitions = 0..count;
        for (index, reader) in readers.iter().enumerate() {
            let share = count as usize / readers.len() + usize::from(index < count as usize % readers.len());
            let taken = partitions.by_ref().take(share).map(|partition| TopicPartition::new(topic, partition));
            assignment.entry(reader.id.clone()).or_default().extend(taken);
        }
    }
    assignment
}

fn round_robin(members: &[Member], partition_counts: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = nothing_for_anyone(members);
    let mut turn = members.iter().cycle();
    for partition in all_partitions(partition_counts) {
        let reader = turn.by_ref().take(members.len()).find(|member| member.topics.contains(&partition.topic));
        if let Some(reader) = reader {
            assignment.entry(reader.id.clone()).or_default().insert(partition);
        }
    }
    assignment
}

fn sticky(members: &[Member], partition_counts: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = nothing_for_anyone(members);
    let owners = owners(members);
    for partition in all_partitions(partition_counts) {
        let readers = || members.iter().filter(|member| member.topics.contains(&partition.topic));
        let owner = owners.get(&partition).filter(|owner| readers().any(|reader| reader.id == **owner));
        if let Some(owner) = owner {
            assignment.entry((*owner).to_owned()).or_default().insert(partition);
        }
    }
    let load = |assignment: &Assignment, member: &Member| assignment.get(&member.id).map_or(0, BTreeSet::len);
    for partition in all_partitions(partition_counts) {
        if assignment.values().any(|held| held.contains(&partition)) {
            continue;
        }
        let readers = members.iter().filter(|member| member.topics.contains(&partition.topic));
        if let Some(reader) = readers.min_by_key(|member| load(&assignment, member)) {
            assignment.entry(reader.id.clone()).or_default().insert(partition);
        }
    }
    while let Some((partition, from, to)) = a_move_that_evens_out(&assignment, members) {
        assignment.entry(from).or_default().remove(&partition);
        assignment.entry(to).or_default().insert(partition);
    }
    assignment
}

/// Who owns each partition; of two that claim it, the one with the later generation, and neither if they are equal.
fn owners(members: &[Member]) -> BTreeMap<&TopicPartition, &str> {
    let mut claims: BTreeMap<&TopicPartition, (i32, Option<&str>)> = BTreeMap::new();
    for member in members {
        for partition in &member.owned {
            let claim = claims.entry(partition).or_insert((member.generation, Some(&member.id)));
            match member.generation.cmp(&claim.0) {
                std::cmp::Ordering::Greater => *claim = (member.generation, Some(&member.id)),
                std::cmp::Ordering::Equal if claim.1 != Some(&member.id) => claim.1 = None,
                _ => {}
            }
        }
    }
    claims.into_iter().filter_map(|(partition, (_, owner))| Some((partition, owner?))).collect()
}

/// A partition whose reader has at least two more than another that could read it. Each such move lowers the sum of the
/// squares of the loads, so there is an end to them.
fn a_move_that_evens_out(assignment: &Assignment, members: &[Member]) -> Option<(TopicPartition, String, String)> {
    let mut by_load: Vec<_> = assignment.iter().collect();
    by_load.sort_by_key(|(_, held)| std::cmp::Reverse(held.len()));
    by_load.iter().find_map(|(from, held)| {
        // From the end: the first partitions are what a member has had the longest in a growing group.
        held.iter().rev().find_map(|partition| {
            let readers = members.iter().filter(|member| member.topics.contains(&partition.topic));
            let loads = readers.map(|reader| (assignment.get(&reader.id).map_or(0, BTreeSet::len), &reader.id));
            let (load, to) = loads.min_by_key(|(load, _)| *load)?;
            (load + 2 <= held.len()).then(|| (partition.clone(), (*from).clone(), to.clone()))
        })
    })
}

/// Takes out what another member still owns: that member has to give it up first, and rejoins once it has.
fn withhold_moving(mut assignment: Assignment, members: &[Member]) -> Assignment {
    for member in members {
        for partition in &member.owned {
            for (_, held) in assignment.iter_mut().filter(|(id, _)| **id != member.id) {
                held.remove(partition);
            }
        }
    }
    assignment
}

fn all_partitions(partition_counts: &BTreeMap<String, i32>) -> impl Iterator<Item = TopicPartition> {
    partition_counts.iter().flat_map(|(topic, &count)| (0..count).map(move |index| TopicPartition::new(topic, index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, topics: &[&str]) -> Member {
        Member { id: id.into(), topics: topics.iter().map(|&t| t.into()).collect(), ..Member::default() }
    }

    fn counts(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
        topics.iter().map(|&(name, count)| (name.into(), count)).collect()
    }

    fn shown(assignment: &Assignment) -> Vec<String> {
        let held = |held: &BTreeSet<_>| held.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(" ");
        assignment.iter().map(|(id, partitions)| format!("{id}: {}", held(partitions))).collect()
    }

    #[test]
    fn range_gives_consecutive_partitions_and_the_rest_to_the_first() {
        let members = vec![member("b", &["t", "u"]), member("a", &["t", "u"])];
        let assignment = Assignor::Range.assign(members, &counts(&[("t", 3), ("u", 3)]));
        assert_eq!(shown(&assignment), ["a: t-0 t-1 u-0 u-1", "b: t-2 u-2"]);
    }

    #[test]
    fn range_leaves_out_who_did_not_subscribe() {
        let members = vec![member("a", &["t"]), member("b", &["u"]), member("c", &["t"])];
        let assignment = Assignor::Range.assign(members, &counts(&[("t", 1), ("u", 2)]));
        assert_eq!(shown(&assignment), ["a: t-0", "b: u-0 u-1", "c: "]);
    }

    #[test]
    fn round_robin_deals_all_topics_in_turn() {
        let members = vec![member("a", &["t", "u"]), member("b", &["t", "u"])];
        let assignment = Assignor::RoundRobin.assign(members, &counts(&[("t", 3), ("u", 3)]));
        assert_eq!(shown(&assignment), ["a: t-0 t-2 u-1", "b: t-1 u-0 u-2"]);
    }

    #[test]
    fn round_robin_skips_members_without_the_topic() {
        let members = vec![member("a", &["t"]), member("b", &["t", "u"])];
        let assignment = Assignor::RoundRobin.assign(members, &counts(&[("t", 2), ("u", 2)]));
        assert_eq!(shown(&assignment), ["a: t-0", "b: t-1 u-0 u-1"]);
    }

    #[test]
    fn a_static_member_keeps_its_place_under_another_member_id() {
        let with_id = |id: &str| Member { instance_id: Some("i-1".into()), ..member(id, &["t"]) };
        for id in ["aaa", "zzz"] {
            let assignment = Assignor::Range.assign(vec![member("m", &["t"]), with_id(id)], &counts(&[("t", 2)]));
            assert_eq!(assignment[id], BTreeSet::from([TopicPartition::new("t", 0)]));
        }
    }

    /// Runs rebalances as a cooperative group does, until nothing is withheld.
    fn settle(mut members: Vec<Member>, partition_counts: &BTreeMap<String, i32>) -> (Vec<Member>, Assignment) {
        for round in 0..3 {
            let assignment = Assignor::CooperativeSticky.assign(members.clone(), partition_counts);
            for member in &mut members {
                member.owned = assignment[&member.id].iter().cloned().collect();
                member.generation += 1;
            }
            let given: usize = assignment.values().map(BTreeSet::len).sum();
            if given == partition_counts.values().sum::<i32>() as usize {
                return (members, assignment);
            }
            assert!(round < 2, "still withheld: {:?}", shown(&assignment));
        }
        unreachable!("the loop returns or fails")
    }

    #[test]
    fn a_new_member_gets_its_share_only_after_it_was_given_up() {
        let topics = counts(&[("t", 4)]);
        let (mut members, _) = settle(vec![member("a", &["t"])], &topics);
        members.push(member("b", &["t"]));
        let first = Assignor::CooperativeSticky.assign(members.clone(), &topics);
        assert_eq!(shown(&first), ["a: t-0 t-1", "b: "]);
        let (_, last) = settle(members, &topics);
        assert_eq!(shown(&last), ["a: t-0 t-1", "b: t-2 t-3"]);
    }

    #[test]
    fn the_eager_sticky_strategy_moves_at_once() {
        let topics = counts(&[("t", 4)]);
        let (mut members, _) = settle(vec![member("a", &["t"])], &topics);
        members.push(member("b", &["t"]));
        assert_eq!(shown(&Assignor::Sticky.assign(members, &topics)), ["a: t-0 t-1", "b: t-2 t-3"]);
    }

    #[test]
    fn the_share_of_a_member_that_left_is_spread_and_nothing_else_moves() {
        let topics = counts(&[("t", 6)]);
        let all = ["a", "b", "c"].map(|id| member(id, &["t"]));
        let (mut members, before) = settle(all.to_vec(), &topics);
        members.retain(|member| member.id != "b");
        let (_, after) = settle(members, &topics);
        for id in ["a", "c"] {
            assert!(after[id].is_superset(&before[id]));
            assert_eq!(after[id].len(), 3);
        }
    }

    #[test]
    fn a_partition_claimed_twice_belongs_to_the_later_generation() {
        let owned = vec![TopicPartition::new("t", 0)];
        let old = Member { owned: owned.clone(), generation: 3, ..member("a", &["t"]) };
        let late = Member { owned, generation: 4, ..member("b", &["t"]) };
        assert_eq!(owners(&[old.clone(), late]).values().collect::<Vec<_>>(), [&"b"]);
        let same = Member { id: "c".into(), ..old.clone() };
        assert!(owners(&[old, same]).is_empty());
    }

    #[test]
    fn sticky_is_even_for_any_group_that_shares_its_topics() {
        for readers in 1..8 {
            for partitions in 0..20 {
                let members = (0..readers).map(|n| member(&format!("m{n}"), &["t"])).collect();
                let (_, assignment) = settle(members, &counts(&[("t", partitions)]));
                let loads: BTreeSet<_> = assignment.values().map(BTreeSet::len).collect();
                assert!(loads.last().unwrap() - loads.first().unwrap() <= 1, "{:?}", shown(&assignment));
            }
        }
    }
}
