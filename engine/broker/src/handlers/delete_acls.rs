//! DeleteAcls: there are no access rules that a filter could match.

use ringlog_protocol::delete_acls::{DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse};

use crate::acls::disabled;
use crate::request::Incoming;

pub(crate) fn serve(_: &Incoming, request: &DeleteAclsRequest<'_>) -> DeleteAclsResponse<'static> {
    let filter_results = request.filters.iter().map(|_| {
        let (error_code, error_message) = disabled();
        DeleteAclsFilterResult { error_code, error_message, ..Default::default() }
    });
    DeleteAclsResponse { filter_results: filter_results.collect(), ..Default::default() }
}
