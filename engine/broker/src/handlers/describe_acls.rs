//! DescribeAcls: there are no access rules: nobody asks for them.

use ringlog_protocol::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};

use crate::acls::disabled;
use crate::request::Incoming;

pub(crate) fn serve(_: &Incoming, _: &DescribeAclsRequest<'_>) -> DescribeAclsResponse<'static> {
    let (error_code, error_message) = disabled();
    DescribeAclsResponse { error_code, error_message, ..Default::default() }
}
