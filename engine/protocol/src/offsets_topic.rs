//! The records of `__consumer_offsets`, byte for byte as Kafka writes them.
//!
//! The version in front of a key says what the record is: 0 or 1 a committed offset, 2 a group; others are not ours to
//! read.

use crate::{Blob, Str, Uuid, schema::stored};

stored! {
    OffsetCommitKey<'a>, versions 0..=1, never flexible {
        0..  group: Str<'a>;
        0..  topic: Str<'a>;
        0..  partition: i32;
    }
}

stored! {
    OffsetCommitValue<'a>, versions 0..=4, flexible from 4 {
        0..     offset: i64;
        3..     leader_epoch: i32 = -1, ignorable;
        0..     metadata: Str<'a>;
        0..     commit_timestamp: i64;
        1..=1   expire_timestamp: i64 = -1, ignorable;
        4..     topic_id: Uuid, tag 0, ignorable;
    }
}

stored! {
    GroupMetadataKey<'a>, versions 2..=2, never flexible {
        0..  group: Str<'a>;
    }
}

stored! {
    GroupMetadataValue<'a>, versions 0..=4, flexible from 4 {
        0..  protocol_type: Str<'a>;
        0..  generation: i32;
        0..  protocol: Option<Str<'a>>, null 0..;
        0..  leader: Option<Str<'a>>, null 0..;
        2..  current_state_timestamp: i64 = -1, ignorable;
        0..  members: Vec<MemberMetadata<'a>>;
    }

    struct MemberMetadata<'a> {
        0..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>> = None, null 3.., ignorable;
        0..  client_id: Str<'a>;
        0..  client_host: Str<'a>;
        1..  rebalance_timeout: i32 = -1, ignorable;
        0..  session_timeout: i32;
        0..  subscription: Blob<'a>;
        0..  assignment: Blob<'a>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeError, Stored};

    #[test]
    fn a_committed_offset_has_the_bytes_that_kafka_writes() {
        let key = OffsetCommitKey { group: "g".into(), topic: "orders".into(), partition: 3 };
        assert_eq!(key.to_bytes(1).unwrap(), b"\0\x01\0\x01g\0\x06orders\0\0\0\x03");
        let value = OffsetCommitValue {
            offset: 258,
            leader_epoch: 5,
            metadata: "m".into(),
            commit_timestamp: 1,
            ..Default::default()
        };
        assert_eq!(value.to_bytes(3).unwrap(), b"\0\x03\0\0\0\0\0\0\x01\x02\0\0\0\x05\0\x01m\0\0\0\0\0\0\0\x01");
        assert_eq!(value.to_bytes(4).unwrap(), b"\0\x04\0\0\0\0\0\0\x01\x02\0\0\0\x05\x02m\0\0\0\0\0\0\0\x01\0");
    }

    #[test]
    fn a_group_has_the_bytes_that_kafka_writes() {
        assert_eq!(GroupMetadataKey { group: "g".into() }.to_bytes(2).unwrap(), b"\0\x02\0\x01g");
        let member = MemberMetadata {
            member_id: "m".into(),
            client_id: "c".into(),
            client_host: "/h".into(),
            rebalance_timeout: 300,
            session_timeout: 45,
            subscription: Blob::Borrowed(&[1, 2]),
            ..Default::default()
        };
        let value = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 7,
            protocol: Some("range".into()),
            leader: None,
            current_state_timestamp: 9,
            members: vec![member],
        };
        let bytes = b"\0\x03\0\x08consumer\0\0\0\x07\0\x05range\xff\xff\0\0\0\0\0\0\0\x09\0\0\0\x01\
            \0\x01m\xff\xff\0\x01c\0\x02/h\0\0\x01\x2c\0\0\0\x2d\0\0\0\x02\x01\x02\0\0\0\0";
        assert_eq!(value.to_bytes(3).unwrap(), bytes);
        assert_eq!(GroupMetadataValue::from_bytes(bytes).unwrap(), value);
    }

    #[test]
    fn the_version_tells_what_a_key_is_and_unknown_ones_are_refused() {
        assert_eq!(OffsetCommitKey::version(b"\0\x02\0\x01g"), Ok(2));
        let error = DecodeError::UnknownSchemaVersion { schema: "OffsetCommitKey", version: 2 };
        assert_eq!(OffsetCommitKey::from_bytes(b"\0\x02\0\x01g"), Err(error));
        assert_eq!(OffsetCommitKey::version(b"\0"), Err(DecodeError::Truncated { needed: 2, left: 1 }));
    }

    #[test]
    fn stored_bytes_must_end_with_the_value() {
        let key = b"\0\x02\0\x01g!";
        assert_eq!(GroupMetadataKey::from_bytes(key), Err(DecodeError::Trailing { left: 1 }));
    }
}
