//! From a frame to its handler, and from what the handler says to a reply.

use std::rc::Rc;

use bytes::BytesMut;
use futures_util::future::FutureExt;
use ringlog_protocol::{ApiKey, encode_response};

use crate::budget::Held;
use crate::detached::to_the_end;
use crate::handlers::{
    alter_client_quotas, alter_configs, alter_partition_reassignments, alter_replica_log_dirs,
    alter_user_scram_credentials, api_versions, create_acls, create_partitions, create_topics, delete_acls,
    delete_groups, delete_records, delete_topics, describe_acls, describe_client_quotas, describe_cluster,
    describe_configs, describe_groups, describe_log_dirs, describe_producers, describe_quorum,
    describe_topic_partitions, describe_user_scram_credentials, elect_leaders, fetch, find_coordinator, heartbeat,
    incremental_alter_configs, init_producer_id, join_group, leave_group, list_config_resources, list_groups,
    list_offsets, list_partition_reassignments, metadata, offset_commit, offset_delete, offset_fetch,
    offset_for_leader_epoch, produce, sync_group, unregister_broker, update_features,
};
use crate::reply::Reply;
use crate::request::{Handling, Incoming, Peer, RequestError};
use crate::shard::Shard;

/// Declares what is served: each API with its versions, the way it is answered, and its handler.
macro_rules! served {
    ($($api:ident $min:literal ..= $max:literal $way:ident $handler:ident;)*) => {
        /// What the broker serves, and advertises: every version of every row is used by a real client in a test.
        pub(crate) const SERVED: &[(ApiKey, i16, i16)] = &[$((ApiKey::$api, $min, $max)),*];

        fn hand_over(incoming: Incoming) -> Result<Handling, RequestError> {
            match incoming.api {
                $(ApiKey::$api => served!(@ $way $handler incoming),)*
                _ => Err(incoming.unserved()),
            }
        }
    };
    // Answered before the connection's next request is looked at.
    (@ at_once $handler:ident $incoming:ident) => {{
        let request = $incoming.decode()?;
        Ok(Handling::Done($incoming.answer(&$handler::serve(&$incoming, &request))?))
    }};
    // Answered when the handler's future is done, which is dropped when the connection ends.
    (@ in_time $handler:ident $incoming:ident) => {
        Ok(Handling::Later(
            async move {
                let request = $incoming.decode()?;
                let response = $handler::serve(&$incoming, &request).await;
                $incoming.answer(&response)
            }
            .boxed_local(),
        ))
    };
    // Answered when the handler's future is done, and done also when the connection ends before: topics and the metadata log
    // are never left half changed.
    (@ to_the_end $handler:ident $incoming:ident) => {
        Ok(outliving($incoming.hold(), async move {
            let request = $incoming.decode()?;
            let response = $handler::serve(&$incoming, &request).await;
            $incoming.answer(&response)
        }))
    };
    // The same; the response may say that the client has to wait.
    (@ throttled $handler:ident $incoming:ident) => {
        Ok(outliving($incoming.hold(), async move {
            let request = $incoming.decode()?;
            let response = $handler::serve(&$incoming, &request).await;
            Ok($incoming.answer(&response)?.throttled(response.throttle_time_ms))
        }))
    };
    // The handler takes the frame and makes the reply itself: records are never copied.
    (@ by_itself $handler:ident $incoming:ident) => {
        $handler::start($incoming)
    };
}

