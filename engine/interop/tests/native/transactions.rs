//! Transactions of our own client, against Apache Kafka; and that our broker refuses them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringlog_client::{
    Admin, ClientError, CommittedOffset, Consumer, ConsumerOptions, Delivery, ErrorCode, GroupMetadata, Isolation,
    OffsetReset, Partitioner, Producer, ProducerOptions, ProducerRecord, TopicPartition, TransactionFilter,
};
use ringlog_interop::Broker;

use crate::{PATIENCE, POLL, client, create, producer, text, until_ok, with_topic, with_topic_at};

const PARTITIONS: i32 = 3;

#[test]
fn our_broker_refuses_transactions_by_name() {
    with_topic("refused", 1, async |broker, topic| {
        if broker.data().is_none() {
            return;
        }
        let producer = transactional(&broker, &topic).await;
        let error = producer.init_transactions().await.unwrap_err();
        let ClientError::ProducerFailed { cause } = &error else { panic!("{error}") };
        assert!(matches!(**cause, ClientError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("does not serve AddPartitionsToTxn"), "{error}");
    });
}

#[test]
fn what_is_committed_is_seen_whole_and_what_is_aborted_is_not() {
    on_kafka("isolation", async |broker, topic| {
        let producer = transactional(broker, topic).await;
        producer.init_transactions().await.unwrap();
        let mut committed = Vec::new();
        for transaction in 0..8 {
            producer.begin_transaction().unwrap();
            let mut sent = Vec::new();
            for number in 0..25 {
                sent.push(send(&producer, topic, &format!("{transaction}-{number}")).await);
            }
            if transaction % 3 == 1 {
                // Some of it has been written, the rest never leaves.
                producer.flush().await.unwrap();
                drop(send(&producer, topic, "unsent").await);
                producer.abort_transaction().await.unwrap();
            } else {
                producer.commit_transaction().await.unwrap();
                for delivery in sent {
                    assert!(delivery.await.unwrap().offset >= 0);
                }
                committed.extend((0..25).map(|number| format!("{transaction}-{number}")));
            }
        }
        producer.begin_transaction().unwrap();
        drop(send(&producer, topic, "open").await);
        producer.flush().await.unwrap();
        committed.sort_unstable();
        assert_eq!(read(broker, topic, Isolation::ReadCommitted).await, committed);
        let all = read(broker, topic, Isolation::ReadUncommitted).await;
        assert!(all.len() >= 8 * 25 && all.contains(&"1-0".to_owned()) && all.contains(&"open".to_owned()));
        producer.close().await.unwrap();
        assert_eq!(read(broker, topic, Isolation::ReadCommitted).await, committed);
    });
}

#[test]
fn offsets_are_committed_with_their_transaction_or_not_at_all() {
    on_kafka("offsets", async |broker, topic| {
        let producer = transactional(broker, topic).await;
        let admin = Admin::new(client(broker).await);
        let partition = TopicPartition::new(topic, 1);
        let at = |offset| {
            let metadata = format!("at {offset}");
            BTreeMap::from([(partition.clone(), CommittedOffset { offset, leader_epoch: None, metadata })])
        };
        let group = GroupMetadata::without_member(topic);
        producer.init_transactions().await.unwrap();
        for (offset, commit) in [(5, true), (6, false), (7, true), (8, false)] {
            producer.begin_transaction().unwrap();
            drop(send(&producer, topic, "v").await);
            producer.send_offsets_to_transaction(&at(offset), &group).await.unwrap();
            match commit {
                true => producer.commit_transaction().await.unwrap(),
                false => producer.abort_transaction().await.unwrap(),
            }
        }
        assert_eq!(admin.group_offsets(topic).await.unwrap(), at(7));

        // Who does not belong to the group commits nothing.
        producer.begin_transaction().unwrap();
        let (group_id, member_id) = (topic.to_owned(), "nobody".to_owned());
        let stranger = GroupMetadata { group_id, generation_id: 9, member_id, instance_id: None };
        let error = producer.send_offsets_to_transaction(&at(9), &stranger).await.unwrap_err();
        assert!(matches!(error, ClientError::AbortTransaction { .. }), "{error}");
        let expected = [Some(ErrorCode::UnknownMemberId), Some(ErrorCode::IllegalGeneration)];
        assert!(expected.contains(&error.code()), "{error}");
        let refused = producer.commit_transaction().await.unwrap_err();
        assert_eq!(refused.code(), error.code());
        producer.abort_transaction().await.unwrap();
        producer.begin_transaction().unwrap();
        producer.send_offsets_to_transaction(&at(10), &group).await.unwrap();
        producer.commit_transaction().await.unwrap();
        assert_eq!(admin.group_offsets(topic).await.unwrap(), at(10));
    });
}

#[test]
fn a_second_producer_of_an_id_shuts_out_the_first_and_aborts_what_it_left() {
    on_kafka("zombie", async |broker, topic| {
        let first = transactional(broker, topic).await;
        first.init_transactions().await.unwrap();
        first.begin_transaction().unwrap();
        send(&first, topic, "first").await.await.unwrap();
        let second = transactional(broker, topic).await;
        second.init_transactions().await.unwrap();
        let late = send(&first, topic, "late").await;
        let error = first.commit_transaction().await.unwrap_err();
        let fenced = |error: &ClientError| {
            matches!(error.code(), Some(ErrorCode::ProducerFenced | ErrorCode::InvalidProducerEpoch))
        };
        assert!(fenced(&error), "{error}");
        assert!(late.await.is_err());
        // Its batch or its end was refused; at the latest the abort says that this is for good.
        let error = first.abort_transaction().await.unwrap_err();
        assert!(matches!(error, ClientError::ProducerFailed { .. }) && fenced(&error), "{error}");
        second.begin_transaction().unwrap();
        drop(send(&second, topic, "second").await);
        second.commit_transaction().await.unwrap();
        assert_eq!(read(broker, topic, Isolation::ReadCommitted).await, ["second"]);
    });
}

#[test]
fn a_transaction_is_seen_while_it_is_open_and_can_be_ended_from_outside() {
    on_kafka("outside", async |broker, topic| {
        let admin = Admin::new(client(broker).await);
        let partition = TopicPartition::new(topic, 0);
        let here = std::slice::from_ref(&partition);
        let producer = transactional(broker, topic).await;
        producer.init_transactions().await.unwrap();
        producer.begin_transaction().unwrap();
        let record = ProducerRecord { topic, partition: Some(0), value: Some(b"uncommitted"), ..Default::default() };
        assert_eq!(producer.send(record).await.unwrap().await.unwrap().offset, 0);

        let of_topic = TransactionFilter { pattern: Some(topic.to_owned()), ..Default::default() };
        let listed = admin.transactions(&of_topic).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|one| (&*one.transactional_id, &*one.state)).collect();
        assert_eq!(listed, [(topic, "Ongoing")]);
        let described = admin.transaction(topic).await.unwrap();
        let writing = &admin.producers(here).await.unwrap()[&partition][0];
        assert_eq!((&*described.state, &described.partitions[..]), ("Ongoing", here));
        assert_eq!((described.producer_id, Some(0)), (writing.producer_id, writing.transaction_start_offset));
        // It is open for long enough, but its coordinator knows of it.
        assert_eq!(admin.hanging_transactions(here, Duration::ZERO).await.unwrap(), []);

        admin.abort_transaction(&partition, 0).await.unwrap();
        let writing = &admin.producers(here).await.unwrap()[&partition][0];
        assert_eq!(writing.transaction_start_offset, None);
        admin.fence_producer(topic).await.unwrap();
        let fenced = admin.transaction(topic).await.unwrap();
        assert_eq!((&*fenced.state, &fenced.partitions[..]), ("Empty", &[][..]));
        assert!(fenced.producer_epoch > described.producer_epoch || fenced.producer_id != described.producer_id);
        let error = producer.commit_transaction().await.unwrap_err();
        assert!(matches!(error, ClientError::ProducerFailed { .. }), "{error}");
    });
}

