//! Transactions: which requests go out, in which order, and what each answer leads to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use ringlog_client::{
    ClientError, CommittedOffset, Delivery, ErrorCode, GroupMetadata, Producer, ProducerOptions, ProducerRecord,
    TopicPartition,
};
use ringlog_protocol::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use ringlog_protocol::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};
use ringlog_protocol::end_txn::{EndTxnRequest, EndTxnResponse};
use ringlog_protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ringlog_protocol::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use ringlog_protocol::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use ringlog_protocol::{ApiKey, Records};
use ringlog_record::Batch;

use super::broker::{self, Answer, Received};

/// What the broker does about the next request of an API.
#[derive(Debug, Clone, Copy)]
enum Next {
    Says(ErrorCode),
    /// The request is carried out or not: nobody will know.
    Breaks,
    Silent,
    /// Answers without a row.
    Omits,
}
use Next::{Breaks, Omits, Says, Silent};

/// The broker's script, and what it was asked.
#[derive(Default)]
struct Coordinator {
    script: VecDeque<(ApiKey, Next)>,
    asked: Vec<String>,
    epoch: i16,
}

impl Coordinator {
    fn answer(&mut self, received: &Received) -> Answer {
        let (api, shown) = (received.api, shown(received));
        self.asked.extend(shown);
        let scripted = self.script.iter().position(|(of, _)| *of == api);
        let code = match scripted.and_then(|index| self.script.remove(index)) {
            Some((_, Breaks)) => return Answer::Close,
            Some((_, Silent)) => return Answer::Silence,
            Some((ApiKey::AddPartitionsToTxn, Omits)) => {
                return received.answer(&AddPartitionsToTxnResponse::default());
            }
            Some((_, Omits)) => return received.answer(&TxnOffsetCommitResponse::default()),
            Some((_, Says(code))) => code.code(),
            None => 0,
        };
        match api {
            ApiKey::InitProducerId => {
                let current = received.read::<InitProducerIdRequest<'_>>().producer_epoch;
                self.epoch = if code == 0 { current + 1 } else { self.epoch };
                let (producer_id, producer_epoch) = (7, self.epoch);
                let answer =
                    InitProducerIdResponse { error_code: code, producer_id, producer_epoch, ..Default::default() };
                received.answer(&answer)
            }
            ApiKey::AddPartitionsToTxn => {
                let asked = received.read::<AddPartitionsToTxnRequest<'_>>().v3_and_below_topics;
                let row =
                    |partition_index| AddPartitionsToTxnPartitionResult { partition_index, partition_error_code: code };
                let topics = asked.iter().map(|topic| AddPartitionsToTxnTopicResult {
                    name: topic.name.clone(),
                    results_by_partition: topic.partitions.iter().map(|index| row(*index)).collect(),
                });
                let results_by_topic_v3_and_below = topics.collect();
                received.answer(&AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() })
            }
            ApiKey::AddOffsetsToTxn => {
                received.answer(&AddOffsetsToTxnResponse { error_code: code, ..Default::default() })
            }
            ApiKey::TxnOffsetCommit => {
                let asked = received.read::<TxnOffsetCommitRequest<'_>>().topics;
                let row = |partition_index| TxnOffsetCommitResponsePartition { partition_index, error_code: code };
                let topics = asked.iter().map(|topic| TxnOffsetCommitResponseTopic {
                    name: topic.name.clone(),
                    partitions: topic.partitions.iter().map(|asked| row(asked.partition_index)).collect(),
                });
                received.answer(&TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() })
            }
            ApiKey::EndTxn => received.answer(&EndTxnResponse { error_code: code, ..Default::default() }),
            ApiKey::Produce => {
                let asked = received.read::<ProduceRequest<'_>>().topic_data;
                let row = |index| PartitionProduceResponse { index, error_code: code, ..Default::default() };
                let topics = asked.iter().map(|topic| TopicProduceResponse {
                    name: topic.name.clone(),
                    partition_responses: topic.partition_data.iter().map(|data| row(data.index)).collect(),
                    ..Default::default()
                });
                received.answer(&ProduceResponse { responses: topics.collect(), ..Default::default() })
            }
            _ => Answer::Usual,
        }
    }
}

