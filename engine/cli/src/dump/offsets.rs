//! Records of `__consumer_offsets` in words: which group has committed what, and who its members were.

use ringlog_protocol::consumer_protocol::ConsumerProtocolAssignment;
use ringlog_protocol::offsets_topic::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata, OffsetCommitKey, OffsetCommitValue,
};
use ringlog_protocol::{DecodeError, Stored};
use serde_json::{Value, json};

/// The key and the value of a record; `None` where the key is of a kind that this does not know, such as of the newer group protocols.
pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<(Value, Value)>, DecodeError> {
    let version = OffsetCommitKey::version(key)?;
    if OffsetCommitKey::VERSIONS.contains(&version) {
        let key = OffsetCommitKey::from_bytes(key)?;
        let value = value.map(OffsetCommitValue::from_newer_bytes).transpose()?;
        let key = json!({"group": key.group, "topic": key.topic, "partition": key.partition});
        Ok(Some((key, value.as_ref().map_or(Value::Null, committed))))
    } else if GroupMetadataKey::VERSIONS.contains(&version) {
        let key = GroupMetadataKey::from_bytes(key)?;
        let value = value.map(GroupMetadataValue::from_newer_bytes).transpose()?;
        Ok(Some((json!({"group": key.group}), value.as_ref().map_or(Value::Null, group))))
    } else {
        Ok(None)
    }
}

fn committed(value: &OffsetCommitValue<'_>) -> Value {
    json!({
        "offset": value.offset,
        "leader_epoch": value.leader_epoch,
        "metadata": value.metadata,
        "commit_timestamp_ms": value.commit_timestamp,
    })
}

fn group(value: &GroupMetadataValue<'_>) -> Value {
    json!({
        "protocol_type": value.protocol_type,
        "generation": value.generation,
        "protocol": value.protocol,
        "leader": value.leader,
        "members": value.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn member(member: &MemberMetadata<'_>) -> Value {
    // Other members than consumers put other things there.
    let assignment = ConsumerProtocolAssignment::from_newer_bytes(&member.assignment).unwrap_or_default();
    let topics = assignment.assigned_partitions.iter();
    let topics = topics.map(|topic| (topic.topic.clone().into_owned(), json!(topic.partitions)));
    json!({
        "member_id": member.member_id,
        "instance_id": member.group_instance_id,
        "client_id": member.client_id,
        "host": member.client_host,
        "assignment": topics.collect::<serde_json::Map<_, _>>(),
    })
}
