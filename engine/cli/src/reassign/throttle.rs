//! A bound on what moves take of the network (KIP-73): settings of the brokers, and of the topics that are moved.

use std::collections::{BTreeMap, BTreeSet};

use ringlog_client::{Admin, ConfigChange, ConfigResource, ConfigSource};

use super::plan::{Moving, Plan, Present};
use crate::failure::Failure;

/// Bytes a second that a broker sends and takes of throttled replicas.
const RATES: [&str; 2] = ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];
/// Which replicas of a topic are throttled where they are read, and where they are written.
const REPLICAS: [&str; 2] = ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// Bounds what the plan's moves take to `rate` bytes a second for each broker, in either direction.
pub(super) async fn set(
    admin: &Admin,
    plan: &Plan,
    present: &Present,
    moving: &Moving,
    rate: u64,
) -> Result<(), Failure> {
    let running = admin.cluster().await?.brokers.into_keys().collect();
    for (resource, changes) in settings(plan, present, moving, &running, rate) {
        admin.alter_configs(&resource, &changes).await?;
    }
    Ok(())
}

/// The settings that bound a plan's moves. What is under way in its topics already stays bounded: it stands in the same lists. A broker
/// that does not run moves nothing, and could not be told.
fn settings(
    plan: &Plan,
    present: &Present,
    moving: &Moving,
    running: &BTreeSet<i32>,
    rate: u64,
) -> Vec<(ConfigResource, Vec<ConfigChange>)> {
    let planned: BTreeMap<_, _> =
        plan.partitions.iter().map(|placement| (placement.partition(), &placement.replicas)).collect();
    let mut brokers = BTreeSet::new();
    let mut throttled = BTreeMap::<&str, [Vec<String>; 2]>::new();
    for (at, from) in present {
        let to = planned.get(at).copied().or_else(|| moving.get(at).map(|moving| &moving.adding));
        let adding: Vec<_> = to.into_iter().flatten().filter(|broker| !from.contains(broker)).collect();
        if adding.is_empty() {
            continue;
        }
        let [read, written] = throttled.entry(&at.topic).or_default();
        // Whoever has it may lead it meanwhile.
        read.extend(from.iter().map(|broker| format!("{}:{broker}", at.partition)));
        written.extend(adding.iter().map(|broker| format!("{}:{broker}", at.partition)));
        brokers.extend(from.iter().chain(adding).copied().filter(|broker| running.contains(broker)));
    }
    let set = |name: &str, value: String| ConfigChange::Set(name.to_owned(), value);
    let of_topic = |(topic, lists): (&str, [Vec<String>; 2])| {
        let changes = REPLICAS.iter().zip(lists).map(|(name, list)| set(name, list.join(",")));
        (ConfigResource::Topic(topic.to_owned()), changes.collect())
    };
    let of_broker = |broker| (ConfigResource::Broker(broker), RATES.map(|name| set(name, rate.to_string())).into());
    throttled.into_iter().map(of_topic).chain(brokers.into_iter().map(of_broker)).collect()
}

/// Takes the bounds away that are set on these topics and on all brokers; tells whether there were any.
pub(super) async fn lift(admin: &Admin, topics: impl IntoIterator<Item = String>) -> Result<bool, Failure> {
    let brokers = admin.cluster().await?.brokers.into_keys();
    let brokers = brokers.map(|id| (ConfigResource::Broker(id), ConfigSource::Broker, RATES));
    let topics = topics.into_iter().map(|name| (ConfigResource::Topic(name), ConfigSource::Topic, REPLICAS));
    let mut lifted = false;
    for (resource, source, names) in brokers.chain(topics) {
        let configs = admin.configs(&resource).await?;
        let set = configs.into_iter().filter(|config| config.source == source && names.contains(&&*config.name));
        let changes: Vec<_> = set.map(|config| ConfigChange::Delete(config.name)).collect();
        if !changes.is_empty() {
            admin.alter_configs(&resource, &changes).await?;
            lifted = true;
        }
    }
    Ok(lifted)
}

