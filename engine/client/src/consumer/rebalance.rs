//! What a consumer does when its group deals the partitions anew.
//!
//! With the eager strategies all partitions are given up before the group is joined again; with cooperative ones only
//! those that the group gives to others, once it has said which (KIP-429). Either way their positions are committed
//! first where that is automatic, and the application's listener is told.

use std::collections::BTreeSet;
use std::future::ready;

use futures_util::future::BoxFuture;

use super::assignor::TopicPartition;
use super::{Consumer, Membership};
use crate::ClientError;

/// Is told which partitions a consumer gains and loses. It is called by [`Consumer::poll`], which waits for it, and
/// passes its errors on; within it everything can be done with the consumer but poll it.
///
/// A poll that is dropped while it waits may tell the same again.
pub trait RebalanceListener: Send + Sync {
    /// These are read from here on, perhaps none; called after every rebalance. The time to seek, to positions that are
    /// kept elsewhere.
    fn assigned<'a>(&'a self, consumer: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        let _ = (consumer, partitions);
        Box::pin(ready(Ok(())))
    }

    /// These are given up, when this returns. The time to commit what was done with their records.
    fn revoked<'a>(&'a self, consumer: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        let _ = (consumer, partitions);
        Box::pin(ready(Ok(())))
    }

    /// The group has gone on without this member: others may read these already, and nothing can be committed.
    fn lost<'a>(&'a self, consumer: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        let _ = (consumer, partitions);
        Box::pin(ready(Ok(())))
    }
}

/// What a listener gives: its work, to be waited for. `Box::pin(async move { … })` makes one.
pub type Told<'a> = BoxFuture<'a, Result<(), ClientError>>;

impl Consumer {
    /// Joins the group when that is due, as often as it takes; leaves it when nothing is subscribed to any more.
    pub(super) async fn keep_membership(&mut self) -> Result<(), ClientError> {
        let Some(membership) = &mut self.membership else { return Ok(()) };
        let Some(subscription) = &mut self.subscription else { return membership.leave().await };
        if subscription.look(&self.client).await? {
            membership.request_join();
        }
        membership.watch_topics().await;
        loop {
            if let Some(dealt) = self.membership.as_ref().and_then(Membership::dealt) {
                self.take_over(dealt).await?;
            }
            if !self.membership.as_ref().is_some_and(Membership::needs_join) {
                return Ok(());
            }
            self.give_up_before_joining().await?;
            let owned: BTreeSet<_> = self.assigned.keys().cloned().collect();
            let topics = self.subscription.as_ref().map_or_else(Default::default, |wanted| wanted.topics().to_vec());
            if let Some(membership) = &mut self.membership {
                membership.join(&topics, &owned).await?;
            }
        }
    }

    async fn give_up_before_joining(&mut self) -> Result<(), ClientError> {
        let (held, lost) = (self.assignment(), self.membership.as_ref().is_some_and(Membership::take_lost));
        if held.is_empty() {
            return Ok(());
        }
        if lost {
            self.set_assignment(BTreeSet::new());
            return match self.listener.clone() {
                Some(listener) => listener.lost(self, &held).await,
                None => Ok(()),
            };
        }
        if self.options.auto_commit.is_some()
            && let Err(error) = self.commit().await
        {
            tracing::warn!(%error, "offsets were not committed before the rebalance: records may be read again");
        }
        if !self.membership.as_ref().is_some_and(Membership::is_cooperative) {
            self.tell_revoked(&held).await?;
            self.set_assignment(BTreeSet::new());
        }
        Ok(())
    }

    /// Reads what the group has dealt to it.
    async fn take_over(&mut self, dealt: BTreeSet<TopicPartition>) -> Result<(), ClientError> {
        let held: BTreeSet<_> = self.assigned.keys().cloned().collect();
        let given_up: Vec<_> = held.difference(&dealt).cloned().collect();
        if !given_up.is_empty() {
            self.tell_revoked(&given_up).await?;
        }
        let gained: Vec<_> = dealt.difference(&held).cloned().collect();
        self.set_assignment(dealt);
        if let Some(membership) = &mut self.membership {
            membership.taken_over();
            // What was given up is free for its next reader only after one more rebalance.
            if !given_up.is_empty() {
                membership.request_join();
            }
        }
        match self.listener.clone() {
            Some(listener) => listener.assigned(self, &gained).await,
            None => Ok(()),
        }
    }

    pub(super) async fn tell_revoked(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        match self.listener.clone() {
            Some(listener) => listener.revoked(self, partitions).await,
            None => Ok(()),
        }
    }
}
