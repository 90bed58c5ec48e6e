//! Plans of which brokers shall have which partitions: Kafka's JSON, and one that spreads partitions evenly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use ringlog_client::{Reassignment, TopicPartition};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What a plan says in place of a directory where any will do.
const ANY: &str = "any";

/// A plan, in the form of Kafka's tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    version: i32,
    pub(crate) partitions: Vec<Placement>,
}

/// Where a partition shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placement {
    topic: String,
    partition: i32,
    /// The first is the preferred leader.
    pub(crate) replicas: Vec<i32>,
    /// A log directory for each of them, or `any`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    log_dirs: Vec<String>,
}

/// Where partitions are: their brokers, the preferred leader first. One that is being moved is where it comes from.
pub(crate) type Present = BTreeMap<TopicPartition, Vec<i32>>;

/// The partitions that are being moved.
pub(crate) type Moving = BTreeMap<TopicPartition, Reassignment>;

/// Where a partition that is being moved comes from.
pub(crate) fn origin(moving: &Reassignment) -> Vec<i32> {
    moving.replicas.iter().filter(|broker| !moving.adding.contains(broker)).copied().collect()
}

impl Plan {
    /// Reads a plan from a file, or from the standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::Read(path.display().to_string(), error);
        let input: Box<dyn Read> = match path.to_str() {
            Some("-") => Box::new(io::stdin()),
            _ => Box::new(BufReader::new(File::open(path).map_err(failed)?)),
        };
        let text = io::read_to_string(input).map_err(failed)?;
        Self::parse(&text).map_err(|wrong| Failure::Usage(format!("{}: {wrong}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let plan: Self = serde_json::from_str(text).map_err(|error| format!("no plan of partitions: {error}"))?;
        if plan.version != 1 {
            return Err(format!("version {} is unknown: plans have version 1", plan.version));
        }
        let mut seen = BTreeSet::new();
        for placement in &plan.partitions {
            let partition = placement.partition();
            let brokers: BTreeSet<_> = placement.replicas.iter().collect();
            let wrong = if brokers.is_empty() {
                "has no replicas: name a broker for each"
            } else if brokers.len() < placement.replicas.len() {
                "names a broker twice"
            } else if !placement.log_dirs.is_empty() && placement.log_dirs.len() != placement.replicas.len() {
                "needs a log directory, or 'any', for each replica"
            } else if !seen.insert(partition.clone()) {
                "stands there twice"
            } else {
                continue;
            };
            return Err(format!("partition {partition} {wrong}"));
        }
        if seen.is_empty() { Err("it names no partition".to_owned()) } else { Ok(plan) }
    }

    /// A plan that leaves all as it is: to go back to.
    pub(crate) fn present(present: &Present) -> Self {
        Self::of(present.iter().map(|(partition, replicas)| (partition, replicas.clone())))
    }

    /// A plan that gives these brokers (with their racks) as many of the partitions as each other, and as many to lead. A partition keeps
    /// its number of replicas, has them in as many racks as it can, and stays where it is where that is as good.
    ///
    /// # Errors
    /// When a partition has more replicas than there are brokers.
    pub(crate) fn spread(present: &Present, brokers: &BTreeMap<i32, Option<String>>) -> Result<Self, Failure> {
        let mut led = BTreeMap::<i32, usize>::new();
        let mut held = BTreeMap::<i32, usize>::new();
        let mut placements = Vec::new();
        for (partition, now) in present {
            let mut replicas = Vec::<i32>::new();
            let mut racks = BTreeSet::new();
            for place in 0..now.len() {
                let leads = place == 0;
                let free = brokers.iter().filter(|(id, _)| !replicas.contains(id));
                let best = free.min_by_key(|(id, rack)| {
                    let count = |of: &BTreeMap<i32, usize>| of.get(id).copied().unwrap_or(0);
                    if leads {
                        return (count(&led), usize::from(now.first() != Some(id)), count(&held), **id);
                    }
                    let same_rack = rack.as_ref().is_some_and(|rack| racks.contains(rack));
                    (usize::from(same_rack), count(&held), usize::from(!now.contains(id)), **id)
                });
                let Some((&id, rack)) = best else {
                    let (wanted, count) = (now.len(), brokers.len());
                    let message =
                        format!("{partition} has {wanted} replicas, and {count} brokers are too few for them");
                    return Err(Failure::Usage(message));
                };
                if leads {
                    *led.entry(id).or_default() += 1;
                }
                *held.entry(id).or_default() += 1;
                racks.extend(rack);
                replicas.push(id);
            }
            placements.push((partition, replicas));
        }
        Ok(Self::of(placements))
    }

    /// That these partitions shall be on these brokers.
    pub(crate) fn of<'a>(placements: impl IntoIterator<Item = (&'a TopicPartition, Vec<i32>)>) -> Self {
        let placement = |(partition, replicas): (&TopicPartition, Vec<i32>)| Placement {
            topic: partition.topic.clone(),
            partition: partition.partition,
            replicas,
            log_dirs: Vec::new(),
        };
        Self { version: 1, partitions: placements.into_iter().map(placement).collect() }
    }

