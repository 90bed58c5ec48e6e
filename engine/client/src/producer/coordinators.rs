//! The requests of a transaction: to its own coordinator, and to that of a group whose offsets it commits.
//!
//! Versions are those of the classic protocol: from the next ones on (KIP-890), which a broker serves with
//! `transaction.version` 2, partitions join by being written to, and the epoch rises at each end.

use std::collections::BTreeMap;
use std::time::Duration;

use ringlog_protocol::add_offsets_to_txn::AddOffsetsToTxnRequest;
use ringlog_protocol::add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use ringlog_protocol::end_txn::EndTxnRequest;
use ringlog_protocol::init_producer_id::InitProducerIdRequest;
use ringlog_protocol::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use ringlog_protocol::{ApiKey, ErrorCode};

use super::transaction::{Identity, Step};
use crate::client::Lane;
use crate::connection::Connection;
use crate::offsets::{CommittedOffset, GroupMetadata, by_topic, check_rows};
use crate::{Client, ClientError, TopicPartition};

/// Where requests go, once that is known.
#[derive(Clone, Default)]
pub(super) struct Coordinators {
    transaction: Option<Connection>,
    /// With the group's name.
    group: Option<(String, Connection)>,
}

/// One attempt at a step.
pub(super) struct Attempt {
    pub(super) client: Client,
    pub(super) transactional_id: String,
    pub(super) timeout: Duration,
    pub(super) identity: Option<Identity>,
    /// What [`Step::AddPartitions`] is about.
    pub(super) partitions: Vec<TopicPartition>,
}

impl Coordinators {
    /// Takes a step, and gives who the producer is where that is the answer. A coordinator that may be another by now is
    /// looked for again with the next step.
    pub(super) async fn take(&mut self, attempt: &Attempt, step: &Step) -> Result<Option<Identity>, ClientError> {
        let outcome = match step {
            Step::Init { current } => self.init(attempt, *current).await.map(Some),
            Step::AddPartitions(_) => self.add_partitions(attempt).await.map(|()| None),
            Step::AddOffsets { group } => self.add_offsets(attempt, group).await.map(|()| None),
            Step::CommitOffsets { group, offsets } => self.commit(attempt, group, offsets).await.map(|()| None),
            Step::End { commit } => self.end(attempt, *commit).await.map(|()| None),
        };
        use ErrorCode as E;
        if let Err(error) = &outcome {
            tracing::debug!(?step, %error, "a step of a transaction");
            match error.code() {
                None | Some(E::NotCoordinator | E::CoordinatorNotAvailable | E::RequestTimedOut) => {
                    *self = Self::default();
                }
                Some(_) => {}
            }
        }
        outcome
    }

    async fn init(&mut self, attempt: &Attempt, current: Option<Identity>) -> Result<Identity, ClientError> {
        let coordinator = self.of_transaction(attempt).await?;
        // A broker without transactions is told from its versions: there is no error code for it.
        coordinator.version(ApiKey::AddPartitionsToTxn, 0..=3)?;
        coordinator.version(ApiKey::EndTxn, 0..=4)?;
        // Version 3 gives fresh epochs.
        let version = coordinator.version(ApiKey::InitProducerId, 3..=5)?;
        let request = InitProducerIdRequest {
            transactional_id: Some(attempt.transactional_id.as_str().into()),
            transaction_timeout_ms: i32::try_from(attempt.timeout.as_millis()).unwrap_or(i32::MAX),
            producer_id: current.map_or(-1, |current| current.id),
            producer_epoch: current.map_or(-1, |current| current.epoch),
        };
        let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
        let answer = reply.read()?;
        ClientError::check(answer.error_code, || attempt.subject(), None)?;
        Ok(Identity { id: answer.producer_id, epoch: answer.producer_epoch })
    }

