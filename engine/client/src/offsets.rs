//! Offsets of partitions and of groups: looking them up by time, fetching what was committed, committing.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::join_all;
use ringlog_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ringlog_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ringlog_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ringlog_protocol::{ApiKey, ErrorCode};

use crate::client::Lane;
use crate::connection::Connection;
use crate::{Client, ClientError, Isolation, TopicPartition};

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that can be read.
    Earliest,
    /// The one that the next record gets; with [`Isolation::ReadCommitted`] that of the first record still in a
    /// transaction.
    Latest,
    /// Of the first record with this timestamp, in ms since the epoch, or a later one.
    Timestamp(i64),
    /// Of the record with the largest timestamp (KIP-734).
    MaxTimestamp,
}

/// An offset that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset; `None` when no record has such a timestamp.
    pub offset: Option<i64>,
    /// The record's timestamp, where one was asked for.
    pub timestamp_ms: Option<i64>,
    /// The leader epoch of that offset, if it is told.
    pub leader_epoch: Option<i32>,
}

/// What a group has committed for a partition: where it goes on reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommittedOffset {
    /// Offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the last record read, if it was told.
    pub leader_epoch: Option<i32>,
    /// The application's own words.
    pub metadata: String,
}

/// Who commits offsets of a group: a member of one of its generations, or nobody in particular.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group's name.
    pub group_id: String,
    /// The generation that the member belongs to; −1 for nobody in particular.
    pub generation_id: i32,
    /// The member's id; empty for nobody in particular.
    pub member_id: String,
    /// The `group.instance.id` of a static member.
    pub instance_id: Option<String>,
}

impl GroupMetadata {
    /// Of nobody in particular: enough for a group without members, which has its partitions assigned by hand.
    pub fn without_member(group_id: impl Into<String>) -> Self {
        Self { group_id: group_id.into(), generation_id: -1, member_id: String::new(), instance_id: None }
    }
}

impl OffsetSpec {
    fn wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(ms) => ms,
        }
    }
}

/// The first error among an answer's rows of topic, partition and code. What was asked and has no row was not done.
pub(crate) fn check_rows<'a, 'b>(
    asked: impl IntoIterator<Item = &'a TopicPartition>,
    rows: impl Iterator<Item = (&'b str, i32, i16)>,
    subject: impl Fn(&TopicPartition) -> String,
) -> Result<(), ClientError> {
    let codes: HashMap<_, _> = rows.map(|(topic, partition, code)| ((topic, partition), code)).collect();
    let checked = asked.into_iter().map(|partition| match codes.get(&(&*partition.topic, partition.partition)) {
        Some(&code) => ClientError::check(code, || subject(partition), None),
        None => Err(ClientError::unmentioned(subject(partition))),
    });
    // One partition is refused, and the others were not tried: that one says why.
    let tried = |error: &ClientError| error.code() != Some(ErrorCode::OperationNotAttempted);
    let errors: Vec<_> = checked.filter_map(Result::err).collect();
    errors.iter().find(|error| tried(error)).or(errors.first()).map_or(Ok(()), |error| Err(error.clone()))
}

/// The partitions by topic, as most requests want them.
pub(crate) fn by_topic<'a, T>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics = BTreeMap::<&str, Vec<(i32, T)>>::new();
    for (partition, value) in partitions {
        topics.entry(&partition.topic).or_default().push((partition.partition, value));
    }
    topics
}

/// What stands on the wire as −1 when it is not known.
pub(crate) fn known<T: PartialOrd + Default>(value: T) -> Option<T> {
    Some(value).filter(|value| *value >= T::default())
}

/// Offsets from the partitions' leaders, asked all at once. The result has an entry for each partition asked for.
pub(crate) async fn list(
    client: &Client,
    asked: &BTreeMap<TopicPartition, OffsetSpec>,
    isolation: Isolation,
) -> BTreeMap<TopicPartition, Result<FoundOffset, ClientError>> {
    let mut results = BTreeMap::new();
    let mut leaders = BTreeMap::<i32, Vec<(&TopicPartition, OffsetSpec)>>::new();
    for (partition, spec) in asked {
        let topic = client.topic(&partition.topic, false, client.options().api_timeout).await;
        match topic.and_then(|topic| topic.leader(partition.partition)) {
            Ok(leader) => leaders.entry(leader).or_default().push((partition, *spec)),
            Err(error) => drop(results.insert(partition.clone(), Err(error))),
        }
    }
    let calls = leaders.into_iter().map(|(leader, asked)| async move {
        let answer = list_from(client, leader, &asked, isolation).await;
        asked.into_iter().map(move |(partition, _)| {
            let missing = || ClientError::unmentioned(format!("partition {partition}"));
            let found = answer.as_ref().map_err(ClientError::clone);
            (partition.clone(), found.and_then(|rows| rows.get(partition).cloned().unwrap_or_else(|| Err(missing()))))
        })
    });
    results.extend(join_all(calls).await.into_iter().flatten());
    results
}

