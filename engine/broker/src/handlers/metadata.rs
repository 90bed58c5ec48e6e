//! Metadata: the broker, the topics, who leads what. Creates a topic that is asked for and missing, where that is allowed.

use std::sync::Arc;

use ringlog_metadata::check_topic_name;
use ringlog_protocol::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::authorized_operations;
use crate::leadership::leader_epoch;
use crate::repeats::distinct;
use crate::request::Incoming;
use crate::topics::{OFFSETS_TOPIC, Topic, TopicError, is_internal};

pub(crate) async fn serve(incoming: &Incoming, request: &MetadataRequest<'_>) -> MetadataResponse<'static> {
    let (broker, version) = (incoming.broker(), incoming.version);
    let may_create = broker.config.auto_create_topics_enable && (version < 4 || request.allow_auto_topic_creation);
    let describe = |topic: &Topic| MetadataResponseTopic {
        topic_authorized_operations: authorized_operations::of_topic(request.include_topic_authorized_operations),
        ..describe(topic, broker.node_id)
    };
    let mut topics = Vec::new();
    match &request.topics {
        // Version 0 has no null: there an empty list asks for all.
        Some(asked) if version > 0 || !asked.is_empty() => {
            for topic in distinct(asked, |topic| (&topic.name, topic.topic_id)) {
                let Some(name) = &topic.name else {
                    let found = broker.topics.by_id(topic.topic_id);
                    topics.push(found.map_or_else(
                        || MetadataResponseTopic {
                            error_code: ErrorCode::UnknownTopicId as i16,
                            name: None,
                            topic_id: topic.topic_id,
                            ..Default::default()
                        },
                        |topic| describe(&topic),
                    ));
                    continue;
                };
                let found = match broker.topics.get(name) {
                    Some(topic) => Ok(topic),
                    // A topic that is made here is known at once: kafka-go's consumer groups assign nothing of an unknown topic,
                    // and wait for a change of what they see next. But who deletes a topic counts on hearing that it is
                    // unknown; Kafka says so to everybody who asks first, as it makes topics in the background.
                    None if may_create => match auto_create(incoming, name).await {
                        Ok(_) if broker.topics.take_deleted(name) => {
                            Err(TopicError::Unknown { name: name.to_string() })
                        }
                        made => made,
                    },
                    None => check_topic_name(name)
                        .map_err(TopicError::from)
                        .and(Err(TopicError::Unknown { name: name.to_string() })),
                };
                topics.push(match found {
                    Ok(topic) => describe(&topic),
                    Err(error) => refuse(name, &error),
                });
            }
        }
        _ => topics.extend(broker.topics.all().iter().map(|topic| describe(topic))),
    }
    let (host, port) = broker.advertised(incoming.peer);
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: broker.node_id,
            host: Str::Owned(host),
            port: i32::from(port),
            ..Default::default()
        }],
        cluster_id: Some(Str::Owned(broker.cluster_id.clone())),
        controller_id: broker.node_id,
        topics,
        cluster_authorized_operations: authorized_operations::of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    }
}

/// An internal topic that a client asks for is made as the broker makes it.
async fn auto_create(incoming: &Incoming, name: &str) -> Result<Arc<Topic>, TopicError> {
    let (broker, disk) = (incoming.broker(), &incoming.shard.disk);
    if name == OFFSETS_TOPIC {
        broker.topics.ensure_offsets_topic(disk).await?;
    }
    match broker.topics.check_new(name, &Default::default()) {
        // It has just been made, by this request or beside it: that is no more to be paid for than what can't be made.
        Err(TopicError::Exists { .. }) => {
            return broker.topics.get(name).ok_or_else(|| TopicError::Unknown { name: name.to_owned() });
        }
        checked => checked?,
    };
    if broker.quotas.mutations(incoming.client(), true).take(broker.config.num_partitions as usize).is_err() {
        return Err(TopicError::Unknown { name: name.to_owned() });
    }
    broker.topics.get_or_create(disk, name, broker.config.num_partitions, Default::default()).await
}

fn describe(topic: &Topic, node_id: i32) -> MetadataResponseTopic<'static> {
    let partitions = topic.partitions.iter().map(|log| MetadataResponsePartition {
        partition_index: log.name().partition,
        leader_id: node_id,
        leader_epoch: leader_epoch(log),
        replica_nodes: vec![node_id],
        isr_nodes: vec![node_id],
        ..Default::default()
    });
    MetadataResponseTopic {
        name: Some(Str::Owned(topic.name.to_string())),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        ..Default::default()
    }
}

fn refuse(name: &str, error: &TopicError) -> MetadataResponseTopic<'static> {
    tracing::debug!(topic = name, %error, "topic not found or not created");
    MetadataResponseTopic {
        error_code: error.code() as i16,
        name: Some(Str::Owned(name.to_owned())),
        ..Default::default()
    }
}
