//! Retries, order, sequence numbers, and what becomes of records that cannot be written.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ringlog_client::{
    Acknowledgement, Acks, BigEndian, Client, ClientError, Compression, Delivery, Draft, ErrorCode, Interceptor,
    Partitioner, Producer, ProducerOptions, ProducerRecord, TypedProducer, TypedRecord, Utf8,
};
use ringlog_protocol::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use ringlog_protocol::{ApiKey, Records};
use ringlog_record::Batch;

use super::broker::{self, Answer, Received};

/// One batch as the broker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    partition: i32,
    producer: (i64, i16, i32),
    values: Vec<String>,
}

fn seen(received: &Received) -> Vec<Seen> {
    let request = received.read::<ProduceRequest<'_>>();
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let batch = |partition: &ringlog_protocol::produce::PartitionProduceData<'_>| {
        let Some(Records::Here(bytes)) = &partition.records else { panic!("no records") };
        let batch = Batch::parse(bytes).unwrap();
        batch.check_crc().unwrap();
        let header = *batch.header();
        let records = batch.records(1 << 20).unwrap();
        let value = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
        Seen {
            partition: partition.index,
            producer: (header.producer_id, header.producer_epoch, header.base_sequence),
            values: records.iter().map(|record| value(record.unwrap().value)).collect(),
        }
    };
    partitions.map(batch).collect()
}

fn answer(received: &Received, code: ErrorCode, base_offset: i64) -> Answer {
    let request = received.read::<ProduceRequest<'_>>();
    let row = |index| PartitionProduceResponse { index, error_code: code.code(), base_offset, ..Default::default() };
    let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        partition_responses: topic.partition_data.iter().map(|partition| row(partition.index)).collect(),
        ..Default::default()
    });
    received.answer(&ProduceResponse { responses: topics.collect(), ..Default::default() })
}

/// Each value in a batch of its own, all to partition 0, sent at once.
fn one_by_one() -> ProducerOptions {
    ProducerOptions { batch_bytes: 0, linger: Duration::ZERO, ..Default::default() }
}

async fn send(producer: &Producer, value: &str) -> Delivery {
    let record = ProducerRecord { topic: "t", partition: Some(0), value: Some(value.as_bytes()), ..Default::default() };
    producer.send(record).await.unwrap()
}

/// A producer whose Produce requests are answered by `codes` in turn, then without errors; and what the broker saw.
async fn against(codes: Vec<Option<ErrorCode>>, options: ProducerOptions) -> (Producer, mpsc::Receiver<Vec<Seen>>) {
    let (client, requests) = answering(codes).await;
    (Producer::new(client, options).unwrap(), requests)
}

async fn answering(codes: Vec<Option<ErrorCode>>) -> (Client, mpsc::Receiver<Vec<Seen>>) {
    let (sender, receiver) = mpsc::channel();
    let mut codes = codes.into_iter();
    let mut offset = 100;
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::Produce {
            return Answer::Usual;
        }
        sender.send(seen(received)).unwrap();
        offset += 1;
        match codes.next() {
            Some(None) => Answer::Close,
            Some(Some(code)) => answer(received, code, offset),
            None => answer(received, ErrorCode::None, offset),
        }
    })
    .await;
    (client, receiver)
}

fn producers(requests: &mpsc::Receiver<Vec<Seen>>) -> Vec<(String, (i64, i16, i32))> {
    requests.try_iter().flatten().map(|seen| (seen.values.join(" "), seen.producer)).collect()
}

fn expected(rows: &[(&str, i16, i32)]) -> Vec<(String, (i64, i16, i32))> {
    rows.iter().map(|&(values, epoch, sequence)| (values.to_owned(), (7, epoch, sequence))).collect()
}

#[tokio::test]
async fn records_linger_into_one_batch_in_every_codec() {
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let options = ProducerOptions { linger: Duration::from_secs(60), compression, ..Default::default() };
        let (producer, requests) = against(vec![], options).await;
        let (first, second) = (send(&producer, "a").await, send(&producer, "b").await);
        producer.flush().await.unwrap();
        assert_eq!((first.await.unwrap().offset, second.await.unwrap().offset), (101, 102));
        assert_eq!(producers(&requests), expected(&[("a b", 0, 0)]));
        assert_eq!(producer.buffered_bytes(), 0);
    }
}

