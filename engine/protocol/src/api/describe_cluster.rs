//! DescribeCluster (key 60): the brokers or controllers of the cluster.

use crate::{Str, schema::api};

api! {
    DescribeCluster = 60, versions 0..=2, flexible from 0;

    request DescribeClusterRequest {
        0..  include_cluster_authorized_operations: bool;
        1..  endpoint_type: i8 = 1;
        2..  include_fenced_brokers: bool;
    }

    response DescribeClusterResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>> = None, null 0..;
        1..  endpoint_type: i8 = 1;
        0..  cluster_id: Str<'a>;
        0..  controller_id: i32 = -1;
        0..  brokers: Vec<DescribeClusterBroker<'a>>;
        0..  cluster_authorized_operations: i32 = i32::MIN;
    }

    struct DescribeClusterBroker<'a> {
        0..  broker_id: i32;
        0..  host: Str<'a>;
        0..  port: i32;
        0..  rack: Option<Str<'a>> = None, null 0..;
        2..  is_fenced: bool;
    }
}
