//! A bound on what moves take of the network (KIP-73): settings of the brokers, and of the topics that are moved.

use std::collections::{BTreeMap, BTreeSet};

use ringlog_client::{Admin, ConfigChange, ConfigResource, ConfigSource, TopicPartition};

use super::plan::{Plan, Present};
use crate::failure::Failure;

/// Bytes a second that a broker sends and takes of throttled replicas.
const RATES: [&str; 2] = ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];
/// Which replicas of a topic are throttled where they are read, and where they are written.
const REPLICAS: [&str; 2] = ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// Bounds what the plan's moves take to `rate` bytes a second for each broker, in either direction.
pub(super) async fn set(admin: &Admin, plan: &Plan, present: &Present, rate: u64) -> Result<(), Failure> {
    let mut brokers = BTreeSet::new();
    let mut throttled = BTreeMap::<String, [Vec<String>; 2]>::new();
    for placement in &plan.partitions {
        let TopicPartition { topic, partition } = placement.partition();
        let from = present.get(&placement.partition()).map_or(&[][..], Vec::as_slice);
        let adding: Vec<_> = placement.replicas.iter().filter(|broker| !from.contains(broker)).collect();
        if adding.is_empty() {
            continue;
        }
        let [read, written] = throttled.entry(topic).or_default();
        // Whoever has it may lead it meanwhile.
        read.extend(from.iter().map(|broker| format!("{partition}:{broker}")));
        written.extend(adding.iter().map(|broker| format!("{partition}:{broker}")));
        brokers.extend(from.iter().chain(adding).copied());
    }
    for (topic, replicas) in throttled {
        let of_topic = REPLICAS.iter().zip(replicas);
        let changes: Vec<_> =
            of_topic.map(|(name, list)| ConfigChange::Set((*name).to_owned(), list.join(","))).collect();
        admin.alter_configs(&ConfigResource::Topic(topic), &changes).await?;
    }
    let changes = RATES.map(|name| ConfigChange::Set(name.to_owned(), rate.to_string()));
    for broker in brokers {
        admin.alter_configs(&ConfigResource::Broker(broker), &changes).await?;
    }
    Ok(())
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
