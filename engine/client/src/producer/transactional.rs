//! The calls by which an application begins and ends transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Producer;
use super::accumulator::Accumulator;
use super::delivery::Fate;
use super::transaction::Transaction;
use crate::client::lock;
use crate::offsets::{CommittedOffset, GroupMetadata};
use crate::{ClientError, TopicPartition};

/// Transactions: what is sent between begin and commit, to any partitions, is seen as a whole or not at all by consumers
/// with [`Isolation::ReadCommitted`](crate::Isolation::ReadCommitted), and so are the offsets of a group that go with it.
/// They need [`transactional_id`](crate::ProducerOptions::transactional_id), and brokers of Apache Kafka 2.5 or later, with
/// which the classic protocol is spoken whatever their `transaction.version`.
///
/// When a call fails, or a record's delivery, [abort](Self::abort_transaction): after that another transaction may begin.
/// But what [takes too long](ClientError::Timeout) of init, commit and abort goes on, and is called again. Only
/// [`ClientError::ProducerFailed`] is final.
///
/// ```no_run
/// # use std::time::Duration;
/// # use ringlog_client::{ClientError, Consumer, Producer, ProducerRecord};
/// /// Copies each record once, whatever fails: copies and position are committed together. The consumer begins at the
/// /// earliest offset: who takes over from it may find nothing committed.
/// async fn copy(mut consumer: Consumer, producer: Producer) -> Result<(), ClientError> {
///     patiently(async || producer.init_transactions().await).await?;
///     loop {
///         if let Err(error) = copy_some(&mut consumer, &producer).await {
///             eprintln!("once more: {error}");
///             patiently(async || producer.abort_transaction().await).await?;
///             consumer.seek_to_committed();
///         }
///     }
/// }
///
/// async fn patiently(call: impl AsyncFn() -> Result<(), ClientError>) -> Result<(), ClientError> {
///     loop {
///         match call().await {
///             Err(slow @ ClientError::Timeout { .. }) => eprintln!("{slow}"),
///             outcome => return outcome,
///         }
///     }
/// }
///
/// async fn copy_some(consumer: &mut Consumer, producer: &Producer) -> Result<(), ClientError> {
///     producer.begin_transaction()?;
///     for chunk in consumer.poll(Duration::from_secs(1)).await?.chunks() {
///         let mut values = Vec::new();
///         chunk.try_for_each(|record| Ok::<_, ClientError>(values.push(record.value.map(<[u8]>::to_vec))))?;
///         for value in &values {
///             let copy = ProducerRecord { topic: "copies", value: value.as_deref(), ..Default::default() };
///             drop(producer.send(copy).await?);
///         }
///     }
///     if let Some(group) = consumer.group_metadata() {
///         producer.send_offsets_to_transaction(&consumer.positions(), &group).await?;
///     }
///     patiently(async || producer.commit_transaction().await).await
/// }
/// ```
impl Producer {
    /// Makes this the only producer of its `transactional.id`: one before it is shut out, and its open transaction
    /// aborted. To be called once, first of all.
    ///
    /// # Errors
    /// [`ClientError::ProducerFailed`], with [`ClientError::Unsupported`] as its cause where the broker has no transactions;
    /// [`ClientError::Timeout`] after `max.block.ms`: call it again to go on waiting. [`ClientError::State`] without a
    /// `transactional.id`, or when it was called before.
    pub async fn init_transactions(&self) -> Result<(), ClientError> {
        self.call("init_transactions", AGAIN, |accumulator| transaction(accumulator)?.init()).await
    }

    /// Begins a transaction. What is sent from here on, also through clones, belongs to it. One that is never ended is
    /// aborted by its coordinator after `transaction.timeout.ms`, or for the next producer of the id.
    ///
    /// # Errors
    /// [`ClientError::State`] when one is open, or the end of the one before was not waited for;
    /// [`ClientError::ProducerFailed`]; [`ClientError::Closed`].
    pub fn begin_transaction(&self) -> Result<(), ClientError> {
        transaction(&mut lock(&self.shared.accumulator))?.begin()
    }