#[tokio::test]
async fn a_batch_is_sent_again_with_its_number_after_each_retriable_error() {
    let codes = vec![Some(ErrorCode::NotLeaderOrFollower), None, Some(ErrorCode::NotEnoughReplicas)];
    let (producer, requests) = against(codes, one_by_one()).await;
    assert_eq!(send(&producer, "a").await.await.unwrap().offset, 104);
    assert_eq!(producers(&requests), expected(&[("a", 0, 0); 4]));
}

#[tokio::test]
async fn a_batch_that_was_written_before_its_connection_broke_is_written_once() {
    let codes = vec![None, Some(ErrorCode::DuplicateSequenceNumber)];
    let (producer, requests) = against(codes, one_by_one()).await;
    assert_eq!(send(&producer, "a").await.await.unwrap().offset, 102);
    assert_eq!(producers(&requests), expected(&[("a", 0, 0); 2]));
}

#[tokio::test]
async fn batches_behind_a_failed_one_follow_it_in_order() {
    let gap = Some(ErrorCode::OutOfOrderSequenceNumber);
    let codes = vec![Some(ErrorCode::None), Some(ErrorCode::NotLeaderOrFollower), gap, gap];
    let (producer, requests) = against(codes, one_by_one()).await;
    send(&producer, "first").await.await.unwrap();
    let sent = [send(&producer, "a").await, send(&producer, "b").await, send(&producer, "c").await];
    let mut offsets = Vec::new();
    for delivery in sent {
        offsets.push(delivery.await.unwrap().offset);
    }
    assert_eq!(offsets, [105, 106, 107]);
    let in_order = [("a", 0, 1), ("b", 0, 2), ("c", 0, 3)];
    assert_eq!(producers(&requests), expected(&[&[("first", 0, 0)], &in_order[..], &in_order].concat()));
}

/// A broker that has no numbers of a producer yet would write the second one although it refused the first.
#[tokio::test]
async fn nothing_follows_a_partitions_first_batch_before_it_is_written() {
    let (producer, requests) = against(vec![Some(ErrorCode::NotLeaderOrFollower)], one_by_one()).await;
    let sent = [send(&producer, "a").await, send(&producer, "b").await];
    for delivery in sent {
        delivery.await.unwrap();
    }
    assert_eq!(producers(&requests), expected(&[("a", 0, 0), ("a", 0, 0), ("b", 0, 1)]));
}

#[tokio::test]
async fn a_broker_that_forgot_the_producer_is_given_a_fresh_epoch() {
    let codes = vec![Some(ErrorCode::None), Some(ErrorCode::UnknownProducerId)];
    let (producer, requests) = against(codes, one_by_one()).await;
    send(&producer, "a").await.await.unwrap();
    send(&producer, "b").await.await.unwrap();
    send(&producer, "c").await.await.unwrap();
    assert_eq!(producers(&requests), expected(&[("a", 0, 0), ("b", 0, 1), ("b", 1, 0), ("c", 1, 1)]));
}

#[tokio::test]
async fn a_refusal_fails_its_records_only() {
    let (producer, requests) = against(vec![Some(ErrorCode::MessageTooLarge)], one_by_one()).await;
    let error = send(&producer, "a").await.await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
    assert!(error.to_string().contains("t-0"), "{error}");
    assert_eq!(send(&producer, "b").await.await.unwrap().offset, 102);
    assert_eq!(producers(&requests), expected(&[("a", 0, 0), ("b", 1, 0)]));
}

#[tokio::test]
async fn what_is_never_acknowledged_fails_after_the_delivery_timeout() {
    let codes = vec![Some(ErrorCode::NotLeaderOrFollower); 1000];
    let options = ProducerOptions { delivery_timeout: Duration::from_millis(30), ..one_by_one() };
    let (producer, _requests) = against(codes, options).await;
    let error = send(&producer, "a").await.await.unwrap_err();
    let known = matches!(error, ClientError::Timeout { .. }) || error.code() == Some(ErrorCode::NotLeaderOrFollower);
    assert!(known, "{error}");
    assert_eq!(producer.buffered_bytes(), 0);
}

