//! Reads a message of any API: what the targets share.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir engine/fuzz request -- -malloc_limit_mb=1 -max_total_time=60` runs one. The
//! limit is part of the test: the targets feed 4 KiB at most, and nothing may reserve a mebibyte for that.

use ringlog_protocol::{ApiKey, Message, Reader, Request, Writer};

/// Reads `bytes` as a request of `version`.
pub fn request(api: ApiKey, version: i16, bytes: &[u8]) {
    visit(api, Side::Request, version, bytes);
}

/// Reads `bytes` as a response of `version`.
pub fn response(api: ApiKey, version: i16, bytes: &[u8]) {
    visit(api, Side::Response, version, bytes);
}

#[derive(Clone, Copy)]
enum Side {
    Request,
    Response,
}

macro_rules! visit {
    ($($Api:ident $module:ident $Request:ident,)*) => {
        fn visit(api: ApiKey, side: Side, version: i16, bytes: &[u8]) {
            match api { $(ApiKey::$Api => visit_api::<ringlog_protocol::$module::$Request>(side, version, bytes),)* }
        }
    };
}

visit! {
    Produce produce ProduceRequest,
    Fetch fetch FetchRequest,
    ListOffsets list_offsets ListOffsetsRequest,
    Metadata metadata MetadataRequest,
    OffsetCommit offset_commit OffsetCommitRequest,
    OffsetFetch offset_fetch OffsetFetchRequest,
    FindCoordinator find_coordinator FindCoordinatorRequest,
    JoinGroup join_group JoinGroupRequest,
    Heartbeat heartbeat HeartbeatRequest,
    LeaveGroup leave_group LeaveGroupRequest,
    SyncGroup sync_group SyncGroupRequest,
    DescribeGroups describe_groups DescribeGroupsRequest,
    ListGroups list_groups ListGroupsRequest,
    SaslHandshake sasl_handshake SaslHandshakeRequest,
    ApiVersions api_versions ApiVersionsRequest,
    CreateTopics create_topics CreateTopicsRequest,
    DeleteTopics delete_topics DeleteTopicsRequest,
    DeleteRecords delete_records DeleteRecordsRequest,
    InitProducerId init_producer_id InitProducerIdRequest,
    OffsetForLeaderEpoch offset_for_leader_epoch OffsetForLeaderEpochRequest,
    AddPartitionsToTxn add_partitions_to_txn AddPartitionsToTxnRequest,
    AddOffsetsToTxn add_offsets_to_txn AddOffsetsToTxnRequest,
    EndTxn end_txn EndTxnRequest,
    WriteTxnMarkers write_txn_markers WriteTxnMarkersRequest,
    TxnOffsetCommit txn_offset_commit TxnOffsetCommitRequest,
    DescribeAcls describe_acls DescribeAclsRequest,
    CreateAcls create_acls CreateAclsRequest,
    DeleteAcls delete_acls DeleteAclsRequest,
    DescribeConfigs describe_configs DescribeConfigsRequest,
    AlterConfigs alter_configs AlterConfigsRequest,
    AlterReplicaLogDirs alter_replica_log_dirs AlterReplicaLogDirsRequest,
    DescribeLogDirs describe_log_dirs DescribeLogDirsRequest,
    SaslAuthenticate sasl_authenticate SaslAuthenticateRequest,
    CreatePartitions create_partitions CreatePartitionsRequest,
    DeleteGroups delete_groups DeleteGroupsRequest,
    ElectLeaders elect_leaders ElectLeadersRequest,
    IncrementalAlterConfigs incremental_alter_configs IncrementalAlterConfigsRequest,
    AlterPartitionReassignments alter_partition_reassignments AlterPartitionReassignmentsRequest,
    ListPartitionReassignments list_partition_reassignments ListPartitionReassignmentsRequest,
    OffsetDelete offset_delete OffsetDeleteRequest,
    DescribeClientQuotas describe_client_quotas DescribeClientQuotasRequest,
    AlterClientQuotas alter_client_quotas AlterClientQuotasRequest,
    DescribeUserScramCredentials describe_user_scram_credentials DescribeUserScramCredentialsRequest,
    AlterUserScramCredentials alter_user_scram_credentials AlterUserScramCredentialsRequest,
    DescribeQuorum describe_quorum DescribeQuorumRequest,
    UpdateFeatures update_features UpdateFeaturesRequest,
    DescribeCluster describe_cluster DescribeClusterRequest,
    DescribeProducers describe_producers DescribeProducersRequest,
    UnregisterBroker unregister_broker UnregisterBrokerRequest,
    DescribeTransactions describe_transactions DescribeTransactionsRequest,
    ListTransactions list_transactions ListTransactionsRequest,
    ConsumerGroupHeartbeat consumer_group_heartbeat ConsumerGroupHeartbeatRequest,
    ConsumerGroupDescribe consumer_group_describe ConsumerGroupDescribeRequest,
    ListConfigResources list_config_resources ListConfigResourcesRequest,
    DescribeTopicPartitions describe_topic_partitions DescribeTopicPartitionsRequest,
}

fn visit_api<'a, Q: Request<'a>>(side: Side, version: i16, bytes: &'a [u8]) {
    match side {
        Side::Request => read::<Q>(version, bytes),
        Side::Response => read::<Q::Response<'a>>(version, bytes),
    }
}

/// What can be read can be written, and what was written reads and writes the same.
fn read<'a, M: Message<'a>>(version: i16, bytes: &'a [u8]) {
    let Ok(message) = M::decode(&mut Reader::new(bytes), version) else { return };
    let mut w = Writer::new();
    message.encode(&mut w, version).expect("what was read can be written");
    assert!(w.len() <= bytes.len(), "a message is written in no more bytes than it was read from");
}
