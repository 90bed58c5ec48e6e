//! Consumer groups: list, describe, delete, and the offsets that they have committed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use ringlog_protocol::consumer_group_describe::{Assignment, ConsumerGroupDescribeRequest};
use ringlog_protocol::consumer_protocol::ConsumerProtocolAssignment;
use ringlog_protocol::delete_groups::DeleteGroupsRequest;
use ringlog_protocol::describe_groups::{DescribeGroupsRequest, DescribedGroupMember};
use ringlog_protocol::list_groups::ListGroupsRequest;
use ringlog_protocol::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use ringlog_protocol::{ApiKey, ErrorCode, Stored};

use super::Admin;
use crate::client::Lane;
use crate::connection::Connection;
use crate::offsets::{self, CommittedOffset, GroupMetadata, by_topic};
use crate::{ClientError, TopicPartition};

/// The protocol type of groups of consumers.
const CONSUMER: &str = "consumer";

/// A group, in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group: String,
    /// `consumer` for groups of consumers; empty for one that only commits.
    pub protocol_type: String,
    /// `Stable`, `Empty` …; empty from a broker too old to say.
    pub state: String,
    /// `classic`, `consumer` (KIP-848), `share`, `streams`; empty from a broker too old to say.
    pub kind: String,
}

/// A group of consumers and its members, of the classic protocol or of the one in which the broker assigns (KIP-848).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group: String,
    /// `Empty`, `Stable`, `PreparingRebalance` and `CompletingRebalance` or, where the broker assigns, `Assigning` and `Reconciling`;
    /// `Dead` when there is no such group.
    pub state: String,
    /// `consumer` for groups of consumers.
    pub protocol_type: String,
    /// The assignment strategy: that its members agreed on, or the broker's.
    pub assignor: String,
    /// Where the broker assigns.
    pub epochs: Option<GroupEpochs>,
    /// Sorted by id.
    pub members: Vec<GroupMember>,
}

/// How far a group is to which the broker assigns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupEpochs {
    /// Counts the changes of members, subscriptions and topics.
    pub group: i32,
    /// The one of them for which the broker last said who shall read what.
    pub assignment: i32,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// What the coordinator calls it.
    pub member_id: String,
    /// Its `group.instance.id`, when it is a static member.
    pub instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// What it reads. Empty for a member whose protocol is not that of consumers.
    pub assignment: Vec<TopicPartition>,
    /// Where the broker assigns: how far the member is.
    pub target: Option<MemberTarget>,
}

/// What a member shall come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberTarget {
    /// The epoch of the group's that it has reached.
    pub epoch: i32,
    /// What it shall read, sorted; it does where this is its assignment.
    pub assignment: Vec<TopicPartition>,
}

impl Admin {
    /// All groups, sorted by id. Each broker knows those that it coordinates.
    ///
    /// # Errors
    /// When a broker does not answer.
    pub async fn groups(&self) -> Result<Vec<GroupListing>, ClientError> {
        self.retry(|| async {
            let topology = self.client.refresh(Some(&[]), false).await?;
            let calls = topology.brokers.keys().map(|&node| async move {
                let reply = self.client.node(node, Lane::SHARED).await?.call(&ListGroupsRequest::default()).await?;
                let answer = reply.read()?;
                ClientError::check(answer.error_code, || format!("groups of broker {node}"), None)?;
                let listing = |group: ringlog_protocol::list_groups::ListedGroup<'_>| GroupListing {
                    group: group.group_id.into_owned(),
                    protocol_type: group.protocol_type.into_owned(),
                    state: group.group_state.into_owned(),
                    kind: group.group_type.into_owned(),
                };
                Ok::<Vec<_>, ClientError>(answer.groups.into_iter().map(listing).collect())
            });
            let mut groups: Vec<_> = try_join_all(calls).await?.into_iter().flatten().collect();
            groups.sort_by(|a, b| a.group.cmp(&b.group));
            Ok(groups)
        })
        .await
    }

    /// A group of consumers and its members, whichever its protocol.
    ///
    /// # Errors
    /// [`ErrorCode::GroupIdNotFound`] when there is no such group (older brokers show one that is `Dead`; so does
    /// this), or it is of another kind.
    pub async fn group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        self.retry(|| async {
            let coordinator = self.client.coordinator(group, Lane::SHARED).await?;
            if coordinator.version(ApiKey::ConsumerGroupDescribe, 0..=i16::MAX).is_ok() {
                let described = consumer_group(&coordinator, group).await;
                // It may be a classic one; so are all where that protocol is served and switched off.
                let code = described.as_ref().err().and_then(ClientError::code);
                if !matches!(code, Some(ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion)) {
                    return described;
                }
            }
            classic_group(&coordinator, group).await
        })
        .await
    }

    /// All that a group has committed.
    ///
    /// # Errors
    /// What its coordinator says.
    pub async fn group_offsets(&self, group: &str) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClientError> {
        self.retry(|| async {
            let coordinator = self.client.coordinator(group, Lane::SHARED).await?;
            offsets::committed(&coordinator, group, None).await
        })
        .await
    }

    /// Commits for a group that has no members.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownMemberId`] while it has some: only they may commit.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<(), ClientError> {
        let committer = GroupMetadata::without_member(group);
        self.retry(|| async {
            let coordinator = self.client.coordinator(group, Lane::SHARED).await?;
            offsets::commit(&coordinator, &committer, offsets).await
        })
        .await
    }

    /// Forgets what a group has committed for partitions of topics that none of its members reads.
    ///
    /// # Errors
    /// [`ErrorCode::GroupSubscribedToTopic`] and others.
    pub async fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.retry(|| async {
            let row = |(partition_index, ())| OffsetDeleteRequestPartition { partition_index };
            let topics = by_topic(partitions.iter().map(|partition| (partition, ()))).into_iter();
            let topics = topics.map(|(name, rows)| OffsetDeleteRequestTopic {
                name: name.into(),
                partitions: rows.into_iter().map(row).collect(),
            });
            let request = OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() };
            let reply = self.client.coordinator(group, Lane::SHARED).await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || format!("group {group}"), None)?;
            for topic in &answer.topics {
                for row in &topic.partitions {
                    let subject = || format!("offset of {}-{} in group {group}", topic.name, row.partition_index);
                    ClientError::check(row.error_code, subject, None)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Deletes a group that has no members, with all that it has committed.
    ///
    /// # Errors
    /// [`ErrorCode::NonEmptyGroup`], [`ErrorCode::GroupIdNotFound`].
    pub async fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        self.retry(|| async {
            let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
            let coordinator = self.client.coordinator(group, Lane::SHARED).await?;
            let version = coordinator.version(ApiKey::DeleteGroups, 0..=i16::MAX)?;
            let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
            let answer = reply.read()?;
            answer
                .results
                .iter()
                .try_for_each(|row| ClientError::check(row.error_code, || format!("group {group}"), None))
        })
        .await
    }
}

