//! ListPartitionReassignments: none is ever under way: a partition has nowhere to move.

use ringlog_protocol::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::request::Incoming;

pub(crate) fn serve(
    _: &Incoming,
    _: &ListPartitionReassignmentsRequest<'_>,
) -> ListPartitionReassignmentsResponse<'static> {
    ListPartitionReassignmentsResponse { error_message: None, ..Default::default() }
}