/// A request in a few words; none for what every client asks.
fn shown(received: &Received) -> Vec<String> {
    match received.api {
        ApiKey::InitProducerId => {
            let asked = received.read::<InitProducerIdRequest<'_>>();
            assert_eq!((asked.transactional_id.as_deref(), asked.transaction_timeout_ms), (Some("tx"), 60_000));
            vec![format!("init {}/{}", asked.producer_id, asked.producer_epoch)]
        }
        ApiKey::AddPartitionsToTxn => {
            assert!(received.version <= 3);
            let asked = received.read::<AddPartitionsToTxnRequest<'_>>();
            let partitions = asked.v3_and_below_topics.iter().flat_map(|topic| &topic.partitions);
            let mut partitions: Vec<_> = partitions.map(i32::to_string).collect();
            partitions.sort();
            vec![format!("add {} @{}", partitions.join("+"), asked.v3_and_below_producer_epoch)]
        }
        ApiKey::AddOffsetsToTxn => {
            let asked = received.read::<AddOffsetsToTxnRequest<'_>>();
            vec![format!("add offsets of {} @{}", asked.group_id, asked.producer_epoch)]
        }
        ApiKey::TxnOffsetCommit => {
            assert!(received.version <= 4);
            let asked = received.read::<TxnOffsetCommitRequest<'_>>();
            let offsets = asked.topics.iter().flat_map(|topic| &topic.partitions);
            let offsets: Vec<_> =
                offsets.map(|row| format!("{}:{}", row.partition_index, row.committed_offset)).collect();
            let (generation, member) = (asked.generation_id, asked.member_id);
            vec![format!("offsets {} by {member} of {generation} {:?}", offsets.join("+"), asked.group_instance_id)]
        }
        ApiKey::EndTxn => {
            assert!(received.version <= 4);
            let asked = received.read::<EndTxnRequest<'_>>();
            vec![format!("{} @{}", if asked.committed { "commit" } else { "abort" }, asked.producer_epoch)]
        }
        ApiKey::Produce => {
            assert!(received.version <= 11);
            let asked = received.read::<ProduceRequest<'_>>();
            assert_eq!(asked.transactional_id.as_deref(), Some("tx"));
            let batches = asked.topic_data.iter().flat_map(|topic| &topic.partition_data).map(|partition| {
                let Some(Records::Here(bytes)) = &partition.records else { panic!("no records") };
                let batch = Batch::parse(bytes).unwrap();
                let header = *batch.header();
                assert!(header.attributes.is_transactional());
                let records = batch.records(1 << 20).unwrap();
                let values =
                    records.iter().map(|record| String::from_utf8_lossy(record.unwrap().value.unwrap()).into_owned());
                let values: Vec<_> = values.collect();
                format!("write {} @{}#{}", values.join("+"), header.producer_epoch, header.base_sequence)
            });
            batches.collect()
        }
        ApiKey::FindCoordinator => vec!["find".to_owned()],
        _ => vec![],
    }
}

/// A producer of the transactional id `tx`, and the broker that answers it.
async fn against(script: &[(ApiKey, Next)]) -> (Producer, Arc<Mutex<Coordinator>>) {
    let options = ProducerOptions {
        transactional_id: Some("tx".to_owned()),
        linger: Duration::from_secs(60),
        max_block: Duration::from_secs(20),
        ..Default::default()
    };
    with_options(script, options).await
}

async fn with_options(script: &[(ApiKey, Next)], options: ProducerOptions) -> (Producer, Arc<Mutex<Coordinator>>) {
    let coordinator = Coordinator { script: script.iter().copied().collect(), ..Default::default() };
    let coordinator = Arc::new(Mutex::new(coordinator));
    let answering = Arc::clone(&coordinator);
    let client = broker::client(move |received: &Received| answering.lock().unwrap().answer(received)).await;
    (Producer::new(client, options).unwrap(), coordinator)
}

async fn send(producer: &Producer, partition: i32, value: &str) -> Delivery {
    let record =
        ProducerRecord { topic: "t", partition: Some(partition), value: Some(value.as_bytes()), ..Default::default() };
    producer.send(record).await.unwrap()
}

