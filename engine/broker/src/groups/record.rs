//! A group's changes as the records of `__consumer_offsets`, byte for byte as Kafka writes them.

use std::sync::Arc;

use ringlog_coordinator::{Change, Committed, GroupValue, MemberValue};
use ringlog_protocol::offsets_topic::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata, OffsetCommitKey, OffsetCommitValue,
};
use ringlog_protocol::{Blob, DecodeError, EncodeError, Stored};
use ringlog_record::{BatchBuilder, Compression, RecordError};

const OFFSET_KEY_VERSION: i16 = 1;
const GROUP_KEY_VERSION: i16 = 2;
/// The newest that every Kafka since 2.3 reads.
const VALUE_VERSION: i16 = 3;
/// The only version with a place for an expiry time of the client's choice.
const EXPIRING_VALUE_VERSION: i16 = 1;

/// Why changes can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordFailure {
    #[error("{0}")]
    Encode(#[from] EncodeError),
    #[error("{0}")]
    Batch(#[from] RecordError),
}

/// The changes as one batch.
pub(crate) fn batch(changes: &[Change], now_ms: i64) -> Result<Vec<u8>, RecordFailure> {
    let mut builder = BatchBuilder::new(Compression::None);
    for change in changes {
        let (key, value) = encode(change)?;
        builder.append(now_ms, Some(&key), value.as_deref(), &[])?;
    }
    Ok(builder.build()?)
}

fn encode(change: &Change) -> Result<(Vec<u8>, Option<Vec<u8>>), EncodeError> {
    match change {
        Change::Offset { group, topic, partition, value } => {
            let key = OffsetCommitKey { group: (&**group).into(), topic: (&**topic).into(), partition: *partition };
            Ok((key.to_bytes(OFFSET_KEY_VERSION)?, value.as_ref().map(offset_value).transpose()?))
        }
        Change::Group { group, value } => {
            let key = GroupMetadataKey { group: (&**group).into() };
            Ok((key.to_bytes(GROUP_KEY_VERSION)?, value.as_ref().map(group_value).transpose()?))
        }
    }
}

fn offset_value(committed: &Committed) -> Result<Vec<u8>, EncodeError> {
    let version = if committed.expire_timestamp_ms.is_some() { EXPIRING_VALUE_VERSION } else { VALUE_VERSION };
    let value = OffsetCommitValue {
        offset: committed.offset,
        leader_epoch: committed.leader_epoch,
        metadata: (&*committed.metadata).into(),
        commit_timestamp: committed.commit_timestamp_ms,
        expire_timestamp: committed.expire_timestamp_ms.unwrap_or(-1),
        ..Default::default()
    };
    value.to_bytes(version)
}

fn group_value(value: &GroupValue) -> Result<Vec<u8>, EncodeError> {
    let member = |member: &MemberValue| MemberMetadata {
        member_id: member.member_id.clone().into(),
        group_instance_id: member.instance_id.clone().map(Into::into),
        client_id: member.client_id.clone().into(),
        client_host: member.client_host.clone().into(),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: Blob::Owned(member.subscription.to_vec()),
        assignment: Blob::Owned(member.assignment.to_vec()),
    };
    let value = GroupMetadataValue {
        protocol_type: (&*value.protocol_type).into(),
        generation: value.generation,
        protocol: value.protocol.as_deref().map(Into::into),
        leader: value.leader.as_deref().map(Into::into),
        current_state_timestamp: value.state_since_ms,
        members: value.members.iter().map(member).collect(),
    };
    value.to_bytes(VALUE_VERSION)
}

/// The change that a record stands for; `None` for a kind of record that is not ours to read.
pub(crate) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Change>, DecodeError> {
    let version = OffsetCommitKey::version(key)?;
    if OffsetCommitKey::VERSIONS.contains(&version) {
        let key = OffsetCommitKey::from_bytes(key)?;
        let (group, topic) = (Arc::from(&*key.group), Arc::from(&*key.topic));
        let value = value.map(OffsetCommitValue::from_bytes).transpose()?.map(committed);
        return Ok(Some(Change::Offset { group, topic, partition: key.partition, value }));
    }
    if GroupMetadataKey::VERSIONS.contains(&version) {
        let group = Arc::from(&*GroupMetadataKey::from_bytes(key)?.group);
        let value = value.map(GroupMetadataValue::from_bytes).transpose()?.map(group_state);
        return Ok(Some(Change::Group { group, value }));
    }
    Ok(None)
}

fn committed(value: OffsetCommitValue<'_>) -> Committed {
    Committed {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata.into_owned(),
        commit_timestamp_ms: value.commit_timestamp,
        expire_timestamp_ms: Some(value.expire_timestamp).filter(|at| *at != -1),
    }
}

fn group_state(value: GroupMetadataValue<'_>) -> GroupValue {
    let member = |member: MemberMetadata<'_>| MemberValue {
        member_id: member.member_id.into_owned(),
        instance_id: member.group_instance_id.map(|id| id.into_owned()),
        client_id: member.client_id.into_owned(),
        client_host: member.client_host.into_owned(),
        // Version 0 had none: the session's time-out served for both.
        rebalance_timeout_ms: if member.rebalance_timeout < 0 {
            member.session_timeout
        } else {
            member.rebalance_timeout
        },
        session_timeout_ms: member.session_timeout,
        subscription: Arc::from(&*member.subscription),
        assignment: Arc::from(&*member.assignment),
    };
    GroupValue {
        protocol_type: value.protocol_type.into_owned(),
        generation: value.generation,
        protocol: value.protocol.map(|name| name.into_owned()),
        leader: value.leader.map(|id| id.into_owned()),
        state_since_ms: value.current_state_timestamp,
        members: value.members.into_iter().map(member).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringlog_record::Batch;

    fn there_and_back(changes: &[Change]) -> Vec<Change> {
        let bytes = batch(changes, 7).unwrap();
        let records = Batch::parse(&bytes).unwrap().records(1 << 20).unwrap();
        let change = |record: Result<ringlog_record::Record<'_>, RecordError>| {
            let record = record.unwrap();
            decode(record.key.unwrap(), record.value).unwrap().unwrap()
        };
        records.iter().map(change).collect()
    }

    #[test]
    fn every_change_comes_back_from_its_record() {
        let committed = Committed {
            offset: 5,
            leader_epoch: 3,
            metadata: "mine".into(),
            commit_timestamp_ms: 9,
            expire_timestamp_ms: None,
        };
        let expiring = Committed { expire_timestamp_ms: Some(99), leader_epoch: -1, ..committed.clone() };
        let offset = |value| Change::Offset { group: "g".into(), topic: "t".into(), partition: 2, value };
        let member = MemberValue {
            member_id: "m".into(),
            instance_id: Some("i".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 60_000,
            session_timeout_ms: 10_000,
            subscription: Arc::from(&b"in"[..]),
            assignment: Arc::from(&b"out"[..]),
        };
        let group = GroupValue {
            protocol_type: "consumer".into(),
            generation: 4,
            protocol: Some("range".into()),
            leader: Some("m".into()),
            state_since_ms: 8,
            members: vec![member],
        };
        let changes = [
            offset(Some(committed)),
            offset(Some(expiring)),
            offset(None),
            Change::Group { group: "g".into(), value: Some(group) },
            Change::Group { group: "g".into(), value: None },
        ];
        assert_eq!(there_and_back(&changes), changes);
    }

    #[test]
    fn a_record_of_another_kind_is_passed_over_and_a_broken_one_named() {
        assert_eq!(decode(b"\0\x09what", None), Ok(None));
        assert!(decode(b"\0\x01\0\x05g", None).is_err());
        assert!(decode(b"", None).is_err());
    }
}