#[tokio::test]
async fn without_acks_nothing_is_waited_for() {
    let (sender, requests) = mpsc::channel();
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::Produce {
            return Answer::Usual;
        }
        sender.send(seen(received)).unwrap();
        Answer::Silence
    })
    .await;
    let options = ProducerOptions { acks: Acks::None, idempotence: false, ..one_by_one() };
    let producer = Producer::new(client, options).unwrap();
    assert_eq!(send(&producer, "a").await.await.unwrap().offset, -1);
    producer.close().await.unwrap();
    let mut values = Vec::new();
    while values.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        values = requests.try_iter().flatten().flat_map(|seen: Seen| seen.values).collect();
    }
    assert_eq!(values, ["a"]);
}

#[tokio::test]
async fn a_full_buffer_sends_what_lingers_and_waits_for_it() {
    let options = ProducerOptions {
        linger: Duration::from_secs(600),
        batch_bytes: 1 << 20,
        buffer_bytes: 3000,
        max_request_bytes: 3000,
        ..Default::default()
    };
    let (producer, _requests) = against(vec![], options).await;
    for _ in 0..20 {
        // Only the acknowledgement of the records before makes room.
        drop(send(&producer, &"x".repeat(1000)).await);
        assert!(producer.buffered_bytes() <= 3000);
    }
}

#[tokio::test]
async fn each_records_own_faults_are_told_at_once() {
    let (producer, _requests) = against(vec![], ProducerOptions::default()).await;
    let record = ProducerRecord { topic: "t", partition: Some(2), ..Default::default() };
    let error = producer.send(record).await.unwrap_err();
    assert!(matches!(error, ClientError::NoSuchPartition { partition: 2, partitions: 2, .. }), "{error}");
    let value = vec![0; 2 << 20];
    let record = ProducerRecord { topic: "t", value: Some(&value), ..Default::default() };
    let error = producer.send(record).await.unwrap_err();
    assert!(matches!(error, ClientError::RecordTooLarge { .. }), "{error}");
    let clone = producer.clone();
    producer.close().await.unwrap();
    let error = clone.send(ProducerRecord { topic: "t", ..Default::default() }).await.unwrap_err();
    assert_eq!(error, ClientError::Closed);
}

#[tokio::test]
async fn the_callback_hears_of_each_batch_by_the_names_of_its_records() {
    let (client, _requests) = answering(vec![Some(ErrorCode::MessageTooLarge)]).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let callback = move |batch: &Acknowledgement<'_>| {
        let outcome = batch.outcome.map(|written| written.base_offset).map_err(|error| error.code().unwrap());
        notes.lock().unwrap().push((batch.topic.to_owned(), batch.partition, batch.opaques.to_vec(), outcome));
    };
    let options = ProducerOptions { linger: Duration::from_secs(60), ..Default::default() };
    let producer = Producer::with_callback(client, options, callback).unwrap();
    let record =
        |opaque| ProducerRecord { topic: "t", partition: Some(1), value: Some(b"v"), opaque, ..Default::default() };
    for opaque in [7, 8] {
        drop(producer.send(record(opaque)).await.unwrap());
    }
    assert_eq!(producer.flush().await.unwrap_err().code(), Some(ErrorCode::MessageTooLarge));
    drop(producer.send(record(9)).await.unwrap());
    producer.close().await.unwrap();
    let expected =
        [("t".to_owned(), 1, vec![7, 8], Err(ErrorCode::MessageTooLarge)), ("t".to_owned(), 1, vec![9], Ok(102))];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test]
