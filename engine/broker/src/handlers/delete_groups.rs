//! DeleteGroups: groups without members, and their offsets.

use ringlog_coordinator::{Answer, GroupError};
use ringlog_protocol::ErrorCode;
use ringlog_protocol::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use crate::errors::code_of_group;
use crate::request::Incoming;

pub(crate) async fn serve<'a>(incoming: &Incoming, request: &DeleteGroupsRequest<'a>) -> DeleteGroupsResponse<'a> {
    let (broker, disk) = (&incoming.shard.broker, &incoming.shard.disk);
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group in &request.groups_names {
        let answer =
            broker.groups.ask(broker, disk, |groups, now_ms, token| groups.delete_group(now_ms, token, group)).await;
        let outcome = match answer {
            Some(Answer::Delete(outcome)) => outcome,
            _ => Err(GroupError::CoordinatorNotAvailable),
        };
        let error_code = outcome.err().map_or(ErrorCode::None, code_of_group) as i16;
        results.push(DeletableGroupResult { group_id: group.clone(), error_code });
    }
    DeleteGroupsResponse { results, ..Default::default() }
}