async fn open(producer: &Producer) {
    producer.init_transactions().await.unwrap();
    producer.begin_transaction().unwrap();
}

fn asked(coordinator: &Mutex<Coordinator>) -> Vec<String> {
    std::mem::take(&mut coordinator.lock().unwrap().asked)
}

fn offsets(offset: i64) -> BTreeMap<TopicPartition, CommittedOffset> {
    BTreeMap::from([(TopicPartition::new("in", 3), CommittedOffset { offset, ..Default::default() })])
}

fn group() -> GroupMetadata {
    let (group_id, member_id) = ("g".to_owned(), "m".to_owned());
    GroupMetadata { group_id, generation_id: 5, member_id, instance_id: Some("i".to_owned()) }
}

#[tokio::test]
async fn partitions_and_offsets_join_before_they_are_written_and_the_end_comes_last() {
    let (producer, coordinator) = against(&[]).await;
    open(&producer).await;
    let sent = [send(&producer, 0, "a").await, send(&producer, 0, "b").await];
    producer.send_offsets_to_transaction(&offsets(9), &group()).await.unwrap();
    producer.commit_transaction().await.unwrap();
    for delivery in sent {
        delivery.await.unwrap();
    }
    let first = asked(&coordinator);
    assert_eq!(first[..3], ["find", "init -1/-1", "add 0 @0"]);
    let written = first.iter().position(|asked| asked == "write a+b @0#0").unwrap();
    assert!((3..first.len() - 1).contains(&written), "{first:?}");
    let others: Vec<_> = first[3..].iter().filter(|asked| !asked.starts_with("write")).map(String::as_str).collect();
    assert_eq!(others, ["add offsets of g @0", "find", "offsets 3:9 by m of 5 Some(\"i\")", "commit @0"]);

    producer.begin_transaction().unwrap();
    drop(send(&producer, 0, "c").await);
    drop(send(&producer, 1, "d").await);
    producer.commit_transaction().await.unwrap();
    let second = asked(&coordinator);
    assert_eq!(second.first().map(String::as_str), Some("add 0+1 @0"), "{second:?}");
    assert!(second.contains(&"write c @0#2".to_owned()), "the numbers go on: {second:?}");
}

#[tokio::test]
async fn an_empty_transaction_asks_nothing_of_the_coordinator() {
    let (producer, coordinator) = against(&[]).await;
    open(&producer).await;
    producer.commit_transaction().await.unwrap();
    producer.begin_transaction().unwrap();
    producer.abort_transaction().await.unwrap();
    assert_eq!(asked(&coordinator), ["find", "init -1/-1"]);
}