    /// Commits a group's offsets, for each partition that of the next record to read, with the transaction. The group
    /// comes from [`Consumer::group_metadata`](crate::Consumer::group_metadata): a member that it has gone on without is
    /// refused, since others read its partitions. That consumer is not to commit on its own (`auto_commit: None`).
    ///
    /// # Errors
    /// [`ClientError::AbortTransaction`], among other things by
    /// [`IllegalGeneration`](crate::ErrorCode::IllegalGeneration) and
    /// [`UnknownMemberId`](crate::ErrorCode::UnknownMemberId) after a rebalance; [`ClientError::ProducerFailed`];
    /// [`ClientError::Timeout`] after `max.block.ms`: it is tried further, and the commit waits for it;
    /// [`ClientError::State`].
    pub async fn send_offsets_to_transaction(
        &self,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
        group: &GroupMetadata,
    ) -> Result<(), ClientError> {
        let send = |accumulator: &mut Accumulator| {
            let transaction = transaction(accumulator)?;
            if offsets.is_empty() {
                return transaction.check_open().map(|()| Fate::done());
            }
            transaction.send_offsets(group.clone(), offsets.clone())
        };
        self.call("send_offsets_to_transaction", "it goes on: commit_transaction waits for it", send).await
    }

    /// Sends everything, waits until it is written, and commits it. On return consumers see it, or will in a moment.
    ///
    /// # Errors
    /// [`ClientError::AbortTransaction`] when anything of it was not written; [`ClientError::ProducerFailed`];
    /// [`ClientError::Timeout`] after `max.block.ms`: it may be committed by then or not, so call it again to go on
    /// waiting. [`ClientError::State`] when none is open.
    pub async fn commit_transaction(&self) -> Result<(), ClientError> {
        let commit = |accumulator: &mut Accumulator| {
            let called = transaction(accumulator)?.commit()?;
            accumulator.flush();
            Ok(called)
        };
        self.call("commit_transaction", AGAIN, commit).await
    }

    /// Drops what was not sent yet, and has consumers with read_committed pass over the rest.
    ///
    /// # Errors
    /// [`ClientError::ProducerFailed`]; [`ClientError::Timeout`] after `max.block.ms`: call it again to go on waiting.
    /// [`ClientError::State`] when none is open.
    pub async fn abort_transaction(&self) -> Result<(), ClientError> {
        self.call("abort_transaction", AGAIN, |accumulator| transaction(accumulator)?.abort()).await
    }

    /// Aborts what is open, and waits for an end that is under way. None begins from here on.
    pub(super) async fn finish_transaction(&self) -> Result<(), ClientError> {
        let finish = |accumulator: &mut Accumulator| {
            let transaction = accumulator.transaction.as_mut();
            Ok(transaction.and_then(Transaction::finish).unwrap_or_else(Fate::done))
        };
        let left = "left to its coordinator, which aborts it after transaction.timeout.ms if it has heard of no end";
        let finished = self.call("the end of the transaction", left, finish).await;
        if let Err(ClientError::AbortTransaction { .. }) = finished {
            // That the commit failed tells more than what comes of the abort.
            let _ = self.call("the end of the transaction", left, finish).await;
        }
        finished
    }

    /// Makes a call, has the sender look, and waits for what comes of it; `late` says what becomes of it when that
    /// takes too long.
    async fn call(
        &self,
        name: &'static str,
        late: &'static str,
        begin: impl FnOnce(&mut Accumulator) -> Result<Arc<Fate>, ClientError>,
    ) -> Result<(), ClientError> {
        let fate = begin(&mut lock(&self.shared.accumulator))?;
        self.shared.wake.notify_one();
        let after = self.shared.options.max_block;
        let Ok(outcome) = tokio::time::timeout(after, fate.delivery(0, 0, 0)).await else {
            let what = format!("{name} ({late})");
            return Err(ClientError::Timeout { what, after, setting: "max.block.ms" });
        };
        lock(&self.shared.accumulator).transaction.iter_mut().for_each(|transaction| transaction.heard(&fate));
        outcome.map(drop)
    }
}

const AGAIN: &str = "it goes on: call it again to wait for it";

fn transaction(accumulator: &mut Accumulator) -> Result<&mut Transaction, ClientError> {
    if accumulator.closed {
        return Err(ClientError::Closed);
    }
    accumulator.transaction.as_mut().ok_or(ClientError::State("transactions need a producer with a transactional.id"))
}
