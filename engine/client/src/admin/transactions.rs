//! Transactions: those that coordinators know, those that partitions still hold open, and an end for the ones that hang
//! (KIP-664).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::try_join_all;
use ringlog_protocol::describe_producers::{DescribeProducersRequest, TopicRequest};
use ringlog_protocol::describe_transactions::DescribeTransactionsRequest;
use ringlog_protocol::init_producer_id::InitProducerIdRequest;
use ringlog_protocol::list_transactions::ListTransactionsRequest;
use ringlog_protocol::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest};
use ringlog_protocol::{ApiKey, ErrorCode};

use super::Admin;
use crate::client::Lane;
use crate::offsets::{by_topic, known};
use crate::{ClientError, TopicPartition};

/// Which transactions are meant: those that agree in everything that is named here. The default are all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// In one of these states.
    pub states: Vec<String>,
    /// Of one of these producers.
    pub producer_ids: Vec<i64>,
    /// Begun at least so long ago, and not ended (KIP-994).
    pub running_for: Option<Duration>,
    /// With a transactional id that this expression of RE2 matches whole (KIP-1152).
    pub pattern: Option<String>,
}

/// A transactional id and its present or last transaction, in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionListing {
    /// The transactional id.
    pub transactional_id: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
    /// The producer.
    pub producer_id: i64,
    /// `Empty`, `Ongoing`, `PrepareCommit`, `PrepareAbort`, `CompleteCommit`, `CompleteAbort`, `PrepareEpochFence` or `Dead`.
    pub state: String,
}

/// What its coordinator knows of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionDescription {
    /// As in [`TransactionListing`].
    pub state: String,
    /// The producer that uses the id.
    pub producer_id: i64,
    /// Counts those that have used the id; the earlier ones are fenced.
    pub producer_epoch: i16,
    /// `transaction.timeout.ms` of that producer: after this the coordinator aborts.
    pub timeout: Duration,
    /// When it began, in ms since the epoch; `None` while there is none.
    pub start_ms: Option<i64>,
    /// The partitions that have joined it, sorted.
    pub partitions: Vec<TopicPartition>,
}

/// A producer as a partition remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// Sequence of its last record; `None` when it is not known any more.
    pub last_sequence: Option<i32>,
    /// When it last wrote, in ms since the epoch, if known.
    pub last_timestamp_ms: Option<i64>,
    /// Epoch of the coordinator that ended its last transaction, if one did.
    pub coordinator_epoch: Option<i32>,
    /// Where its open transaction begins in this partition, if it has one. Nobody reads committed records beyond.
    pub transaction_start_offset: Option<i64>,
}

/// A transaction that a partition holds open and no coordinator will end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HangingTransaction {
    /// Where.
    pub partition: TopicPartition,
    /// Whose.
    pub producer: ProducerState,
    /// The transactional id that this producer has now, if it has one.
    pub transactional_id: Option<String>,
}