#[tokio::test]
async fn an_abort_drops_what_lingers_and_ends_what_was_written() {
    let (producer, coordinator) = against(&[]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    producer.flush().await.unwrap();
    let unsent = send(&producer, 1, "b").await;
    producer.abort_transaction().await.unwrap();
    assert!(matches!(unsent.await, Err(ClientError::State(_))));
    let asked = asked(&coordinator);
    assert!(asked.contains(&"write a @0#0".to_owned()) && !asked.iter().any(|asked| asked.contains("write b")));
    assert_eq!(asked.last().unwrap(), "abort @0");
}

#[tokio::test]
async fn calls_out_of_turn_are_refused() {
    let (producer, _) = against(&[]).await;
    let record = ProducerRecord { topic: "t", value: Some(b"v"), ..Default::default() };
    let refused =
        |outcome: Result<(), ClientError>| assert!(matches!(outcome, Err(ClientError::State(_))), "{outcome:?}");
    refused(producer.begin_transaction());
    refused(producer.send(record).await.map(drop));
    producer.init_transactions().await.unwrap();
    refused(producer.init_transactions().await);
    refused(producer.send(record).await.map(drop));
    refused(producer.try_send(&record).map(drop));
    refused(producer.commit_transaction().await);
    refused(producer.abort_transaction().await);
    refused(producer.send_offsets_to_transaction(&BTreeMap::new(), &group()).await);
    producer.begin_transaction().unwrap();
    refused(producer.begin_transaction());
    refused(producer.init_transactions().await);
    let (plain, _) = with_options(&[], ProducerOptions::default()).await;
    refused(plain.init_transactions().await);
    refused(plain.begin_transaction());
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_asked_for_again_and_may_arrive_late() {
    let (producer, coordinator) = against(&[(ApiKey::EndTxn, Breaks)]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    producer.commit_transaction().await.unwrap();
    producer.begin_transaction().unwrap();
    drop(send(&producer, 0, "b").await);
    producer.commit_transaction().await.unwrap();
    let asked = asked(&coordinator);
    let end = ["commit @0", "find", "commit @0", "init 7/0", "add 0 @1", "write b @1#0", "commit @1"];
    assert_eq!(asked[asked.len() - end.len()..], end);
}

#[tokio::test]
async fn offsets_whose_answer_is_lost_do_not_reach_the_transaction_after_an_abort() {
    let (producer, coordinator) = against(&[(ApiKey::TxnOffsetCommit, Breaks)]).await;
    open(&producer).await;
    producer.send_offsets_to_transaction(&offsets(1), &group()).await.unwrap();
    producer.abort_transaction().await.unwrap();
    let asked = asked(&coordinator);
    assert_eq!(asked[asked.len() - 2..], ["abort @0", "init 7/0"]);
}

#[tokio::test]
async fn what_an_answer_leaves_out_was_not_done() {
    for (api, subject) in [
        (ApiKey::AddPartitionsToTxn, "partition t-0 in transactional id tx"),
        (ApiKey::TxnOffsetCommit, "offset of in-3 in group g"),
    ] {
        let (producer, _) = against(&[(api, Omits)]).await;
        open(&producer).await;
        let outcome = async {
            drop(send(&producer, 0, "a").await);
            producer.send_offsets_to_transaction(&offsets(1), &group()).await?;
            producer.commit_transaction().await
        };
        let error = outcome.await.unwrap_err();
        assert!(matches!(error, ClientError::ProducerFailed { .. }), "{error}");
        assert!(error.to_string().contains(subject), "{error}");
    }
}

#[tokio::test]
async fn a_coordinator_that_moved_is_found_again() {
    let (producer, coordinator) = against(&[(ApiKey::EndTxn, Says(ErrorCode::NotCoordinator))]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    producer.commit_transaction().await.unwrap();
    let asked = asked(&coordinator);
    assert_eq!(asked[asked.len() - 3..], ["commit @0", "find", "commit @0"]);
}

#[tokio::test]
async fn every_step_outlives_a_coordinator_that_moves_is_busy_breaks_off_and_loads() {
    for api in [ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::AddOffsetsToTxn, ApiKey::EndTxn] {
        let script = [
            (api, Says(ErrorCode::NotCoordinator)),
            (api, Says(ErrorCode::ConcurrentTransactions)),
            (api, Breaks),
            (api, Says(ErrorCode::CoordinatorLoadInProgress)),
        ];
        let (producer, coordinator) = against(&script).await;
        open(&producer).await;
        let delivery = send(&producer, 0, "a").await;
        producer.send_offsets_to_transaction(&offsets(1), &group()).await.unwrap();
        producer.commit_transaction().await.unwrap();
        delivery.await.unwrap();
        assert!(coordinator.lock().unwrap().script.is_empty(), "{api}");
    }
}

#[tokio::test]
async fn the_coordinator_of_the_group_is_found_again_too() {
    let (producer, coordinator) = against(&[(ApiKey::TxnOffsetCommit, Says(ErrorCode::NotCoordinator))]).await;
    open(&producer).await;
    producer.send_offsets_to_transaction(&offsets(1), &group()).await.unwrap();
    producer.commit_transaction().await.unwrap();
    let asked = asked(&coordinator);
    let attempt = "offsets 3:1 by m of 5 Some(\"i\")";
    assert_eq!(asked[2..], ["add offsets of g @0", "find", attempt, "find", attempt, "find", "commit @0"]);
}

#[tokio::test]
async fn a_fenced_producer_has_failed_for_good_wherever_it_hears_of_it() {
    for api in [ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::AddOffsetsToTxn, ApiKey::EndTxn] {
        for code in [ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch] {
            let (producer, _) = against(&[(api, Says(code))]).await;
            let outcome = async {
                producer.init_transactions().await?;
                producer.begin_transaction()?;
                drop(send(&producer, 0, "a").await);
                producer.send_offsets_to_transaction(&offsets(1), &group()).await?;
                producer.commit_transaction().await
            };
            let error = outcome.await.unwrap_err();
            assert!(matches!(error, ClientError::ProducerFailed { .. }), "{api}: {error}");
            assert_eq!(error.code(), Some(code));
            for outcome in [producer.abort_transaction().await, producer.begin_transaction()] {
                assert!(matches!(outcome, Err(ClientError::ProducerFailed { .. })), "{api}: {outcome:?}");
            }
            let record = ProducerRecord { topic: "t", value: Some(b"v"), ..Default::default() };
            assert!(matches!(producer.send(record).await, Err(ClientError::ProducerFailed { .. })), "{api}");
            producer.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_spoils_a_transaction_only_is_over_with_its_abort() {
    for (api, code) in [
        (ApiKey::AddPartitionsToTxn, ErrorCode::TopicAuthorizationFailed),
        (ApiKey::AddPartitionsToTxn, ErrorCode::TransactionAbortable),
        (ApiKey::AddOffsetsToTxn, ErrorCode::GroupAuthorizationFailed),
        (ApiKey::TxnOffsetCommit, ErrorCode::IllegalGeneration),
        (ApiKey::TxnOffsetCommit, ErrorCode::FencedInstanceId),
        (ApiKey::EndTxn, ErrorCode::TransactionAbortable),
        (ApiKey::Produce, ErrorCode::MessageTooLarge),
    ] {
        let (producer, coordinator) = against(&[(api, Says(code))]).await;
        open(&producer).await;
        let outcome = async {
            drop(send(&producer, 0, "a").await);
            producer.send_offsets_to_transaction(&offsets(1), &group()).await?;
            producer.commit_transaction().await
        };
        let error = outcome.await.unwrap_err();
        assert!(matches!(error, ClientError::AbortTransaction { .. }), "{api}: {error}");
        assert_eq!(error.code(), Some(code));
        let again = producer.commit_transaction().await.unwrap_err();
        assert!(matches!(again, ClientError::AbortTransaction { .. } | ClientError::State(_)), "{api}: {again}");
        producer.abort_transaction().await.unwrap();
        asked(&coordinator);
        producer.begin_transaction().unwrap();
        let delivery = send(&producer, 0, "b").await;
        producer.commit_transaction().await.unwrap();
        delivery.await.unwrap();
        // Where the spoilt one came late its batch was written, and the numbers go on.
        let written = if api == ApiKey::Produce { "write b @1#0" } else { "write b @0#" };
        let asked = asked(&coordinator);
        assert!(asked.iter().any(|asked| asked.starts_with(written)), "{api}: {asked:?}");
    }
}

#[tokio::test]
async fn after_a_batch_that_failed_the_next_transaction_has_a_fresh_epoch() {
    let (producer, coordinator) = against(&[(ApiKey::Produce, Says(ErrorCode::OutOfOrderSequenceNumber))]).await;
    open(&producer).await;
    let lost = send(&producer, 0, "a").await;
    let error = producer.commit_transaction().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(lost.await.unwrap_err().code(), Some(ErrorCode::OutOfOrderSequenceNumber));
    producer.abort_transaction().await.unwrap();
    producer.begin_transaction().unwrap();
    drop(send(&producer, 0, "b").await);
    producer.commit_transaction().await.unwrap();
    let asked = asked(&coordinator);
    let end = ["write a @0#0", "abort @0", "init 7/0", "add 0 @1", "write b @1#0", "commit @1"];
    assert_eq!(asked[asked.len() - end.len()..], end);
}

#[tokio::test]
async fn a_coordinator_that_forgot_the_producer_makes_it_anew() {
    let (producer, coordinator) = against(&[(ApiKey::EndTxn, Says(ErrorCode::InvalidProducerIdMapping))]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    let error = producer.commit_transaction().await.unwrap_err();
    assert!(matches!(error, ClientError::AbortTransaction { .. }), "{error}");
    producer.abort_transaction().await.unwrap();
    let asked = asked(&coordinator);
    assert_eq!(asked[asked.len() - 2..], ["commit @0", "init 7/0"], "there is nothing that it could abort");
}

#[tokio::test]
async fn a_commit_that_takes_too_long_goes_on_and_is_heard_of_by_calling_it_again() {
    let (producer, coordinator) = impatient_with_a_busy_coordinator().await;
    let error = producer.commit_transaction().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("call it again"), "{error}");
    let error = producer.abort_transaction().await.unwrap_err();
    assert!(matches!(error, ClientError::State(_)), "{error}");
    assert!(matches!(producer.begin_transaction(), Err(ClientError::State(_))));
    coordinator.lock().unwrap().script.clear();
    patiently(async || producer.commit_transaction().await).await;
    producer.begin_transaction().unwrap();
}

/// It waits for at most 50 ms, and a record is written in a transaction that its coordinator does not come to end.
async fn impatient_with_a_busy_coordinator() -> (Producer, Arc<Mutex<Coordinator>>) {
    let options = ProducerOptions {
        transactional_id: Some("tx".to_owned()),
        max_block: Duration::from_millis(50),
        ..Default::default()
    };
    let busy = (ApiKey::EndTxn, Says(ErrorCode::ConcurrentTransactions));
    let (producer, coordinator) = with_options(&vec![busy; 100_000], options).await;
    patiently(async || producer.init_transactions().await).await;
    producer.begin_transaction().unwrap();
    let record = ProducerRecord { topic: "t", partition: Some(0), value: Some(b"a"), ..Default::default() };
    patiently(async || producer.send(record).await).await.await.unwrap();
    (producer, coordinator)
}

/// Calls until it has not taken too long.
async fn patiently<T>(call: impl AsyncFn() -> Result<T, ClientError>) -> T {
    loop {
        match call().await {
            Err(ClientError::Timeout { .. }) => {}
            outcome => return outcome.unwrap(),
        }
    }
}

#[tokio::test]
async fn closing_aborts_what_is_open_and_a_silent_coordinator_is_not_waited_for_longer_than_allowed() {
    let (producer, coordinator) = against(&[]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    producer.flush().await.unwrap();
    producer.clone().close().await.unwrap();
    assert_eq!(asked(&coordinator).last().unwrap(), "abort @0");
    assert_eq!(producer.begin_transaction(), Err(ClientError::Closed));

    let options = ProducerOptions {
        transactional_id: Some("tx".to_owned()),
        max_block: Duration::from_millis(20),
        ..Default::default()
    };
    let (producer, _) = with_options(&[(ApiKey::InitProducerId, Silent)], options).await;
    let error = producer.init_transactions().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { setting: "max.block.ms", .. }), "{error}");
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_is_written_again_under_its_number_and_committed() {
    let (producer, coordinator) = against(&[(ApiKey::Produce, Breaks)]).await;
    open(&producer).await;
    let delivery = send(&producer, 0, "a").await;
    producer.commit_transaction().await.unwrap();
    delivery.await.unwrap();
    let asked = asked(&coordinator);
    assert_eq!(asked[asked.len() - 3..], ["write a @0#0", "write a @0#0", "commit @0"]);
}

#[tokio::test]
async fn what_waits_when_a_transaction_is_spoilt_fails_with_it() {
    let (producer, coordinator) = against(&[(ApiKey::Produce, Says(ErrorCode::InvalidRecord))]).await;
    open(&producer).await;
    let refused = send(&producer, 0, "a").await;
    producer.flush().await.unwrap_err();
    assert_eq!(refused.await.unwrap_err().code(), Some(ErrorCode::InvalidRecord));
    let record = ProducerRecord { topic: "t", value: Some(b"v"), ..Default::default() };
    let error = producer.send(record).await.unwrap_err();
    assert!(matches!(error, ClientError::AbortTransaction { .. }), "{error}");
    let error = producer.send_offsets_to_transaction(&offsets(1), &group()).await.unwrap_err();
    assert!(matches!(error, ClientError::AbortTransaction { .. }), "{error}");
    producer.abort_transaction().await.unwrap();
    assert_eq!(asked(&coordinator)[4..], ["abort @0", "init 7/0"]);
}

#[tokio::test]
async fn records_of_a_partition_that_cannot_join_fail_after_the_delivery_timeout() {
    let options = ProducerOptions {
        transactional_id: Some("tx".to_owned()),
        delivery_timeout: Duration::from_millis(30),
        ..Default::default()
    };
    let unknown = (ApiKey::AddPartitionsToTxn, Says(ErrorCode::UnknownTopicOrPartition));
    let (producer, coordinator) = with_options(&vec![unknown; 10_000], options).await;
    open(&producer).await;
    let delivery = send(&producer, 0, "a").await;
    let error = producer.commit_transaction().await.unwrap_err();
    assert!(matches!(error, ClientError::AbortTransaction { .. }), "{error}");
    assert!(matches!(delivery.await, Err(ClientError::Timeout { setting: "delivery.timeout.ms", .. })));
    producer.abort_transaction().await.unwrap();
    let asked = asked(&coordinator);
    assert!(asked[2..].iter().all(|asked| asked == "add 0 @0"), "nothing was written: nothing is ended: {asked:?}");
}

#[tokio::test]
async fn closing_waits_for_a_commit_that_nobody_waits_for() {
    let (producer, coordinator) = against(&[(ApiKey::EndTxn, Says(ErrorCode::ConcurrentTransactions)); 3]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    let impatient = tokio::time::timeout(Duration::ZERO, producer.commit_transaction()).await;
    assert!(impatient.is_err());
    producer.close().await.unwrap();
    assert_eq!(asked(&coordinator).iter().filter(|asked| *asked == "commit @0").count(), 4);
}

#[tokio::test]
async fn closing_aborts_what_the_commit_that_it_waits_for_has_left() {
    let (producer, coordinator) = against(&[(ApiKey::EndTxn, Says(ErrorCode::TransactionAbortable))]).await;
    open(&producer).await;
    drop(send(&producer, 0, "a").await);
    assert!(producer.commit_transaction().now_or_never().is_none());
    let error = producer.clone().close().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TransactionAbortable));
    assert_eq!(asked(&coordinator).last().unwrap(), "abort @0");
    assert_eq!(producer.begin_transaction(), Err(ClientError::Closed));
}

#[tokio::test]
async fn a_producer_whose_end_takes_too_long_is_closed_all_the_same() {
    let (producer, _) = impatient_with_a_busy_coordinator().await;
    let error = producer.clone().close().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("transaction.timeout.ms"), "{error}");
    assert_eq!(producer.begin_transaction(), Err(ClientError::Closed));
    assert_eq!(producer.abort_transaction().await, Err(ClientError::Closed));
}

#[tokio::test]
async fn of_partitions_that_join_together_the_one_that_is_refused_is_named() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::AddPartitionsToTxn {
            return Answer::Usual;
        }
        let row = |partition_index, code: ErrorCode| AddPartitionsToTxnPartitionResult {
            partition_index,
            partition_error_code: code.code(),
        };
        let rows = vec![row(0, ErrorCode::OperationNotAttempted), row(1, ErrorCode::TopicAuthorizationFailed)];
        let topic = AddPartitionsToTxnTopicResult { name: "t".into(), results_by_partition: rows };
        let results_by_topic_v3_and_below = vec![topic];
        received.answer(&AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() })
    })
    .await;
    let options = ProducerOptions { transactional_id: Some("tx".to_owned()), ..Default::default() };
    let producer = Producer::new(client, options).unwrap();
    open(&producer).await;
    let sent = [send(&producer, 0, "a").await, send(&producer, 1, "b").await];
    let error = producer.commit_transaction().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TopicAuthorizationFailed));
    assert!(error.to_string().contains("t-1"), "{error}");
    for delivery in sent {
        assert!(matches!(delivery.await, Err(ClientError::AbortTransaction { .. })));
    }
}

#[tokio::test]
async fn a_transactional_id_needs_idempotence_and_a_name() {
    let client = broker::client(|_: &Received| Answer::Usual).await;
    let with_id = |id: &str| ProducerOptions { transactional_id: Some(id.to_owned()), ..Default::default() };
    for options in [
        with_id(""),
        ProducerOptions { idempotence: false, ..with_id("tx") },
        ProducerOptions { transaction_timeout: Duration::ZERO, ..with_id("tx") },
    ] {
        assert!(matches!(Producer::new(client.clone(), options), Err(ClientError::Option { .. })));
    }
}