served! {
    // librdkafka and others look for version 0 before they use any: advertised, refused when sent (KIP-896).
    Produce 0..=13 by_itself produce;
    Fetch 4..=18 by_itself fetch;
    ListOffsets 1..=11 at_once list_offsets;
    Metadata 0..=13 to_the_end metadata;
    OffsetCommit 2..=10 in_time offset_commit;
    OffsetFetch 1..=10 at_once offset_fetch;
    FindCoordinator 0..=6 to_the_end find_coordinator;
    JoinGroup 0..=9 in_time join_group;
    Heartbeat 0..=4 in_time heartbeat;
    LeaveGroup 0..=5 in_time leave_group;
    SyncGroup 0..=5 in_time sync_group;
    DescribeGroups 0..=6 at_once describe_groups;
    ListGroups 0..=5 at_once list_groups;
    ApiVersions 0..=4 at_once api_versions;
    CreateTopics 2..=7 throttled create_topics;
    DeleteTopics 1..=6 throttled delete_topics;
    DeleteRecords 0..=2 at_once delete_records;
    InitProducerId 0..=5 at_once init_producer_id;
    OffsetForLeaderEpoch 2..=4 at_once offset_for_leader_epoch;
    DescribeAcls 1..=3 at_once describe_acls;
    CreateAcls 1..=3 at_once create_acls;
    DeleteAcls 1..=3 at_once delete_acls;
    DescribeConfigs 1..=4 at_once describe_configs;
    AlterConfigs 0..=2 to_the_end alter_configs;
    AlterReplicaLogDirs 1..=2 at_once alter_replica_log_dirs;
    DescribeLogDirs 1..=5 at_once describe_log_dirs;
    CreatePartitions 0..=3 throttled create_partitions;
    DeleteGroups 0..=2 in_time delete_groups;
    ElectLeaders 0..=2 at_once elect_leaders;
    IncrementalAlterConfigs 0..=1 to_the_end incremental_alter_configs;
    AlterPartitionReassignments 0..=1 at_once alter_partition_reassignments;
    ListPartitionReassignments 0..=0 at_once list_partition_reassignments;
    OffsetDelete 0..=0 in_time offset_delete;
    DescribeClientQuotas 0..=1 at_once describe_client_quotas;
    AlterClientQuotas 0..=1 to_the_end alter_client_quotas;
    DescribeUserScramCredentials 0..=0 in_time describe_user_scram_credentials;
    AlterUserScramCredentials 0..=0 to_the_end alter_user_scram_credentials;
    DescribeQuorum 0..=2 in_time describe_quorum;
    UpdateFeatures 0..=2 at_once update_features;
    DescribeCluster 0..=2 at_once describe_cluster;
    DescribeProducers 0..=0 at_once describe_producers;
    UnregisterBroker 0..=0 at_once unregister_broker;
    ListConfigResources 0..=1 at_once list_config_resources;
    DescribeTopicPartitions 0..=0 at_once describe_topic_partitions;
}

/// Starts the request in `frame`: what orders it against its successors on this connection is done on return.
pub(crate) fn start(shard: &Rc<Shard>, peer: Peer, frame: BytesMut) -> Result<(ApiKey, Handling), RequestError> {
    let incoming = Incoming::parse(shard.clone(), peer, frame)?;
    let (api, version) = (incoming.api, incoming.version);
    let served = SERVED.iter().any(|(key, min, max)| *key == api && (*min..=*max).contains(&version));
    let handling = match api {
        // Answered in version 0 with the versions that are served, so that the client can ask again (KIP-511).
        ApiKey::ApiVersions if !served => {
            let response = api_versions::unsupported();
            Ok(Handling::Done(Reply::bytes(encode_response(&response, 0, incoming.correlation_id)?.freeze())))
        }
        _ if !served || !api.versions().contains(&version) => Err(incoming.unserved()),
        _ => hand_over(incoming),
    };
    Ok((api, handling?))
}

/// Work that outlives its connection. Its bytes keep their place in the budget as long: else who sends a request and is gone, again
/// and again, would fill the memory.
fn outliving(held: Held, work: impl Future<Output = Result<Reply, RequestError>> + 'static) -> Handling {
    let work = to_the_end(async move {
        let outcome = work.await;
        drop(held);
        outcome
    });
    Handling::Later(work.boxed_local())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;
    use crate::budget::Budget;

    #[tokio::test(flavor = "current_thread")]
    async fn what_outlives_its_connection_is_counted_until_it_is_done() {
        let budget = Budget::new(100);
        let (go_on, told) = oneshot::channel::<()>();
        let (begun, beginning) = oneshot::channel::<()>();
        let work = async move {
            begun.send(()).unwrap();
            told.await.unwrap();
            Ok(Reply::silence())
        };
        let Handling::Later(request) = outliving(budget.hold(7), work) else { panic!("not answered yet") };
        let local = LocalSet::new();
        local
            .run_until(async {
                let connection = spawn_local(request);
                beginning.await.unwrap();
                connection.abort();
                assert!(connection.await.unwrap_err().is_cancelled());
                assert_eq!(budget.held(), 7);
                go_on.send(()).unwrap();
                while budget.held() > 0 {
                    yield_now().await;
                }
            })
            .await;
    }
}