    /// The topics whose partitions it places.
    pub(crate) fn topics(&self) -> BTreeSet<String> {
        self.partitions.iter().map(|placement| placement.topic.clone()).collect()
    }

    /// The directories that are named, by broker.
    pub(crate) fn log_dirs(&self) -> BTreeMap<i32, BTreeMap<TopicPartition, String>> {
        let mut moves = BTreeMap::<i32, BTreeMap<TopicPartition, String>>::new();
        for placement in &self.partitions {
            for (&broker, path) in placement.replicas.iter().zip(&placement.log_dirs).filter(|(_, path)| *path != ANY) {
                moves.entry(broker).or_default().insert(placement.partition(), path.clone());
            }
        }
        moves
    }
}

impl Placement {
    pub(crate) fn partition(&self) -> TopicPartition {
        TopicPartition::new(&self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[(i32, &str)]) -> BTreeMap<i32, Option<String>> {
        racks.iter().map(|&(id, rack)| (id, Some(rack.to_owned()).filter(|rack| !rack.is_empty()))).collect()
    }

    fn present(replicas: &[&[i32]]) -> Present {
        replicas.iter().zip(0..).map(|(on, index)| (TopicPartition::new("t", index), on.to_vec())).collect()
    }

    fn spread(now: &[&[i32]], racks: &[(i32, &str)]) -> Vec<Vec<i32>> {
        let plan = Plan::spread(&present(now), &brokers(racks)).unwrap();
        plan.partitions.into_iter().map(|placement| placement.replicas).collect()
    }

    #[test]
    fn every_broker_gets_as_many_partitions_and_as_many_to_lead() {
        let plan = spread(&[&[1, 2][..]; 6], &[(1, ""), (2, ""), (3, "")]);
        for broker in 1..=3 {
            assert_eq!(plan.iter().filter(|replicas| replicas[0] == broker).count(), 2, "{plan:?}");
            assert_eq!(plan.iter().filter(|replicas| replicas.contains(&broker)).count(), 4, "{plan:?}");
        }
    }

    #[test]
    fn what_is_spread_already_stays() {
        let now: &[&[i32]] = &[&[1, 2], &[2, 3], &[3, 1]];
        assert_eq!(spread(now, &[(1, ""), (2, ""), (3, "")]), now);
    }

    #[test]
    fn brokers_that_only_get_a_partition_are_none_of_its_replicas() {
        let moving = Reassignment { replicas: vec![3, 1, 2], adding: vec![3], removing: vec![1] };
        assert_eq!(origin(&moving), [1, 2]);
    }

    #[test]
    fn replicas_are_in_different_racks_where_there_are_enough() {
        let plan = spread(&[&[1, 2][..]; 4], &[(1, "a"), (2, "a"), (3, "b"), (4, "b")]);
        assert!(plan.iter().all(|replicas| (replicas[0] < 3) != (replicas[1] < 3)), "{plan:?}");
        let refused = Plan::spread(&present(&[&[1, 2]]), &brokers(&[(1, "")])).unwrap_err();
        assert_eq!(refused.to_string(), "t-0 has 2 replicas, and 1 brokers are too few for them");
    }

    #[test]
    fn kafkas_form_is_read_and_written() {
        let text =
            r#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any","/d"]}]}"#;
        let plan = Plan::parse(text).unwrap();
        assert_eq!(plan.log_dirs(), [(2, [(TopicPartition::new("t", 0), "/d".to_owned())].into())].into());
        assert_eq!(serde_json::to_string(&plan).unwrap(), text);
        let without = Plan::present(&present(&[&[1]]));
        let text = r#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}"#;
        assert_eq!(serde_json::to_string(&without).unwrap(), text);
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said_by_partition() {
        let plan = |version, rows: &str| format!(r#"{{"version":{version},"partitions":[{rows}]}}"#);
        let row = |rest: &str| format!(r#"{{"topic":"t","partition":0,{rest}}}"#);
        let (one, dirs) = (row(r#""replicas":[1]"#), row(r#""replicas":[1],"log_dirs":[]"#));
        for (text, expected) in [
            (plan(2, &one), "version 2 is unknown: plans have version 1"),
            (plan(1, ""), "it names no partition"),
            (plan(1, &row(r#""replicas":[]"#)), "partition t-0 has no replicas: name a broker for each"),
            (plan(1, &row(r#""replicas":[1,1]"#)), "partition t-0 names a broker twice"),
            (
                plan(1, &row(r#""replicas":[1],"log_dirs":["any","any"]"#)),
                "partition t-0 needs a log directory, or 'any', for each replica",
            ),
            (plan(1, &format!("{one},{dirs}")), "partition t-0 stands there twice"),
        ] {
            assert_eq!(Plan::parse(&text).unwrap_err(), expected);
        }
        assert!(Plan::parse("[]").unwrap_err().starts_with("no plan of partitions: "));
    }
}