async fn list_from(
    client: &Client,
    leader: i32,
    asked: &[(&TopicPartition, OffsetSpec)],
    isolation: Isolation,
) -> Result<BTreeMap<TopicPartition, Result<FoundOffset, ClientError>>, ClientError> {
    let connection = client.node(leader, Lane::SHARED).await?;
    // Version 7 knows the largest timestamp.
    let least = if asked.iter().any(|(_, spec)| *spec == OffsetSpec::MaxTimestamp) { 7 } else { 1 };
    let version = connection.version(ApiKey::ListOffsets, least..=i16::MAX)?;
    let topics = by_topic(asked.iter().map(|(partition, spec)| (*partition, spec.wire()))).into_iter();
    let row = |(partition_index, timestamp)| ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: if version >= 2 { isolation.code() } else { 0 },
        topics: topics
            .map(|(name, rows)| ListOffsetsTopic { name: name.into(), partitions: rows.into_iter().map(row).collect() })
            .collect(),
        timeout_ms: client.options().request_timeout.as_millis() as i32,
    };
    let reply = connection.call_version(&request, version, Duration::ZERO).await?;
    let mut rows = BTreeMap::new();
    for topic in reply.read()?.topics {
        for row in topic.partitions {
            let partition = TopicPartition::new(topic.name.clone(), row.partition_index);
            let found = ClientError::check(row.error_code, || format!("partition {partition}"), None);
            let found = found.map(|()| FoundOffset {
                offset: known(row.offset),
                timestamp_ms: known(row.timestamp),
                leader_epoch: known(row.leader_epoch),
            });
            rows.insert(partition, found);
        }
    }
    Ok(rows)
}

/// What a group has committed, for these partitions or for all it has any for.
pub(crate) async fn committed(
    coordinator: &Connection,
    group: &str,
    partitions: Option<&[TopicPartition]>,
) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClientError> {
    let version = coordinator.version(ApiKey::OffsetFetch, if partitions.is_none() { 2 } else { 1 }..=9)?;
    let topics = partitions.map(|partitions| by_topic(partitions.iter().map(|partition| (partition, ()))));
    let indexes = |rows: Vec<(i32, ())>| rows.into_iter().map(|(index, ())| index).collect();
    let request = if version < 8 {
        let row = |(name, rows): (&str, _)| OffsetFetchRequestTopic {
            name: name.to_owned().into(),
            partition_indexes: indexes(rows),
        };
        let topics = topics.map(|topics| topics.into_iter().map(row).collect());
        OffsetFetchRequest { group_id: group.into(), topics, require_stable: version == 7, ..Default::default() }
    } else {
        let row = |(name, rows): (&str, _)| OffsetFetchRequestTopics {
            name: name.to_owned().into(),
            partition_indexes: indexes(rows),
            ..Default::default()
        };
        let topics = topics.map(|topics| topics.into_iter().map(row).collect());
        let groups = vec![OffsetFetchRequestGroup { group_id: group.into(), topics, ..Default::default() }];
        OffsetFetchRequest { groups, require_stable: true, ..Default::default() }
    };
    let reply = coordinator.call_version(&request, version, Duration::ZERO).await?;
    let answer = reply.read()?;
    let subject = || format!("group {group}");
    ClientError::check(answer.error_code, subject, None)?;
    let mut offsets = BTreeMap::new();
    let mut note = |topic: &str, index, offset, epoch: i32, metadata: Option<&str>, code| {
        let partition = TopicPartition::new(topic, index);
        ClientError::check(code, || format!("partition {partition} of group {group}"), None)?;
        if offset >= 0 {
            let metadata = metadata.unwrap_or_default().to_owned();
            offsets.insert(partition, CommittedOffset { offset, leader_epoch: known(epoch), metadata });
        }
        Ok::<_, ClientError>(())
    };
    for topic in &answer.topics {
        for row in &topic.partitions {
            let metadata = row.metadata.as_deref();
            let (index, epoch) = (row.partition_index, row.committed_leader_epoch);
            note(&topic.name, index, row.committed_offset, epoch, metadata, row.error_code)?;
        }
    }
    for found in &answer.groups {
        ClientError::check(found.error_code, subject, None)?;
        for topic in &found.topics {
            for row in &topic.partitions {
                let metadata = row.metadata.as_deref();
                let (index, epoch) = (row.partition_index, row.committed_leader_epoch);
                note(&topic.name, index, row.committed_offset, epoch, metadata, row.error_code)?;
            }
        }
    }
    Ok(offsets)
}

/// Commits; the first partition that is refused is the error.
pub(crate) async fn commit(
    coordinator: &Connection,
    committer: &GroupMetadata,
    offsets: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<(), ClientError> {
    begin_commit(coordinator, committer, offsets)?.await
}

/// Queues a commit behind those before it on this connection, and gives what its answer comes from.
pub(crate) fn begin_commit(
    coordinator: &Connection,
    committer: &GroupMetadata,
    offsets: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<impl Future<Output = Result<(), ClientError>> + Send + use<>, ClientError> {
    let version = coordinator.version(ApiKey::OffsetCommit, 2..=9)?;
    let row = |(partition_index, committed): (i32, &CommittedOffset)| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: committed.offset,
        committed_leader_epoch: committed.leader_epoch.unwrap_or(-1),
        committed_metadata: Some(committed.metadata.clone().into()),
    };
    let topics = by_topic(offsets).into_iter().map(|(name, rows)| OffsetCommitRequestTopic {
        name: name.to_owned().into(),
        partitions: rows.into_iter().map(row).collect(),
        ..Default::default()
    });
    let GroupMetadata { group_id: group, generation_id, member_id, instance_id } = committer.clone();
    let request: OffsetCommitRequest<'static> = OffsetCommitRequest {
        group_id: group.clone().into(),
        generation_id_or_member_epoch: generation_id,
        member_id: member_id.into(),
        group_instance_id: instance_id.filter(|_| version >= 7).map(Into::into),
        topics: topics.collect(),
        ..Default::default()
    };
    let asked: Vec<_> = offsets.keys().cloned().collect();
    let pending = coordinator.send(&request, version, Vec::new())?;
    Ok(async move {
        let reply = pending.reply(Duration::ZERO).await?;
        let answer = reply.read()?;
        let rows = answer
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|row| (&*topic.name, row.partition_index, row.error_code)));
        check_rows(&asked, rows, |partition| format!("offset of {partition} in group {group}"))
    })
}