#[test]
fn a_copier_that_dies_and_begins_again_copies_each_record_once() {
    on_kafka("copier", async |broker, topic| {
        let copies = format!("{topic}-copies");
        let admin = Admin::new(client(broker).await);
        create(&admin, &copies, PARTITIONS).await;
        let options = ProducerOptions { partitioner: Partitioner::RoundRobin, ..Default::default() };
        let originals = producer(broker, options).await;
        let mut sent: Vec<_> = (0..300).map(|number| format!("record {number}")).collect();
        for value in &sent {
            drop(send(&originals, topic, value).await);
        }
        originals.close().await.unwrap();
        // Each dies within a transaction, after some that it has committed and one that it has aborted.
        for transactions in [3, 5, usize::MAX] {
            let mut copier = Copier::start(broker, topic, &copies).await;
            copier.copy(transactions).await;
        }
        sent.sort_unstable();
        assert_eq!(read(broker, &copies, Isolation::ReadCommitted).await, sent);
        assert!(read(broker, &copies, Isolation::ReadUncommitted).await.len() > sent.len(), "some were copied in vain");
        admin.delete_topic(&copies).await.unwrap();
    });
}

struct Copier {
    consumer: Consumer,
    producer: Producer,
    copies: String,
}

impl Copier {
    async fn start(broker: &Broker, topic: &str, copies: &str) -> Copier {
        let options = ConsumerOptions {
            group_id: Some(topic.to_owned()),
            // The group takes the next copier for this one, and deals nothing anew.
            group_instance_id: Some("copier".to_owned()),
            offset_reset: OffsetReset::Earliest,
            isolation: Isolation::ReadCommitted,
            auto_commit: None,
            max_poll_records: 20,
            ..Default::default()
        };
        let mut consumer = Consumer::new(client(broker).await, options).unwrap();
        consumer.subscribe([topic]).unwrap();
        let producer = transactional(broker, topic).await;
        producer.init_transactions().await.unwrap();
        Copier { consumer, producer, copies: copies.to_owned() }
    }

