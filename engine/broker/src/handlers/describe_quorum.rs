//! DescribeQuorum: this broker alone keeps the metadata log, and so is its quorum (KIP-595, KIP-836).

use ringlog_protocol::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, ResponsePartitionData,
    ResponseTopicData, TopicData,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::clock::now_ms;
use crate::request::Incoming;
use crate::topics::KAFKA_METADATA_TOPIC;

/// That of the first leader, who stays.
const EPOCH: i32 = 1;
/// Nodes, and messages with a partition's error, are part of the answer from this version on (KIP-853).
const NODES_FROM_VERSION: i16 = 2;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &DescribeQuorumRequest<'a>) -> DescribeQuorumResponse<'a> {
    let asked = match request.topics.as_slice() {
        [TopicData { topic_name, partitions }] if topic_name == KAFKA_METADATA_TOPIC => partitions.as_slice(),
        _ => &[],
    };
    // Kafka describes its log to who asks for it alone, and otherwise refuses each of what was asked.
    if !matches!(asked, [PartitionData { partition_index: 0 }]) {
        let topics = request.topics.iter().map(refuse).collect();
        return DescribeQuorumResponse { error_message: Some(Str::Borrowed("")), topics, ..Default::default() };
    }
    let broker = incoming.broker();
    let end = i64::try_from(broker.topics.metadata().lock().await.image().offset()).unwrap_or(i64::MAX);
    let now_ms = now_ms();
    let voter = ReplicaState {
        replica_id: broker.node_id,
        log_end_offset: end,
        last_fetch_timestamp: now_ms,
        last_caught_up_timestamp: now_ms,
        ..Default::default()
    };
    // A change is durable before it is seen: there is nothing above the high watermark.
    let partition = ResponsePartitionData {
        error_message: Some(Str::Borrowed("")),
        leader_id: broker.node_id,
        leader_epoch: EPOCH,
        high_watermark: end,
        current_voters: vec![voter],
        ..Default::default()
    };
    let topic = ResponseTopicData { topic_name: Str::Borrowed(KAFKA_METADATA_TOPIC), partitions: vec![partition] };
    let mut nodes = Vec::new();
    if incoming.version >= NODES_FROM_VERSION {
        let (host, port) = broker.advertised(incoming.peer);
        let listener = Listener { name: Str::Owned(broker.config.listener.name.clone()), host: Str::Owned(host), port };
        nodes.push(Node { node_id: broker.node_id, listeners: vec![listener] });
    }
    DescribeQuorumResponse { error_message: Some(Str::Borrowed("")), topics: vec![topic], nodes, ..Default::default() }
}

fn refuse<'a>(topic: &TopicData<'a>) -> ResponseTopicData<'a> {
    let partition = |asked: &PartitionData| ResponsePartitionData {
        partition_index: asked.partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition as i16,
        error_message: Some(Str::Owned(format!("ask for {KAFKA_METADATA_TOPIC}-0 alone: nothing else has a quorum"))),
        ..Default::default()
    };
    ResponseTopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic.partitions.iter().map(partition).collect(),
    }
}
