//! Metadata (key 3): the brokers, and who leads which partition.
//!
//! All topics are asked for with an empty list in version 0, with null from version 1 on, where an empty list means
//! none.

use crate::{Str, Uuid, schema::api};

api! {
    Metadata = 3, versions 0..=13, flexible from 9;

    request MetadataRequest<'a> {
        0..     topics: Option<Vec<MetadataRequestTopic<'a>>>, null 1..;
        4..     allow_auto_topic_creation: bool = true;
        8..=10  include_cluster_authorized_operations: bool;
        8..     include_topic_authorized_operations: bool;
    }

    struct MetadataRequestTopic<'a> {
        10..  topic_id: Uuid, ignorable;
        0..   name: Option<Str<'a>>, null 10..;
    }

    response MetadataResponse<'a> {
        3..     throttle_time_ms: i32, ignorable;
        0..     brokers: Vec<MetadataResponseBroker<'a>>;
        2..     cluster_id: Option<Str<'a>> = None, null 2.., ignorable;
        1..     controller_id: i32 = -1, ignorable;
        0..     topics: Vec<MetadataResponseTopic<'a>>;
        8..=10  cluster_authorized_operations: i32 = i32::MIN;
        13..    error_code: i16, ignorable;
    }

    struct MetadataResponseBroker<'a> {
        0..  node_id: i32;
        0..  host: Str<'a>;
        0..  port: i32;
        1..  rack: Option<Str<'a>> = None, null 1.., ignorable;
    }

    struct MetadataResponseTopic<'a> {
        0..   error_code: i16;
        0..   name: Option<Str<'a>>, null 12..;
        10..  topic_id: Uuid, ignorable;
        1..   is_internal: bool, ignorable;
        0..   partitions: Vec<MetadataResponsePartition>;
        8..   topic_authorized_operations: i32 = i32::MIN;
    }

    struct MetadataResponsePartition {
        0..  error_code: i16;
        0..  partition_index: i32;
        0..  leader_id: i32;
        7..  leader_epoch: i32 = -1, ignorable;
        0..  replica_nodes: Vec<i32>;
        0..  isr_nodes: Vec<i32>;
        5..  offline_replicas: Vec<i32>, ignorable;
    }
}
