//! OffsetDelete: committed offsets of topics that no member reads (KIP-496).

use std::collections::VecDeque;

use ringlog_coordinator::{Answer, GroupError};
use ringlog_protocol::ErrorCode;
use ringlog_protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::errors::code_of_group;
use crate::request::Incoming;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &OffsetDeleteRequest<'a>) -> OffsetDeleteResponse<'a> {
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let is_known = |topic: &str, partition: i32| broker.topics.log(topic, partition).is_ok();
    let mut offsets = Vec::new();
    for topic in &request.topics {
        let known = topic.partitions.iter().filter(|partition| is_known(&topic.name, partition.partition_index));
        offsets.extend(known.map(|partition| ((&*topic.name).into(), partition.partition_index)));
    }
    let answer = broker
        .groups
        .ask(broker, disk, |groups, now_ms, token| groups.delete_offsets(now_ms, token, &request.group_id, offsets))
        .await;
    let mut outcomes: VecDeque<Result<(), GroupError>> = match answer {
        Some(Answer::Offsets(Ok(outcomes))) => outcomes.into_iter().map(|offset| offset.outcome).collect(),
        Some(Answer::Offsets(Err(error))) => return refuse(error),
        _ => return refuse(GroupError::CoordinatorNotAvailable),
    };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let code = match is_known(&topic.name, partition.partition_index) {
                false => ErrorCode::UnknownTopicOrPartition,
                // Outcomes come in the order of the offsets.
                true => outcomes.pop_front().and_then(Result::err).map_or(ErrorCode::None, code_of_group),
            };
            let partition_index = partition.partition_index;
            OffsetDeleteResponsePartition { partition_index, error_code: code as i16 }
        });
        OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
    });
    OffsetDeleteResponse { topics: topics.collect(), ..Default::default() }
}

fn refuse(error: GroupError) -> OffsetDeleteResponse<'static> {
    OffsetDeleteResponse { error_code: code_of_group(error) as i16, ..Default::default() }
}