    async fn add_partitions(&mut self, attempt: &Attempt) -> Result<(), ClientError> {
        let coordinator = self.of_transaction(attempt).await?;
        let version = coordinator.version(ApiKey::AddPartitionsToTxn, 0..=3)?;
        let Identity { id, epoch } = attempt.identity()?;
        let topics = by_topic(attempt.partitions.iter().map(|partition| (partition, ()))).into_iter();
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: attempt.transactional_id.as_str().into(),
            v3_and_below_producer_id: id,
            v3_and_below_producer_epoch: epoch,
            v3_and_below_topics: topics
                .map(|(name, rows)| AddPartitionsToTxnTopic {
                    name: name.into(),
                    partitions: rows.into_iter().map(|(index, ())| index).collect(),
                })
                .collect(),
            ..Default::default()
        };
        let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
        let answer = reply.read()?;
        let rows = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| {
            topic.results_by_partition.iter().map(|row| (&*topic.name, row.partition_index, row.partition_error_code))
        });
        check_rows(&attempt.partitions, rows, |partition| format!("partition {partition} in {}", attempt.subject()))
    }

    async fn add_offsets(&mut self, attempt: &Attempt, group: &str) -> Result<(), ClientError> {
        let coordinator = self.of_transaction(attempt).await?;
        let version = coordinator.version(ApiKey::AddOffsetsToTxn, 0..=4)?;
        let Identity { id, epoch } = attempt.identity()?;
        let request = AddOffsetsToTxnRequest {
            transactional_id: attempt.transactional_id.as_str().into(),
            producer_id: id,
            producer_epoch: epoch,
            group_id: group.into(),
        };
        let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
        let subject = || format!("offsets of group {group} in {}", attempt.subject());
        ClientError::check(reply.read()?.error_code, subject, None)
    }

    async fn commit(
        &mut self,
        attempt: &Attempt,
        group: &GroupMetadata,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<(), ClientError> {
        let coordinator = self.of_group(attempt, &group.group_id).await?;
        // Version 3 says who commits: a member that the group has gone on without is refused (KIP-447).
        let version = coordinator.version(ApiKey::TxnOffsetCommit, 3..=4)?;
        let Identity { id, epoch } = attempt.identity()?;
        let row = |(partition_index, committed): (i32, &CommittedOffset)| TxnOffsetCommitRequestPartition {
            partition_index,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(committed.metadata.clone().into()),
        };
        let topics = by_topic(offsets).into_iter().map(|(name, rows)| TxnOffsetCommitRequestTopic {
            name: name.into(),
            partitions: rows.into_iter().map(row).collect(),
        });
        let request = TxnOffsetCommitRequest {
            transactional_id: attempt.transactional_id.as_str().into(),
            group_id: group.group_id.as_str().into(),
            producer_id: id,
            producer_epoch: epoch,
            generation_id: group.generation_id,
            member_id: group.member_id.as_str().into(),
            group_instance_id: group.instance_id.as_deref().map(Into::into),
            topics: topics.collect(),
        };
        let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
        let answer = reply.read()?;
        let topics = answer.topics.iter();
        let rows = topics
            .flat_map(|topic| topic.partitions.iter().map(|row| (&*topic.name, row.partition_index, row.error_code)));
        check_rows(offsets.keys(), rows, |partition| format!("offset of {partition} in group {}", group.group_id))
    }

    async fn end(&mut self, attempt: &Attempt, commit: bool) -> Result<(), ClientError> {
        let coordinator = self.of_transaction(attempt).await?;
        let version = coordinator.version(ApiKey::EndTxn, 0..=4)?;
        let Identity { id, epoch } = attempt.identity()?;
        let request = EndTxnRequest {
            transactional_id: attempt.transactional_id.as_str().into(),
            producer_id: id,
            producer_epoch: epoch,
            committed: commit,
        };
        let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
        ClientError::check(reply.read()?.error_code, || attempt.subject(), None)
    }

    async fn of_transaction(&mut self, attempt: &Attempt) -> Result<Connection, ClientError> {
        if let Some(known) = self.transaction.as_ref().filter(|known| known.is_open()) {
            return Ok(known.clone());
        }
        let found = attempt.client.transaction_coordinator(&attempt.transactional_id, Lane::SHARED).await?;
        Ok(self.transaction.insert(found).clone())
    }

    async fn of_group(&mut self, attempt: &Attempt, group: &str) -> Result<Connection, ClientError> {
        if let Some((_, known)) = self.group.as_ref().filter(|(name, known)| name == group && known.is_open()) {
            return Ok(known.clone());
        }
        let found = attempt.client.coordinator(group, Lane::SHARED).await?;
        self.group = Some((group.to_owned(), found.clone()));
        Ok(found)
    }
}

impl Attempt {
    fn subject(&self) -> String {
        format!("transactional id {}", self.transactional_id)
    }

    fn identity(&self) -> Result<Identity, ClientError> {
        self.identity.ok_or(ClientError::State("a producer with a transactional.id begins with init_transactions"))
    }
}