async fn interceptors_change_records_in_turn_and_hear_what_became_of_them() {
    #[derive(Debug)]
    struct Appends(&'static str, mpsc::Sender<(&'static str, usize)>);

    impl Interceptor for Appends {
        fn on_send(&self, record: &mut Draft<'_>) {
            let value = [record.value.as_deref().unwrap_or_default(), self.0.as_bytes()].concat();
            record.value = Some(Cow::Owned(value));
        }

        fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
            self.1.send((self.0, acknowledgement.opaques.len())).unwrap();
        }
    }

    let (sender, told) = mpsc::channel();
    let interceptors: Vec<Arc<dyn Interceptor>> =
        vec![Arc::new(Appends("-first", sender.clone())), Arc::new(Appends("-second", sender))];
    let (producer, requests) = against(vec![], ProducerOptions { interceptors, ..one_by_one() }).await;
    send(&producer, "a").await.await.unwrap();
    assert_eq!(producers(&requests), expected(&[("a-first-second", 0, 0)]));
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [("-first", 1), ("-second", 1)]);
}

#[tokio::test]
async fn what_would_have_to_wait_is_left_undone_by_try_send() {
    let options = ProducerOptions {
        linger: Duration::from_secs(600),
        buffer_bytes: 3000,
        max_request_bytes: 3000,
        ..Default::default()
    };
    let (producer, requests) = against(vec![], options).await;
    let value = [b'x'; 1000];
    let record = ProducerRecord { topic: "t", partition: Some(0), value: Some(&value), ..Default::default() };
    assert!(producer.try_send(&record).unwrap().is_none(), "the topic is not known yet");
    let first = producer.send(record).await.unwrap();
    let second = producer.try_send(&record).unwrap().unwrap();
    assert!(producer.try_send(&record).unwrap().is_none(), "the buffer is full");
    producer.flush().await.unwrap();
    assert_eq!((first.await.unwrap().offset, second.await.unwrap().offset), (101, 102));
    assert_eq!(requests.try_iter().flatten().map(|seen| seen.values.len()).sum::<usize>(), 2);
}

#[tokio::test]
async fn a_custom_partitioner_decides_and_an_impossible_choice_fails_the_record() {
    let partitioner = Partitioner::custom(|record, _| record.key.map_or(7, <[u8]>::len));
    let (producer, _requests) = against(vec![], ProducerOptions { partitioner, ..one_by_one() }).await;
    let with_key = ProducerRecord { topic: "t", key: Some(b"k"), value: Some(b"v"), ..Default::default() };
    assert_eq!(producer.send(with_key).await.unwrap().await.unwrap().partition, 1);
    let without = ProducerRecord { key: None, ..with_key };
    let error = producer.send(without).await.unwrap_err();
    assert!(matches!(error, ClientError::NoSuchPartition { partition: 7, partitions: 2, .. }), "{error}");
}

#[tokio::test]
async fn serializers_make_the_bytes_of_keys_and_values() {
    let (producer, requests) = against(vec![], one_by_one()).await;
    let typed = TypedProducer::new(producer, BigEndian, Utf8);
    let record = TypedRecord { topic: "t", key: Some(&1_i32), value: Some("one"), ..Default::default() };
    assert_eq!(typed.send(record).await.unwrap().await.unwrap().offset, 101);
    assert_eq!(requests.try_iter().flatten().flat_map(|seen| seen.values).collect::<Vec<_>>(), ["one"]);
}

#[tokio::test]
async fn a_callback_that_panics_ends_the_producer_and_leaves_nobody_waiting() {
    let (client, _requests) = answering(vec![]).await;
    let producer = Producer::with_callback(client, one_by_one(), |_| panic!("on purpose")).unwrap();
    assert_eq!(send(&producer, "a").await.await.unwrap_err(), ClientError::Closed);
    let record = ProducerRecord { topic: "t", ..Default::default() };
    assert_eq!(producer.send(record).await.unwrap_err(), ClientError::Closed);
}

#[tokio::test]
async fn options_that_exclude_each_other_are_refused() {
    let client = broker::client(|_: &Received| Answer::Usual).await;
    for options in [
        ProducerOptions { acks: Acks::Leader, ..Default::default() },
        ProducerOptions { max_in_flight: 6, ..Default::default() },
        ProducerOptions { buffer_bytes: 10, ..Default::default() },
    ] {
        assert!(matches!(Producer::new(client.clone(), options), Err(ClientError::Option { .. })));
    }
}
