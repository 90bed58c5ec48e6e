//! DescribeCluster: this broker, which is all of the cluster.

use ringlog_protocol::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use ringlog_protocol::{ErrorCode, Str};

use crate::authorized_operations;
use crate::request::Incoming;

/// Endpoints that clients use; 2 would be those of controllers (KIP-919).
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) fn serve(incoming: &Incoming, request: &DescribeClusterRequest) -> DescribeClusterResponse<'static> {
    let broker = incoming.broker();
    let refuse = |code: ErrorCode, reason: String| DescribeClusterResponse {
        error_code: code as i16,
        error_message: Some(Str::Owned(reason)),
        ..Default::default()
    };
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let reason = "this is a broker's listener; there is none for controllers".to_owned();
            return refuse(ErrorCode::MismatchedEndpointType, reason);
        }
        other => return refuse(ErrorCode::UnsupportedEndpointType, format!("endpoint type {other}: 1 is allowed")),
    }
    let (host, port) = broker.advertised(incoming.peer);
    DescribeClusterResponse {
        cluster_id: Str::Owned(broker.cluster_id.clone()),
        controller_id: broker.node_id,
        brokers: vec![DescribeClusterBroker {
            broker_id: broker.node_id,
            host: Str::Owned(host),
            port: i32::from(port),
            ..Default::default()
        }],
        cluster_authorized_operations: authorized_operations::of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    }
}
