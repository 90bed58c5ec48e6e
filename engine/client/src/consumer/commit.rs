//! Commits: waited for, or only begun, or by themselves.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::group::Membership;
use super::{Consumer, NO_GROUP};
use crate::client::Lane;
use crate::offsets::{self, CommittedOffset, GroupMetadata};
use crate::{ClientError, TopicPartition};

/// A commit that was begun: resolves when it is answered. Dropping it changes nothing; a failure is logged then.
#[derive(Debug)]
pub struct PendingCommit(oneshot::Receiver<Result<(), ClientError>>);

impl Future for PendingCommit {
    type Output = Result<(), ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|told| told.unwrap_or(Err(ClientError::Closed)))
    }
}

impl Consumer {
    /// Commits the positions: what the polls up to this one returned.
    ///
    /// # Errors
    /// [`ClientError::State`] without a group; [`IllegalGeneration`](crate::ErrorCode::IllegalGeneration),
    /// [`UnknownMemberId`](crate::ErrorCode::UnknownMemberId) and
    /// [`RebalanceInProgress`](crate::ErrorCode::RebalanceInProgress) after a rebalance: others read these partitions
    /// now, and may read the same records.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        self.commit_offsets(&self.positions()).await
    }

    /// Commits these offsets: for each partition that of the next record to read.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn commit_offsets(
        &mut self,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<(), ClientError> {
        let client = self.client.clone();
        let deadline = Instant::now() + client.options().api_timeout;
        let mut backoff = client.backoff();
        loop {
            let error = match self.begin_commit(offsets).await?.await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let pause = backoff.next();
            if !error.is_retriable() || Instant::now() + pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Begins to commit the positions, and does not wait for the answer, nor try again: the next commit says more than
    /// this one. Commits take effect in the order in which they were begun, so that one that is waited for, at the end,
    /// has the last word:
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(mut consumer: ringlog_client::Consumer) -> Result<(), ringlog_client::ClientError> {
    /// for _ in 0..1000 {
    ///     let records = consumer.poll(Duration::from_secs(1)).await?;
    ///     // … deal with them
    ///     let pending = consumer.begin_commit(&consumer.positions()).await?;
    ///     tokio::spawn(async { pending.await.unwrap_or_else(|error| eprintln!("not committed: {error}")) });
    /// }
    /// consumer.commit().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::State`] without a group; when the group's coordinator is not known and cannot be found.
    pub async fn begin_commit(
        &mut self,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<PendingCommit, ClientError> {
        let membership = self.membership.as_mut().ok_or(NO_GROUP)?;
        let (tell, told) = oneshot::channel();
        if offsets.is_empty() {
            // Nobody else has this sender's other end.
            let _ = tell.send(Ok(()));
            return Ok(PendingCommit(told));
        }
        let coordinator = membership.coordinator().await?;
        let committing = offsets::begin_commit(&coordinator, &membership.metadata(), offsets)?;
        let signals = membership.signals().clone();
        tokio::spawn(async move {
            let outcome = committing.await;
            if let Err(error) = &outcome {
                signals.doubt_coordinator(error);
            }
            if let Err(Err(error)) = tell.send(outcome) {
                tracing::warn!(%error, "offsets were not committed");
            }
        });
        Ok(PendingCommit(told))
    }

    /// The positions of all partitions that it reads: what [`commit`](Self::commit) commits.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<TopicPartition, CommittedOffset> {
        let known =
            self.assigned.iter().filter_map(|(partition, state)| Some((partition.clone(), state.position.clone()?)));
        known.collect()
    }

    /// As whom it commits, for [`Producer::send_offsets_to_transaction`](crate::Producer::send_offsets_to_transaction);
    /// `None` without a group. It is that of the last rebalance: ask after each poll.
    #[must_use]
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.membership.as_ref().map(Membership::metadata)
    }

    /// What the group has committed for these partitions; those without a commit are left out.
    ///
    /// # Errors
    /// [`ClientError::State`] without a group; what the coordinator says.
    pub async fn committed(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClientError> {
        let client = self.client.clone();
        let group = self.options.group_id.clone().ok_or(NO_GROUP)?;
        let fetch = || async {
            let coordinator = client.coordinator(&group, Lane::SHARED).await?;
            offsets::committed(&coordinator, &group, Some(partitions)).await
        };
        client.retry(client.options().api_timeout, fetch).await
    }

    /// Begins a commit when that is automatic and due.
    pub(super) async fn auto_commit(&mut self) {
        let (Some(interval), Some(due)) = (self.options.auto_commit, self.next_auto_commit) else { return };
        if self.membership.is_none() || Instant::now() < due {
            return;
        }
        self.next_auto_commit = Some(Instant::now() + interval);
        if let Err(error) = self.begin_commit(&self.positions()).await {
            tracing::warn!(%error, "offsets were not committed; the next poll tries again");
        }
    }
}
