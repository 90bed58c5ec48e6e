//! ListGroups: every group, or those in certain states (KIP-518) and of certain types (KIP-848).

use ringlog_coordinator::GroupListing;
use ringlog_protocol::Str;
use ringlog_protocol::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

use crate::request::Incoming;

/// The type of every group here.
const CLASSIC: &str = "classic";

pub(crate) fn serve(incoming: &Incoming, request: &ListGroupsRequest<'_>) -> ListGroupsResponse<'static> {
    let wanted = |filter: &[Str<'_>], value: &str| {
        filter.is_empty() || filter.iter().any(|name| name.eq_ignore_ascii_case(value))
    };
    let is_wanted =
        |group: &GroupListing| wanted(&request.states_filter, group.state) && wanted(&request.types_filter, CLASSIC);
    let listed = |group: GroupListing| ListedGroup {
        group_id: Str::Owned(group.group.to_string()),
        protocol_type: Str::Owned(group.protocol_type),
        group_state: Str::Borrowed(group.state),
        group_type: Str::Borrowed(CLASSIC),
    };
    let groups = incoming.broker().groups.read(|groups| groups.list().filter(is_wanted).map(listed).collect());
    ListGroupsResponse { groups, ..Default::default() }
}
