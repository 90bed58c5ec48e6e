//! DescribeTopicPartitions: topics page by page (KIP-966).

use ringlog_protocol::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic, ResponseCursor,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::authorized_operations;
use crate::leadership::leader_epoch;
use crate::request::Incoming;
use crate::topics::{Topic, is_internal};

pub(crate) fn serve(
    incoming: &Incoming,
    request: &DescribeTopicPartitionsRequest<'_>,
) -> DescribeTopicPartitionsResponse<'static> {
    let broker = incoming.broker();
    let mut names: Vec<String> = match &request.topics[..] {
        [] => broker.topics.all().iter().map(|topic| topic.name.to_string()).collect(),
        asked => asked.iter().map(|topic| topic.name.to_string()).collect(),
    };
    names.sort_unstable();
    names.dedup();
    let (first_name, mut from) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), cursor.partition_index.max(0)),
        None => (String::new(), 0),
    };
    let mut response = DescribeTopicPartitionsResponse::default();
    let mut room = request.response_partition_limit.clamp(1, broker.config.max_request_partition_size_limit);
    for name in names.into_iter().filter(|name| *name >= first_name) {
        let start = if name == first_name { std::mem::take(&mut from) } else { 0 };
        if room == 0 {
            let topic_name = Str::Owned(name);
            response.next_cursor = Some(ResponseCursor { topic_name, partition_index: start });
            break;
        }
        let Some(topic) = broker.topics.get(&name) else {
            let legal = ringlog_metadata::check_topic_name(&name).is_ok();
            let code = if legal { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException };
            response.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code: code as i16,
                name: Some(Str::Owned(name)),
                topic_authorized_operations: authorized_operations::of_topic(true),
                ..Default::default()
            });
            continue;
        };
        if request.cursor.as_ref().is_some_and(|cursor| cursor.topic_name == *name && cursor.partition_index < 0) {
            response.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code: ErrorCode::InvalidRequest as i16,
                name: Some(Str::Owned(name)),
                ..Default::default()
            });
            continue;
        }
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let end = count.min(start.saturating_add(room));
        room -= (end - start).max(0);
        response.topics.push(describe(&topic, broker.node_id, start..end));
        if end < count {
            let topic_name = Str::Owned(name);
            response.next_cursor = Some(ResponseCursor { topic_name, partition_index: end });
            break;
        }
    }
    response
}

fn describe(topic: &Topic, node_id: i32, range: std::ops::Range<i32>) -> DescribeTopicPartitionsResponseTopic<'static> {
    let partitions = range.filter_map(|partition_index| {
        topic.log(partition_index).map(|log| DescribeTopicPartitionsResponsePartition {
            partition_index,
            leader_id: node_id,
            leader_epoch: leader_epoch(log),
            replica_nodes: vec![node_id],
            isr_nodes: vec![node_id],
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..Default::default()
        })
    });
    DescribeTopicPartitionsResponseTopic {
        name: Some(Str::Owned(topic.name.to_string())),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: authorized_operations::of_topic(true),
        ..Default::default()
    }
}
