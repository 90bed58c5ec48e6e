//! CreateAcls: every rule is refused: a rule that nothing enforces would be worse than none.

use ringlog_protocol::create_acls::{AclCreationResult, CreateAclsRequest, CreateAclsResponse};

use crate::acls::disabled;
use crate::request::Incoming;

pub(crate) fn serve(_: &Incoming, request: &CreateAclsRequest<'_>) -> CreateAclsResponse<'static> {
    let results = request.creations.iter().map(|_| {
        let (error_code, error_message) = disabled();
        AclCreationResult { error_code, error_message }
    });
    CreateAclsResponse { results: results.collect(), ..Default::default() }
}
