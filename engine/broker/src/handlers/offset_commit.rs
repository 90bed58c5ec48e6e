//! OffsetCommit: answered once the offsets are in `__consumer_offsets`.

use std::collections::VecDeque;
use std::sync::Arc;

use ringlog_coordinator::{Answer, CommitRequest, GroupError, MemberClaim, OffsetToCommit};
use ringlog_protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::errors::code_of_group;
use crate::request::Incoming;
use crate::topics::Topic;

/// A member of a group that is not there is told so from this version on (KIP-848).
const UNKNOWN_GROUP_FROM_VERSION: i16 = 9;
/// Topics go by id from this version on (KIP-848).
const IDS_FROM_VERSION: i16 = 10;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &OffsetCommitRequest<'a>) -> OffsetCommitResponse<'a> {
    let topics: Vec<Result<Arc<Topic>, ErrorCode>> = request.topics.iter().map(|topic| find(incoming, topic)).collect();
    let mut offsets = Vec::new();
    for (asked, topic) in request.topics.iter().zip(&topics) {
        let Ok(topic) = topic else { continue };
        let known = asked.partitions.iter().filter(|partition| topic.log(partition.partition_index).is_some());
        offsets.extend(known.map(|partition| OffsetToCommit {
            topic: topic.name.clone(),
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        }));
    }
    let mut outcomes: VecDeque<Result<(), GroupError>> = commit(incoming, request, offsets).await.into();
    let response = request.topics.iter().zip(&topics).map(|(asked, topic)| {
        let partitions = asked.partitions.iter().map(|partition| {
            let error_code = match topic {
                Err(code) => *code,
                Ok(topic) if topic.log(partition.partition_index).is_none() => ErrorCode::UnknownTopicOrPartition,
                // Outcomes come in the order of the offsets.
                Ok(_) => outcomes.pop_front().and_then(Result::err).map_or(ErrorCode::None, code_of_group),
            };
            let partition_index = partition.partition_index;
            OffsetCommitResponsePartition { partition_index, error_code: error_code as i16 }
        });
        OffsetCommitResponseTopic {
            name: asked.name.clone(),
            topic_id: asked.topic_id,
            partitions: partitions.collect(),
        }
    });
    OffsetCommitResponse { topics: response.collect(), ..Default::default() }
}

fn find(incoming: &Incoming, asked: &OffsetCommitRequestTopic<'_>) -> Result<Arc<Topic>, ErrorCode> {
    let topics = &incoming.broker().topics;
    if incoming.version < IDS_FROM_VERSION {
        topics.get(&asked.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    } else {
        topics.by_id(asked.topic_id).ok_or(ErrorCode::UnknownTopicId)
    }
}

async fn commit(
    incoming: &Incoming,
    request: &OffsetCommitRequest<'_>,
    offsets: Vec<OffsetToCommit>,
) -> Vec<Result<(), GroupError>> {
    if offsets.is_empty() {
        return Vec::new();
    }
    let count = offsets.len();
    let commit = CommitRequest {
        group: request.group_id.to_string(),
        member: MemberClaim {
            member_id: request.member_id.to_string(),
            instance_id: request.group_instance_id.as_ref().map(Str::to_string),
            generation: request.generation_id_or_member_epoch,
        },
        retention_ms: Some(request.retention_time_ms).filter(|retention_ms| *retention_ms >= 0),
        offsets,
    };
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let answer = broker.groups.ask(broker, disk, |groups, now_ms, token| groups.commit(now_ms, token, commit)).await;
    match answer {
        Some(Answer::Offsets(Ok(outcomes))) => outcomes.into_iter().map(|offset| offset.outcome).collect(),
        Some(Answer::Offsets(Err(GroupError::GroupIdNotFound))) if incoming.version < UNKNOWN_GROUP_FROM_VERSION => {
            vec![Err(GroupError::IllegalGeneration); count]
        }
        Some(Answer::Offsets(Err(error))) => vec![Err(error); count],
        _ => vec![Err(GroupError::CoordinatorNotAvailable); count],
    }
}