async fn consumer_group(coordinator: &Connection, group: &str) -> Result<GroupDescription, ClientError> {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
    let reply = coordinator.call(&request).await?;
    let found = reply.read()?.groups.into_iter().next().ok_or_else(|| missing(group))?;
    ClientError::check(found.error_code, || format!("group {group}"), found.error_message.as_deref())?;
    let mut members: Vec<_> = found
        .members
        .into_iter()
        .map(|member| GroupMember {
            assignment: assigned(&member.assignment),
            target: Some(MemberTarget { epoch: member.member_epoch, assignment: assigned(&member.target_assignment) }),
            member_id: member.member_id.into_owned(),
            instance_id: member.instance_id.map(Into::into),
            client_id: member.client_id.into_owned(),
            host: member.client_host.into_owned(),
        })
        .collect();
    members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
    Ok(GroupDescription {
        group: group.to_owned(),
        state: found.group_state.into_owned(),
        protocol_type: CONSUMER.to_owned(),
        assignor: found.assignor_name.into_owned(),
        epochs: Some(GroupEpochs { group: found.group_epoch, assignment: found.assignment_epoch }),
        members,
    })
}

fn assigned(assignment: &Assignment<'_>) -> Vec<TopicPartition> {
    let rows = assignment.topic_partitions.iter();
    let partitions = rows
        .flat_map(|topic| topic.partitions.iter().map(|&index| TopicPartition::new(topic.topic_name.clone(), index)));
    let mut partitions: Vec<_> = partitions.collect();
    partitions.sort();
    partitions
}

async fn classic_group(coordinator: &Connection, group: &str) -> Result<GroupDescription, ClientError> {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    let reply = coordinator.call(&request).await?;
    let found = reply.read()?.groups.into_iter().next().ok_or_else(|| missing(group))?;
    ClientError::check(found.error_code, || format!("group {group}"), found.error_message.as_deref())?;
    let mut members: Vec<_> = found.members.iter().map(member).collect();
    members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
    Ok(GroupDescription {
        group: group.to_owned(),
        state: found.group_state.into_owned(),
        protocol_type: found.protocol_type.into_owned(),
        assignor: found.protocol_data.into_owned(),
        epochs: None,
        members,
    })
}

fn missing(group: &str) -> ClientError {
    let subject = format!("group {group}");
    ClientError::Broker { code: ErrorCode::GroupIdNotFound, subject, message: String::new() }
}

fn member(member: &DescribedGroupMember<'_>) -> GroupMember {
    // Other members than consumers put other things there.
    let assignment = ConsumerProtocolAssignment::from_newer_bytes(&member.member_assignment).unwrap_or_default();
    let mut partitions: Vec<_> = assignment
        .assigned_partitions
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|&index| TopicPartition::new(topic.topic.clone(), index)))
        .collect();
    partitions.sort();
    GroupMember {
        member_id: member.member_id.clone().into_owned(),
        instance_id: member.group_instance_id.clone().map(Into::into),
        client_id: member.client_id.clone().into_owned(),
        host: member.client_host.clone().into_owned(),
        assignment: partitions,
        target: None,
    }
}