impl Admin {
    /// The transactional ids that match, sorted. Each broker knows those that it coordinates.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] by a broker without transactions, or too old for the filter; [`ClientError::Option`] for a state
    /// that the broker does not know.
    pub async fn transactions(&self, filter: &TransactionFilter) -> Result<Vec<TransactionListing>, ClientError> {
        let request = ListTransactionsRequest {
            state_filters: filter.states.iter().map(Into::into).collect(),
            producer_id_filters: filter.producer_ids.clone(),
            duration_filter: filter.running_for.map_or(-1, ms),
            transactional_id_pattern: filter.pattern.as_deref().map(Into::into),
        };
        let least = match filter {
            TransactionFilter { pattern: Some(_), .. } => 2,
            TransactionFilter { running_for: Some(_), .. } => 1,
            _ => 0,
        };
        let of = async |coordinator| {
            let connection = self.client.node(coordinator, Lane::SHARED).await?;
            let version = connection.version(ApiKey::ListTransactions, least..=i16::MAX)?;
            let reply = connection.call_version(&request, version, Duration::ZERO).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || format!("transactions of broker {coordinator}"), None)?;
            if let Some(unknown) = answer.unknown_state_filters.first() {
                let reason = "no state of transactions that the broker knows, such as Ongoing or PrepareCommit";
                return Err(ClientError::Option { name: "state", value: unknown.to_string(), reason });
            }
            let listing = |row: &ringlog_protocol::list_transactions::TransactionState<'_>| TransactionListing {
                transactional_id: row.transactional_id.clone().into_owned(),
                coordinator,
                producer_id: row.producer_id,
                state: row.transaction_state.clone().into_owned(),
            };
            Ok(answer.transaction_states.iter().map(listing).collect::<Vec<_>>())
        };
        self.retry(|| async {
            let topology = self.client.refresh(Some(&[]), false).await?;
            let lists = try_join_all(topology.brokers.keys().map(|&broker| of(broker))).await?;
            let mut transactions: Vec<_> = lists.into_iter().flatten().collect();
            transactions.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id));
            Ok(transactions)
        })
        .await
    }

    /// What its coordinator knows of a transactional id.
    ///
    /// # Errors
    /// [`ErrorCode::TransactionalIdNotFound`] and others.
    pub async fn transaction(&self, transactional_id: &str) -> Result<TransactionDescription, ClientError> {
        let subject = || format!("transactional id {transactional_id}");
        let request = DescribeTransactionsRequest { transactional_ids: vec![transactional_id.into()] };
        self.retry(|| async {
            let coordinator = self.client.transaction_coordinator(transactional_id, Lane::SHARED).await?;
            let reply = coordinator.call(&request).await?;
            let missing = ErrorCode::TransactionalIdNotFound as i16;
            let found = reply.read()?.transaction_states.into_iter().next();
            ClientError::check(found.as_ref().map_or(missing, |found| found.error_code), subject, None)?;
            let found = found.unwrap_or_default();
            let partitions = found.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|&index| TopicPartition::new(topic.topic.clone(), index))
            });
            let mut partitions: Vec<_> = partitions.collect();
            partitions.sort();
            Ok(TransactionDescription {
                state: found.transaction_state.into_owned(),
                producer_id: found.producer_id,
                producer_epoch: found.producer_epoch,
                timeout: Duration::from_millis(u64::try_from(found.transaction_timeout_ms).unwrap_or_default()),
                start_ms: known(found.transaction_start_time_ms),
                partitions,
            })
        })
        .await
    }

    /// Ends what a transactional id is doing: its transaction is aborted, and a producer that still uses the id is fenced.
    ///
    /// # Errors
    /// [`ErrorCode::TransactionalIdNotFound`], and what its coordinator says.
    pub async fn fence_producer(&self, transactional_id: &str) -> Result<(), ClientError> {
        // Who asks for a producer id makes one of an id that there was not.
        self.transaction(transactional_id).await?;
        let request = InitProducerIdRequest {
            transactional_id: Some(transactional_id.into()),
            // The id's last owner is gone: this holds until the next one says its own.
            transaction_timeout_ms: self.timeout_ms(),
            ..Default::default()
        };
        self.retry(|| async {
            let coordinator = self.client.transaction_coordinator(transactional_id, Lane::SHARED).await?;
            let reply = coordinator.call(&request).await?;
            ClientError::check(reply.read()?.error_code, || format!("transactional id {transactional_id}"), None)
        })
        .await
    }

    /// The producers that these partitions remember, by their ids' order.
    ///
    /// # Errors
    /// Of the first partition that there is not.
    pub async fn producers(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Vec<ProducerState>>, ClientError> {
        let rows = || partitions.iter().map(|partition| (partition, ()));
        self.all_exist(&by_topic(rows()).into_keys().collect::<Vec<_>>()).await?;
        self.retry(|| async {
            let leaders = self.by_leader(rows()).await?;
            let calls = leaders.into_iter().map(|(leader, rows)| self.producers_at(leader, rows));
            let found: BTreeMap<_, _> = try_join_all(calls).await?.into_iter().flatten().collect();
            match partitions.iter().find(|partition| !found.contains_key(partition)) {
                Some(missing) => Err(ClientError::unmentioned(format!("partition {missing}"))),
                None => Ok(found),
            }
        })
        .await
    }

    async fn producers_at(
        &self,
        leader: i32,
        rows: Vec<(&TopicPartition, ())>,
    ) -> Result<Vec<(TopicPartition, Vec<ProducerState>)>, ClientError> {
        let topics = by_topic(rows).into_iter().map(|(name, rows)| TopicRequest {
            name: name.into(),
            partition_indexes: rows.into_iter().map(|(index, ())| index).collect(),
        });
        let request = DescribeProducersRequest { topics: topics.collect() };
        let reply = self.client.node(leader, Lane::SHARED).await?.call(&request).await?;
        let mut found = Vec::new();
        for topic in reply.read()?.topics {
            for row in topic.partitions {
                let partition = TopicPartition::new(topic.name.clone(), row.partition_index);
                ClientError::check(row.error_code, || format!("partition {partition}"), row.error_message.as_deref())?;
                let mut producers: Vec<_> = row.active_producers.iter().map(ProducerState::from_wire).collect();
                producers.sort_by_key(|producer| producer.producer_id);
                found.push((partition, producers));
            }
        }
        Ok(found)
    }

    /// Those of these partitions' open transactions that nobody will end: their producers have not written for `idle`, which must be
    /// more than any `transaction.timeout.ms`, and their transactional ids, if there are any, know nothing of the partition.
    ///
    /// # Errors
    /// Of the first partition that there is not, or what a coordinator says.
    pub async fn hanging_transactions(
        &self,
        partitions: &[TopicPartition],
        idle: Duration,
    ) -> Result<Vec<HangingTransaction>, ClientError> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ms);
        let is_idle = |producer: &ProducerState| {
            let last_ms = producer.last_timestamp_ms.unwrap_or_default();
            producer.transaction_start_offset.is_some() && now_ms.saturating_sub(last_ms) > ms(idle)
        };
        let open = self.producers(partitions).await?.into_iter().flat_map(|(partition, producers)| {
            producers.into_iter().filter(is_idle).map(move |producer| (partition.clone(), producer))
        });
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let ids: BTreeSet<_> = open.iter().map(|(_, producer)| producer.producer_id).collect();
        let filter = TransactionFilter { producer_ids: ids.into_iter().collect(), ..Default::default() };
        let mut coordinated = BTreeMap::new();
        for listed in self.transactions(&filter).await? {
            match self.transaction(&listed.transactional_id).await {
                Ok(known) => drop(coordinated.insert(known.producer_id, (listed.transactional_id, known.partitions))),
                // It expired since it was listed.
                Err(error) if error.code() == Some(ErrorCode::TransactionalIdNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let hanging =
            open.into_iter().filter_map(|(partition, producer)| match coordinated.get(&producer.producer_id) {
                Some((_, partitions)) if partitions.contains(&partition) => None,
                known => {
                    let transactional_id = known.map(|(id, _)| id.clone());
                    Some(HangingTransaction { partition, producer, transactional_id })
                }
            });
        Ok(hanging.collect())
    }

    /// Aborts the transaction that begins at `start_offset` in this partition, past its coordinator: only for one that hangs. What it
    /// wrote elsewhere stays as it is.
    ///
    /// # Errors
    /// [`ClientError::NoTransaction`] when none that is open begins there; [`ErrorCode::InvalidProducerEpoch`] when its producer has
    /// gone on meanwhile, and others.
    pub async fn abort_transaction(&self, partition: &TopicPartition, start_offset: i64) -> Result<(), ClientError> {
        let mut producers = self.producers(std::slice::from_ref(partition)).await?.into_values().flatten();
        let begins = |producer: &ProducerState| producer.transaction_start_offset == Some(start_offset);
        let none = || ClientError::NoTransaction { partition: partition.clone(), start_offset };
        let producer = producers.find(begins).ok_or_else(none)?;
        let marker = WritableTxnMarker {
            producer_id: producer.producer_id,
            producer_epoch: i16::try_from(producer.producer_epoch).unwrap_or(i16::MAX),
            transaction_result: false,
            topics: vec![WritableTxnMarkerTopic {
                name: (*partition.topic).into(),
                partition_indexes: vec![partition.partition],
            }],
            coordinator_epoch: producer.coordinator_epoch.unwrap_or(0),
            ..Default::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        self.retry(|| async {
            let leaders = self.by_leader([(partition, ())]).await?;
            for leader in leaders.into_keys() {
                let reply = self.client.node(leader, Lane::SHARED).await?.call(&request).await?;
                let answer = reply.read()?;
                let topics = answer.markers.iter().flat_map(|marker| &marker.topics);
                let subject = || format!("partition {partition}");
                let row = topics
                    .flat_map(|topic| &topic.partitions)
                    .next()
                    .ok_or_else(|| ClientError::unmentioned(subject()))?;
                ClientError::check(row.error_code, subject, None)?;
            }
            Ok(())
        })
        .await
    }
}

impl ProducerState {
    fn from_wire(row: &ringlog_protocol::describe_producers::ProducerState) -> Self {
        Self {
            producer_id: row.producer_id,
            producer_epoch: row.producer_epoch,
            last_sequence: known(row.last_sequence),
            last_timestamp_ms: known(row.last_timestamp),
            coordinator_epoch: known(row.coordinator_epoch),
            transaction_start_offset: known(row.current_txn_start_offset),
        }
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