    /// Copies until all is copied, or in so many transactions, and dies within the next.
    async fn copy(&mut self, transactions: usize) {
        for transaction in 0.. {
            self.producer.begin_transaction().unwrap();
            let some = self.copy_some().await;
            if !some {
                return;
            }
            if transaction == transactions {
                return self.producer.flush().await.unwrap();
            }
            let group = self.consumer.group_metadata().unwrap();
            self.producer.send_offsets_to_transaction(&self.consumer.positions(), &group).await.unwrap();
            if transaction == 1 {
                self.producer.abort_transaction().await.unwrap();
                self.consumer.seek_to_committed();
            } else {
                self.producer.commit_transaction().await.unwrap();
            }
        }
    }

    /// Whether there was any.
    async fn copy_some(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let records = self.consumer.poll(POLL).await.unwrap();
            let mut values = Vec::new();
            let each = |_: &TopicPartition, record: &ringlog_client::Record<'_>| {
                values.push(text(record.value.unwrap()));
                Ok::<_, ClientError>(())
            };
            records.try_for_each(each).unwrap();
            for value in &values {
                drop(send(&self.producer, &self.copies, value).await);
            }
            let held = self.consumer.assignment();
            let is_at_end = held.iter().all(|partition| self.consumer.lag(partition) == Some(0));
            if !values.is_empty() || (!held.is_empty() && is_at_end) {
                return !values.is_empty();
            }
            assert!(Instant::now() < deadline, "nothing to copy");
        }
    }
}

/// Runs a test on a topic of its own; not at all where Kafka can't be had.
fn on_kafka(what: &str, test: impl AsyncFnOnce(&Broker, &str)) {
    if let Some(kafka) = Broker::kafka() {
        with_topic_at(kafka, what, PARTITIONS, async |broker, topic| test(&broker, &topic).await);
    }
}

async fn transactional(broker: &Broker, id: &str) -> Producer {
    let options = ProducerOptions {
        transactional_id: Some(id.to_owned()),
        partitioner: Partitioner::RoundRobin,
        linger: Duration::from_millis(1),
        ..Default::default()
    };
    producer(broker, options).await
}

async fn send(producer: &Producer, topic: &str, value: &str) -> Delivery {
    producer.send(ProducerRecord { topic, value: Some(value.as_bytes()), ..Default::default() }).await.unwrap()
}

/// The values of a topic up to its end, sorted.
async fn read(broker: &Broker, topic: &str, isolation: Isolation) -> Vec<String> {
    let options = ConsumerOptions { offset_reset: OffsetReset::Earliest, isolation, ..Default::default() };
    let mut consumer = Consumer::new(client(broker).await, options).unwrap();
    let partitions: Vec<_> = (0..PARTITIONS).map(|index| TopicPartition::new(topic, index)).collect();
    consumer.assign(partitions.iter().cloned());
    let mut values = Vec::new();
    until_ok("the end of the topic", async || {
        let records = consumer.poll(POLL).await.unwrap();
        let each = |_: &TopicPartition, record: &ringlog_client::Record<'_>| {
            values.push(text(record.value.unwrap()));
            Ok::<_, ClientError>(())
        };
        records.try_for_each(each).unwrap();
        partitions.iter().all(|partition| consumer.lag(partition) == Some(0))
    })
    .await;
    values.sort_unstable();
    values
}
