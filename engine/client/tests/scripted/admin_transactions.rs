//! What an admin asks about transactions, and what it makes of the answers.

use std::time::Duration;

use ringlog_client::{Admin, ClientError, ErrorCode, TopicPartition, TransactionFilter};
use ringlog_protocol::ApiKey;
use ringlog_protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use ringlog_protocol::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use ringlog_protocol::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TopicData, TransactionState,
};
use ringlog_protocol::find_coordinator::FindCoordinatorRequest;
use ringlog_protocol::list_transactions::{self, ListTransactionsRequest, ListTransactionsResponse};
use ringlog_protocol::write_txn_markers::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};

use super::broker::{self, Answer, Received};

/// Producer 1 hangs in t-0: its id knows t-1 alone. Producer 2 has no id at all. Producer 3 is in a transaction that its id knows.
/// Producer 4 has none open.
fn three_are_open(received: &Received) -> Answer {
    match received.api {
        ApiKey::DescribeProducers => {
            let asked = received.read::<DescribeProducersRequest<'_>>().topics;
            let state = |producer_id, current_txn_start_offset| ProducerState {
                producer_id,
                producer_epoch: 5,
                last_timestamp: 1000,
                coordinator_epoch: if producer_id == 2 { -1 } else { 7 },
                current_txn_start_offset,
                ..Default::default()
            };
            let row = |&partition_index: &i32| PartitionResponse {
                partition_index,
                active_producers: match partition_index {
                    0 => vec![state(3, 30), state(2, 20), state(1, 10), state(4, -1)],
                    _ => vec![state(1, 11)],
                },
                ..Default::default()
            };
            let topics = asked.iter().map(|topic| TopicResponse {
                name: topic.name.clone(),
                partitions: topic.partition_indexes.iter().map(row).collect(),
            });
            received.answer(&DescribeProducersResponse { topics: topics.collect(), ..Default::default() })
        }
        ApiKey::ListTransactions => {
            assert_eq!(received.read::<ListTransactionsRequest<'_>>().producer_id_filters, [1, 2, 3]);
            let row = |producer_id, id: &'static str| list_transactions::TransactionState {
                transactional_id: id.into(),
                producer_id,
                transaction_state: "Ongoing".into(),
            };
            let transaction_states = vec![row(1, "one"), row(3, "three"), row(2, "expired")];
            received.answer(&ListTransactionsResponse { transaction_states, ..Default::default() })
        }
        ApiKey::FindCoordinator => {
            assert_eq!(received.read::<FindCoordinatorRequest<'_>>().key_type, 1);
            Answer::Usual
        }
        ApiKey::DescribeTransactions => {
            let id = received.read::<DescribeTransactionsRequest<'_>>().transactional_ids.remove(0);
            let (producer_id, partition, error_code) = match &*id {
                "one" => (1, 1, 0),
                "three" => (3, 0, 0),
                _ => (-1, 0, ErrorCode::TransactionalIdNotFound as i16),
            };
            let state = TransactionState {
                error_code,
                transactional_id: id,
                transaction_state: "Ongoing".into(),
                transaction_timeout_ms: 60_000,
                transaction_start_time_ms: 900,
                producer_id,
                producer_epoch: 6,
                topics: vec![TopicData { topic: "t".into(), partitions: vec![partition] }],
            };
            received.answer(&DescribeTransactionsResponse { transaction_states: vec![state], ..Default::default() })
        }
        _ => Answer::Usual,
    }
}

#[tokio::test]
async fn a_transaction_hangs_that_no_coordinator_knows_of_in_its_partition() {
    let admin = Admin::new(broker::client(three_are_open).await);
    let both = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    let hanging = admin.hanging_transactions(&both, Duration::from_secs(60)).await.unwrap();
    let found: Vec<_> = hanging
        .iter()
        .map(|at| (at.partition.partition, at.producer.transaction_start_offset, at.transactional_id.as_deref()))
        .collect();
    assert_eq!(found, [(0, Some(10), Some("one")), (0, Some(20), None)]);
    // Nobody has been idle since the beginning of time, and then no coordinator is asked.
    assert_eq!(admin.hanging_transactions(&both, Duration::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn a_transaction_is_told_by_its_id() {
    let admin = Admin::new(broker::client(three_are_open).await);
    let one = admin.transaction("one").await.unwrap();
    assert_eq!((one.state.as_str(), one.producer_id, one.producer_epoch), ("Ongoing", 1, 6));
    assert_eq!((one.timeout, one.start_ms), (Duration::from_secs(60), Some(900)));
    assert_eq!(one.partitions, [TopicPartition::new("t", 1)]);
    let gone = [admin.transaction("gone").await.unwrap_err(), admin.fence_producer("gone").await.unwrap_err()];
    for refused in gone {
        assert_eq!(refused.code(), Some(ErrorCode::TransactionalIdNotFound));
        assert!(refused.to_string().starts_with("transactional id gone"), "{refused}");
    }
}

#[tokio::test]
async fn one_is_aborted_by_the_marker_of_the_producer_that_began_there() {
    let (sender, markers) = std::sync::mpsc::channel();
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::WriteTxnMarkers {
            return three_are_open(received);
        }
        let marker = received.read::<WriteTxnMarkersRequest<'_>>().markers.remove(0);
        assert_eq!((&*marker.topics[0].name, &marker.topics[0].partition_indexes[..]), ("t", &[0][..]));
        let told = (marker.producer_id, marker.producer_epoch, marker.transaction_result, marker.coordinator_epoch);
        sender.send(told).unwrap();
        let stale = marker.producer_id == 3;
        let error_code = if stale { ErrorCode::InvalidProducerEpoch as i16 } else { 0 };
        let row = WritableTxnMarkerPartitionResult { partition_index: 0, error_code };
        let topics = vec![WritableTxnMarkerTopicResult { name: "t".into(), partitions: vec![row] }];
        let markers = vec![WritableTxnMarkerResult { producer_id: marker.producer_id, topics }];
        received.answer(&WriteTxnMarkersResponse { markers })
    })
    .await;
    let (admin, partition) = (Admin::new(client), TopicPartition::new("t", 0));
    admin.abort_transaction(&partition, 10).await.unwrap();
    assert_eq!(markers.recv().unwrap(), (1, 5, false, 7));
    // No coordinator has ended one of its transactions before.
    admin.abort_transaction(&partition, 20).await.unwrap();
    assert_eq!(markers.recv().unwrap(), (2, 5, false, 0));
    let stale = admin.abort_transaction(&partition, 30).await.unwrap_err();
    assert_eq!(stale.code(), Some(ErrorCode::InvalidProducerEpoch), "{stale}");
    let none = admin.abort_transaction(&partition, 11).await.unwrap_err();
    assert_eq!(none, ClientError::NoTransaction { partition, start_offset: 11 });
}

#[tokio::test]
async fn a_partition_that_an_answer_leaves_out_is_neither_without_producers_nor_aborted() {
    let client = broker::client(|received: &Received| match received.api {
        ApiKey::DescribeProducers => {
            let asked = received.read::<DescribeProducersRequest<'_>>().topics;
            if asked[0].partition_indexes == [0] {
                return three_are_open(received);
            }
            received.answer(&DescribeProducersResponse::default())
        }
        ApiKey::WriteTxnMarkers => received.answer(&WriteTxnMarkersResponse::default()),
        _ => Answer::Usual,
    })
    .await;
    let (admin, left_out) = (Admin::new(client), TopicPartition::new("t", 1));
    for unknown in [
        admin.producers(&[left_out]).await.unwrap_err(),
        admin.abort_transaction(&TopicPartition::new("t", 0), 10).await.unwrap_err(),
    ] {
        assert!(unknown.to_string().contains("does not mention it"), "{unknown}");
    }
}

#[tokio::test]
async fn transactions_are_asked_for_by_all_that_is_named_and_sorted() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::ListTransactions {
            return Answer::Usual;
        }
        let request = received.read::<ListTransactionsRequest<'_>>();
        if request.state_filters == ["Asleep"] {
            let unknown_state_filters = request.state_filters;
            return received.answer(&ListTransactionsResponse { unknown_state_filters, ..Default::default() });
        }
        let expected = ListTransactionsRequest {
            state_filters: vec!["Ongoing".into()],
            producer_id_filters: vec![7],
            duration_filter: 1500,
            transactional_id_pattern: Some("a.*".into()),
        };
        assert_eq!(request, expected);
        let row = |id: &'static str| list_transactions::TransactionState {
            transactional_id: id.into(),
            producer_id: 7,
            transaction_state: "Ongoing".into(),
        };
        let transaction_states = vec![row("ab"), row("aa")];
        received.answer(&ListTransactionsResponse { transaction_states, ..Default::default() })
    })
    .await;
    let admin = Admin::new(client);
    let filter = TransactionFilter {
        states: vec!["Ongoing".to_owned()],
        producer_ids: vec![7],
        running_for: Some(Duration::from_millis(1500)),
        pattern: Some("a.*".to_owned()),
    };
    let found = admin.transactions(&filter).await.unwrap();
    let ids: Vec<_> = found.iter().map(|row| (row.transactional_id.as_str(), row.coordinator)).collect();
    assert_eq!(ids, [("aa", 1), ("ab", 1)]);
    let asleep = TransactionFilter { states: vec!["Asleep".to_owned()], ..Default::default() };
    let unknown = admin.transactions(&asleep).await.unwrap_err().to_string();
    assert!(unknown.starts_with("state=Asleep: no state"), "{unknown}");
}

#[tokio::test]
async fn a_broker_too_old_for_a_filter_is_not_asked_without_it() {
    let client = broker::client(|received: &Received| match received.api {
        ApiKey::ApiVersions => {
            let at_most = |api: ApiKey, max_version| ApiVersion { api_key: api.code(), min_version: 0, max_version };
            let api_keys = vec![at_most(ApiKey::ListTransactions, 1), at_most(ApiKey::Metadata, 9)];
            received.answer(&ApiVersionsResponse { api_keys, ..Default::default() })
        }
        ApiKey::ListTransactions => received.answer(&ListTransactionsResponse::default()),
        _ => Answer::Usual,
    })
    .await;
    let admin = Admin::new(client);
    let longer = TransactionFilter { running_for: Some(Duration::ZERO), ..Default::default() };
    assert_eq!(admin.transactions(&longer).await.unwrap(), []);
    let pattern = TransactionFilter { pattern: Some("a.*".to_owned()), ..Default::default() };
    let refused = admin.transactions(&pattern).await.unwrap_err();
    assert!(matches!(refused, ClientError::Unsupported { min: 2, served: Some((0, 1)), .. }), "{refused}");
}
