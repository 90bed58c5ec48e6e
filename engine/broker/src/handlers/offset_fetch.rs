//! OffsetFetch: what groups have committed; one group up to version 7, several from 8 on (KIP-709).

use std::collections::HashSet;

use ringlog_coordinator::{Committed, Coordinator};
use ringlog_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ringlog_protocol::{ErrorCode, Str, Uuid};

use crate::request::Incoming;

const SEVERAL_FROM_VERSION: i16 = 8;
/// Topics go by id from this version on (KIP-848).
const IDS_FROM_VERSION: i16 = 10;

pub(crate) fn serve<'a>(incoming: &Incoming, request: &OffsetFetchRequest<'a>) -> OffsetFetchResponse<'a> {
    if incoming.version >= SEVERAL_FROM_VERSION {
        // All of a group's offsets are told once, however often they are asked for.
        let mut told = HashSet::new();
        let asked = request.groups.iter().filter(|group| group.topics.is_some() || told.insert(&group.group_id));
        let groups = asked.map(|group| of_group(incoming, group)).collect();
        return OffsetFetchResponse { groups, ..Default::default() };
    }
    let named = |topic: &OffsetFetchRequestTopic<'a>| OffsetFetchRequestTopics {
        name: topic.name.clone(),
        partition_indexes: topic.partition_indexes.clone(),
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics: request.topics.as_ref().map(|topics| topics.iter().map(named).collect()),
        ..Default::default()
    };
    let topics = of_group(incoming, &group).topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(as_before_8).collect(),
    });
    OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
}

fn as_before_8(partition: OffsetFetchResponsePartitions<'_>) -> OffsetFetchResponsePartition<'_> {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    }
}

fn of_group<'a>(incoming: &Incoming, asked: &OffsetFetchRequestGroup<'a>) -> OffsetFetchResponseGroup<'a> {
    let topics = incoming.broker().groups.read(|groups| match &asked.topics {
        Some(topics) => topics.iter().map(|topic| of_topic(incoming, groups, &asked.group_id, topic)).collect(),
        None => all_topics(incoming, groups, &asked.group_id),
    });
    OffsetFetchResponseGroup { group_id: asked.group_id.clone(), topics, error_code: 0 }
}

fn of_topic<'a>(
    incoming: &Incoming,
    groups: &Coordinator,
    group: &str,
    asked: &OffsetFetchRequestTopics<'a>,
) -> OffsetFetchResponseTopics<'a> {
    let by_id = incoming.version >= IDS_FROM_VERSION;
    let name = match by_id {
        true => incoming.broker().topics.by_id(asked.topic_id).map(|topic| topic.name.to_string()),
        false => Some(asked.name.to_string()),
    };
    let partition = |&index: &i32| match &name {
        Some(name) => describe(index, groups.committed(group, name, index)),
        None => OffsetFetchResponsePartitions { error_code: ErrorCode::UnknownTopicId as i16, ..describe(index, None) },
    };
    OffsetFetchResponseTopics {
        name: asked.name.clone(),
        topic_id: asked.topic_id,
        partitions: asked.partition_indexes.iter().map(partition).collect(),
    }
}

fn all_topics(incoming: &Incoming, groups: &Coordinator, group: &str) -> Vec<OffsetFetchResponseTopics<'static>> {
    let mut topics: Vec<OffsetFetchResponseTopics<'static>> = Vec::new();
    for (topic, partition, committed) in groups.all_committed(group) {
        if topics.last().is_none_or(|last| *last.name != **topic) {
            let topic_id = incoming.broker().topics.get(topic).map_or(Uuid::default(), |topic| topic.id);
            let name = Str::Owned(topic.to_string());
            topics.push(OffsetFetchResponseTopics { name, topic_id, partitions: Vec::new() });
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(describe(partition, Some(committed)));
        }
    }
    // Where topics go by id, one that is gone has none to go by.
    topics.retain(|topic| incoming.version < IDS_FROM_VERSION || topic.topic_id != Uuid::default());
    topics
}

fn describe(partition_index: i32, committed: Option<&Committed>) -> OffsetFetchResponsePartitions<'static> {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: committed.map_or(-1, |committed| committed.offset),
        committed_leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: Some(Str::Owned(committed.map(|committed| committed.metadata.clone()).unwrap_or_default())),
        error_code: 0,
    }
}
