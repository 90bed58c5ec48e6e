//! The APIs that are declared, by key.

use std::{fmt, ops::RangeInclusive};

/// Lists the APIs once: each name has its key, versions and messages in the module of that name.
macro_rules! apis {
    ($($Api:ident in $module:ident,)*) => {
        /// An API of the protocol.
        ///
        /// Known means that its messages can be read and written here; what a broker serves is for the broker to say.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("See [`", stringify!($module), "`](crate::", stringify!($module), ").")]
                $Api = crate::$module::KEY,
            )*
        }

        impl ApiKey {
            /// Every API that is known.
            pub const ALL: &[Self] = &[$(Self::$Api),*];

            /// The API with this key.
            pub fn from_code(code: i16) -> Option<Self> {
                match code {
                    $(crate::$module::KEY => Some(Self::$Api),)*
                    _ => None,
                }
            }

            /// The versions that are known: those of Kafka 4.
            pub fn versions(self) -> RangeInclusive<i16> {
                match self { $(Self::$Api => crate::$module::VERSIONS,)* }
            }

            /// The first flexible version (KIP-482); `None` when there is none.
            pub fn flexible_from(self) -> Option<i16> {
                let from = match self { $(Self::$Api => crate::$module::FLEXIBLE_FROM,)* };
                (from < i16::MAX).then_some(from)
            }

            /// Kafka's name of the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$Api => stringify!($Api),)* }
            }
        }
    };
}

apis! {
    Produce in produce,
    Fetch in fetch,
    ListOffsets in list_offsets,
    Metadata in metadata,
    OffsetCommit in offset_commit,
    OffsetFetch in offset_fetch,
    FindCoordinator in find_coordinator,
    JoinGroup in join_group,
    Heartbeat in heartbeat,
    LeaveGroup in leave_group,
    SyncGroup in sync_group,
    DescribeGroups in describe_groups,
    ListGroups in list_groups,
    SaslHandshake in sasl_handshake,
    ApiVersions in api_versions,
    CreateTopics in create_topics,
    DeleteTopics in delete_topics,
    DeleteRecords in delete_records,
    InitProducerId in init_producer_id,
    OffsetForLeaderEpoch in offset_for_leader_epoch,
    AddPartitionsToTxn in add_partitions_to_txn,
    AddOffsetsToTxn in add_offsets_to_txn,
    EndTxn in end_txn,
    WriteTxnMarkers in write_txn_markers,
    TxnOffsetCommit in txn_offset_commit,
    DescribeAcls in describe_acls,
    CreateAcls in create_acls,
    DeleteAcls in delete_acls,
    DescribeConfigs in describe_configs,
    AlterConfigs in alter_configs,
    AlterReplicaLogDirs in alter_replica_log_dirs,
    DescribeLogDirs in describe_log_dirs,
    SaslAuthenticate in sasl_authenticate,
    CreatePartitions in create_partitions,
    DeleteGroups in delete_groups,
    ElectLeaders in elect_leaders,
    IncrementalAlterConfigs in incremental_alter_configs,
    AlterPartitionReassignments in alter_partition_reassignments,
    ListPartitionReassignments in list_partition_reassignments,
    OffsetDelete in offset_delete,
    DescribeClientQuotas in describe_client_quotas,
    AlterClientQuotas in alter_client_quotas,
    DescribeUserScramCredentials in describe_user_scram_credentials,
    AlterUserScramCredentials in alter_user_scram_credentials,
    DescribeQuorum in describe_quorum,
    UpdateFeatures in update_features,
    DescribeCluster in describe_cluster,
    DescribeProducers in describe_producers,
    UnregisterBroker in unregister_broker,
    DescribeTransactions in describe_transactions,
    ListTransactions in list_transactions,
    ConsumerGroupHeartbeat in consumer_group_heartbeat,
    ConsumerGroupDescribe in consumer_group_describe,
    ListConfigResources in list_config_resources,
    DescribeTopicPartitions in describe_topic_partitions,
}

impl ApiKey {
    /// The key.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Whether requests of this version have compact lengths and tagged fields.
    pub fn is_flexible(self, version: i16) -> bool {
        self.flexible_from().is_some_and(|from| version >= from)
    }

    /// Whether the header of a response to this version has tagged fields. That of ApiVersions never has: the client
    /// does not know yet what the broker speaks (KIP-511).
    pub fn response_header_is_flexible(self, version: i16) -> bool {
        self != Self::ApiVersions && self.is_flexible(version)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