#[cfg(test)]
mod tests {
    use ringlog_client::{Reassignment, TopicPartition};

    use super::*;

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    /// That these partitions of one topic shall be on these brokers.
    fn plan(placements: &[(i32, &[i32])]) -> Plan {
        let rows: Vec<_> = placements.iter().map(|&(partition, to)| (at(partition), to.to_vec())).collect();
        Plan::of(rows.iter().map(|(at, to)| (at, to.clone())))
    }

    fn moving(partition: i32, replicas: &[i32], adding: &[i32]) -> (TopicPartition, Reassignment) {
        let moving = Reassignment { replicas: replicas.to_vec(), adding: adding.to_vec(), removing: Vec::new() };
        (at(partition), moving)
    }

    fn set(name: &str, value: &str) -> ConfigChange {
        ConfigChange::Set(name.to_owned(), value.to_owned())
    }

    /// What brokers of which 1 is down are told to throttle of a topic, and who is told the rate of 500.
    fn throttled(plan: &Plan, present: &Present, moving: &Moving) -> (Option<[String; 2]>, Vec<i32>) {
        let mut settings = settings(plan, present, moving, &[2, 3, 4].into(), 500).into_iter().peekable();
        let topic = settings.next_if(|(resource, _)| *resource == ConfigResource::Topic("t".to_owned()));
        let lists = topic.map(|(_, changes)| match <[ConfigChange; 2]>::try_from(changes).unwrap() {
            [ConfigChange::Set(read, leaders), ConfigChange::Set(written, followers)] => {
                assert_eq!(read, "leader.replication.throttled.replicas");
                assert_eq!(written, "follower.replication.throttled.replicas");
                [leaders, followers]
            }
            other => panic!("{other:?}"),
        });
        let brokers = settings.map(|(resource, changes)| {
            let rates = ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];
            assert_eq!(changes, rates.map(|name| set(name, "500")));
            let ConfigResource::Broker(id) = resource else { panic!("{resource}") };
            id
        });
        (lists, brokers.collect())
    }

    fn lists(read: &str, written: &str) -> Option<[String; 2]> {
        Some([read.to_owned(), written.to_owned()])
    }

    #[test]
    fn who_has_a_partition_is_throttled_reading_it_and_who_gets_it_writing() {
        let present = [(at(0), vec![2, 3]), (at(1), vec![3])].into();
        let told = throttled(&plan(&[(0, &[3, 4]), (1, &[3])]), &present, &Moving::new());
        assert_eq!(told, (lists("0:2,0:3", "0:4"), vec![2, 3, 4]));
    }

    #[test]
    fn a_move_under_way_gets_another_rate() {
        let told =
            throttled(&plan(&[(0, &[3, 4])]), &[(at(0), vec![2, 3])].into(), &[moving(0, &[3, 4, 2], &[4])].into());
        assert_eq!(told, (lists("0:2,0:3", "0:4"), vec![2, 3, 4]));
    }

    #[test]
    fn moves_under_way_of_the_same_topic_stay_throttled() {
        let present = [(at(0), vec![2]), (at(1), vec![3])].into();
        let told = throttled(&plan(&[(1, &[2])]), &present, &[moving(0, &[4, 2], &[4])].into());
        assert_eq!(told, (lists("0:2,1:3", "0:4,1:2"), vec![2, 3, 4]));
    }

    #[test]
    fn a_broker_that_is_down_is_not_told() {
        let told = throttled(&plan(&[(0, &[3, 2])]), &[(at(0), vec![1, 2])].into(), &Moving::new());
        assert_eq!(told, (lists("0:1,0:2", "0:3"), vec![2, 3]));
    }

    #[test]
    fn what_gets_no_new_broker_is_not_throttled() {
        let told = throttled(&plan(&[(0, &[3])]), &[(at(0), vec![2, 3])].into(), &Moving::new());
        assert_eq!(told, (None, vec![]));
    }
}
